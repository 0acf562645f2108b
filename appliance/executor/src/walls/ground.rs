//! What this machine and this user can give to the walls: for the doctor, and to be said at a start.
//!
//! Asks the kernel by trying, each time in a thread that ends right after; changes nothing.

use landlock::LandlockStatus;

use super::build;

/// What the kernel has of Landlock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Landlock {
    /// This version of it; 6 and later guard signals and abstract sockets too.
    Version(u32),
    /// It is there but switched off when the machine starts.
    Off,
    /// The kernel was built without it, or is too old.
    Missing,
}

/// Tries Landlock.
#[must_use]
pub fn landlock() -> Landlock {
    let tried = std::thread::spawn(|| Some(build::ruleset().ok()?.restrict_self().ok()?.landlock));
    match tried.join() {
        Ok(Some(LandlockStatus::Available { effective_abi, kernel_abi })) => {
            let effective = effective_abi as i32;
            let version = kernel_abi.unwrap_or(effective);
            Landlock::Version(u32::try_from(version).unwrap_or_default())
        }
        Ok(Some(LandlockStatus::NotEnabled)) => Landlock::Off,
        Ok(Some(LandlockStatus::NotImplemented) | None) | Err(_) => Landlock::Missing,
    }
}

/// Whether the kernel can filter system calls.
#[must_use]
pub fn seccomp() -> bool {
    build::has_seccomp()
}
