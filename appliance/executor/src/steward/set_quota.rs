//! `set-quota`: the kernel itself keeps a twin's folder within its room, whatever the twin does.
//!
//! By project quotas, which ext4 and XFS have where they were made and mounted for it. Works below
//! `twins/` of the data folder and nowhere else; follows no link, leaves the file system never.

mod kernel;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use handover::Number;
use rustix::fs::{Dir, FileType, Mode, OFlags, openat};

/// Why there is no limit now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The file system has no project quotas, or was not mounted with them.
    #[error("this file system has no project quotas")]
    Unsupported,
    /// The kernel refused.
    #[error("no quota: {0}")]
    Io(#[from] io::Error),
}

impl From<rustix::io::Errno> for Error {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// Gives a twin's folder a project of its own, and the project its limit.
pub(super) fn set(data: &Path, twin: Number, bytes: u64) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // One step at a time, for the service manager's filters know no `openat2`.
    let data = rustix::fs::open(data, flags, Mode::empty())?;
    let twins = openat(&data, "twins", flags, Mode::empty())?;
    let folder = openat(&twins, twin.to_string(), flags, Mode::empty())?;
    if rustix::fs::fstat(&folder)?.st_dev != rustix::fs::fstat(&data)?.st_dev {
        return Err(rustix::io::Errno::XDEV.into());
    }
    let project = FIRST_PROJECT.saturating_add(twin.0);
    let mut left = MOST;
    // All later files get it from their folder.
    if kernel::project(&folder)? != project {
        assign(&folder, project, 0, &mut left)?;
    }
    kernel::limit(&folder, project, bytes)
}

fn assign(folder: &OwnedFd, project: u32, depth: u32, left: &mut u32) -> Result<(), Error> {
    // What is in it comes first: interrupted, it is done again.
    for item in Dir::read_from(folder)? {
        let item = item?;
        let is_folder = item.file_type() == FileType::Directory;
        let is_dots = [&b"."[..], b".."].contains(&item.file_name().to_bytes());
        if is_dots || !(is_folder || item.file_type() == FileType::RegularFile) {
            continue;
        }
        if *left == 0 || depth > DEPTH {
            return Ok(());
        }
        *left -= 1;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = match openat(folder, item.file_name(), flags, Mode::empty()) {
            Ok(open) => open,
            // The twin may be awake, and files come and go.
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&open)?.st_mode);
        if kind == FileType::Directory {
            assign(&open, project, depth + 1, left)?;
        } else if kind == FileType::RegularFile {
            kernel::set_project(open.as_fd(), project, false)?;
        }
    }
    kernel::set_project(folder.as_fd(), project, true)
}

/// A twin's project is this and its number; other programs count from 1.
const FIRST_PROJECT: u32 = 3_000_000;
/// As many files are looked at, as deep.
const MOST: u32 = 100_000;
const DEPTH: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_of_a_twin_is_touched() {
        let data = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join("twins")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), data.path().join("twins/7")).unwrap();
        std::fs::write(data.path().join("twins/8"), "").unwrap();
        for twin in [7, 8, 9] {
            let set = set(data.path(), Number(twin), 1 << 20);
            assert!(matches!(set, Err(Error::Io(_))), "{twin}: {set:?}");
        }
    }

    #[test]
    fn a_file_system_without_quotas_says_so() {
        // Of all that tests run on, only memory surely has none.
        let Ok(data) = tempfile::tempdir_in("/dev/shm") else { return };
        std::fs::create_dir_all(data.path().join("twins/3/life")).unwrap();
        let set = set(data.path(), Number(3), 1 << 20);
        assert!(matches!(set, Err(Error::Unsupported | Error::Io(_))), "{set:?}");
    }
}
