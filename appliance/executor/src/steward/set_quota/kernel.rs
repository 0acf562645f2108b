//! The two calls of the kernel that project quotas need, which no crate here has.
//!
//! Nothing is decided here.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::Error;

/// `struct fsxattr` of linux/fs.h.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    copy_extent_size: u32,
    reserved: [u8; 8],
}

/// The project that a file counts for.
pub(super) fn project(file: &impl AsFd) -> Result<u32, Error> {
    let attributes = attributes(file.as_fd())?;
    // A folder that gives it on is one that was finished.
    let gives_on = attributes.flags & PROJECT_INHERIT != 0;
    Ok(if gives_on { attributes.project } else { 0 })
}

#[expect(unsafe_code, reason = "a call of the kernel that no crate has")]
fn attributes(file: BorrowedFd<'_>) -> Result<Attributes, Error> {
    let mut attributes = Attributes::default();
    // SAFETY: the kernel writes as many bytes as the number of the call says, the size of this type.
    done(unsafe { libc::ioctl(file.as_raw_fd(), GET_ATTRIBUTES, &raw mut attributes) }.into())?;
    Ok(attributes)
}

/// Makes a file count for a project; what will be made in a folder that gives it on, too.
#[expect(unsafe_code, reason = "a call of the kernel that no crate has")]
pub(super) fn set_project(file: BorrowedFd<'_>, project: u32, give_on: bool) -> Result<(), Error> {
    let mut attributes = attributes(file)?;
    attributes.project = project;
    if give_on {
        attributes.flags |= PROJECT_INHERIT;
    }
    // SAFETY: the kernel reads as many bytes as the number of the call says, the size of this type.
    done(unsafe { libc::ioctl(file.as_raw_fd(), SET_ATTRIBUTES, &raw const attributes) }.into())
}

/// The limit of a project on the file system of this file.
#[expect(unsafe_code, reason = "a call of the kernel that no crate has")]
pub(super) fn limit(file: &impl AsFd, project: u32, bytes: u64) -> Result<(), Error> {
    // SAFETY: a struct of numbers only, for all of which 0 is one.
    let mut limits: libc::dqblk = unsafe { std::mem::zeroed() };
    // Counted in KiB; the least limit is 1, because 0 is none.
    limits.dqb_bhardlimit = bytes.div_ceil(1024);
    limits.dqb_bsoftlimit = limits.dqb_bhardlimit;
    limits.dqb_valid = libc::QIF_BLIMITS;
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one `struct dqblk`, which lives until the call is over.
    done(unsafe {
        libc::syscall(libc::SYS_quotactl_fd, file, SET_LIMITS, project, &raw const limits)
    })
}

fn done(answer: libc::c_long) -> Result<(), Error> {
    if answer >= 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOTTY | libc::EOPNOTSUPP | libc::ENOSYS | libc::ESRCH | libc::ENOTBLK) => {
            Err(Error::Unsupported)
        }
        _ => Err(error.into()),
    }
}

/// linux/fs.h: `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR`; the size of the struct is in them.
const GET_ATTRIBUTES: libc::Ioctl = 0x801c_581f;
const SET_ATTRIBUTES: libc::Ioctl = 0x401c_5820;
const PROJECT_INHERIT: u32 = 0x200;
/// `QCMD(Q_SETQUOTA, PRJQUOTA)` of linux/quota.h.
const SET_LIMITS: libc::c_long = (0x80_0008 << 8) | 2;
