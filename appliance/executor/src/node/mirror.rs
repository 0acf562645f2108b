//! A newer system from a mirror: the fetcher brings it into a file of the node's, and from there on it's
//! like one from a stick.
//!
//! The node itself has no way to the world outside, and judges nothing of what comes: the fetcher does,
//! and then, before a byte is written to the disk's slots, the steward that holds it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use handover::{
    FromFetcher, FromSteward, Mirror, Progress, Slots, Step, There, ToFetcher, ToSteward,
};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use super::Node;
use super::helped::connect;
use super::updates::{Going, ask, told};
use crate::control::Answer;
use crate::steward;

impl Node {
    /// Looks which system the mirror has.
    pub(super) fn look(&self, answer: oneshot::Sender<Answer>) {
        let Some((mirror, answer)) = self.mirror_or_not(answer) else { return };
        spawn_local(async move {
            let asked = ToFetcher::Look { mirror };
            let _ = answer.send(match fetch(asked, None, &Going::default()).await {
                Ok(FromFetcher::There(there)) => Answer::There { there },
                Ok(other) => unexpected(other),
                Err(error) => Answer::Failed { text: error.to_string() },
            });
        });
    }

    /// Brings it, and has it written.
    pub(super) fn get(&self, answer: oneshot::Sender<Answer>) {
        let Some((mirror, answer)) = self.mirror_or_not(answer) else { return };
        let going = Rc::clone(&self.update);
        if going.get().is_some() {
            let _ = answer.send(not("busy"));
            return;
        }
        going.set(Some(Progress { step: Step::Fetch, percent: 0 }));
        let path = self.folder.path().join("node").join(FILE);
        spawn_local(async move {
            let came = get(mirror, path, &going).await;
            going.set(None);
            let _ = answer.send(came.unwrap_or_else(|error| {
                tracing::error!(%error, "no update from the mirror");
                Answer::Failed { text: error.to_string() }
            }));
        });
    }

    fn mirror_or_not(
        &self,
        answer: oneshot::Sender<Answer>,
    ) -> Option<(Mirror, oneshot::Sender<Answer>)> {
        let refused = match &self.config.mirror {
            None => not("mirror_none"),
            Some(_) if !Path::new(steward::FETCHER).exists() => Answer::NoSteward,
            Some(mirror) => return Some((mirror.clone(), answer)),
        };
        let _ = answer.send(refused);
        None
    }
}

async fn get(mirror: Mirror, path: PathBuf, going: &Going) -> Result<Answer, handover::Error> {
    // Before much is fetched: whether it could be written at all, and isn't there already.
    let answered = ask(ToSteward::Slots, &[], &Going::default()).await?;
    let FromSteward::Slots(slots) = answered else { return Ok(told(answered, None)) };
    if slots.on_trial {
        return Ok(not("on_trial"));
    }
    let look = ToFetcher::Look { mirror: mirror.clone() };
    let looked = fetch(look, None, going).await?;
    let FromFetcher::There(there) = looked else { return Ok(unexpected(looked)) };
    if let Some(answer) = known(&slots, &there) {
        return Ok(answer);
    }
    let file = open(&path)?;
    let came = fetch(ToFetcher::Bring { mirror }, Some(file.as_fd().try_clone_to_owned()?), going);
    let came = came.await?;
    let FromFetcher::Brought { version } = came else { return Ok(unexpected(came)) };
    tracing::info!(version, "brought");
    let written = ask(ToSteward::WriteSlot, &[OwnedFd::from(file)], going).await?;
    if matches!(written, FromSteward::Next { .. }) {
        std::fs::remove_file(&path)?;
    }
    Ok(told(written, None))
}

/// What is in the other slot isn't fetched again; least of all what failed here or was left.
fn known(slots: &Slots, there: &There) -> Option<Answer> {
    match &slots.other {
        Some((version, _)) if *version == there.version && there.newer => {
            let next = slots.next == *version;
            let version = version.clone();
            Some(if next { Answer::Next { version } } else { failed(version) })
        }
        Some(_) | None => None,
    }
}

fn failed(version: String) -> Answer {
    Answer::NotUpdated { why: "failed_here".to_owned(), text: version }
}

/// What an earlier try left is in it; the fetcher compares that with what it should be.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

async fn fetch(
    asked: ToFetcher,
    file: Option<OwnedFd>,
    going: &Going,
) -> Result<FromFetcher, handover::Error> {
    let channel = connect(steward::FETCHER)?;
    let files: Vec<_> = file.iter().map(AsFd::as_fd).collect();
    channel.send(&asked, &files).await?;
    let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
    loop {
        let answer = tokio::time::timeout(SILENT, channel.recv()).await.map_err(|_| gone())??;
        let (answer, _) = answer.ok_or_else(gone)?;
        let FromFetcher::Progress(progress) = answer else { return Ok(answer) };
        going.set(Some(progress));
    }
}

fn unexpected(said: FromFetcher) -> Answer {
    match said {
        FromFetcher::Refused { why, text } => Answer::NotUpdated { why, text },
        FromFetcher::Brought { .. } | FromFetcher::Progress(_) | FromFetcher::There(_) => {
            Answer::Failed { text: "the fetcher answers something else".to_owned() }
        }
    }
}

fn not(why: &str) -> Answer {
    Answer::NotUpdated { why: why.to_owned(), text: why.to_owned() }
}

/// In the node's own folder; removed when it's written to a slot.
const FILE: &str = "update.bundle";
/// Longer than the fetcher waits for one piece, some times over.
const SILENT: Duration = Duration::from_secs(900);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_already_is_not_fetched_again() {
        let slots = |other: Option<(&str, bool)>| Slots {
            running: "0.1.0".to_owned(),
            on_trial: false,
            next: other.filter(|(_, next)| *next).map_or("0.1.0", |(next, _)| next).to_owned(),
            other: other.map(|(version, may_start)| (version.to_owned(), may_start)),
        };
        let there = |version: &str| There {
            version: version.to_owned(),
            here: "0.1.0".to_owned(),
            newer: version != "0.1.0",
            bytes: 1,
        };
        let version = "0.2.0".to_owned();
        let next = Answer::Next { version: version.clone() };
        assert_eq!(known(&slots(Some(("0.2.0", true))), &there("0.2.0")), Some(next));
        let not = known(&slots(Some(("0.2.0", false))), &there("0.2.0"));
        assert_eq!(not, Some(failed(version)));
        for (other, newest) in
            [(None, "0.2.0"), (Some(("0.2.0", false)), "0.3.0"), (Some(("0.1.0", true)), "0.1.0")]
        {
            assert_eq!(known(&slots(other), &there(newest)), None, "{other:?} {newest}");
        }
    }
}
