//! From a policy to Landlock rules and seccomp filters, in force from here on.
//!
//! Never weaker than what the kernel has: what it lacks is told to the caller, what fails is an error.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use landlock::{
    ABI, Access, AccessFs, AccessNet, Compatible, LandlockStatus, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::fs::{Mode, OFlags};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::{Call, Entered, Error, Files, Rule, calls};

/// The current folder, to be named in a rule.
pub(super) fn here() -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(".", flags, Mode::empty()).map_err(Error::at("the own folder"))
}

/// Shuts the file system, TCP, and signals and abstract sockets of others. Answers whether the
/// kernel could.
pub(super) fn shut_files(files: &Files, folder: OwnedFd) -> Result<bool, Error> {
    let step = "landlock";
    let ruleset = ruleset().map_err(Error::of(step))?;
    let ruleset = match files {
        Files::Nothing => ruleset,
        Files::OwnFolder => {
            ruleset.add_rule(PathBeneath::new(folder, own())).map_err(Error::of(step))?
        }
    };
    restrict(ruleset)
}

/// Puts a ruleset in force. Answers whether the kernel could.
pub(super) fn restrict(ruleset: RulesetCreated) -> Result<bool, Error> {
    let step = "landlock";
    let status = ruleset.restrict_self().map_err(Error::of(step))?;
    let has = matches!(status.landlock, LandlockStatus::Available { .. });
    if has && status.ruleset == RulesetStatus::NotEnforced {
        return Err(Error { step, source: std::io::ErrorKind::Unsupported.into() });
    }
    Ok(has)
}

/// Shuts files and calls for good.
pub(super) fn shut(ruleset: RulesetCreated, lists: &[&[Call]]) -> Result<Entered, Error> {
    // Looked up while it can be.
    let seccomp = has_seccomp();
    let landlock = restrict(ruleset)?;
    if seccomp {
        shut_calls(lists)?;
    }
    Ok(Entered { landlock, seccomp })
}

/// Everything that the newest known Landlock can guard is shut, as far as this kernel has it.
pub(super) fn ruleset() -> Result<RulesetCreated, landlock::RulesetError> {
    Ruleset::default()
        .set_compatibility(landlock::CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()
}

/// Read, write, make and remove files and folders; no program, link, socket or device among them.
fn own() -> landlock::BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

/// Puts the filters in force.
pub(super) fn shut_calls(lists: &[&[Call]]) -> Result<(), Error> {
    // Of several filters the strictest answer counts, and of equally strict ones the last one's. The
    // list comes last: after it the process can't change its filters any more.
    for filter in [hostile()?, unknown()?, allowed(lists)?] {
        seccompiler::apply_filter(&filter).map_err(Error::of("seccomp"))?;
    }
    Ok(())
}

/// Whether the kernel has filters for calls. Asked before files are shut.
pub(super) fn has_seccomp() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    // Without /proc nothing is known: then it is tried, and a failure is told.
    status.is_empty() || status.lines().any(|line| line.starts_with("Seccomp:"))
}

/// Works: what is listed. All else: `EPERM`.
fn allowed(lists: &[&[Call]]) -> Result<BpfProgram, Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in lists.iter().copied().flatten() {
        match *call {
            Call::Any(number) => drop(rules.insert(number, Vec::new())),
            Call::If(number, only) => {
                let only: Result<Vec<_>, _> = only.iter().copied().map(condition).collect();
                let rule = only.and_then(SeccompRule::new).map_err(Error::of("seccomp"))?;
                rules.entry(number).or_default().push(rule);
            }
        }
    }
    filter(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)
}

/// Ends the process at once.
fn hostile() -> Result<BpfProgram, Error> {
    let rules = calls::HOSTILE.iter().map(|number| (*number, Vec::new())).collect();
    filter(rules, SeccompAction::Allow, SeccompAction::KillProcess)
}

/// Answers as a kernel that doesn't know the call.
fn unknown() -> Result<BpfProgram, Error> {
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    filter(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))
}

pub(super) fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, Error> {
    SeccompFilter::new(rules, otherwise, listed, ARCHITECTURE)
        .and_then(TryInto::try_into)
        .map_err(Error::of("seccomp"))
}

fn condition(rule: Rule) -> Result<SeccompCondition, BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    use SeccompCmpOp::{Eq, MaskedEq};
    let (argument, length, operator, value) = match rule {
        Rule::Is(argument, value) => (argument, Dword, Eq, value.into()),
        Rule::With(argument, bits) => (argument, Dword, MaskedEq(bits.into()), u64::from(bits)),
        Rule::Without(argument, bits) => (argument, Dword, MaskedEq(bits.into()), 0),
        Rule::Me(argument) => (argument, Dword, Eq, std::process::id().into()),
        Rule::Null(argument) => (argument, Qword, Eq, 0),
    };
    SeccompCondition::new(argument, length, operator, value)
}

/// What the newest Landlock that this release knows can guard.
pub(super) const NEWEST: ABI = ABI::V7;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: TargetArch = TargetArch::aarch64;
