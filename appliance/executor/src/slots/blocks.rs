//! A disk as bytes: read, written, and synced. What was written before a sync is on the disk before
//! whatever is written after it; between two syncs any order and any part may be.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use rustix::fs::{Advice, fadvise};

/// A disk, or a part of one.
pub(crate) trait Blocks {
    /// Reads exactly so much.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()>;
    /// Writes all of it.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Waits until everything that was written is on the disk itself.
    fn sync(&self) -> io::Result<()>;
    /// Has the next reading come from the disk itself, after a sync.
    fn forget(&self, at: u64, length: u64) -> io::Result<()>;
    /// Bytes of it.
    fn length(&self) -> io::Result<u64>;
}

impl Blocks for File {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(into, at)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn forget(&self, at: u64, length: u64) -> io::Result<()> {
        Ok(fadvise(self, at, std::num::NonZeroU64::new(length), Advice::DontNeed)?)
    }

    fn length(&self) -> io::Result<u64> {
        (&mut &*self).seek(SeekFrom::End(0))
    }
}

impl<B: Blocks> Blocks for &B {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        (**self).read_at(at, into)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        (**self).write_at(at, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        (**self).sync()
    }

    fn forget(&self, at: u64, length: u64) -> io::Result<()> {
        (**self).forget(at, length)
    }

    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }
}

/// A part of a disk, and nothing beside it.
#[derive(Debug)]
pub(crate) struct Window<B> {
    blocks: B,
    start: u64,
    length: u64,
}

impl<B: Blocks> Window<B> {
    pub(crate) fn new(blocks: B, start: u64, length: u64) -> Self {
        Self { blocks, start, length }
    }

    fn inside(&self, at: u64, length: u64) -> io::Result<u64> {
        let end = at.checked_add(length).filter(|end| *end <= self.length);
        end.and_then(|_| self.start.checked_add(at)).ok_or_else(|| {
            io::Error::new(io::ErrorKind::UnexpectedEof, "this would be outside the partition")
        })
    }
}

impl<B: Blocks> Blocks for Window<B> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.blocks.read_at(self.inside(at, into.len() as u64)?, into)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.blocks.write_at(self.inside(at, bytes.len() as u64)?, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.blocks.sync()
    }

    fn forget(&self, at: u64, length: u64) -> io::Result<()> {
        self.blocks.forget(self.inside(at, length)?, length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }
}

/// Read one after the other, as a file is.
pub(crate) struct Stream<B> {
    blocks: B,
    at: u64,
}

impl<B: Blocks> Stream<B> {
    pub(crate) fn new(blocks: B) -> Self {
        Self { blocks, at: 0 }
    }
}

impl<B: Blocks> io::Read for Stream<B> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.blocks.length()?.saturating_sub(self.at);
        let length = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.blocks.read_at(self.at, &mut into[..length])?;
        self.at += length as u64;
        Ok(length)
    }
}

impl<B: Blocks> Seek for Stream<B> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.blocks.length()?.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
