//! Writes the parts of an image that mean something, and reads them back from the disk itself.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::fs::{Advice, fadvise};
use sha2::{Digest, Sha256};

use crate::Extents;

/// How far it is: told again and again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// So many bytes of so many are handed to the disk.
    Written(u64, u64),
    /// So many bytes of so many are on the disk as they should be.
    Verified(u64, u64),
}

/// Why a disk has no image now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image ends, or can't be read.
    #[error("the image can't be read")]
    Image(#[source] io::Error),
    /// What is to be written isn't what its maker wrote.
    #[error("the image is damaged between byte {} and byte {}", .0.start, .0.end)]
    Damaged(Range<u64>),
    /// It can't be written or read.
    #[error("the disk can't be {0}")]
    Disk(&'static str, #[source] io::Error),
    /// It took something else than it was given.
    #[error("the disk doesn't hold what was written to it, between byte {} and byte {}", .0.start, .0.end)]
    Differs(Range<u64>),
}

/// Writes an image, read from its first byte on, and verifies it. `sound` is asked for each extent
/// whether its hash is the right one, before anything depends on it.
///
/// # Errors
/// If a byte of it isn't on the disk.
pub fn write(
    mut image: impl Read,
    extents: &Extents,
    disk: &File,
    sound: impl Fn(&Range<u64>, &[u8; 32]) -> bool,
    mut told: impl FnMut(Step),
) -> Result<(), Error> {
    let all = extents.bytes();
    let mut buffer = vec![0; CHUNK];
    let (mut at, mut done) = (0, 0);
    let mut hashes = Vec::new();
    for range in extents.iter() {
        pass(&mut image, range.start - at, &mut buffer).map_err(Error::Image)?;
        let mut hasher = Sha256::new();
        for (from, length) in pieces(&range) {
            let piece = &mut buffer[..length];
            image.read_exact(piece).map_err(Error::Image)?;
            hasher.update(&*piece);
            disk.write_all_at(piece, from).map_err(|error| Error::Disk("written", error))?;
            done += length as u64;
            told(Step::Written(done, all));
        }
        at = range.end;
        let hash: [u8; 32] = hasher.finalize().into();
        if !sound(&range, &hash) {
            return Err(Error::Damaged(range));
        }
        hashes.push((range, hash));
    }
    disk.sync_all().map_err(|error| Error::Disk("written", error))?;
    verify(disk, hashes, all, &mut buffer, told)
}

/// Reads from the disk and not from what the kernel remembers of it.
fn verify(
    disk: &File,
    hashes: Vec<(Range<u64>, [u8; 32])>,
    all: u64,
    buffer: &mut [u8],
    mut told: impl FnMut(Step),
) -> Result<(), Error> {
    let forgotten = fadvise(disk, 0, None, Advice::DontNeed);
    forgotten.map_err(|error| Error::Disk("read", error.into()))?;
    let mut done = 0;
    for (range, hash) in hashes {
        let mut hasher = Sha256::new();
        for (from, length) in pieces(&range) {
            let piece = &mut buffer[..length];
            disk.read_exact_at(piece, from).map_err(|error| Error::Disk("read", error))?;
            hasher.update(&*piece);
            done += length as u64;
            told(Step::Verified(done, all));
        }
        if <[u8; 32]>::from(hasher.finalize()) != hash {
            return Err(Error::Differs(range));
        }
    }
    Ok(())
}

/// An image that comes out of a pipe can only be read on.
fn pass(image: &mut impl Read, mut bytes: u64, buffer: &mut [u8]) -> io::Result<()> {
    while bytes > 0 {
        let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(buffer.len());
        image.read_exact(&mut buffer[..length])?;
        bytes -= length as u64;
    }
    Ok(())
}

fn pieces(range: &Range<u64>) -> impl Iterator<Item = (u64, usize)> + use<> {
    let end = range.end;
    (range.start..end).step_by(CHUNK).map(move |from| {
        let left = usize::try_from(end - from).unwrap_or(usize::MAX);
        (from, left.min(CHUNK))
    })
}

/// Large enough for a disk that writes in large pieces, small enough for a small machine.
const CHUNK: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn disk(bytes: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    fn content(disk: &File) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(disk.metadata().unwrap().len()).unwrap()];
        disk.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_mapped_is_written_and_nothing_beside_it(
            ranges in prop::collection::vec((0_u64..3_000_000, 1_u64..1_500_000), 1..6)
        ) {
            let extents: Extents = ranges.iter().map(|(at, length)| *at..at + length).collect();
            let image: Vec<u8> = (0..extents.end()).map(|at| (at % 251) as u8).collect();
            let target = disk(&vec![0xee; image.len() + 5]);
            let mut steps = Vec::new();
            write(&image[..], &extents, &target, |_, _| true, |step| steps.push(step)).unwrap();
            let mut wanted = vec![0xee; image.len() + 5];
            for range in extents.iter() {
                let range = range.start as usize..range.end as usize;
                wanted[range.clone()].copy_from_slice(&image[range]);
            }
            prop_assert!(content(&target) == wanted);
            let all = extents.bytes();
            prop_assert!(steps.contains(&Step::Written(all, all)));
            prop_assert_eq!(steps.last(), Some(&Step::Verified(all, all)));
        }
    }

    #[test]
    fn an_image_that_ends_too_soon_or_is_damaged_is_said() {
        let extents: Extents = [0..4096, 8192..12_288].into_iter().collect();
        let target = disk(&[0; 16_384]);
        let all = |_: &Range<u64>, _: &[u8; 32]| true;
        let short = write(&[7; 10_000][..], &extents, &target, all, |_| ());
        assert!(matches!(short, Err(Error::Image(_))));
        let first = |range: &Range<u64>, _: &[u8; 32]| range.start == 0;
        let damaged = write(&[7; 16_384][..], &extents, &target, first, |_| ());
        assert!(matches!(damaged, Err(Error::Damaged(range)) if range == (8192..12_288)));
    }

    #[test]
    fn a_disk_that_forgets_is_found_out() {
        let extents: Extents = std::iter::once(0..8192).collect();
        let target = disk(&[0; 8192]);
        let other = target.try_clone().unwrap();
        // Just before it's read back, one bit of it changes.
        let forget = |step| {
            if step == Step::Written(8192, 8192) {
                other.write_all_at(&[6], 5000).unwrap();
            }
        };
        let done = write(&[7; 8192][..], &extents, &target, |_, _| true, forget);
        assert!(matches!(done, Err(Error::Differs(range)) if range == (0..8192)));
    }
}
