//! What the fetcher may do: look a name up, connect to a web server, and write to the one file that it
//! was given.
//!
//! The only program of a node that makes sockets to the world outside. So it has nothing that would be
//! worth taking there: no file but those that say how names are looked up, no thread, no capability, no
//! listener, no other user's process, and it keeps nothing.

use std::path::Path;

use landlock::{
    Access, AccessFs, AccessNet, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use rustix::thread::CapabilitySet;

use super::{Call, Entered, Error, Rule, build, calls, own};

const CALLS: &[&[Call]] = &[
    calls::MEMORY,
    calls::WAITING,
    calls::TIME,
    calls::SELF,
    calls::DESCRIPTORS,
    calls::CONVERSATION,
    MORE,
];

/// What only it needs.
const MORE: &[Call] = &[
    // Sockets of the internet, and for names the C library's own way to ask.
    Call::If(libc::SYS_socket, &[Rule::Is(0, libc::AF_INET as u32)]),
    Call::If(libc::SYS_socket, &[Rule::Is(0, libc::AF_INET6 as u32)]),
    Call::Any(libc::SYS_connect),
    Call::Any(libc::SYS_sendmmsg),
    Call::If(libc::SYS_ioctl, &[Rule::Is(1, libc::FIONREAD as u32)]),
    // How names are looked up: read, and nothing else.
    Call::If(libc::SYS_openat, &[Rule::Without(2, WRITES)]),
    Call::Any(libc::SYS_fstat),
    Call::Any(libc::SYS_newfstatat),
    Call::Any(libc::SYS_readlinkat),
    #[cfg(target_arch = "x86_64")]
    Call::Any(libc::SYS_readlink),
    Call::Any(libc::SYS_statx),
    // Its one file.
    Call::Any(libc::SYS_fdatasync),
    Call::Any(libc::SYS_fstatfs),
    Call::Any(libc::SYS_ftruncate),
    Call::Any(libc::SYS_lseek),
    Call::Any(libc::SYS_pread64),
    Call::Any(libc::SYS_pwrite64),
];

const WRITES: u32 = (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC) as u32;

/// What says how names are looked up, on a Debian machine.
const NAMES: &[&str] = &[
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/run/systemd/resolve",
];

/// Shuts it in for good, before it has heard anything. There is one thread only.
///
/// # Errors
/// When a wall that this kernel has can't be built: the process must end then.
pub fn enter_fetcher() -> Result<Entered, Error> {
    own::of_system(CapabilitySet::empty(), 64 << 20, 32)?;
    let step = "landlock";
    let mut rules = ruleset().map_err(Error::of(step))?;
    for path in NAMES {
        // What doesn't exist needs no rule.
        if let Ok(open) = PathFd::new(Path::new(path)) {
            let read = AccessFs::ReadFile;
            rules = rules.add_rule(PathBeneath::new(open, read)).map_err(Error::of(step))?;
        }
    }
    build::shut(rules, CALLS)
}

/// As everywhere, but that it may connect; nobody can connect to it.
fn ruleset() -> Result<landlock::RulesetCreated, landlock::RulesetError> {
    Ruleset::default()
        .set_compatibility(landlock::CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(build::NEWEST))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(build::NEWEST))?
        .create()
}
