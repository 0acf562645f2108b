//! The node's settings: what `node.toml` says, and what it means.
//!
//! A broken file stops the start: settings are never silently replaced by defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// The only variables that the node's other processes see: how to log.
    pub environment: Vec<(String, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            zone: "localhost".to_owned(),
            sleep_after: Some(Duration::from_secs(60)),
            people: Vec::new(),
            experiences: Vec::new(),
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
        let mut config = Self::default();
        if let Some(listen) = written.listen {
            config.listen = listen;
        }
        if let Some(zone) = written.zone {
            if !is_zone(&zone) {
                let line = text.lines().position(|line| line.trim_start().starts_with("zone"));
                return Err(broken(1 + line.unwrap_or(0), "`zone` is not a DNS name"));
            }
            config.zone = zone;
        }
        if let Some(seconds) = written.sleep_after_s {
            config.sleep_after = (seconds > 0).then(|| Duration::from_secs(seconds));
        }
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
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, expected) in [
            ("zone = \"a.b\"\nlisen = 1\n", "node.toml, line 2: unknown field `lisen`"),
            ("\n\nlisten = 8080\n", "node.toml, line 3: "),
            ("zone = \"no zone\"\n", "node.toml, line 1: `zone` is not a DNS name"),
            ("zone = \n", "node.toml, line 1: "),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }
}
