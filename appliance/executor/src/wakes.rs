//! When twins that sleep want to be woken, kept for the case that the node ends before. Written when
//! it changes, which is at most once in a twin's waking life; never by a timer.
//!
//! Only a time is known here, never what it is for.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use handover::Number;

use crate::DataFolder;

/// The times, in milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct Wakes {
    file: PathBuf,
    at_ms: BTreeMap<u32, i64>,
}

impl Wakes {
    /// Reads them. Without them the node works: what waits then waits until somebody comes.
    pub(crate) fn open(folder: &DataFolder) -> Self {
        let file = folder.path().join("node").join("wakes.json");
        let at_ms = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                let file = file.display();
                tracing::warn!(%file, %error, "when twins want to be woken can't be read");
                BTreeMap::new()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => {
                tracing::warn!(%error, "when twins want to be woken can't be read");
                BTreeMap::new()
            }
        };
        Self { file, at_ms }
    }

    /// What is to be woken, the first first, and in how long. Those that are late are spread, so
    /// that a node that was off does not start all of them at once.
    pub(crate) fn waits(&self, now_ms: i64) -> Vec<(Number, Duration)> {
        let mut all: Vec<_> = self.at_ms.iter().map(|(twin, at)| (*at, Number(*twin))).collect();
        all.sort_unstable();
        let mut late = Duration::ZERO;
        let wait = |(at_ms, twin): (i64, Number)| {
            let wait = wait(at_ms, now_ms);
            if wait > late {
                return (twin, wait);
            }
            let spread = late;
            late += ONE_IN;
            (twin, spread)
        };
        all.into_iter().map(wait).collect()
    }

    /// A twin that goes to sleep said when to wake it.
    pub(crate) fn set(&mut self, twin: Number, at_ms: Option<i64>) {
        let before = match at_ms {
            Some(at_ms) => self.at_ms.insert(twin.0, at_ms),
            None => self.at_ms.remove(&twin.0),
        };
        if before == at_ms {
            return;
        }
        // A full disk must not stop a node.
        if let Err(error) = self.write() {
            tracing::warn!(%error, "when a twin wants to be woken was not kept");
        }
    }

    fn write(&self) -> std::io::Result<()> {
        let folder = self.file.parent().unwrap_or(&self.file);
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&self.at_ms)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.file).map(drop).map_err(|error| error.error)
    }
}

/// How long until then; no twin has a reason to sleep for longer than this, whatever the clock says.
pub(crate) fn wait(at_ms: i64, now_ms: i64) -> Duration {
    let wait = u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0);
    Duration::from_millis(wait).min(LONGEST)
}

const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const ONE_IN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_outlive_the_node() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(folder.path()).unwrap();
        std::fs::create_dir_all(folder.path().join("node")).unwrap();
        let mut wakes = Wakes::open(&folder);
        assert_eq!(wakes.waits(0), []);
        for (twin, at_ms) in [(3, 5_000), (4, 900), (5, 1_000), (6, i64::MAX), (7, 1_010)] {
            wakes.set(Number(twin), Some(at_ms));
        }
        wakes.set(Number(4), None);
        let expected = [(5, 0), (7, 50), (3, 4000)];
        let expected = expected.map(|(twin, ms)| (Number(twin), Duration::from_millis(ms)));
        let all = Wakes::open(&folder).waits(1_000);
        assert_eq!(all, [&expected[..], &[(Number(6), LONGEST)]].concat());
        let file = folder.path().join("node/wakes.json");
        std::fs::write(&file, "{\"3\":").unwrap();
        let mut wakes = Wakes::open(&folder);
        assert_eq!(wakes.waits(0), []);
        wakes.set(Number(3), Some(1));
        assert_eq!(Wakes::open(&folder).waits(1), [(Number(3), Duration::ZERO)]);
    }
}
