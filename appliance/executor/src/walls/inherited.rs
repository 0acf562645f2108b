//! Descriptors that the executor itself was started with: those that its service manager speaks of,
//! and those that nobody asked for.
//!
//! Never touches the three standard ones.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Takes the first descriptors after the standard ones, as sd_listen_fds(3) numbers them. Works once,
/// and has to come before this process opens anything itself.
#[expect(unsafe_code, reason = "a descriptor that is known by its number only has no owner yet")]
pub(crate) fn adopt(count: u32) -> io::Result<Vec<OwnedFd>> {
    static DONE: AtomicBool = AtomicBool::new(false);
    if count > MOST_GIVEN || DONE.swap(true, Ordering::SeqCst) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut given = Vec::new();
    for number in 3..3 + count as RawFd {
        // SAFETY: only asked whether it is open, and not kept.
        let open = unsafe { BorrowedFd::borrow_raw(number) };
        rustix::io::fcntl_getfd(open)?;
        // SAFETY: it is open, it was there before this process opened anything, and nobody here has
        // taken it before: this is done once.
        let owned = unsafe { OwnedFd::from_raw_fd(number) };
        rustix::io::fcntl_setfd(&owned, rustix::io::FdFlags::CLOEXEC)?;
        given.push(owned);
    }
    Ok(given)
}

/// More than anybody means to give.
const MOST_GIVEN: u32 = 16;

/// Marks every open descriptor but the standard ones to be closed when a program is started: what a
/// shell or a service manager left open is no twin's business.
#[expect(unsafe_code, reason = "there is no safe call that marks descriptors nobody here owns")]
pub(super) fn leave_behind() -> rustix::io::Result<()> {
    // SAFETY: no memory is passed, and no descriptor is closed here or loses its meaning: each only
    // gets the mark that this program's own descriptors have anyway.
    let marked = unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    let error = io::Error::last_os_error();
    match rustix::io::Errno::from_io_error(&error) {
        _ if marked == 0 => Ok(()),
        // Before Linux 5.11 there is no such call: then it is for whoever starts the node.
        None | Some(rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => Ok(()),
        Some(errno) => Err(errno),
    }
}
