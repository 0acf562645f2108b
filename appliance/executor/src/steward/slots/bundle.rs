//! Where a bundle comes from: a file that was handed over, or a stick.
//!
//! A stick is read as it is plugged in, without being mounted: a FAT32 file system, as sticks are sold
//! up to 32 GB, with the file in its first folder. The newest that is whole is taken.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use update::{Bundle, Contents, Manifest, Trust};

use crate::slots::fat::{self, Fat};
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

/// One that somebody opened.
pub(super) fn file<'a>(file: File, trust: &Trust) -> Result<Open<'a>, slots::Error> {
    open(file, trust)
}

/// Those on any stick that are wanted, the newest first. If there are none, why.
pub(super) fn on_sticks<'a>(
    sticks: &'a [File],
    trust: &Trust,
    wanted: impl Fn(&Manifest) -> bool,
) -> Result<Vec<Open<'a>>, slots::Error> {
    let mut all = Vec::new();
    for stick in sticks {
        let Ok(fat) = Fat::open(stick) else { continue };
        let Ok(entries) = fat.list(&[]) else { continue };
        for entry in entries.iter().filter(|entry| entry.name.ends_with(ENDING) && !entry.folder) {
            let bytes = fat::File::new(Fat::open(stick)?, entry)?;
            match open(Stream::new(bytes), trust) {
                Ok(found) if wanted(&found.contents.manifest) => all.push(found),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(why = error.name(), "a bundle on a stick is refused");
                }
            }
        }
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.contents.manifest.version));
    if all.is_empty() { Err(slots::Error::NoBundle) } else { Ok(all) }
}

fn open<'a>(mut from: impl Read + Seek + 'a, trust: &Trust) -> Result<Open<'a>, slots::Error> {
    from.rewind()?;
    let contents = Bundle::read(&mut from)?.verify(trust)?;
    Ok(Open { contents, from: Box::new(from) })
}

const ENDING: &str = ".bundle";

#[cfg(test)]
mod tests;
