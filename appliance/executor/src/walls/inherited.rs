//! Descriptors that the executor itself was started with, and did not ask for.
//!
//! Never touches the three standard ones.

/// Marks every open descriptor but the standard ones to be closed when a program is started: what a
/// shell or a service manager left open is no twin's business.
#[expect(unsafe_code, reason = "there is no safe call that marks descriptors nobody here owns")]
pub(super) fn leave_behind() -> rustix::io::Result<()> {
    // SAFETY: no memory is passed, and no descriptor is closed here or loses its meaning: each only
    // gets the mark that this program's own descriptors have anyway.
    let marked = unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    let error = std::io::Error::last_os_error();
    match rustix::io::Errno::from_io_error(&error) {
        _ if marked == 0 => Ok(()),
        // Before Linux 5.11 there is no such call: then it is for whoever starts the node.
        None | Some(rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => Ok(()),
        Some(errno) => Err(errno),
    }
}
