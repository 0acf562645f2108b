//! The processes that only the executor or the service manager starts; started by hand they say so
//! and end.
//!
//! Each shuts itself in before it hears anything, while it has one thread and nothing of anybody's.

use std::path::Path;
use std::process::ExitCode;

use executor::walls::{self, Given, Program};
use fetcher::{Patience, System};
use handover::Channel;

use crate::logging::Logging;
use crate::say::Failure;

/// The node's network door.
pub(crate) fn gateway(given: &[String], logging: &Logging) -> Result<ExitCode, Failure> {
    child(Program::Gateway, given, logging, |channel| async {
        gateway::run(channel).await.map_err(Failure::inside)
    })
}

/// One twin.
pub(crate) fn twin(given: &[String], logging: &Logging) -> Result<ExitCode, Failure> {
    child(Program::Twin, given, logging, |channel| async {
        twin::run(channel).await.map_err(Failure::inside)
    })
}

/// One job with one foreign file.
pub(crate) fn worker(given: &[String], logging: &Logging) -> Result<ExitCode, Failure> {
    child(Program::Worker, given, logging, |channel| async {
        worker::run(channel).await.map_err(Failure::inside)
    })
}

/// One of the two root helpers; for one connection, which the service manager has accepted.
pub(crate) fn steward(data: &Path, slots: bool, logging: &Logging) -> Result<ExitCode, Failure> {
    let connection = Channel::take_stdin().map_err(|_| Failure::StartedByHand)?;
    logging.start();
    let runtime = crate::run::runtime()?;
    let run = if slots { executor::steward::run_slots } else { executor::steward::run };
    run(connection, data, &runtime).map_err(Failure::inside)?;
    Ok(ExitCode::SUCCESS)
}

/// What brings newer systems from a mirror; for one question, which the service manager has accepted.
pub(crate) fn fetcher(logging: &Logging) -> Result<ExitCode, Failure> {
    let end = Channel::take_stdin().map_err(|_| Failure::StartedByHand)?;
    logging.start();
    let (trust, here) = executor::system::read().map_err(Failure::inside)?;
    let system = System { trust, here, patience: Patience::default() };
    let runtime = crate::run::runtime()?;
    walls::enter_fetcher().map_err(Failure::inside)?;
    let run = async { fetcher::run(Channel::from_fd(end)?, &system).await };
    runtime.block_on(run).map_err(Failure::inside)?;
    Ok(ExitCode::SUCCESS)
}

fn child<F: Future<Output = Result<(), Failure>>>(
    program: Program,
    given: &[String],
    logging: &Logging,
    run: impl FnOnce(Channel) -> F,
) -> Result<ExitCode, Failure> {
    let given = Given::read(given.iter().map(String::as_str)).ok_or(Failure::StartedByHand)?;
    let end = Channel::take_stdin().map_err(|_| Failure::StartedByHand)?;
    logging.start();
    // Opens what it polls with, which can't be done behind the wall.
    let runtime = crate::run::runtime()?;
    walls::enter(program, given).map_err(Failure::inside)?;
    runtime.block_on(async { run(Channel::from_fd(end).map_err(Failure::inside)?).await })?;
    Ok(ExitCode::SUCCESS)
}
