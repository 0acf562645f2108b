//! `hometwin node doctor`: what protects this node, what doesn't, and why.
//!
//! Asks the running node only for its processes; what it says about them it has looked up itself.

use std::process::ExitCode;

use executor::Config;
use executor::control::{self, Answer};
use executor::doctor::{self, Running};

use crate::arguments::Doctor;
use crate::run::data_folder;
use crate::say::{Failure, Say};

/// Looks, and says what it found.
pub(crate) fn doctor(asked: Doctor, say: &Say) -> Result<ExitCode, Failure> {
    let folder = data_folder(asked.data)?;
    let config = Config::load(&folder)?;
    let mut running = Vec::new();
    let mut how = None;
    if let Some(Answer::Status { executor, gateway, started, workers, quotas, .. }) =
        control::ask(&folder, &control::Verb::Status)?
    {
        how = Some((started, quotas));
        running.push(Running { pid: executor, name: "executor".to_owned(), child: false });
        running.extend(workers.into_iter().map(|pid| Running {
            pid,
            name: "worker".to_owned(),
            child: true,
        }));
        running.extend(gateway.map(|pid| Running { pid, name: "gateway".to_owned(), child: true }));
    }
    if let Some(Answer::List { twins }) = control::ask(&folder, &control::Verb::List)? {
        let awake = twins.into_iter().filter_map(|twin| Some((twin.pid?, twin.name)));
        running.extend(awake.map(|(pid, name)| Running { pid, name, child: true }));
    }
    Ok(say.findings(&doctor::examine(&config, &folder, &running, how), asked.json))
}
