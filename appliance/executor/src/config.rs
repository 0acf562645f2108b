//! The node's settings: what `node.toml` says, and what it means.
//!
//! A broken file stops the start: settings are never silently replaced by defaults.

mod limits;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handover::{CERTIFICATE_MAX, MIRROR_MAX, Mirror};
use serde::Deserialize;
use toml::Spanned;

pub use self::limits::Limits;
use crate::{Error, file_error};

/// What a node runs with; every field is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The DNS name under which twins have theirs; `None`: what fits where the node listens.
    pub zone: Option<String>,
    /// Its name in the home's network.
    pub lan: LanSettings,
    /// After how long without work a twin is put to sleep; `None`: never.
    pub sleep_after: Option<Duration>,
    /// People whose twins are made at the start, if they have none.
    pub people: Vec<String>,
    /// Folders of experiences that every new twin gets a copy of.
    pub experiences: Vec<PathBuf>,
    /// Whether an experience may be shown in the place of an installed one, which an author does on a
    /// node of their own.
    pub tries: bool,
    /// Where disks' own reports are written by whoever may ask them, one `NAME.json` for each.
    pub disk_reports: PathBuf,
    /// The first of the users that the node's processes get where it may give them.
    pub first_uid: u32,
    /// Where newer systems are found.
    pub mirror: Option<Mirror>,
    /// What one twin may use.
    pub limits: Limits,
    /// What the node's workers may use.
    pub workers: WorkerLimits,
    /// Whether the log is JSON lines: those of children are written into it.
    pub json_log: bool,
    /// The only variables that the node's other processes see: how to log.
    pub environment: Vec<(String, String)>,
}

/// How the node is found in the home's network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LanSettings {
    /// What it is called there.
    pub name: Option<String>,
    /// Whether it tells.
    pub announce: bool,
    /// At which network cards; none: at all.
    pub cards: Vec<String>,
}

impl Default for LanSettings {
    fn default() -> Self {
        Self { name: None, announce: true, cards: Vec::new() }
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
            zone: None,
            lan: LanSettings::default(),
            sleep_after: Some(Duration::from_secs(60)),
            people: Vec::new(),
            experiences: Vec::new(),
            tries: false,
            disk_reports: PathBuf::from("/run/hometwin/disks"),
            first_uid: 3_000_000,
            mirror: None,
            limits: Limits::default(),
            workers: WorkerLimits::default(),
            json_log: false,
            environment: Vec::new(),
        }
    }
}

/// A number, and where it stands in the file.
type Said = Option<Spanned<u64>>;

/// `node.toml` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    listen: Option<SocketAddr>,
    zone: Option<Spanned<String>>,
    sleep_after_s: Option<u64>,
    disk_reports: Option<Spanned<PathBuf>>,
    first_uid: Said,
    lan: Option<WrittenLan>,
    update: Option<WrittenUpdate>,
    twin: Option<limits::Written>,
    worker: Option<WrittenWorker>,
}

/// The table `[lan]`: the node's name in the home's network.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLan {
    name: Option<Spanned<String>>,
    announce: Option<bool>,
    cards: Option<Spanned<Vec<String>>>,
}

/// The table `[update]`: where newer systems of the machine are found.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUpdate {
    mirror: Option<Spanned<String>>,
    certificate: Option<Spanned<String>>,
}

/// The table `[worker]`: what each may use, and how many there may be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWorker {
    memory_mib: Said,
    cpu_s: Said,
    at_once: Said,
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
        let broken = |at: usize, reason: &str| Error::Settings {
            file: file.to_owned(),
            line: 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count(),
            reason: reason.to_owned(),
        };
        let written: Written = toml::from_str(text)
            .map_err(|error| broken(error.span().map_or(0, |span| span.start), error.message()))?;
        let mut config = Self::default();
        if let Some(listen) = written.listen {
            config.listen = listen;
        }
        if let Some(zone) = written.zone {
            if !is_zone(zone.get_ref()) {
                return Err(broken(zone.span().start, "`zone` is not a DNS name"));
            }
            config.zone = Some(zone.into_inner());
        }
        config.lan = written.lan.unwrap_or_default().read(broken)?;
        config.mirror = written.update.unwrap_or_default().read(broken)?;
        if let Some(seconds) = written.sleep_after_s {
            config.sleep_after = (seconds > 0).then(|| Duration::from_secs(seconds));
        }
        if let Some(folder) = written.disk_reports {
            if !folder.get_ref().is_absolute() {
                let reason = "`disk_reports` does not begin with a slash";
                return Err(broken(folder.span().start, reason));
            }
            config.disk_reports = folder.into_inner();
        }
        let twin = written.twin.unwrap_or_default();
        let within = |key: &str, said: &Said, range: RangeInclusive<u64>| match said {
            Some(value) if !range.contains(value.get_ref()) => {
                let (from, to) = range.into_inner();
                Err(broken(value.span().start, &format!("`{key}` is from {from} to {to}")))
            }
            said => Ok(said.as_ref().map(|value| *value.get_ref())),
        };
        // Below are the machine's own users; above, the last number of the range must exist.
        if let Some(first) = within("first_uid", &written.first_uid, 100_000..=4_294_000_000)? {
            config.first_uid = u32::try_from(first).unwrap_or(config.first_uid);
        }
        config.limits = Limits::read(&twin, within)?;
        let (worker, mut workers) = (written.worker.unwrap_or_default(), WorkerLimits::default());
        if let Some(memory) = within("memory_mib", &worker.memory_mib, 16..=65_536)? {
            workers.memory = memory * MIB;
        }
        if let Some(seconds) = within("cpu_s", &worker.cpu_s, 1..=600)? {
            workers.cpu_s = seconds;
        }
        if let Some(count) = within("at_once", &worker.at_once, 1..=64)? {
            workers.at_once = usize::try_from(count).unwrap_or(workers.at_once);
        }
        config.workers = workers;
        Ok(config)
    }
}

impl WrittenLan {
    fn read(self, broken: impl Fn(usize, &str) -> Error) -> Result<LanSettings, Error> {
        let mut lan = LanSettings::default();
        if let Some(name) = self.name {
            if !crate::lan::is_node_name(name.get_ref()) {
                let reason = "`name` is 1 to 27 of a-z, 0-9 and -, with no - at either end";
                return Err(broken(name.span().start, reason));
            }
            lan.name = Some(name.into_inner());
        }
        lan.announce = self.announce.unwrap_or(lan.announce);
        if let Some(cards) = self.cards {
            let fits = |card: &String| (1..=15).contains(&card.len());
            if cards.get_ref().len() > 16 || !cards.get_ref().iter().all(fits) {
                let reason = "`cards` lists up to 16 network cards, as `networkctl` names them";
                return Err(broken(cards.span().start, reason));
            }
            lan.cards = cards.into_inner();
        }
        Ok(lan)
    }
}

impl WrittenUpdate {
    fn read(self, broken: impl Fn(usize, &str) -> Error) -> Result<Option<Mirror>, Error> {
        let Some(address) = self.mirror else {
            return match self.certificate {
                Some(alone) => Err(broken(alone.span().start, "`certificate` needs a `mirror`")),
                None => Ok(None),
            };
        };
        if !is_mirror(address.get_ref()) {
            let reason = "`mirror` is a web address of a folder and begins with https://";
            return Err(broken(address.span().start, reason));
        }
        if let Some(wrong) = self.certificate.as_ref().filter(|pem| !is_pem(pem.get_ref())) {
            let reason = "`certificate` is one certificate in PEM, of 3000 bytes at most";
            return Err(broken(wrong.span().start, reason));
        }
        let certificate = self.certificate.map(Spanned::into_inner);
        Ok(Some(Mirror { address: address.into_inner(), certificate }))
    }
}

/// Whether it looks like a mirror's address; the fetcher reads it as one.
pub(crate) fn is_mirror(address: &str) -> bool {
    let host = address.strip_prefix("https://").unwrap_or_default();
    address.len() <= MIRROR_MAX
        && !host.is_empty()
        && !host.starts_with('/')
        && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\\"<>".contains(&byte))
}

/// Whether it looks like a certificate.
pub(crate) fn is_pem(text: &str) -> bool {
    text.len() <= CERTIFICATE_MAX
        && text.trim_start().starts_with("-----BEGIN CERTIFICATE-----")
        && text.trim_end().ends_with("-----END CERTIFICATE-----")
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
    use handover::Rate;

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
        assert_eq!((config.zone.as_deref(), config.sleep_after), (Some("home.example"), None));
        let config =
            read("[lan]\nname = \"attic\"\nannounce = false\ncards = [\"eth0\"]\n").unwrap();
        let (name, cards) = (Some("attic".to_owned()), vec!["eth0".to_owned()]);
        assert_eq!(config.lan, LanSettings { name, announce: false, cards });
        let config = read("disk_reports = \"/srv/disks\"\n").unwrap();
        assert_eq!(config.disk_reports, Path::new("/srv/disks"));
        let config = read("first_uid = 500000\n[twin]\nmemory_mib = 64\nthreads = 9\n").unwrap();
        let limits = Limits { memory: 64 << 20, threads: 9, ..Limits::default() };
        assert_eq!((config.first_uid, config.limits), (500_000, limits));
        let disk = |text: &str| read(&format!("[twin]\n{text}")).unwrap().limits.share.disk;
        assert_eq!((disk(""), disk("disk_mib = 0")), (Some(10 << 30), None));
        assert_eq!(disk("disk_mib = 3"), Some(3 << 20));
        let config = read("[worker]\nmemory_mib = 64\ncpu_s = 3\nat_once = 4\n").unwrap();
        let workers = WorkerLimits { memory: 64 << 20, cpu_s: 3, at_once: 4 };
        assert_eq!(config.workers, workers);
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let address = "https://up.example:8443/x/".to_owned();
        let text = format!("[update]\nmirror = \"{address}\"\n");
        let mirror = Mirror { address, certificate: None };
        assert_eq!(read(&text).unwrap().mirror, Some(mirror.clone()));
        let mirror = Mirror { certificate: Some(pem.to_owned()), ..mirror };
        let text = format!("{text}certificate = \"\"\"\n{pem}\"\"\"\n");
        assert_eq!(read(&text).unwrap().mirror, Some(mirror));
        let text = "[twin]\nconnections = 9\nrequests_at_once = 7\nrequests_per_second = 2\n\
                    wakes_at_once = 5\nwakes_per_minute = 1\n";
        let Limits { share, wakes, .. } = read(text).unwrap().limits;
        assert_eq!((share.connections, wakes), (9, Rate { at_once: 5, per_minute: 1 }));
        assert_eq!(share.requests, Rate { at_once: 7, per_minute: 120 });
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, expected) in [
            ("zone = \"a.b\"\nlisen = 1\n", "node.toml, line 2: unknown field `lisen`"),
            ("\n\nlisten = 8080\n", "node.toml, line 3: "),
            ("zone = \"no zone\"\n", "node.toml, line 1: `zone` is not a DNS name"),
            ("zone = \n", "node.toml, line 1: "),
            ("[lan]\n\nname = \"Attic\"\n", "node.toml, line 3: `name` is 1 to 27"),
            ("[lan]\ncards = [\"\"]\n", "node.toml, line 2: `cards` lists"),
            ("first_uid = 0\n", "node.toml, line 1: `first_uid` is from"),
            ("[twin]\nmemory_mib = 1\n", "node.toml, line 2: `memory_mib` is from 64"),
            ("[twin]\ncpu_weight = 0\n", "node.toml, line 2: `cpu_weight` is from 1"),
            ("[twin]\ndisk_mib = 99999999\n", "node.toml, line 2: `disk_mib` is from 0"),
            ("[twin]\n\nconnections = 0\n", "node.toml, line 3: `connections` is from 1 to 512"),
            ("[twin]\nrequests_per_second = 0\n", "node.toml, line 2: `requests_per_second` is"),
            (
                "[twin]\nrequests_per_second = 100001\n",
                "node.toml, line 2: `requests_per_second` is",
            ),
            ("[twin]\nrequests_at_once = 0\n", "node.toml, line 2: `requests_at_once` is from 1"),
            ("[twin]\nwakes_per_minute = 0\n", "node.toml, line 2: `wakes_per_minute` is from 1"),
            ("[twin]\nwakes_at_once = 1.5\n", "node.toml, line 2: "),
            ("[twin]\ndisk_mib = -1\n", "node.toml, line 2: "),
            (
                "[twin]\nmemory_mib = 64\n[worker]\nmemory_mib = 1\n",
                "node.toml, line 4: `memory_mib` is from 16",
            ),
            ("\ndisk_reports = \"disks\"\n", "node.toml, line 2: `disk_reports` does not begin"),
            (
                "[update]\nmirror = \"http://a.b/\"\n",
                "node.toml, line 2: `mirror` is a web address",
            ),
            ("[update]\nmirror = \"https:///x\"\n", "node.toml, line 2: `mirror` is a web address"),
            ("[update]\n\ncertificate = \"x\"\n", "node.toml, line 3: `certificate` needs a"),
            (
                "[update]\nmirror = \"https://a.b\"\ncertificate = \"x\"\n",
                "node.toml, line 3: `certificate` is one",
            ),
            ("[worker]\nat_once = 0\n", "node.toml, line 2: `at_once` is from 1"),
            // However it is written, and whatever stands before it.
            (
                "[ worker ]\nmemory_mib = 1\n[twin]\nmemory_mib = 64\n",
                "node.toml, line 2: `memory_mib` is from 16",
            ),
            (
                "[worker]\n\"memory_mib\" = 1\n[twin]\nmemory_mib = 64\n",
                "node.toml, line 2: `memory_mib` is from 16",
            ),
            (
                "\nworker.memory_mib = 1\n[twin]\nmemory_mib = 64\n",
                "node.toml, line 2: `memory_mib` is from 16",
            ),
            (
                "\ntwin = { memory_mib = 64 }\nworker = { cpu_s = 1, memory_mib = 1 }\n",
                "node.toml, line 3: `memory_mib` is from 16",
            ),
            ("\n'zone' = \"no zone\"\n", "node.toml, line 2: `zone` is not a DNS name"),
            ("[twin]\nmemory = 1\n", "node.toml, line 2: unknown field `memory`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }
}
