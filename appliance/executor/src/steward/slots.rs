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
use std::time::{Duration, Instant};

use handover::{Channel, FromSteward, Progress, Slots, Step, ToSteward};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use self::bundle::Source;
use self::machine::Machine;
use super::{Error, PATIENCE, check_asker};
use crate::slots;
use crate::walls;
use update::Manifest;

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
        let begin = Instant::now();
        lock(self.disk()?, || {
            std::thread::sleep(STEP);
            begin.elapsed() < BUSY
        })?;
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
        // Looked for before the disk is held: a stick may take its time.
        let mut bundles = match files.into_iter().next() {
            Some(file) => vec![Source::File(File::from(file))],
            None => {
                let other = self.slots()?.about()?.other;
                // What failed here fails again, and what was set aside is not wished for.
                let wanted = |manifest: &Manifest| {
                    let again = other.is_some_and(|(version, tries)| {
                        version == manifest.version && !tries.may_start()
                    });
                    !again && manifest.may_be_used(&self.here()).is_ok()
                };
                bundle::on_sticks(&self.sticks, trust, wanted)
            }
        };
        self.change(|slots| {
            let mut refused = slots::Error::NoBundle;
            for source in &mut bundles {
                let done = source.open(trust).and_then(|mut bundle| {
                    let contents = bundle.contents.clone();
                    let manifest = &contents.manifest;
                    manifest.may_be_used(&self.here())?;
                    let all = manifest.length();
                    slots.install(&contents, &mut bundle, |step, done| heard(step, done, all))?;
                    Ok(FromSteward::Next { version: manifest.version.to_string() })
                });
                match done {
                    // Found before anything was written: an older one may be whole.
                    Err(slots::Error::Bundle(error)) => {
                        tracing::warn!(why = error.name(), "a bundle is refused");
                        refused = error.into();
                    }
                    done => return done,
                }
            }
            Err(refused)
        })
    }
}

/// Tells udev to leave the disk alone. It looks at a disk whenever somebody closes it, us too, and holds
/// it meanwhile: `again` says whether to go on waiting.
fn lock(disk: &File, mut again: impl FnMut() -> bool) -> Result<(), slots::Error> {
    loop {
        match flock(disk, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if again() => {}
            Err(Errno::WOULDBLOCK) => return Err(slots::Error::Busy),
            Err(errno) => return Err(slots::Error::Io(errno.into())),
        }
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

/// udev is done with a disk in less; another update isn't.
const BUSY: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_somebody_looks_at_is_waited_for() {
        let disk = tempfile::NamedTempFile::new().unwrap();
        let other = File::open(disk.path()).unwrap();
        flock(&other, FlockOperation::LockShared).unwrap();
        let mut asked = 0;
        let held = lock(disk.as_file(), || {
            asked += 1;
            asked < 3
        });
        assert_eq!(held.unwrap_err().name(), "busy");
        assert_eq!(asked, 3);
        let mut other = Some(other);
        lock(disk.as_file(), || other.take().is_some()).unwrap();
    }
}
