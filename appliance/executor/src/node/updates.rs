//! A new system for the machine: who asks has opened the bundle, the steward that holds the disk judges
//! and writes it, and this only passes on.
//!
//! The loop never waits for it. One update at a time; how far it is can be asked meanwhile.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use handover::{Channel, FromSteward, Progress, ToSteward};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use super::Node;
use super::helped::connect;
use crate::control::{Answer, Update};
use crate::steward;

/// How far the update is that is going on.
pub(crate) type Going = Rc<Cell<Option<Progress>>>;

impl Node {
    /// Does something with the machine's own system.
    pub(crate) fn update(
        &self,
        what: Update,
        files: Vec<OwnedFd>,
        answer: oneshot::Sender<Answer>,
    ) {
        let going = Rc::clone(&self.update);
        let asked = match what {
            Update::Check => return self.look(answer),
            Update::Get => return self.get(answer),
            Update::Progress => {
                let _ = answer.send(Answer::Progress { progress: going.get() });
                return;
            }
            Update::Status => ToSteward::Slots,
            Update::Apply => ToSteward::WriteSlot,
            Update::RollBack => ToSteward::RollBack,
            Update::Restart => ToSteward::Reboot,
        };
        spawn_local(async move {
            if !Path::new(steward::SLOTS).exists() {
                let _ = answer.send(Answer::NoSteward);
                return;
            }
            let answered = ask(asked, &files, &going).await;
            let _ = answer.send(match answered {
                Ok(answered) => told(answered, going.get()),
                Err(error) => Answer::Failed { text: error.to_string() },
            });
        });
    }
}

pub(super) fn told(answered: FromSteward, progress: Option<Progress>) -> Answer {
    match answered {
        FromSteward::Done => Answer::Restarting,
        FromSteward::Next { version } => Answer::Next { version },
        FromSteward::Refused { why, text } => Answer::NotUpdated { why, text },
        FromSteward::Slots(slots) => Answer::Slots { slots, progress },
        FromSteward::Failed { text } => Answer::Failed { text },
        FromSteward::Energy(_) | FromSteward::Progress(_) | FromSteward::Unsupported => {
            Answer::Failed { text: "steward answers something else".to_owned() }
        }
    }
}

/// Asks the steward that holds the disk, as the node's user; for whoever isn't the node.
///
/// # Errors
/// When there is none, or it can't be understood.
pub async fn ask_slots(asked: ToSteward) -> Result<FromSteward, handover::Error> {
    ask(asked, &[], &Going::default()).await
}

pub(super) async fn ask(
    asked: ToSteward,
    files: &[OwnedFd],
    going: &Going,
) -> Result<FromSteward, handover::Error> {
    let channel = connect(steward::SLOTS)?;
    let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    channel.send(&asked, &files).await?;
    hear(&channel, going).await
}

async fn hear(channel: &Channel, going: &Going) -> Result<FromSteward, handover::Error> {
    let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let mut told = None;
    loop {
        let answer = tokio::time::timeout(SILENT, channel.recv()).await.map_err(|_| gone())??;
        let (answer, _) = answer.ok_or_else(gone)?;
        let FromSteward::Progress(progress) = answer else { return Ok(answer) };
        told.get_or_insert_with(|| Told(going)).0.set(Some(progress));
    }
}

/// Whoever told how far it is takes that away at the end; one that was refused beside it doesn't.
struct Told<'a>(&'a Going);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

/// A slow card that is told to write everything it still holds.
const SILENT: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;
    use handover::Step;

    #[tokio::test]
    async fn one_that_is_refused_leaves_how_far_the_other_is() {
        let going = Going::default();
        let progress = Progress { step: Step::Write, percent: 40 };
        going.set(Some(progress));
        let say = async |answers: &[FromSteward]| {
            let (ours, theirs) = Channel::pair().unwrap();
            let steward = Channel::from_fd(theirs).unwrap();
            for answer in answers {
                steward.send(answer, &[]).await.unwrap();
            }
            drop(steward);
            hear(&Channel::from_fd(ours).unwrap(), &going).await
        };
        let busy = FromSteward::Refused { why: "busy".to_owned(), text: String::new() };
        assert_eq!(say(std::slice::from_ref(&busy)).await.unwrap(), busy);
        assert_eq!(going.get(), Some(progress));
        // Its own end, and that of a steward that is gone.
        let next = FromSteward::Next { version: "1.2.0".to_owned() };
        assert_eq!(say(&[FromSteward::Progress(progress), next.clone()]).await.unwrap(), next);
        assert_eq!(going.get(), None);
        assert!(say(&[FromSteward::Progress(progress)]).await.is_err());
        assert_eq!(going.get(), None);
    }
}
