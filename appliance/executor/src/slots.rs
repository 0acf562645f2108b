//! The two slots of a disk that an image was written to: which one runs, and a new system for the
//! other.
//!
//! ```text
//! slots/find.rs     which disk the running system is on
//! slots/blocks.rs   a disk, or a part of one, as bytes that are written and synced
//! slots/table.rs    its partition table: what a slot is called, and by which ids it is found
//! slots/fat.rs      its boot partition: kernels, whose names count how often they were tried
//! slots/kernels.rs  these names
//! slots/install.rs  a new system, in an order that can be cut anywhere
//! ```
//!
//! Nothing is mounted, and nothing here asks the service manager or firmware for anything. The slot
//! that runs, its kernel and the data partition are never written; `slots/tests.rs` cuts the power at
//! every write and looks whether the disk would start.

pub(crate) mod blocks;
pub(crate) mod fat;
pub(crate) mod find;
mod install;
mod kernels;
mod table;

#[cfg(test)]
mod tests;

use std::io;

pub(crate) use self::blocks::{Blocks, Window};
use self::fat::Fat;
pub(crate) use self::install::Step;
use self::kernels::Kernel;
pub(crate) use self::kernels::Tries;
use self::table::{Table, Which};
use update::Version;

/// A disk with two slots, one of which runs.
pub(crate) struct Slots<B> {
    disk: B,
    /// Numbers of the two partitions that run.
    running: [u32; 2],
}

/// What is in the slots.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct About {
    /// The running system's version.
    pub(crate) running: Version,
    /// Whether it has still to prove itself.
    pub(crate) on_trial: bool,
    /// The system in the other slot, and how it was started so far.
    pub(crate) other: Option<(Version, Tries)>,
    /// Which of them runs from the next start on.
    pub(crate) next: Version,
}

/// Why something can't be done with the slots. Nothing that runs was touched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Bundle(#[from] update::Error),
    #[error("somebody else changes the slots just now")]
    Busy,
    #[error("version {0} was tried and didn't prove itself")]
    DidNotProve(Version),
    #[error("what was written to the disk doesn't come back from it")]
    Disk,
    #[error("the disk can't be read or written")]
    Io(#[from] io::Error),
    #[error("version {0} runs from the next start on, and has to run first")]
    Leaving(Version),
    #[error("no stick has a bundle that could be used")]
    NoBundle,
    #[error("the other slot has no system that could be started")]
    NoOther,
    #[error("the disk has no slots of an image: {0}")]
    NoSlots(&'static str),
    #[error("the running system has not proved itself yet")]
    OnTrial,
    /// Unlike a bundle that is refused: the other slot is empty now.
    #[error("the update can't be read to its end any more")]
    Stopped(#[source] update::Error),
    #[error("this image was built without keys, and believes no update")]
    TrustsNobody,
    #[error("{what} needs {needs} bytes, and has {has}")]
    Room { what: &'static str, needs: u64, has: u64 },
}

impl Error {
    /// Its name in message files.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Bundle(error) => error.name(),
            Self::Busy => "busy",
            Self::DidNotProve(_) => "did_not_prove",
            Self::Disk => "disk",
            Self::Io(_) | Self::Stopped(_) => "unreadable",
            Self::Leaving(_) => "leaving",
            Self::NoBundle => "none_found",
            Self::NoOther => "no_other",
            Self::NoSlots(_) => "no_slots",
            Self::OnTrial => "on_trial",
            Self::Room { .. } => "room",
            Self::TrustsNobody => "trusts_nobody",
        }
    }
}

impl<B: Blocks> Slots<B> {
    /// The slots of this disk, of which the system in these two partitions runs.
    pub(crate) fn new(disk: B, running: [u32; 2]) -> Self {
        Self { disk, running }
    }

    /// What is in them.
    pub(crate) fn about(&self) -> Result<About, Error> {
        let table = Table::read(&self.disk)?;
        let running = table.version(Which::Running, &self.running)?;
        let boot = self.boot(&table)?;
        let kernels = Kernel::list(&boot)?;
        // A cut in between leaves two names for one kernel: the boot loader goes by the better one.
        let tries = |version: Version| {
            let names = kernels.iter().filter(|kernel| kernel.version == version);
            names.map(|kernel| kernel.tries).max_by_key(|tries| tries.order())
        };
        let mine = tries(running);
        let there =
            table.version(Which::Free, &self.running).ok().filter(|there| *there != running);
        let other = there.and_then(|there| Some((there, tries(there)?)));
        let next = other.filter(|(version, tries)| {
            tries.may_start() && (*version > running || mine == Some(Tries::Aside))
        });
        Ok(About {
            running,
            on_trial: mine.is_some_and(|mine| !matches!(mine, Tries::Good | Tries::Aside)),
            other,
            next: next.map_or(running, |(version, _)| version),
        })
    }

    /// The running system has proved itself: from now on it is started without being counted. What was
    /// set aside meanwhile stays so.
    pub(crate) fn bless(&mut self) -> Result<(), Error> {
        let About { running, on_trial, next, .. } = self.about()?;
        if !on_trial && next != running {
            return Ok(());
        }
        let table = Table::read(&self.disk)?;
        self.rename(&table, running, Tries::Good)
    }

    /// From the next start on the other slot's system runs: for good if it has proved itself, on trial if
    /// it was set aside. One that was never started is taken away again, and the running one stays.
    pub(crate) fn roll_back(&mut self) -> Result<Version, Error> {
        let About { running, other, .. } = self.about()?;
        let (other, tries) = other.ok_or(Error::NoOther)?;
        let table = Table::read(&self.disk)?;
        match tries {
            Tries::Failed => Err(Error::DidNotProve(other)),
            Tries::Good => {
                self.rename(&table, running, Tries::Aside)?;
                Ok(other)
            }
            // Only a newer one was ever set aside: counted, the boot loader takes it before this one.
            Tries::Aside => {
                self.rename(&table, other, Tries::Left(TRIES))?;
                Ok(other)
            }
            Tries::Left(_) => {
                let mut boot = self.boot(&table)?;
                for kernel in Kernel::list(&boot)?.iter().filter(|one| one.version == other) {
                    boot.remove(&kernel.entry)?;
                }
                Ok(running)
            }
        }
    }

    fn rename(&self, table: &Table, version: Version, tries: Tries) -> Result<(), Error> {
        let mut boot = self.boot(table)?;
        let wanted = Kernel::name(version, tries);
        // A cut in between leaves two names for one kernel; the good one is the one that stays.
        let all = Kernel::list(&boot)?;
        if !all.iter().any(|kernel| kernel.entry.name == wanted) {
            let from = all.iter().find(|kernel| kernel.version == version);
            let from = from.ok_or(Error::NoSlots("its boot partition lacks a kernel"))?;
            boot.rename(kernels::FOLDER, &from.entry, &wanted)?;
        }
        for old in Kernel::list(&boot)? {
            if old.version == version && old.entry.name != wanted {
                boot.remove(&old.entry)?;
            }
        }
        Ok(())
    }

    fn boot(&self, table: &Table) -> Result<Fat<Window<&B>>, Error> {
        let (start, length) = table.boot()?;
        Ok(Fat::open(Window::new(&self.disk, start, length))?)
    }
}

/// How often one that was set aside is started before it goes away again.
const TRIES: u8 = 3;
