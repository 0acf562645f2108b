//! `cargo verify` and `cargo bench-node`: everything that is checked, and what is measured.
//!
//! Runs other programs and reads what they say; holds no check of its own.
#![expect(clippy::print_stdout, reason = "what this program prints is its result")]

mod bench;
mod verify;

use std::process::ExitCode;

use lexopt::Arg::{Long, Value};
use lexopt::ValueExt;

use verify::Depth;

/// What was asked for.
enum Wish {
    /// The groups of figures that were named; all without a name.
    Bench(Vec<String>),
    Help,
    Tools,
    Verify(Depth),
}

fn main() -> ExitCode {
    match wish() {
        Ok(Wish::Bench(groups)) => bench::run(&groups),
        Ok(Wish::Help) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Wish::Tools) => {
            verify::tools();
            ExitCode::SUCCESS
        }
        Ok(Wish::Verify(depth)) => verify::run(depth),
        Err(error) => {
            println!("{error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn wish() -> Result<Wish, lexopt::Error> {
    let mut arguments = lexopt::Parser::from_env();
    let mut verb = None;
    let mut groups = Vec::new();
    let mut depth = Depth::Usual;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("fast") => depth = Depth::Fast,
            Long("help") => return Ok(Wish::Help),
            Long("long") => depth = Depth::Long,
            Value(text) if verb.is_none() => verb = Some(text),
            Value(text) if verb.as_ref().is_some_and(|verb| verb == "bench") => {
                groups.push(bench::group(text.string()?)?);
            }
            Long(_) | Value(_) | lexopt::Arg::Short(_) => return Err(argument.unexpected()),
        }
    }
    match verb.as_ref().and_then(|text| text.to_str()) {
        Some("bench") => Ok(Wish::Bench(groups)),
        Some("tools") => Ok(Wish::Tools),
        Some("verify") => Ok(Wish::Verify(depth)),
        Some(_) | None => Ok(Wish::Help),
    }
}

const HELP: &str = "\
cargo verify           format, lints, build, every test, the browser stories
cargo verify --fast    without browsers and slow tests
cargo verify --long    with many kills and cut points; takes long
cargo run --package hw-tests -- tools
                       only fetches what the browser stories need
cargo bench-node [GROUP ..]
                       what it costs: times, memory, wake-ups, bytes; groups: wake, household,
                       awake, messages, requests, conversation, https; and only by its name
                       density: 10 000 twins, 1 000 of them awake, a greedy one";
