//! What the steward that holds the disk may do: read and write what it holds already.
//!
//! It runs as root, for the disk's device belongs to root; but without one capability, without any file,
//! and without a call that opens something. What a hole in it could reach is the disk, which is much,
//! and so it reads nothing of anybody's but a bundle's head before a signature is good. One signal is
//! left to it: the one that has the service manager start the machine again.

use landlock::{Access, AccessFs, AccessNet, Compatible, Ruleset, RulesetAttr, Scope};
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
    Call::Any(libc::SYS_fadvise64),
    Call::Any(libc::SYS_fdatasync),
    Call::Any(libc::SYS_flock),
    Call::Any(libc::SYS_fstat),
    Call::Any(libc::SYS_lseek),
    Call::Any(libc::SYS_pread64),
    Call::Any(libc::SYS_pwrite64),
    Call::Any(libc::SYS_statx),
    Call::If(libc::SYS_kill, &[Rule::Is(0, 1), Rule::Is(1, libc::SIGINT as u32)]),
];

/// Shuts it in for good, before it has heard anything. There is one thread only.
pub(crate) fn enter_slots() -> Result<Entered, Error> {
    own::of_system(CapabilitySet::empty(), 128 << 20, 64)?;
    build::shut(ruleset().map_err(Error::of("landlock"))?, CALLS)
}

/// As everywhere, but for signals: the filter of calls leaves it exactly one.
fn ruleset() -> Result<landlock::RulesetCreated, landlock::RulesetError> {
    Ruleset::default()
        .set_compatibility(landlock::CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(build::NEWEST))?
        .handle_access(AccessNet::from_all(build::NEWEST))?
        .scope(Scope::AbstractUnixSocket)?
        .create()
}
