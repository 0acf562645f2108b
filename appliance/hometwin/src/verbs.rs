//! `hometwin twin ...` and `hometwin status`: asked of the running node through its control
//! socket, and done on the folder itself where that makes sense without one.

use std::path::Path;
use std::process::ExitCode;

use executor::control::{self, Answer, Listed};
use executor::{Config, DataFolder, Entry, Registry};
use handover::Number;

use crate::arguments::{Verb, What};
use crate::run::data_folder;
use crate::say::{Failure, Say};

/// Does one verb and says what came of it.
pub(crate) fn verb(verb: Verb, say: &Say) -> Result<ExitCode, Failure> {
    let folder = data_folder(verb.data)?;
    let name = verb.what.name().to_owned();
    if let What::Remove { confirm, .. } = &verb.what {
        let confirmed = confirm.clone().or_else(|| say.ask_name(&name));
        if confirmed.as_deref() != Some(&name) {
            return Err(Failure::NotConfirmed);
        }
    }
    let answer = match control::ask(&folder, &verb.what.asked())? {
        Some(answer) => answer,
        None => without_node(&folder, &verb.what)?,
    };
    let shown = if let What::Rename { to, .. } = &verb.what { to } else { &name };
    Ok(say.answer(shown, &answer, verb.json))
}

impl What {
    fn name(&self) -> &str {
        match self {
            Self::Create { name }
            | Self::Pair { name }
            | Self::Remove { name, .. }
            | Self::Rename { name, .. }
            | Self::Verify { name } => name,
            Self::CallNode { .. }
            | Self::Connect(_)
            | Self::Energy
            | Self::Health
            | Self::List
            | Self::MetricsToken
            | Self::Network
            | Self::Repair { .. }
            | Self::Status => "",
        }
    }

    fn asked(&self) -> control::Verb {
        match self.clone() {
            Self::Create { name } => control::Verb::Create { name },
            Self::CallNode { name } => control::Verb::CallNode { name },
            Self::Connect(connection) => control::Verb::Connect { connection },
            Self::Network => control::Verb::Network,
            Self::Energy => control::Verb::Energy,
            Self::Health => control::Verb::Health,
            Self::List => control::Verb::List,
            Self::MetricsToken => control::Verb::MetricsToken,
            Self::Repair { problem, about, repair } => {
                control::Verb::Repair { problem, about, repair }
            }
            Self::Pair { name } => control::Verb::Pair { name },
            Self::Remove { name, .. } => control::Verb::Remove { name },
            Self::Rename { name, to } => control::Verb::Rename { name, to },
            Self::Status => control::Verb::Status,
            Self::Verify { name } => control::Verb::Verify { name },
        }
    }
}

/// What can be done on the folder of a node that does not run.
fn without_node(folder: &Path, what: &What) -> Result<Answer, Failure> {
    let mut folder = DataFolder::open(folder)?;
    let mut registry = Registry::open(&folder)?;
    let config = Config::load(folder.path())?;
    folder.keep_apart(executor::Uids::available(config.first_uid).ok());
    let zone = executor::lan::zone_of(&folder, &config)?;
    let place = handover::Place { zone, listen: config.listen };
    let address = |name: &str| format!("{}/", place.origin(name));
    match what {
        What::Create { name } => {
            let twin = registry.add(name)?;
            folder.make_twin(twin)?;
            Ok(Answer::Created { address: address(name) })
        }
        What::List => {
            let listed = |entry: &Entry| Listed {
                number: entry.number,
                name: entry.name.clone(),
                id: entry.id.clone(),
                address: address(&entry.name),
                fingerprint: entry.fingerprint.clone(),
                owner: entry.owner,
                awake: false,
                pid: None,
                starts: 0,
                walled: 0,
                folder: folder.twin(Number(entry.number)),
            };
            Ok(Answer::List { twins: registry.twins().iter().map(listed).collect() })
        }
        What::Rename { name, to } => {
            registry.rename(name, to)?;
            Ok(Answer::Renamed { address: address(to) })
        }
        What::Verify { name } => {
            let (number, life) = life(&folder, &registry, name)?;
            let verified = twin::offline::verify(&life, name, place.clone());
            folder.give_twin(number)?;
            Ok(match verified {
                Ok(entries) => Answer::Verified { entries },
                Err(text) => Answer::Differs { text },
            })
        }
        What::Remove { name, .. } => {
            let (number, life) = life(&folder, &registry, name)?;
            let (export, file) = folder.new_export(name)?;
            if let Err(text) = twin::offline::export(&life, name, place.clone(), file) {
                let _ = std::fs::remove_file(export);
                folder.give_twin(number)?;
                return Ok(Answer::Failed { text });
            }
            registry.remove(number)?;
            folder.remove_twin(number)?;
            Ok(Answer::Removed { export })
        }
        What::Health => {
            Ok(Answer::Health { troubles: executor::health::of_folder(&config, &folder)? })
        }
        What::MetricsToken => {
            Ok(Answer::MetricsToken { token: executor::scrape::new_token(&folder)? })
        }
        What::CallNode { .. }
        | What::Connect(_)
        | What::Energy
        | What::Network
        | What::Pair { .. }
        | What::Repair { .. }
        | What::Status => Err(Failure::NotRunning),
    }
}

fn life(
    folder: &DataFolder,
    registry: &Registry,
    name: &str,
) -> Result<(Number, std::path::PathBuf), Failure> {
    let number = Number(registry.find(name).map_err(Failure::Refused)?.number);
    Ok((number, folder.twin(number).join("life")))
}
