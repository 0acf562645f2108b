//! `hometwin steward --slots`: the one process that holds the disk of a machine, for as long as one
//! conversation. Its verbs: what is in the slots, write one, bless, roll back, start again.
//!
//! It opens the disk, and sticks to read, before it has heard anything; then it reaches no file at all.
//! Of a bundle nothing is used before its signature was found good, whoever hands it over.

mod bundle;
mod machine;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use handover::{Channel, FromSteward, Progress, Slots, Step, ToSteward};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

use self::machine::Machine;
use super::{Error, PATIENCE, check_asker};
use crate::slots;
use crate::walls;

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
    let machine = Machine::open()?;
    walls::enter_slots().map_err(Error::Walls)?;
    runtime.block_on(async {
        let channel = Channel::from_fd(connection)?;
        while let Ok(asked) = tokio::time::timeout(PATIENCE, channel.recv::<ToSteward>()).await {
            let Some((asked, files)) = asked? else { break };
            tracing::info!(?asked, "asked");
            let answer = machine.answer(&asked, files, &channel);
            if channel.send(&answer, &[]).await.is_err() {
                break; // Whoever asked is gone.
            }
        }
        Ok(())
    })
}

impl Machine {
    fn answer(&self, asked: &ToSteward, files: Vec<OwnedFd>, channel: &Channel) -> FromSteward {
        let done = match asked {
            ToSteward::Slots => self.about(),
            ToSteward::WriteSlot => self.write(files, channel),
            ToSteward::Bless => self.change(|slots| slots.bless().map(|()| FromSteward::Done)),
            ToSteward::RollBack => self.change(|slots| {
                slots.roll_back().map(|version| FromSteward::Next { version: version.to_string() })
            }),
            ToSteward::Reboot => return reboot(),
            ToSteward::ReadEnergy | ToSteward::SetNetwork { .. } | ToSteward::SetQuota { .. } => {
                return FromSteward::Unsupported;
            }
        };
        done.unwrap_or_else(|error| {
            tracing::error!(%error, ?asked, "not done");
            FromSteward::Refused { why: error.name().to_owned(), text: chain(&error) }
        })
    }

    fn about(&self) -> Result<FromSteward, slots::Error> {
        let about = self.slots()?.about()?;
        Ok(FromSteward::Slots(Slots {
            running: about.running.to_string(),
            on_trial: about.on_trial,
            other: about
                .other
                .map(|(version, tries)| (version.to_string(), tries != slots::Tries::Failed)),
            next: about.next.to_string(),
        }))
    }

    fn change(
        &self,
        change: impl FnOnce(&mut slots::Slots<&File>) -> Result<FromSteward, slots::Error>,
    ) -> Result<FromSteward, slots::Error> {
        let mut slots = self.slots()?;
        // Also tells udev to leave the disk alone meanwhile.
        flock(self.disk()?, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| slots::Error::Busy)?;
        let done = change(&mut slots);
        let _ = flock(self.disk()?, FlockOperation::Unlock);
        done
    }

    fn write(&self, files: Vec<OwnedFd>, channel: &Channel) -> Result<FromSteward, slots::Error> {
        let trust = self.trust.as_ref().ok_or(slots::Error::TrustsNobody)?;
        let mut last = None;
        let mut heard = |step, done: u64, all: u64| {
            let step = match step {
                slots::Step::Check => Step::Check,
                slots::Step::Write => Step::Write,
                slots::Step::ReadBack => Step::ReadBack,
            };
            let percent = u8::try_from(done.saturating_mul(100) / all.max(1)).unwrap_or(100);
            let progress = Progress { step, percent: percent.min(100) };
            if last != Some(progress) {
                channel.offer(&FromSteward::Progress(progress));
                last = Some(progress);
            }
        };
        self.change(|slots| {
            let other = slots.about()?.other;
            let bundles = match files.into_iter().next() {
                Some(file) => vec![bundle::file(File::from(file), trust)?],
                // What failed here fails again, and what was set aside is not wished for.
                None => bundle::on_sticks(&self.sticks, trust, |manifest| {
                    let again = other.is_some_and(|(version, tries)| {
                        version == manifest.version && !tries.may_start()
                    });
                    !again && manifest.may_be_used(&self.here()).is_ok()
                })?,
            };
            let mut refused = slots::Error::NoBundle;
            for mut bundle in bundles {
                let manifest = bundle.contents.manifest.clone();
                manifest.may_be_used(&self.here())?;
                let all = manifest.length();
                let contents = bundle.contents.clone();
                match slots.install(&contents, &mut bundle, |step, done| heard(step, done, all)) {
                    Ok(()) => {
                        return Ok(FromSteward::Next { version: manifest.version.to_string() });
                    }
                    // Found before anything was written: an older one may be whole.
                    Err(slots::Error::Bundle(error)) => {
                        tracing::warn!(why = error.name(), "a bundle is refused");
                        refused = error.into();
                    }
                    Err(error) => return Err(error),
                }
            }
            Err(refused)
        })
    }
}

/// The service manager takes it for the three keys that start a machine again, and ends everything in
/// its order.
fn reboot() -> FromSteward {
    match kill_process(Pid::INIT, Signal::INT) {
        Ok(()) => FromSteward::Done,
        Err(errno) => FromSteward::Failed { text: io::Error::from(errno).to_string() },
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
