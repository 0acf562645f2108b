//! `hometwin run`: a node in the foreground, told about on the terminal, ended by Ctrl-C.

use std::path::PathBuf;
use std::process::ExitCode;

use executor::{Config, DataFolder, Service, Uids};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Run;
use crate::logging::{Format, Logging};
use crate::say::{Failure, Say};

/// Runs until a signal says stop.
pub(crate) fn run(run: Run, logging: &Logging, say: &Say) -> Result<ExitCode, Failure> {
    // First of all: what it gives is known by its numbers only.
    let service = Service::from_environment()?;
    logging.start();
    let throw_away = match run.ephemeral {
        true => {
            Some(tempfile::Builder::new().prefix("hometwin-").tempdir().map_err(Failure::inside)?)
        }
        false => None,
    };
    let path = match &throw_away {
        Some(folder) => folder.path().to_owned(),
        None => data_folder(run.data.clone())?,
    };
    let mut folder = DataFolder::open(&path)?;
    let config = configure(run, logging, &path)?;
    folder.keep_apart(Uids::available(config.0.first_uid).ok());
    let json = config.1;
    let notify = say.notifier(json, throw_away.is_some());
    let folder = runtime()?.block_on(async {
        let running = executor::run(config.0, folder, service, notify, stop_signal()?);
        running.await.map_err(Failure::from)
    })?;
    if let Some(throw_away) = throw_away {
        folder.take_back()?;
        throw_away.close().map_err(Failure::inside)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What `node.toml` says, and over it what was typed.
fn configure(
    run: Run,
    logging: &Logging,
    path: &std::path::Path,
) -> Result<(Config, bool), Failure> {
    let mut config = Config::load(path)?;
    config.environment = logging.environment();
    config.json_log = logging.format == Format::Json;
    config.people = run.people;
    config.experiences = run.experiences;
    config.tries = run.tries;
    if let Some(listen) = run.listen {
        config.listen = listen;
    }
    if let Some(zone) = run.zone {
        config.zone = Some(zone);
    }
    if let Some(sleep_after) = run.sleep_after {
        config.sleep_after = sleep_after;
    }
    for name in &config.people {
        executor::check_name(name).map_err(executor::Error::Refused)?;
    }
    Ok((config, run.json))
}

/// `--data`, else `$XDG_DATA_HOME/hometwin`, else `~/.local/share/hometwin`.
pub(crate) fn data_folder(typed: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    typed
        .or_else(|| variable("XDG_DATA_HOME").map(|folder| folder.join("hometwin")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/share/hometwin")))
        .ok_or(Failure::NoDataFolder)
}

/// Each process of the node has one thread that does everything, and wakes for work only.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::inside)
}

fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::inside)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::inside)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
