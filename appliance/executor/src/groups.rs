//! Control groups (version 2): memory, processes and processor time of each child, kept by the kernel.
//!
//! Used where a service manager has given this node a part of the tree (`Delegate=yes`) or where it
//! runs alone in its group; never changes a group that other programs are in. A child is moved before
//! its first header, and does nothing before that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::walls::Given;

/// The node's own part of the tree.
#[derive(Debug)]
pub(crate) struct Groups {
    own: PathBuf,
}

/// Why there are no groups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoGroups {
    /// The kernel's version 2 tree has not the controllers: missing, or used by version 1.
    NoControllers,
    /// The node's group isn't its own: start it as a service.
    NotOwn,
}

impl Groups {
    /// Makes this process's group ready for children, and moves this process aside.
    ///
    /// # Errors
    /// Why it can't be; nothing is changed then.
    pub(crate) fn prepare() -> Result<Self, NoGroups> {
        Self::prepare_at(&Self::find()?)
    }

    /// Whether [`Groups::prepare`] could do it; changes nothing.
    ///
    /// # Errors
    /// Why it couldn't.
    pub(crate) fn possible() -> Result<(), NoGroups> {
        check(&Self::find()?)
    }

    fn find() -> Result<PathBuf, NoGroups> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let path = own.lines().find_map(|line| line.strip_prefix("0::/"));
        let mut trees = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().map(Path::new);
        let tree = trees.find(|tree| tree.join("cgroup.controllers").is_file());
        let (Some(path), Some(tree)) = (path, tree) else { return Err(NoGroups::NoControllers) };
        let own = tree.join(path);
        // Started by a manager that put it in a group of its own below the one it gave away.
        Ok(if own.ends_with(ASIDE) { own.parent().unwrap_or(tree).to_owned() } else { own })
    }

    fn prepare_at(own: &Path) -> Result<Self, NoGroups> {
        check(own)?;
        let aside = own.join(ASIDE);
        let moved = make(&aside)
            .and_then(|()| fs::write(aside.join("cgroup.procs"), std::process::id().to_string()))
            .and_then(|()| fs::write(own.join("cgroup.subtree_control"), WANTED_LINE));
        if moved.is_err() {
            let _ = fs::write(own.join("cgroup.procs"), std::process::id().to_string());
            let _ = fs::remove_dir(&aside);
            return Err(NoGroups::NotOwn);
        }
        Ok(Self { own: own.to_owned() })
    }

    /// The node's own part of the tree.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.own
    }

    /// Puts a child into a group of this name, with its limits.
    pub(crate) fn take_in(
        &self,
        name: &str,
        pid: u32,
        given: Given,
        cpu_weight: u64,
    ) -> io::Result<Group> {
        let group = self.own.join(name);
        make(&group)?;
        for (file, value) in [
            // Its own things, and as much again for what it reads of its files.
            ("memory.max", given.memory.saturating_mul(2)),
            ("memory.swap.max", given.memory),
            ("pids.max", given.processes),
            ("cpu.weight", cpu_weight),
        ] {
            match fs::write(group.join(file), value.to_string()) {
                // A kernel without swap has no such file.
                Err(error)
                    if file == "memory.swap.max" && error.kind() == io::ErrorKind::NotFound => {}
                written => written?,
            }
        }
        // Out of memory, it ends as one.
        let _ = fs::write(group.join("memory.oom.group"), "1");
        // The group of the process before it, which counts on.
        let killed = killed_for_memory(&group);
        fs::write(group.join("cgroup.procs"), pid.to_string())?;
        Ok(Group { path: group, killed })
    }
}

/// One child's group.
#[derive(Debug)]
pub(crate) struct Group {
    path: PathBuf,
    /// What the kernel had counted before this child.
    killed: u64,
}

impl Group {
    /// Whether the kernel ended this child because the group had no memory left.
    pub(crate) fn ran_out(&self) -> bool {
        killed_for_memory(&self.path) > self.killed
    }
}

fn killed_for_memory(group: &Path) -> u64 {
    let events = fs::read_to_string(group.join("memory.events")).unwrap_or_default();
    let count = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

fn check(own: &Path) -> Result<(), NoGroups> {
    let there = fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
    let has = |wanted: &&str| there.split_whitespace().any(|controller| controller == *wanted);
    if !WANTED.iter().all(has) {
        return Err(NoGroups::NoControllers);
    }
    let members = fs::read_to_string(own.join("cgroup.procs")).unwrap_or_default();
    let me = std::process::id().to_string();
    let writable =
        rustix::fs::access(own.join("cgroup.procs"), rustix::fs::Access::WRITE_OK).is_ok();
    if writable && members.lines().all(|member| member == me) {
        Ok(())
    } else {
        Err(NoGroups::NotOwn)
    }
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

const WANTED: [&str; 3] = ["cpu", "memory", "pids"];
const WANTED_LINE: &str = "+cpu +memory +pids";
/// The group of the executor itself: only groups at the ends of the tree may hold processes.
const ASIDE: &str = "executor";

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like the tree; only the kernel's own does what is written to it.
    fn tree(controllers: &str, members: &str) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("cgroup.controllers"), controllers).unwrap();
        fs::write(tree.path().join("cgroup.procs"), members).unwrap();
        tree
    }

    #[test]
    fn the_limits_of_a_child_are_written() {
        let tree = tree("cpuset cpu io memory pids\n", &format!("{}\n", std::process::id()));
        let groups = Groups::prepare_at(tree.path()).unwrap();
        let read = |file: &str| fs::read_to_string(tree.path().join(file)).unwrap();
        assert_eq!(read("cgroup.subtree_control"), "+cpu +memory +pids");
        assert_eq!(read("executor/cgroup.procs"), std::process::id().to_string());
        let given = Given { uid: None, memory: 1 << 20, processes: 9, job: None };
        groups.take_in("twin-3", 77, given, 50).unwrap();
        groups.take_in("twin-3", 78, given, 50).unwrap();
        let limits = ["memory.max", "pids.max", "cpu.weight", "cgroup.procs"];
        let limits = limits.map(|file| read(&format!("twin-3/{file}")));
        assert_eq!(limits, ["2097152", "9", "50", "78"]);
    }

    #[test]
    fn who_ran_out_of_memory_is_the_last_child_and_not_one_before_it() {
        let tree = tree("cpu io memory pids", &std::process::id().to_string());
        let groups = Groups::prepare_at(tree.path()).unwrap();
        let given = Given { uid: None, memory: 1 << 20, processes: 9, job: None };
        let events = |count: u32| {
            let text = format!("low 0\nmax 99\noom 7\noom_kill {count}\noom_group_kill 9\n");
            fs::write(tree.path().join("twin-3/memory.events"), text).unwrap();
        };
        let first = groups.take_in("twin-3", 77, given, 50).unwrap();
        assert!(!first.ran_out(), "a kernel that doesn't count");
        events(1);
        assert!(first.ran_out());
        let second = groups.take_in("twin-3", 78, given, 50).unwrap();
        assert!(!second.ran_out());
        events(2);
        assert!(second.ran_out());
    }

    #[test]
    fn what_is_shared_or_incomplete_is_left_alone() {
        let me = std::process::id().to_string();
        let others = tree("cpu memory pids", &format!("1\n{me}\n"));
        assert_eq!(Groups::prepare_at(others.path()).unwrap_err(), NoGroups::NotOwn);
        let few = tree("hugetlb\n", &me);
        assert_eq!(Groups::prepare_at(few.path()).unwrap_err(), NoGroups::NoControllers);
        assert!(!others.path().join(ASIDE).exists() && !few.path().join(ASIDE).exists());
    }
}
