//! The node's side of `steward`: what it is asked, where the machine has one.
//!
//! The loop never waits for it: an answer comes as an event, and a machine without it is no failure.

use std::io;
use std::path::Path;
use std::time::Duration;

use handover::{Channel, Connection, EnergyCounter, FromSteward, Number, ToSteward};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use super::{Event, Node};
use crate::control::Answer;
use crate::steward;

/// What the kernel keeps of a twin's room.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quotas {
    /// Nobody was asked to, or nobody is there who could.
    #[default]
    Unasked,
    /// Every twin's folder has its limit.
    Kept,
    /// The file system has no project quotas.
    Unsupported,
    /// Something went wrong; the log says what.
    Failed,
}

impl Node {
    /// Has the kernel keep these twins' folders within their room, if there is somebody to ask.
    pub(crate) fn keep_within(&mut self, twins: Vec<Number>) {
        if !Path::new(steward::SOCKET).exists() {
            return;
        }
        // A twin counts its own room and says in time what is used up. This is for one that doesn't,
        // and leaves space for copies that it makes while it tidies up.
        let room = self.config.limits.share.disk;
        let bytes = room.map_or(0, |room| room.saturating_mul(2).saturating_add(ROOM_TO_TIDY));
        let events = self.events.clone();
        let asker = self.asker.get_or_insert_with(|| {
            let (asker, asked) = mpsc::unbounded_channel();
            spawn_local(keep_asking(asked, bytes, events));
            asker
        });
        let _ = asker.send(twins);
    }

    /// The processor's counters of energy, for whoever may ask this node.
    pub(crate) fn energy(answer: oneshot::Sender<Answer>) {
        spawn_local(async move {
            let _ = answer.send(match read_energy().await {
                Ok(counters) => Answer::Energy { counters },
                Err(_) if !Path::new(steward::SOCKET).exists() => Answer::NoSteward,
                Err(error) => Answer::Failed { text: error.to_string() },
            });
        });
    }

    /// Connects the machine like this, where it is ours to connect.
    pub(crate) fn connect(connection: Connection, answer: oneshot::Sender<Answer>) {
        if let Err(why) = connection.check() {
            let _ = answer.send(Answer::NotConnected { why });
            return;
        }
        spawn_local(async move {
            let _ = answer.send(match set_network(connection).await {
                Ok(FromSteward::Done) => Answer::Done,
                Ok(FromSteward::Unsupported) => Answer::NoSteward,
                Err(_) if !Path::new(steward::SOCKET).exists() => Answer::NoSteward,
                Ok(FromSteward::Failed { text }) => Answer::Failed { text },
                Ok(said) => Answer::Failed { text: format!("steward said {said:?}") },
                Err(error) => Answer::Failed { text: error.to_string() },
            });
        });
    }

    /// What came of it; the worst that was heard stays.
    pub(super) fn hear_quotas(&mut self, heard: Quotas) {
        if matches!(self.quotas, Quotas::Unasked | Quotas::Kept) {
            self.quotas = heard;
        }
        tracing::info!(?heard, "quotas");
    }
}

/// One conversation at a time, whatever is made at once.
async fn keep_asking(
    mut asked: UnboundedReceiver<Vec<Number>>,
    bytes: u64,
    events: UnboundedSender<Event>,
) {
    while let Some(twins) = asked.recv().await {
        let quotas = ask_for_all(twins, &mut asked, bytes).await.unwrap_or_else(|error| {
            tracing::error!(%error, "steward can't be asked");
            Quotas::Failed
        });
        let _ = events.send(Event::Quotas(quotas));
    }
}

async fn ask_for_all(
    mut twins: Vec<Number>,
    asked: &mut UnboundedReceiver<Vec<Number>>,
    bytes: u64,
) -> Result<Quotas, handover::Error> {
    let channel = connect(steward::SOCKET)?;
    loop {
        for twin in twins {
            match ask(&channel, ToSteward::SetQuota { twin, bytes }).await? {
                FromSteward::Done => {}
                FromSteward::Unsupported => return Ok(Quotas::Unsupported),
                FromSteward::Energy(_)
                | FromSteward::Failed { .. }
                | FromSteward::Next { .. }
                | FromSteward::Progress(_)
                | FromSteward::Refused { .. }
                | FromSteward::Slots(_) => return Ok(Quotas::Failed),
            }
        }
        // Where many are made, the next is soon.
        match tokio::time::timeout(MORE_WITHIN, asked.recv()).await {
            Ok(Some(more)) => twins = more,
            Ok(None) | Err(_) => break,
        }
    }
    Ok(if bytes == 0 { Quotas::Unasked } else { Quotas::Kept })
}

async fn set_network(connection: Connection) -> Result<FromSteward, handover::Error> {
    ask(&connect(steward::SOCKET)?, ToSteward::SetNetwork { connection }).await
}

async fn read_energy() -> Result<Vec<EnergyCounter>, handover::Error> {
    match ask(&connect(steward::SOCKET)?, ToSteward::ReadEnergy).await? {
        FromSteward::Energy(counters) => Ok(counters),
        FromSteward::Done
        | FromSteward::Failed { .. }
        | FromSteward::Next { .. }
        | FromSteward::Progress(_)
        | FromSteward::Refused { .. }
        | FromSteward::Slots(_)
        | FromSteward::Unsupported => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
    }
}

pub(super) fn connect(to: &str) -> io::Result<Channel> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let kind = SocketType::SEQPACKET;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(to)?)?;
    Channel::from_fd(socket)
}

async fn ask(channel: &Channel, asked: ToSteward) -> Result<FromSteward, handover::Error> {
    channel.send(&asked, &[]).await?;
    let answer = tokio::time::timeout(ANSWERED_WITHIN, channel.recv()).await;
    let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (answer, _) = answer.map_err(|_| gone())??.ok_or_else(gone)?;
    Ok(answer)
}

/// Of a slow machine that is just starting everything.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
/// Shorter than steward is patient.
const MORE_WITHIN: Duration = Duration::from_secs(2);
const ROOM_TO_TIDY: u64 = 64 << 20;
