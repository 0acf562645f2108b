//! A new system for the slot that doesn't run, in an order that can be cut anywhere:
//!
//! 1. the bundle is compared as a whole, and whether there is room for it;
//! 2. the old kernel of the slot goes, then its ids: nothing can start it any more;
//! 3. hash tree and system, and both read back from the disk itself;
//! 4. the slot's ids;
//! 5. the kernel's contents, read back; last its name, by which the boot loader finds it.

use std::io::{self, Read, Seek};

use update::{Contents, Manifest, Part, Pieces};

use super::blocks::{Blocks, Window};
use super::fat::Fat;
use super::kernels::{FOLDER, Kernel, Tries};
use super::table::{Slot, Table, Which};
use super::{Error, Slots};

/// How far it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// The bundle is being compared.
    Check,
    /// It is being written.
    Write,
    /// What was written is being read back.
    ReadBack,
}

impl<B: Blocks> Slots<B> {
    /// Writes what is in a verified bundle. It runs from the next start on, on trial.
    pub(crate) fn install(
        &mut self,
        contents: &Contents,
        from: &mut (impl Read + Seek),
        mut heard: impl FnMut(Step, u64),
    ) -> Result<(), Error> {
        // Of a system on trial the other one is the way back.
        let about = self.about()?;
        if about.on_trial {
            return Err(Error::OnTrial);
        }
        // So it is of one that is set aside: it wouldn't be started again.
        if let Some((other, Tries::Good)) = about.other
            && about.next == other
        {
            return Err(Error::Leaving(other));
        }
        contents.check(from, |done| heard(Step::Check, done))?;
        let manifest = &contents.manifest;
        let mut table = Table::read(&self.disk)?;
        let slot = table.slot(Which::Free, &self.running)?;
        let running = table.version(Which::Running, &self.running)?;
        room("the system", manifest.system.length, slot.system.1)?;
        room("the hash tree", manifest.hashes.length, slot.hashes.1)?;
        let (start, length) = table.boot()?;
        let mut boot = Fat::open(Window::new(&self.disk, start, length))?;
        let others: Vec<_> =
            Kernel::list(&boot)?.into_iter().filter(|k| k.version != running).collect();
        let freed: u64 = others.iter().map(|kernel| u64::from(kernel.entry.length)).sum();
        room("the kernel", manifest.kernel.length, boot.free()?.saturating_add(freed))?;

        for kernel in &others {
            boot.remove(&kernel.entry)?;
        }
        table.empty(&slot);
        table.write(&self.disk)?;

        self.write_slot(&slot, contents, from, &mut heard)?;
        table.fill(&slot, &manifest.root_hash, manifest.version);
        table.write(&self.disk)?;

        enter_kernel(&mut boot, contents, from)?;
        heard(Step::ReadBack, manifest.length());
        Ok(())
    }

    fn write_slot(
        &self,
        slot: &Slot,
        contents: &Contents,
        from: &mut (impl Read + Seek),
        heard: &mut impl FnMut(Step, u64),
    ) -> Result<(), Error> {
        let places = [(Part::Hashes, slot.hashes), (Part::System, slot.system)];
        let mut done = 0;
        for (part, (start, length)) in places {
            let place = Window::new(&self.disk, start, length);
            copy(contents, part, from, |at, bytes| {
                place.write_at(at, bytes)?;
                done += bytes.len() as u64;
                heard(Step::Write, done);
                Ok(())
            })?;
        }
        self.disk.sync()?;
        let mut done = 0;
        for (part, (start, length)) in places {
            let place = Window::new(&self.disk, start, length);
            let pieces = contents.manifest.part(part);
            place.forget(0, pieces.length)?;
            compare(
                pieces,
                |at, into| place.read_at(at, into),
                |bytes| {
                    done += bytes;
                    heard(Step::ReadBack, done);
                },
            )?;
        }
        Ok(())
    }
}

fn enter_kernel<B: Blocks>(
    boot: &mut Fat<B>,
    contents: &Contents,
    from: &mut (impl Read + Seek),
) -> Result<(), Error> {
    let Manifest { kernel, version, tries, .. } = &contents.manifest;
    let has = boot.free()?;
    let none = || Error::Room { what: "the kernel", needs: kernel.length, has };
    let length = u32::try_from(kernel.length).map_err(|_| none())?;
    let space = boot.space(length)?.ok_or_else(none)?;
    copy(contents, Part::Kernel, from, |at, bytes| boot.write(&space, at, bytes))?;
    boot.sync()?;
    compare(kernel, |at, into| boot.read_back(&space, at, into), |_| ())?;
    boot.enter(FOLDER, &Kernel::name(*version, Tries::Left(*tries)), &space)?;
    Ok(())
}

/// Writes a part. A bundle that was whole a moment ago is not to blame for a disk that takes no more.
fn copy(
    contents: &Contents,
    part: Part,
    from: &mut (impl Read + Seek),
    mut write: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> Result<(), Error> {
    let mut failed = None;
    let read = contents.read(part, from, |at, bytes| {
        write(at, bytes).map_err(|error| {
            failed = Some(error);
            io::ErrorKind::Other.into()
        })
    });
    match failed {
        Some(error) => Err(Error::Io(error)),
        None => read.map_err(Error::Stopped),
    }
}

/// What is on the disk against what was signed.
fn compare(
    pieces: &Pieces,
    mut read: impl FnMut(u64, &mut [u8]) -> io::Result<()>,
    mut heard: impl FnMut(u64),
) -> Result<(), Error> {
    let mut bytes = Vec::new();
    for piece in pieces.iter() {
        bytes.resize(piece.length, 0);
        read(piece.at, &mut bytes)?;
        if !piece.is(&bytes) {
            return Err(Error::Disk);
        }
        heard(piece.length as u64);
    }
    Ok(())
}

fn room(what: &'static str, needs: u64, has: u64) -> Result<(), Error> {
    if needs > has { Err(Error::Room { what, needs, has }) } else { Ok(()) }
}
