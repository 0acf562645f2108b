//! The home twin's one program file: it reads what was asked, and starts that part.
//!
//! It never does the work itself: `run` is the executor's, `gateway-process`, `twin-process` and
//! `worker-process` are what the executor starts, the other verbs go to the running node. A library only so that the red
//! team can be this program with one process taken over.

mod arguments;
mod console;
mod data;
mod doctor;
mod experience;
mod gate;
mod health;
mod keyboard;
mod logging;
mod processes;
mod run;
mod say;
mod update;
mod verbs;
mod work;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command};
use crate::say::Say;

/// Does what the command line of this process asks for; answers the process's exit code.
#[must_use]
pub fn main() -> ExitCode {
    let say = Say::from_environment();
    let arguments = match Arguments::read(lexopt::Parser::from_env()) {
        Ok(arguments) => arguments,
        Err(error) => return say.usage_error(&error),
    };
    let done = match arguments.command {
        Command::Help => say.help(),
        Command::Version => say.version(),
        Command::Experience(asked) => experience::experience(&asked, &arguments.logging, &say),
        Command::OpenData => data::open(&say),
        Command::Console(data) => console::console(data, &say),
        Command::Doctor(doctor) => doctor::doctor(doctor, &say),
        Command::Fetcher => processes::fetcher(&arguments.logging),
        Command::Gateway(given) => processes::gateway(&given, &arguments.logging),
        Command::Twin(given) => processes::twin(&given, &arguments.logging),
        Command::Gate(data) => gate::gate(data, &arguments.logging),
        Command::Steward(data, slots) => processes::steward(&data, slots, &arguments.logging),
        Command::Run(run) => run::run(*run, &arguments.logging, &say),
        Command::Update(change) => update::update(change, &say),
        Command::Verb(verb) => verbs::verb(verb, &say),
        Command::Work(work) => work::work(work, &say),
        Command::Worker(given) => processes::worker(&given, &arguments.logging),
    };
    match done {
        Ok(code) => code,
        Err(failure) => say.failure(&failure),
    }
}
