//! A user number of its own for every process of the node, where the node's user may give them.
//!
//! Twin 7 is user `first + 7`; the gateway has the last number of the range, workers take turns with
//! those before it. Never uses a number outside of it, never changes what belongs to an ordinary user.

use std::fs::{self, Permissions};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;

use handover::Number;
use rustix::thread::capabilities;

use crate::walls::NEEDED;
use crate::{Error, file_error};

/// The range of the node's users.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Uids {
    first: u32,
}

/// Why the node's processes can't have users of their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoUids {
    /// Started by an ordinary user.
    Ordinary,
    /// This container has no such users.
    Unmapped,
}

impl Uids {
    /// The range that begins here, if this process may use it.
    ///
    /// # Errors
    /// Why it may not.
    pub fn available(first: u32) -> Result<Self, NoUids> {
        let has = capabilities(None).is_ok_and(|sets| sets.effective.contains(NEEDED));
        if !has {
            return Err(NoUids::Ordinary);
        }
        let uids = Self { first };
        let mapped = |file: &str| {
            fs::read_to_string(file)
                .is_ok_and(|map| map.lines().any(|line| covers(line, &uids.range())))
        };
        if mapped("/proc/self/uid_map") && mapped("/proc/self/gid_map") {
            Ok(uids)
        } else {
            Err(NoUids::Unmapped)
        }
    }

    /// All numbers of the range.
    #[must_use]
    pub fn range(self) -> Range<u32> {
        self.first..self.first.saturating_add(COUNT)
    }

    /// A twin's.
    #[must_use]
    pub fn twin(self, twin: Number) -> u32 {
        // A node whose ten thousands of twins came and went runs into the end: all later ones share
        // a number, and are kept apart by the other walls.
        self.first + twin.0.min(COUNT - 2 - WORKERS)
    }

    /// The one for the job of this number. It comes round after a thousand jobs, of which only a few
    /// run at once, and leaves nothing behind: a worker owns no file.
    #[must_use]
    pub fn worker(self, job: u64) -> u32 {
        let turn = u32::try_from(job % u64::from(WORKERS)).unwrap_or_default();
        self.first + (COUNT - 1 - WORKERS) + turn
    }

    /// The gateway's.
    #[must_use]
    pub fn gateway(self) -> u32 {
        self.first + (COUNT - 1)
    }
}

/// Gives a folder and all in it to a user. Nobody else may be using it: the twin doesn't run. The
/// executor's own group may still pass through the folder itself, to start the twin there.
pub(crate) fn give(folder: &Path, uid: u32) -> Result<(), Error> {
    let mut left = MOST;
    walk(folder, uid, 0, &mut left)?;
    if left == 0 {
        tracing::warn!(folder = %folder.display(), "too many files to look at: some may be another user's");
    }
    Ok(())
}

fn walk(path: &Path, uid: u32, depth: u32, left: &mut u32) -> Result<(), Error> {
    if *left == 0 || depth > DEPTH {
        *left = 0;
        return Ok(());
    }
    *left -= 1;
    let about = fs::symlink_metadata(path).map_err(file_error(path))?;
    if about.is_dir() {
        take(path)?;
        for item in fs::read_dir(path).map_err(file_error(path))? {
            walk(&item.map_err(file_error(path))?.path(), uid, depth + 1, left)?;
        }
    }
    let passable = depth == 0 && about.is_dir();
    if passable && about.mode() & 0o777 != PASSABLE {
        fs::set_permissions(path, Permissions::from_mode(PASSABLE)).map_err(file_error(path))?;
    }
    let gid = if passable { rustix::process::getegid().as_raw() } else { uid };
    // The folder comes after what is in it: interrupted, it is done again.
    if about.is_dir() || (about.uid(), about.gid()) != (uid, gid) {
        lchown(path, Some(uid), Some(gid)).map_err(file_error(path))?;
    }
    Ok(())
}

/// Takes a twin's folder and all folders in it back, so that what is in them can be removed.
pub(crate) fn take_all(folder: &Path) -> Result<(), Error> {
    take(folder)?;
    for item in fs::read_dir(folder).map_err(file_error(folder))? {
        let item = item.map_err(file_error(folder))?;
        if item.file_type().is_ok_and(|kind| kind.is_dir()) {
            take_all(&item.path())?;
        }
    }
    Ok(())
}

/// Takes one folder back. The right to change owners is all the executor has: it passes by no mode.
pub(crate) fn take(folder: &Path) -> Result<(), Error> {
    let me = rustix::process::geteuid().as_raw();
    let about = fs::symlink_metadata(folder).map_err(file_error(folder))?;
    if about.uid() != me {
        lchown(folder, Some(me), None).map_err(file_error(folder))?;
    }
    if about.mode() & 0o700 != 0o700 {
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(file_error(folder))?;
    }
    Ok(())
}

/// Whether a line of `uid_map` (inside, outside, count) has the whole range.
fn covers(line: &str, range: &Range<u32>) -> bool {
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [inside, _, count] = numbers[..] else { return false };
    inside <= u64::from(range.start) && u64::from(range.end) <= inside + count
}

/// How many numbers a node takes: for twins, for the node's own, for workers and for the gateway.
const COUNT: u32 = 65_536;
const WORKERS: u32 = 1_024;
/// So many files of one twin are looked at, so deep: a hostile twin can't keep the executor busy.
const MOST: u32 = 20_000;
const DEPTH: u32 = 16;
/// A twin's folder: all of it is the twin's, and the executor's group may go into it.
const PASSABLE: u32 = 0o710;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_the_range() {
        let uids = Uids { first: 3_000_000 };
        assert_eq!(uids.twin(Number::NODE), 3_000_000);
        assert_eq!(uids.twin(Number(7)), 3_000_007);
        assert_eq!(uids.twin(Number(u32::MAX)), 3_064_510);
        let workers: std::collections::BTreeSet<_> =
            (0..3_000).map(|job| uids.worker(job)).collect();
        assert_eq!(workers.first().zip(workers.last()), Some((&3_064_511, &3_065_534)));
        assert_eq!(workers.len(), 1_024);
        assert_eq!(uids.gateway(), 3_065_535);
        assert!(uids.range().contains(&uids.gateway()));
    }

    #[test]
    fn a_container_without_them_is_noticed() {
        let range = 3_000_000..3_065_536;
        assert!(covers("         0          0 4294967295", &range));
        assert!(covers("0 100000 3065536", &range));
        assert!(!covers("0 100000 65536", &range));
        assert!(!covers("3000001 1 4000000", &range));
        assert!(!covers("", &range));
    }

    #[test]
    fn a_link_is_given_and_not_followed() {
        if Uids::available(3_000_000).is_err() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (other, own) = (folder.path().join("other"), folder.path().join("own"));
        fs::write(&other, "").unwrap();
        fs::create_dir_all(own.join("deep")).unwrap();
        fs::write(own.join("deep/file"), "").unwrap();
        std::os::unix::fs::symlink(&other, own.join("link")).unwrap();
        give(&own, 3_000_001).unwrap();
        let owner = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
        let about = fs::metadata(&own).unwrap();
        assert_eq!((about.uid(), about.mode() & 0o777), (3_000_001, 0o710));
        assert_eq!(about.gid(), rustix::process::getegid().as_raw());
        assert_eq!(owner(&own.join("deep")), 3_000_001);
        assert_eq!(owner(&own.join("deep/file")), 3_000_001);
        assert_eq!(owner(&own.join("link")), 3_000_001);
        assert_eq!(owner(&other), 0);
        take_all(&own).unwrap();
        assert_eq!((owner(&own), owner(&own.join("deep"))), (0, 0));
    }
}
