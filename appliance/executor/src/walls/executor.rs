//! What the executor may do. It starts all others, and every wall around it is around them too, so
//! this one is a list of what is refused and not of what works.
//!
//! It reaches its data folder and what it needs to start its own program file, nothing else; it can
//! become no user outside the range of the node's uids, connect to nowhere, and gain nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use landlock::{
    Access, AccessFs, BitFlags, PathBeneath, PathFd, RulesetCreated, RulesetCreatedAttr,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs,
};
use seccompiler::SeccompCmpOp::{Ge, Lt, Ne};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule,
};

use super::{Entered, Error, build, calls, inherited, own};

/// What the executor of this node has to reach.
pub(crate) struct Reach<'a> {
    /// The data folder.
    pub(crate) data: &'a Path,
    /// Folders that new twins get a copy of, and the one with the reports of disks.
    pub(crate) read: &'a [PathBuf],
    /// Its own part of the tree of control groups, if there is one.
    pub(crate) groups: Option<&'a Path>,
    /// Uids that its children take.
    pub(crate) uids: Option<Range<u32>>,
}

/// Shuts the executor in for good. The caller is the only thread, the listener is bound.
pub(crate) fn enter_executor(reach: &Reach<'_>) -> Result<Entered, Error> {
    inherited::leave_behind().map_err(Error::at("inherited descriptors"))?;
    keep_capabilities()?;
    set_no_new_privs(true).map_err(Error::at("no new privileges"))?;
    let landlock = shut_files(reach)?;
    let seccomp = build::has_seccomp();
    if seccomp {
        for filter in [hostile()?, users(reach.uids.clone())?] {
            seccompiler::apply_filter(&filter).map_err(Error::of("seccomp"))?;
        }
    }
    Ok(Entered { landlock, seccomp })
}

/// Started by root or with capabilities, it keeps only those that it uses, and can never have others.
fn keep_capabilities() -> Result<(), Error> {
    let has = capabilities(None).map_err(Error::at("capabilities"))?;
    own::bound(NEEDED);
    let sets = CapabilitySets {
        effective: has.effective & NEEDED,
        permitted: has.permitted & NEEDED,
        // What is taken from here is gone from the ambient ones too.
        inheritable: has.inheritable & NEEDED,
    };
    set_capabilities(None, sets).map_err(Error::at("capabilities"))
}

/// What keeps twins apart by uid; without any of these there are no uids. A twin's folder is its own
/// user's, so it is taken back (and not passed by) before it is looked at or removed.
pub(crate) const NEEDED: CapabilitySet = CapabilitySet::CHOWN // a twin's folder is its uid's
    .union(CapabilitySet::KILL) // ends what is stuck
    .union(CapabilitySet::SETGID) // the child uses these to become its own user,
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SYS_CHROOT) // below its own root,
    .union(CapabilitySet::SETPCAP); // and so that it can never have any of these again

fn shut_files(reach: &Reach<'_>) -> Result<bool, Error> {
    let step = "landlock";
    let all = AccessFs::from_all(build::NEWEST);
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut rules = build::ruleset().map_err(Error::of(step))?;
    rules = rule(rules, reach.data, all & !AccessFs::Execute)?;
    for file in program_files() {
        rules = rule(rules, &file, AccessFs::ReadFile | AccessFs::Execute)?;
    }
    for file in ["/etc/ld.so.cache", "/etc/ld.so.preload", "/proc"] {
        rules = rule(rules, Path::new(file), read)?;
    }
    // How worn disks are, and what their file systems counted.
    for folder in ["/sys/dev/block", "/sys/devices", "/sys/fs/ext4"] {
        rules = rule(rules, Path::new(folder), read)?;
    }
    rules = rule(rules, Path::new("/dev/null"), AccessFs::ReadFile | AccessFs::WriteFile)?;
    for folder in reach.read {
        rules = rule(rules, folder, read)?;
    }
    if let Some(groups) = reach.groups {
        let write = AccessFs::WriteFile | AccessFs::Truncate;
        let change = read | write | AccessFs::MakeDir | AccessFs::RemoveDir;
        rules = rule(rules, groups, change)?;
    }
    if let Some(parent) = reach.data.parent() {
        // A throw-away folder is removed at the end. Only empty folders can be.
        rules = rule(rules, parent, AccessFs::RemoveDir.into())?;
    }
    build::restrict(rules)
}

fn rule(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Error> {
    // What doesn't exist needs no rule.
    let Ok(open) = PathFd::new(path) else { return Ok(rules) };
    let is_file = !path.is_dir();
    let access = if is_file { access & AccessFs::from_file(build::NEWEST) } else { access };
    rules.add_rule(PathBeneath::new(open, access)).map_err(Error::of("landlock"))
}

/// The program file, the loader and the libraries: just those that this process has mapped, for its
/// children are the same program.
fn program_files() -> BTreeSet<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mapped =
        maps.lines().filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])));
    mapped.chain([PathBuf::from("/proc/self/exe")]).collect()
}

/// Ends the process at once: what the executor and its children never do.
fn hostile() -> Result<BpfProgram, Error> {
    // The executor starts programs, and a child changes its root before it enters its own wall.
    let own = [libc::SYS_execve, libc::SYS_chroot];
    let calls = calls::HOSTILE.iter().filter(|call| !own.contains(call));
    let rules = calls.map(|number| (*number, Vec::new())).collect();
    build::filter(rules, SeccompAction::Allow, SeccompAction::KillProcess)
}

/// Nobody becomes a user outside the range, or changes it in a way that can't be checked.
fn users(range: Option<Range<u32>>) -> Result<BpfProgram, Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in [
        libc::SYS_setfsgid,
        libc::SYS_setfsuid,
        libc::SYS_setgid,
        libc::SYS_setregid,
        libc::SYS_setreuid,
        libc::SYS_setuid,
    ] {
        rules.insert(call, Vec::new());
    }
    let range = range.unwrap_or_default();
    for call in [libc::SYS_setresuid, libc::SYS_setresgid] {
        let mut outside = Vec::new();
        // "Leave it as it is" is the largest number and so outside of any range.
        for argument in 0..3 {
            outside.push(when(argument, Lt, range.start)?);
            outside.push(when(argument, Ge, range.end)?);
        }
        rules.insert(call, outside);
    }
    // No group but the own one.
    rules.insert(libc::SYS_setgroups, vec![when(0, Ne, 0)?]);
    build::filter(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32))
}

fn when(argument: u8, operator: SeccompCmpOp, value: u32) -> Result<SeccompRule, Error> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value.into())
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(Error::of("seccomp"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Command, Stdio};

    use rustix::io::Errno;
    use rustix::process::Uid;
    use rustix::thread::{
        configure_capability_in_ambient_set, set_keep_capabilities, set_thread_res_uid,
        set_thread_uid,
    };

    use super::*;

    fn uid(number: u32) -> Uid {
        Uid::from_raw(number)
    }

    /// Everything but the marks on descriptors holds for one thread only, so a test can have it.
    fn shut_in(data: &Path, before: fn(), test: impl FnOnce(Entered) + Send) {
        let uids = Some(3_000_000..3_065_536);
        let reach = Reach { data, read: &[], groups: None, uids };
        std::thread::scope(|scope| {
            let shut = scope.spawn(|| {
                before();
                test(enter_executor(&reach).unwrap());
            });
            shut.join().unwrap();
        });
    }

    /// As a service manager starts it: an ordinary user with just these capabilities. Holds for this
    /// thread only.
    fn become_service_user() {
        let user = uid(65_534);
        set_keep_capabilities(true).unwrap();
        set_thread_res_uid(user, user, user).unwrap();
        let sets = CapabilitySets { effective: NEEDED, permitted: NEEDED, inheritable: NEEDED };
        set_capabilities(None, sets).unwrap();
        for one in NEEDED.iter() {
            configure_capability_in_ambient_set(one, true).unwrap();
        }
    }

    /// Tries to become others, inside and outside the range.
    fn becomes_nobody_outside(may: bool) {
        let has = capabilities(None).unwrap();
        assert!(NEEDED.contains(has.permitted) && NEEDED.contains(has.effective));
        let inside = uid(3_000_007);
        for outside in [0, 1000, 2_999_999, 3_065_536, u32::MAX - 1] {
            let outside = uid(outside);
            for (real, effective, saved) in [
                (outside, outside, outside),
                (inside, inside, outside),
                (inside, outside, inside),
                (outside, inside, inside),
            ] {
                let became = set_thread_res_uid(real, effective, saved);
                assert_eq!(became, Err(Errno::PERM), "{real:?} {effective:?} {saved:?}");
            }
        }
        assert_eq!(set_thread_uid(inside), Err(Errno::PERM), "a way that leaves a way back");
        // Who may, may here: what was refused above was refused by the wall.
        let own = set_thread_res_uid(inside, inside, inside);
        assert_eq!(own.is_ok(), may, "{own:?}");
    }

    #[test]
    fn it_becomes_nobody_outside_the_range() {
        let is_root = rustix::process::geteuid().is_root();
        let data = tempfile::tempdir().unwrap();
        shut_in(
            data.path(),
            || {},
            |entered| {
                assert!(entered.seccomp);
                becomes_nobody_outside(is_root);
            },
        );
        if is_root {
            shut_in(data.path(), become_service_user, |_| becomes_nobody_outside(true));
        }
    }

    #[test]
    fn it_changes_its_own_control_groups() {
        let data = tempfile::tempdir().unwrap();
        // The tree's files are there before they are written, as these.
        let groups = tempfile::tempdir().unwrap();
        fs::write(groups.path().join("cgroup.procs"), "1").unwrap();
        let reach = Reach { data: data.path(), read: &[], groups: Some(groups.path()), uids: None };
        std::thread::scope(|scope| {
            let shut = scope.spawn(|| {
                enter_executor(&reach).unwrap();
                fs::write(groups.path().join("cgroup.procs"), "2").unwrap();
                fs::create_dir(groups.path().join("twin-1")).unwrap();
                fs::remove_dir(groups.path().join("twin-1")).unwrap();
            });
            shut.join().unwrap();
        });
    }

    #[test]
    fn it_reaches_its_data_and_its_own_program_only() {
        let data = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("secret"), "").unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let start = |program: &str| {
            Command::new(program).arg("--list").stdout(Stdio::null()).status().map(|s| s.success())
        };
        assert!(start("/bin/true").unwrap(), "without the wall it starts");
        shut_in(
            data.path(),
            || {},
            |entered| {
                fs::write(data.path().join("file"), "own").unwrap();
                assert!(start("/proc/self/exe").unwrap(), "its own program");
                if !entered.landlock {
                    return;
                }
                assert!(fs::read(other.path().join("secret")).is_err());
                assert!(fs::write(other.path().join("planted"), "").is_err());
                assert!(fs::read("/etc/passwd").is_err());
                assert!(start("/bin/true").is_err());
                let connected = std::net::TcpStream::connect(listener.local_addr().unwrap());
                assert!(connected.is_err(), "Landlock 4 and later guard TCP");
            },
        );
    }
}
