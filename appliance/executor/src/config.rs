//! The node's settings: what `node.toml` says, and what it means.
//!
//! A broken file stops the start: settings are never silently replaced by defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handover::Share;
use serde::Deserialize;

use crate::{Error, file_error};

/// What a node runs with; every field is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The DNS name under which twins have theirs.
    pub zone: String,
    /// After how long without work a twin is put to sleep; `None`: never.
    pub sleep_after: Option<Duration>,
    /// People whose twins are made at the start, if they have none.
    pub people: Vec<String>,
    /// Folders of experiences that every new twin gets a copy of.
    pub experiences: Vec<PathBuf>,
    /// The first of the users that the node's processes get where it may give them.
    pub first_uid: u32,
    /// What one twin may use.
    pub limits: Limits,
    /// What the node's workers may use.
    pub workers: WorkerLimits,
    /// Whether the log is JSON lines: those of children are written into it.
    pub json_log: bool,
    /// The only variables that the node's other processes see: how to log.
    pub environment: Vec<(String, String)>,
}

/// What one twin may use at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of memory for its own things.
    pub memory: u64,
    /// Threads.
    pub threads: u64,
    /// Its share of the processor when there is not enough for all; 100 is usual.
    pub cpu_weight: u64,
    /// What it counts itself.
    pub share: Share,
}

impl Default for Limits {
    fn default() -> Self {
        // An awake twin uses some megabytes; a large export or a rebuild of its tables some tens.
        // Texts of a life take some hundred; what one twin takes is missing for all others.
        let share = Share { disk: Some(10_240 * MIB) };
        Self { memory: 256 * MIB, threads: 64, cpu_weight: 100, share }
    }
}

/// What workers may use: each does one job with one foreign file and is ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WorkerLimits {
    /// Bytes of memory of each.
    pub memory: u64,
    /// Seconds of the processor for one job; three times that by the clock on the wall.
    pub cpu_s: u64,
    /// Workers that run at once.
    pub at_once: usize,
}

impl Default for WorkerLimits {
    fn default() -> Self {
        // A photo of 50 million pixels takes 150 MiB as such, and as much again while it is read.
        Self { memory: 512 * MIB, cpu_s: 20, at_once: 2 }
    }
}

const MIB: u64 = 1 << 20;

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            zone: "localhost".to_owned(),
            sleep_after: Some(Duration::from_secs(60)),
            people: Vec::new(),
            experiences: Vec::new(),
            first_uid: 3_000_000,
            limits: Limits::default(),
            workers: WorkerLimits::default(),
            json_log: false,
            environment: Vec::new(),
        }
    }
}

/// `node.toml` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    listen: Option<SocketAddr>,
    zone: Option<String>,
    sleep_after_s: Option<u64>,
    first_uid: Option<u64>,
    twin: Option<WrittenTwin>,
    worker: Option<WrittenWorker>,
}

/// The table `[twin]`: what each may use.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTwin {
    memory_mib: Option<u64>,
    threads: Option<u64>,
    cpu_weight: Option<u64>,
    /// 0: no limit but the disk itself.
    disk_mib: Option<u64>,
}

/// The table `[worker]`: what each may use, and how many there may be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWorker {
    memory_mib: Option<u64>,
    cpu_s: Option<u64>,
    at_once: Option<u64>,
}

impl Config {
    /// Reads `node.toml` of a data folder; no file means the usual settings.
    ///
    /// # Errors
    /// When the file can't be read, has an unknown key or a value that means nothing; with its line.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let file = folder.join("node.toml");
        match std::fs::read_to_string(&file) {
            Ok(text) => Self::read(&file, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(file_error(file)(error)),
        }
    }

    fn read(file: &Path, text: &str) -> Result<Self, Error> {
        let broken = |line: usize, reason: &str| Error::Settings {
            file: file.to_owned(),
            line,
            reason: reason.to_owned(),
        };
        let written: Written = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            broken(1 + text[..at].matches('\n').count(), error.message())
        })?;
        let line_of = |key: &str| {
            let at = text.lines().position(|line| line.trim_start().starts_with(key));
            1 + at.unwrap_or(0)
        };
        let mut config = Self::default();
        if let Some(listen) = written.listen {
            config.listen = listen;
        }
        if let Some(zone) = written.zone {
            if !is_zone(&zone) {
                return Err(broken(line_of("zone"), "`zone` is not a DNS name"));
            }
            config.zone = zone;
        }
        if let Some(seconds) = written.sleep_after_s {
            config.sleep_after = (seconds > 0).then(|| Duration::from_secs(seconds));
        }
        let twin = written.twin.unwrap_or_default();
        let within = |key: &str, value: Option<u64>, range: RangeInclusive<u64>| match value {
            Some(value) if !range.contains(&value) => {
                let (from, to) = range.into_inner();
                Err(broken(line_of(key), &format!("`{key}` is from {from} to {to}")))
            }
            value => Ok(value),
        };
        // Below are the machine's own users; above, the last number of the range must exist.
        if let Some(first) = within("first_uid", written.first_uid, 100_000..=4_294_000_000)? {
            config.first_uid = u32::try_from(first).unwrap_or(config.first_uid);
        }
        let mut limits = Limits::default();
        if let Some(memory) = within("memory_mib", twin.memory_mib, 64..=65_536)? {
            limits.memory = memory * MIB;
        }
        if let Some(threads) = within("threads", twin.threads, 8..=4096)? {
            limits.threads = threads;
        }
        if let Some(weight) = within("cpu_weight", twin.cpu_weight, 1..=10_000)? {
            limits.cpu_weight = weight;
        }
        if let Some(disk) = within("disk_mib", twin.disk_mib, 0..=16_777_216)? {
            limits.share.disk = (disk > 0).then_some(disk * MIB);
        }
        config.limits = limits;
        let (worker, mut workers) = (written.worker.unwrap_or_default(), WorkerLimits::default());
        if let Some(memory) = within("memory_mib", worker.memory_mib, 16..=65_536)? {
            workers.memory = memory * MIB;
        }
        if let Some(seconds) = within("cpu_s", worker.cpu_s, 1..=600)? {
            workers.cpu_s = seconds;
        }
        if let Some(count) = within("at_once", worker.at_once, 1..=64)? {
            workers.at_once = usize::try_from(count).unwrap_or(workers.at_once);
        }
        config.workers = workers;
        Ok(config)
    }
}

fn is_zone(zone: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    zone.len() <= 200 && zone.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::read(Path::new("node.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_written_means_the_usual() {
        assert_eq!(read("# nothing\n").unwrap(), Config::default());
    }

    #[test]
    fn every_key_is_heard() {
        let text = "listen = \"0.0.0.0:443\"\nzone = \"home.example\"\nsleep_after_s = 0\n";
        let config = read(text).unwrap();
        assert_eq!(config.listen, ([0, 0, 0, 0], 443).into());
        assert_eq!((config.zone.as_str(), config.sleep_after), ("home.example", None));
        let config = read("first_uid = 500000\n[twin]\nmemory_mib = 64\nthreads = 9\n").unwrap();
        let limits = Limits { memory: 64 << 20, threads: 9, ..Limits::default() };
        assert_eq!((config.first_uid, config.limits), (500_000, limits));
        let disk = |text: &str| read(&format!("[twin]\n{text}")).unwrap().limits.share.disk;
        assert_eq!((disk(""), disk("disk_mib = 0")), (Some(10 << 30), None));
        assert_eq!(disk("disk_mib = 3"), Some(3 << 20));
        let config = read("[worker]\nmemory_mib = 64\ncpu_s = 3\nat_once = 4\n").unwrap();
        let workers = WorkerLimits { memory: 64 << 20, cpu_s: 3, at_once: 4 };
        assert_eq!(config.workers, workers);
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, expected) in [
            ("zone = \"a.b\"\nlisen = 1\n", "node.toml, line 2: unknown field `lisen`"),
            ("\n\nlisten = 8080\n", "node.toml, line 3: "),
            ("zone = \"no zone\"\n", "node.toml, line 1: `zone` is not a DNS name"),
            ("zone = \n", "node.toml, line 1: "),
            ("first_uid = 0\n", "node.toml, line 1: `first_uid` is from"),
            ("[twin]\nmemory_mib = 1\n", "node.toml, line 2: `memory_mib` is from 64"),
            ("[twin]\ncpu_weight = 0\n", "node.toml, line 2: `cpu_weight` is from 1"),
            ("[twin]\ndisk_mib = 99999999\n", "node.toml, line 2: `disk_mib` is from 0"),
            ("[twin]\ndisk_mib = -1\n", "node.toml, line 2: "),
            ("[worker]\nat_once = 0\n", "node.toml, line 2: `at_once` is from 1"),
            ("[twin]\nmemory = 1\n", "node.toml, line 2: unknown field `memory`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }
}
