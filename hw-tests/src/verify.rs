//! The steps of `cargo verify`: named, timed, in order; the first that fails ends it.
//!
//! Needs no standard input and no terminal. Prints one plain closing line that adds up all tests.

mod count;
mod tools;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use count::Count;

/// How much is checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Depth {
    /// Without browsers and slow tests: while working.
    Fast,
    /// With many kills and cut points: before something big is called done.
    Long,
    /// What a change has to pass.
    Usual,
}

/// Runs all steps.
pub(crate) fn run(depth: Depth) -> ExitCode {
    let begin = Instant::now();
    let mut count = Count::default();
    let failed = steps(depth, &mut count).err();
    if let Some(step) = failed {
        println!("\nFAILED at: {step}");
        count.failed = count.failed.max(1);
    }
    println!("\n{count} ({})", seconds(begin.elapsed()));
    if count.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Fetches what the browser stories need.
pub(crate) fn tools() {
    tools::prepare(&root().join("hw-tests/browser"));
}

/// The name of the step that failed is the error.
fn steps(depth: Depth, count: &mut Count) -> Result<(), &'static str> {
    cargo("format", &["fmt", "--all", "--", "--check"])?;
    if depth != Depth::Fast {
        timed("tools", || {
            tools();
            true
        })?;
    }
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    cargo("lints", &lints)?;
    let programs = ["build", "--package", "hometwin", "--package", "red-team"];
    cargo("build", &[&programs[..], &["--package", "image-build", "--quiet"]].concat())?;
    timed("tests", || tests(depth, count))
}

fn cargo(step: &'static str, arguments: &[&str]) -> Result<(), &'static str> {
    timed(step, || {
        let mut command = Command::new("cargo");
        command.args(arguments).current_dir(root()).stdin(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

fn timed(step: &'static str, run: impl FnOnce() -> bool) -> Result<(), &'static str> {
    println!("== {step}");
    let begin = Instant::now();
    let ok = run();
    println!("== {step}: {} in {}", if ok { "ok" } else { "failed" }, seconds(begin.elapsed()));
    if ok { Ok(()) } else { Err(step) }
}

/// All tests of the workspace; what they print goes through, except for what passed silently.
fn tests(depth: Depth, count: &mut Count) -> bool {
    let mut command = Command::new("cargo");
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .current_dir(root())
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match depth {
        // Most of its time a test waits for a process to end, or not to.
        Depth::Fast => drop(command.env("HOMETWIN_FAST", "1").args(["--", "--test-threads", "4"])),
        Depth::Long => drop(command.env("HOMETWIN_LONG", "1")),
        Depth::Usual => {}
    }
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let counted = Mutex::new(std::mem::take(count));
    std::thread::scope(|scope| {
        scope.spawn(|| follow(out, &counted));
        scope.spawn(|| follow(err, &counted));
    });
    *count = counted.into_inner().unwrap_or_default();
    child.wait().is_ok_and(|status| status.success())
}

fn follow(from: Option<impl Read>, counted: &Mutex<Count>) {
    let Some(from) = from else { return };
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if let Ok(mut count) = counted.lock() {
            count.add(&line);
        }
        if !count::silent(&line) {
            println!("{line}");
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
