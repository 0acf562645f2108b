//! What protects this node and what doesn't, line by line: `hometwin node doctor`.
//!
//! Only looks. Every finding is something that was tried or read just now, on this machine and, where
//! the node runs, on its processes; nothing is taken from what the code means to do.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;

use crate::groups::{Groups, NoGroups};
use crate::health::disks::{self, Disk};
use crate::health::smart::{self, Seen};
use crate::node::Quotas;
use crate::service::Started;
use crate::uids::{NoUids, Uids};
use crate::walls::ground::{self, Landlock};
use crate::{Config, steward as helper};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What it is about: `files`, `calls`, `users` and so on; stable.
    pub part: &'static str,
    /// Whether that protection stands as it should.
    pub holds: bool,
    /// How it stands or why it doesn't; stable. The sentence is `doctor.<part>.<how>`.
    pub how: &'static str,
    /// What fills the sentence.
    pub values: Vec<(&'static str, String)>,
}

/// A process of the running node.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its process id.
    pub pid: u32,
    /// What it is: `executor`, `gateway` or a twin's name.
    pub name: String,
    /// Whether it is shut in as a child is.
    pub child: bool,
}

/// Looks at this machine, at the data folder and at the processes that run; `how` is what the node
/// says of itself, if it does.
#[must_use]
pub fn examine(
    config: &Config,
    folder: &Path,
    running: &[Running],
    how: Option<(Started, Quotas)>,
) -> Vec<Finding> {
    let groups = running.iter().filter(|process| process.child).map(|process| process.pid);
    let in_groups = groups.clone().count() > 0 && groups.clone().all(is_in_group);
    let users = Uids::available(config.first_uid).is_ok();
    let mut findings = ground(config, users, in_groups || Groups::possible().is_ok());
    findings.push(match config.limits.share.disk {
        Some(disk) => {
            let kept = matches!(how, Some((_, Quotas::Kept)));
            let mib = ("mib", (disk >> 20).to_string());
            match kept {
                true => Finding::holding("room", "quota").with(mib),
                false => Finding::missing("room", "own_count").with(mib),
            }
        }
        None => Finding::missing("room", "no_quota"),
    });
    findings.push(match disks::is_encrypted(folder, Path::new(disks::SYS)) {
        true => Finding::holding("rest", "encrypted"),
        false => Finding::missing("rest", "not_encrypted"),
    });
    findings.push(data(folder));
    findings.extend(disks(&config.disk_reports, folder));
    if let Some((started, quotas)) = how {
        findings.push(steward(quotas));
        findings.push(service(started));
        findings.push(match started.watchdog_s {
            Some(s) => Finding::holding("watchdog", "watched").with(("seconds", s.to_string())),
            None => Finding::missing("watchdog", "unwatched"),
        });
    }
    findings.extend(running.iter().map(process));
    if running.is_empty() {
        findings.push(Finding::missing("processes", "none"));
    }
    findings
}

/// What the machine and the user give. `users` and `groups`: whether the node has them.
pub(crate) fn ground(config: &Config, users: bool, groups: bool) -> Vec<Finding> {
    let memory = ("mib", (config.limits.memory >> 20).to_string());
    let threads = ("threads", config.limits.threads.to_string());
    let workers = config.workers;
    vec![
        files(),
        if ground::seccomp() {
            Finding::holding("calls", "seccomp")
        } else {
            Finding::missing("calls", "missing")
        },
        match (users, Uids::available(config.first_uid)) {
            (true, _) => {
                Finding::holding("users", "own").with(("first", config.first_uid.to_string()))
            }
            (false, Err(NoUids::Unmapped)) => Finding::missing("users", "unmapped"),
            (false, _) => Finding::missing("users", "ordinary"),
        },
        Finding::holding("memory", "limit").with(memory),
        match (users || groups, groups) {
            (true, _) => Finding::holding("threads", "limit").with(threads),
            (false, _) => Finding::missing("threads", "memory_only"),
        },
        match (groups, Groups::possible()) {
            (true, _) => Finding::holding("groups", "own"),
            (false, Err(NoGroups::NoControllers)) => Finding::missing("groups", "no_controllers"),
            (false, _) => Finding::missing("groups", "not_own"),
        },
        // The wall of a worker is mostly this one.
        if ground::seccomp() {
            Finding::holding("workers", "limit")
                .with(("mib", (workers.memory >> 20).to_string()))
                .with(("seconds", workers.cpu_s.to_string()))
        } else {
            Finding::missing("workers", "open")
        },
    ]
}

fn files() -> Finding {
    match ground::landlock() {
        Landlock::Version(version) => {
            let version_text = ("version", version.to_string());
            if version >= GUARDS_SIGNALS {
                Finding::holding("files", "landlock").with(version_text)
            } else {
                Finding::missing("files", "old").with(version_text)
            }
        }
        Landlock::Off => Finding::missing("files", "off"),
        Landlock::Missing => Finding::missing("files", "missing"),
    }
}

/// The first Landlock that guards signals and abstract sockets (Linux 6.12).
const GUARDS_SIGNALS: u32 = 6;

fn data(folder: &Path) -> Finding {
    let shown = ("folder", folder.display().to_string());
    match fs::metadata(folder) {
        Ok(about) if about.mode() & 0o077 == 0 => Finding::holding("data", "private").with(shown),
        Ok(_) => Finding::missing("data", "open").with(shown),
        Err(_) => Finding::missing("data", "none").with(shown),
    }
}

/// Whether somebody asks the disks under the data how they are.
fn disks(reports: &Path, folder: &Path) -> Vec<Finding> {
    if !folder.exists() {
        return Vec::new();
    }
    let under = disks::under(folder, Path::new(disks::SYS));
    let of_disk = |disk: &Disk| {
        let is_asked_by_kernel = disk.wear().is_some();
        let finding = match smart::of_disk(reports, &disk.name) {
            _ if is_asked_by_kernel => Finding::holding("disk", "kernel"),
            Seen::Fresh(report) if report.speaks => Finding::holding("disk", "reports"),
            Seen::Fresh(_) => Finding::missing("disk", "mute"),
            Seen::Old => Finding::missing("disk", "old"),
            Seen::Unreadable => Finding::missing("disk", "unreadable"),
            Seen::Missing if is_virtual(&disk.name) => Finding::missing("disk", "virtual"),
            Seen::Missing => Finding::missing("disk", "unasked"),
        };
        finding.with(("name", disk.name.clone())).with(("folder", reports.display().to_string()))
    };
    if !under.is_empty() {
        return under.iter().map(of_disk).collect();
    }
    // A file system over several disks does not say which. All that report are looked at anyway.
    let known = smart::all(reports).into_iter().filter(|(_, report)| report.speaks);
    let known: Vec<_> = known.map(|(name, _)| name).collect();
    vec![match known.is_empty() {
        true => Finding::missing("disk", "unknown"),
        false => Finding::holding("disk", "reports").with(("name", known.join(", "))),
    }]
}

/// Given to a virtual machine by the one below it.
fn is_virtual(disk: &str) -> bool {
    disk.starts_with("vd") || disk.starts_with("xvd")
}

fn steward(quotas: Quotas) -> Finding {
    match quotas {
        _ if !Path::new(helper::SOCKET).exists() => Finding::missing("steward", "none"),
        Quotas::Kept | Quotas::Unasked => Finding::holding("steward", "there"),
        Quotas::Unsupported => Finding::missing("steward", "no_quotas"),
        Quotas::Failed => Finding::missing("steward", "failed"),
    }
}

fn service(started: Started) -> Finding {
    match (started.managed, started.socket) {
        (true, true) => Finding::holding("service", "socket"),
        (true, false) => Finding::holding("service", "managed"),
        (false, _) => Finding::missing("service", "by_hand"),
    }
}

/// What the kernel says about one process.
fn process(process: &Running) -> Finding {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(|rest| rest.trim_start_matches(':').trim().to_owned()).unwrap_or_default()
    };
    let all_zero = |name: &str| field(name).bytes().all(|b| b == b'0') && !field(name).is_empty();
    let powerless = ["CapEff", "CapPrm", "CapAmb", "CapInh"].iter().all(|set| all_zero(set));
    let shut = field("Seccomp") == "2" && field("NoNewPrivs") == "1";
    let (holds, how) = match (status.is_empty(), shut, powerless || !process.child) {
        (true, ..) => (false, "gone"),
        (_, true, true) => (true, "shut"),
        (_, false, _) => (false, "unshut"),
        (_, true, false) => (false, "capabilities"),
    };
    let uid = field("Uid").split_whitespace().next().unwrap_or("?").to_owned();
    Finding { part: "process", holds, how, values: Vec::new() }
        .with(("name", process.name.clone()))
        .with(("pid", process.pid.to_string()))
        .with(("uid", uid))
}

fn is_in_group(pid: u32) -> bool {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let own = groups.lines().filter_map(|line| line.strip_prefix("0::"));
    own.into_iter()
        .any(|path| ["/gateway", "/twin-", "/worker-"].iter().any(|own| path.contains(own)))
}

impl Finding {
    fn holding(part: &'static str, how: &'static str) -> Self {
        Self { part, holds: true, how, values: Vec::new() }
    }

    fn missing(part: &'static str, how: &'static str) -> Self {
        Self { part, holds: false, how, values: Vec::new() }
    }

    fn with(mut self, value: (&'static str, String)) -> Self {
        self.values.push(value);
        self
    }
}

/// Every sentence that a finding can ask for: the message files must have them all.
pub const SENTENCES: &[&str] = &[
    "doctor.calls.missing",
    "doctor.calls.seccomp",
    "doctor.data.none",
    "doctor.data.open",
    "doctor.data.private",
    "doctor.disk.kernel",
    "doctor.disk.mute",
    "doctor.disk.old",
    "doctor.disk.reports",
    "doctor.disk.unasked",
    "doctor.disk.unknown",
    "doctor.disk.unreadable",
    "doctor.disk.virtual",
    "doctor.files.landlock",
    "doctor.files.missing",
    "doctor.files.off",
    "doctor.files.old",
    "doctor.groups.no_controllers",
    "doctor.groups.not_own",
    "doctor.groups.own",
    "doctor.memory.limit",
    "doctor.process.capabilities",
    "doctor.process.gone",
    "doctor.process.shut",
    "doctor.process.unshut",
    "doctor.processes.none",
    "doctor.rest.encrypted",
    "doctor.rest.not_encrypted",
    "doctor.room.no_quota",
    "doctor.room.own_count",
    "doctor.room.quota",
    "doctor.service.by_hand",
    "doctor.service.managed",
    "doctor.service.socket",
    "doctor.steward.failed",
    "doctor.steward.no_quotas",
    "doctor.steward.none",
    "doctor.steward.there",
    "doctor.threads.limit",
    "doctor.threads.memory_only",
    "doctor.users.ordinary",
    "doctor.users.own",
    "doctor.users.unmapped",
    "doctor.watchdog.unwatched",
    "doctor.watchdog.watched",
    "doctor.workers.limit",
    "doctor.workers.open",
];
