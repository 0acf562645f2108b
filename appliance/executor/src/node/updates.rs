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

fn told(answered: FromSteward, progress: Option<Progress>) -> Answer {
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

async fn ask(
    asked: ToSteward,
    files: &[OwnedFd],
    going: &Going,
) -> Result<FromSteward, handover::Error> {
    let channel = connect(steward::SLOTS)?;
    let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    channel.send(&asked, &files).await?;
    let answered = hear(&channel, going).await;
    if asked == ToSteward::WriteSlot {
        going.set(None);
    }
    answered
}

async fn hear(channel: &Channel, going: &Going) -> Result<FromSteward, handover::Error> {
    let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
    loop {
        let answer = tokio::time::timeout(SILENT, channel.recv()).await.map_err(|_| gone())??;
        let (answer, _) = answer.ok_or_else(gone)?;
        let FromSteward::Progress(progress) = answer else { return Ok(answer) };
        going.set(Some(progress));
    }
}

/// A slow card that is told to write everything it still holds.
const SILENT: Duration = Duration::from_secs(300);
