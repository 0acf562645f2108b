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
    match marked {
        0 => Ok(()),
        _ => Err(rustix::io::Errno::from_io_error(&std::io::Error::last_os_error())
            .unwrap_or(rustix::io::Errno::INVAL)),
    }
}
