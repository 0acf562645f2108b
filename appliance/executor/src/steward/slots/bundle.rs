//! Where a bundle comes from: a file that was handed over, or a stick.
//!
//! A stick is read as it is plugged in, without being mounted: a FAT32 file system, as sticks are sold
//! up to 32 GB, with the file in its first folder. The newest that is whole is taken.

use std::borrow::Borrow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use update::{Bundle, Contents, Manifest, Trust};

use crate::slots::fat::{self, Entry, Fat};
use crate::slots::{self, blocks::Stream};

/// A bundle with a good signature, and its bytes.
pub(super) struct Open<'a> {
    pub(super) contents: Contents,
    from: Box<dyn Stepping + 'a>,
}

trait Stepping: Read + Seek {}
impl<T: Read + Seek> Stepping for T {}

impl Read for Open<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.from.read(into)
    }
}

impl Seek for Open<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.from.seek(to)
    }
}

/// Where one is. It may lie there as long as it likes: what counts is read when it's opened.
pub(super) enum Source<'a> {
    /// Somebody opened it.
    File(File),
    /// A file on a stick.
    Stick(&'a File, Entry),
}

impl Source<'_> {
    /// Opens it, and finds its signature good.
    pub(super) fn open(&mut self, trust: &Trust) -> Result<Open<'_>, slots::Error> {
        match self {
            Self::File(file) => open(file, trust),
            Self::Stick(stick, entry) => {
                let fat = Fat::open(*stick).map_err(update::Error::from)?;
                on_stick(fat, entry, trust)
            }
        }
    }
}

/// Those on any stick that are wanted, the newest first. Of a stick no more is held than one table, and
/// not for longer than it takes to look.
pub(super) fn on_sticks<'a>(
    sticks: &'a [File],
    trust: &Trust,
    wanted: impl Fn(&Manifest) -> bool,
) -> Vec<Source<'a>> {
    let mut all = Vec::new();
    for stick in sticks {
        let Ok(fat) = Fat::open(stick) else { continue };
        let Ok(entries) = fat.list(&[]) else { continue };
        let ours = |entry: &Entry| entry.name.ends_with(ENDING) && !entry.folder;
        for entry in entries.into_iter().filter(ours).take(MOST) {
            match on_stick(&fat, &entry, trust) {
                Ok(Open { contents, .. }) if wanted(&contents.manifest) => {
                    all.push((contents.manifest.version, Source::Stick(stick, entry)));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(why = error.name(), "a bundle on a stick is refused");
                }
            }
        }
    }
    all.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    all.into_iter().map(|(_, source)| source).collect()
}

fn on_stick<'a>(
    fat: impl Borrow<Fat<&'a File>> + 'a,
    entry: &Entry,
    trust: &Trust,
) -> Result<Open<'a>, slots::Error> {
    let bytes = fat::File::new(fat, entry).map_err(update::Error::from)?;
    open(Stream::new(bytes), trust)
}

fn open<'a>(mut from: impl Read + Seek + 'a, trust: &Trust) -> Result<Open<'a>, slots::Error> {
    from.rewind().map_err(update::Error::from)?;
    let contents = Bundle::read(&mut from)?.verify(trust)?;
    Ok(Open { contents, from: Box::new(from) })
}

/// So many of a stick are looked at.
const MOST: usize = 32;
const ENDING: &str = ".bundle";

#[cfg(test)]
mod tests;
