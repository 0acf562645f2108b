//! Drives the built product from outside, as a person, a browser or an attacker would.
//!
//! Knows the product only by its command line, its routes and `/proc`; never links any of it.

mod events;
mod machine;
mod mirror;
mod node;
mod person;
mod procs;
mod publisher;
mod stick;
mod talk;
mod tls;

use std::io::Write;
use std::time::{Duration, Instant};

pub use events::Events;
pub use machine::{Console, Firmware, Image, Machine};
pub use mirror::Mirror;
pub use node::{Node, Options, Spoken, free_port, program, reachable, red_team};
pub use person::{Answer, Fault, Person, fresh_id, raw};
pub use procs::{Memory, Process, Role};
pub use publisher::Publisher;
pub use talk::{Pair, conversation_texts};
pub use tls::{Secure, any_certificate};

/// What went wrong, for whoever reads the test's output.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What the harness gives back.
pub type Result<T> = std::result::Result<T, Error>;

/// Says that a test can't be done here and why; `cargo verify` counts these lines.
///
/// Written straight to standard error: the test runner swallows only what goes through `print`.
pub fn skip(test: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIP {test}: {reason}");
}

/// Whether the slow variants are wanted: `cargo verify --long`.
#[must_use]
pub fn long() -> bool {
    std::env::var_os("HOMETWIN_LONG").is_some_and(|value| value == "1")
}

/// Asks again and again until the answer is there or the time is over.
///
/// # Errors
/// The last answer's error, or that there was none in time.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        let last = match ask() {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if Instant::now() >= end {
            let why = last.map_or_else(String::new, |error| format!(": {error}"));
            return Err(format!("waited {limit:?} in vain for {what}{why}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
