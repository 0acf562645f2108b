//! What steward may do: read the counters of energy, set quotas below the twins' folder, and write how
//! the machine is connected into the one folder for that.
//!
//! It runs as root, so this list is what a hole in it could reach: no other file, no socket of its
//! making, no program, no other user, three capabilities.

use std::path::Path;

use landlock::{AccessFs, PathBeneath, PathFd, RulesetCreatedAttr};
use rustix::thread::CapabilitySet;

use super::{Call, Entered, Error, Rule, build, calls, own};

const CALLS: &[&[Call]] = &[
    calls::MEMORY,
    calls::WAITING,
    calls::TIME,
    calls::SELF,
    calls::DESCRIPTORS,
    calls::CONVERSATION,
    // Landlock leaves it only to read, but for one folder.
    calls::OWN_FILES,
    MORE,
];

/// What only steward needs.
const MORE: &[Call] = &[
    Call::Any(libc::SYS_quotactl_fd),
    // The project that a file belongs to: read and set.
    Call::If(libc::SYS_ioctl, &[Rule::Is(1, 0x801c_581f)]),
    Call::If(libc::SYS_ioctl, &[Rule::Is(1, 0x401c_5820)]),
];

/// Quotas are for `SYS_ADMIN`; the folders are others', and may be read and given a project.
const KEPT: CapabilitySet =
    CapabilitySet::SYS_ADMIN.union(CapabilitySet::DAC_READ_SEARCH).union(CapabilitySet::FOWNER);

/// Shuts steward in for good, before it has heard anything. There is one thread only.
pub(crate) fn enter_steward(data: &Path, network: &Path) -> Result<Entered, Error> {
    own::of_system(KEPT, 64 << 20, 64)?;
    let step = "landlock";
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let twins = data.join("twins");
    let mut rules = build::ruleset().map_err(Error::of(step))?;
    for folder in [Path::new("/sys/class/powercap"), Path::new("/sys/devices"), &twins] {
        // What doesn't exist needs no rule.
        if let Ok(open) = PathFd::new(folder) {
            rules = rules.add_rule(PathBeneath::new(open, read)).map_err(Error::of(step))?;
        }
    }
    if let Ok(open) = PathFd::new(network) {
        let write = read
            | AccessFs::WriteFile
            | AccessFs::Truncate
            | AccessFs::MakeReg
            | AccessFs::RemoveFile;
        rules = rules.add_rule(PathBeneath::new(open, write)).map_err(Error::of(step))?;
    }
    if let Ok(open) = PathFd::new(data) {
        rules =
            rules.add_rule(PathBeneath::new(open, AccessFs::ReadDir)).map_err(Error::of(step))?;
    }
    build::shut(rules, CALLS)
}
