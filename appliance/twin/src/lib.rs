//! One person's process: their data, and the door through which browsers and other twins come in.
//!
//! ```text
//!  gateway ── Connection+fd ──> serve ── tls ── http ─┬─ files of shell, SDK, experiences
//!     │                                               ├─ calls ──┐
//!     │                                               └─ events ─┤
//!     └────── Link+fd ────────> serve ───────────────────────> life ── store
//! ```
//!
//! The *door* half (`serve`, `tls`, `http`, `session`, `passkeys`, `invite`, `frames`, `events`, `node`) knows who asks;
//! the *life* half (`life`) knows what may be done and does it. The process never opens a socket
//! of its own, never starts another program, and touches no file outside its twin's folder.

pub mod fuzz;
pub mod health;
pub mod life;
pub mod messages;
pub mod offline;
pub mod package;

mod asks;
mod day;
mod events;
mod frames;
mod http;
mod idle;
mod invite;
mod limits;
mod metrics;
mod node;
mod passkeys;
mod room;
mod serve;
mod session;
mod site;
mod tls;

use std::error::Error as StdError;
use std::time::SystemTime;

use handover::Channel;
use tokio::task::LocalSet;

/// Why a twin's process ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The channel to the executor broke or said something unreadable.
    #[error("the executor can't be understood")]
    Executor(#[source] handover::Error),
    /// The first header was not a start, or came without a channel to the gateway.
    #[error("started without a channel to the gateway")]
    NoStart,
    /// The channel to the gateway can't be used.
    #[error("the channel to the gateway can't be used")]
    Gateway(#[source] std::io::Error),
    /// The twin's data can't be opened; the executor was told why.
    #[error("data of {name} can't be opened: {why}")]
    Broken {
        /// The twin's name.
        name: String,
        /// What happened.
        why: String,
    },
}

/// Serves one twin until it is told to stop, or has been idle for long enough.
///
/// # Errors
/// When it can't start, or the executor can't be understood.
pub async fn run(channel: Channel) -> Result<(), Error> {
    LocalSet::new().run_until(serve::run(channel)).await
}

/// An error with all its causes, in one line.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// Milliseconds since 1970.
fn clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
