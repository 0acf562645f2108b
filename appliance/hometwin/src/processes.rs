//! The processes that only the executor starts; started by hand they say so and end.

use std::process::ExitCode;

use handover::Channel;
use rustix::process::Signal;

use crate::logging::Logging;
use crate::say::Failure;

/// The node's network door.
pub(crate) fn gateway(logging: &Logging) -> Result<ExitCode, Failure> {
    child(logging, |channel| async { gateway::run(channel).await.map_err(Failure::inside) })
}

/// One twin.
pub(crate) fn twin(logging: &Logging) -> Result<ExitCode, Failure> {
    child(logging, |channel| async { twin::run(channel).await.map_err(Failure::inside) })
}

fn child<F: Future<Output = Result<(), Failure>>>(
    logging: &Logging,
    run: impl FnOnce(Channel) -> F,
) -> Result<ExitCode, Failure> {
    // Dies with the executor. Had that died before this line, its end of the channel would be
    // closed and the loop below would end at once.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Failure::inside(std::io::Error::from(error)))?;
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(|error| Failure::inside(std::io::Error::from(error)))?;
    logging.start();
    let runtime = crate::run::runtime()?;
    runtime.block_on(async {
        let channel = Channel::from_stdin().map_err(|_| Failure::StartedByHand)?;
        run(channel).await
    })?;
    Ok(ExitCode::SUCCESS)
}
