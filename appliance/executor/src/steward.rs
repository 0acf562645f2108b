//! `hometwin steward`: the few things of a machine that only root may do, for the node's user alone.
//!
//! ```text
//! executor ── /run/hometwin/steward.sock ── systemd ── one steward per connection, gone when it closes
//! ```
//!
//! `hometwin steward --slots` is a second one, with other rights: it holds the system's disk and not one
//! capability, and knows the verbs about its slots (`steward/slots.rs`).
//!
//! A fixed verb is a file below this one. It reads no configuration, starts no program, has no
//! network, and works on what this file names: a taken-over executor gets these verbs and no more.

mod read_energy;
mod set_network;
mod set_quota;
mod slots;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handover::{Channel, FromSteward, ToSteward};
use rustix::net::sockopt::socket_peercred;

use crate::walls;

pub use slots::run as run_slots;

pub use crate::node::ask_slots;

/// Names of all reasons why slots stay as they are, for message files.
pub const REASONS: &[&str] = &[
    "busy",
    "damaged",
    "did_not_prove",
    "disk",
    "expired",
    "leaving",
    "failed_here",
    "mirror_address",
    "mirror_certificate",
    "mirror_gone",
    "mirror_missing",
    "mirror_mixed",
    "mirror_none",
    "mirror_old",
    "mirror_page",
    "mirror_redirect",
    "mirror_slow",
    "mirror_stale",
    "needs_newer",
    "no_bundle",
    "no_other",
    "no_slots",
    "none_found",
    "not_newer",
    "on_trial",
    "other_kind",
    "room",
    "trusts_nobody",
    "unreadable",
    "untrusted",
    "wrong",
    "wrong_length",
];

/// Where systemd listens for it.
pub const SOCKET: &str = "/run/hometwin/steward.sock";
/// Where systemd listens for the fetcher, which has no rights at all and alone reaches the world outside.
pub const FETCHER: &str = "/run/hometwin/fetcher.sock";
/// Where systemd listens for the one that holds the disk.
pub const SLOTS: &str = "/run/hometwin/slots.sock";

/// Answers what is asked over this connection, until it is closed or silent for a while.
///
/// # Errors
/// When the other end is not the node's user, when it can't be understood, or when the wall can't be
/// built.
pub fn run(
    connection: OwnedFd,
    data: &Path,
    runtime: &tokio::runtime::Runtime,
) -> Result<(), Error> {
    check_asker(&connection, data)?;
    // What it writes is for networkd, another user, and within its wall nobody changes a file's mode.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    walls::enter_steward(data, &set_network::folder(data)).map_err(Error::Walls)?;
    runtime.block_on(async {
        let channel = Channel::from_fd(connection)?;
        while let Ok(asked) = tokio::time::timeout(PATIENCE, channel.recv::<ToSteward>()).await {
            let Some((asked, _)) = asked? else { break };
            let answer = answer(&asked, data, Path::new("/sys"));
            if channel.send(&answer, &[]).await.is_err() {
                break; // Whoever asked is gone.
            }
        }
        Ok(())
    })
}

fn answer(asked: &ToSteward, data: &Path, sys: &Path) -> FromSteward {
    tracing::info!(?asked, "asked");
    match asked {
        // Of the one that holds the disk.
        ToSteward::Slots
        | ToSteward::WriteSlot
        | ToSteward::Bless
        | ToSteward::RollBack
        | ToSteward::Reboot => FromSteward::Unsupported,
        ToSteward::SetNetwork { connection } => set_network::answer(data, connection),
        ToSteward::ReadEnergy => FromSteward::Energy(read_energy::read(sys)),
        ToSteward::SetQuota { twin, bytes } => match set_quota::set(data, *twin, *bytes) {
            Ok(()) => FromSteward::Done,
            Err(set_quota::Error::Unsupported) => FromSteward::Unsupported,
            Err(error) => {
                tracing::error!(%error, ?asked, "not done");
                FromSteward::Failed { text: error.to_string() }
            }
        },
    }
}

/// The one who may ask is the user whose data these are: no twin, no gateway, nobody else.
fn check_asker(connection: &impl AsFd, data: &Path) -> Result<(), Error> {
    let asker = socket_peercred(connection)?.uid.as_raw();
    let about = std::fs::symlink_metadata(data)?;
    if about.is_dir() && about.uid() == asker {
        Ok(())
    } else {
        Err(Error::Stranger { asker, data: data.to_owned() })
    }
}

/// Why steward does nothing for somebody.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// Nothing that can be asked.
    #[error("what was asked can't be read")]
    Channel(#[from] handover::Error),
    /// Somebody else than the node asks.
    #[error("user {asker} asks, and {data} is not theirs")]
    Stranger {
        /// Who.
        asker: u32,
        /// The node's data folder.
        data: PathBuf,
    },
    /// The wall can't be built.
    #[error("steward can't be shut in")]
    Walls(#[source] walls::Error),
}

impl From<rustix::io::Errno> for Error {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// How long an open connection may be silent.
const PATIENCE: Duration = Duration::from_secs(10);
