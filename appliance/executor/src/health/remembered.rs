//! What has to outlive the node's process to be found later: the latest time that was seen, and what
//! twins told before they went to sleep. Written when it changes, never by a timer.

use std::collections::BTreeMap;
use std::path::PathBuf;

use handover::{Number, TwinProblem};
use serde::{Deserialize, Serialize};

use crate::node::now_ms;
use crate::{DataFolder, whole};

/// What is remembered, and what is counted since the start.
#[derive(Debug)]
pub(crate) struct Remembered {
    file: PathBuf,
    written: Written,
    started_ms: i64,
    /// Deaths of twins' processes since the start.
    pub(crate) crashes: u64,
    /// Starts of the gateway since the start.
    pub(crate) gateway_starts: u64,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Written {
    /// The latest time at which something was done here, ms since 1970.
    #[serde(default)]
    seen_ms: i64,
    /// By number.
    #[serde(default)]
    twins: BTreeMap<u32, Vec<TwinProblem>>,
}

impl Remembered {
    /// Reads it; what can't be read is found out anew.
    pub(crate) fn open(folder: &DataFolder) -> Self {
        let file = folder.path().join("node").join("health.json");
        let written = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, "what was known of the node's health can't be read");
                Written::default()
            }),
            Err(_) => Written::default(),
        };
        Self { file, written, started_ms: now_ms(), crashes: 0, gateway_starts: 0 }
    }

    pub(crate) fn seen_ms(&self) -> i64 {
        self.written.seen_ms
    }

    pub(crate) fn started_s(&self) -> u64 {
        u64::try_from(self.started_ms / 1000).unwrap_or(0)
    }

    pub(crate) fn told_by_twins(&self) -> impl Iterator<Item = (u32, TwinProblem)> {
        self.written.twins.iter().flat_map(|(twin, all)| all.iter().map(|one| (*twin, *one)))
    }

    /// Notes the time, at most once an hour.
    pub(crate) fn note_time(&mut self) {
        let now_ms = now_ms();
        if now_ms >= self.written.seen_ms.saturating_add(HOUR_MS) {
            self.written.seen_ms = now_ms;
            self.write();
        }
    }

    /// The clock was put right: what was seen before was wrong.
    pub(crate) fn forget_time(&mut self) {
        self.written.seen_ms = now_ms();
        self.write();
    }

    /// Whether this is not what the twin told before.
    pub(crate) fn is_news(&self, twin: Number, problems: &[TwinProblem]) -> bool {
        let before = self.written.twins.get(&twin.0).map_or(&[][..], Vec::as_slice);
        let mut now = problems.to_vec();
        now.sort_unstable();
        now.dedup();
        before != now
    }

    /// A twin told what is wrong with it; answers what it had not told before.
    pub(crate) fn told(&mut self, twin: Number, problems: &[TwinProblem]) -> Vec<TwinProblem> {
        let mut now = problems.to_vec();
        now.sort_unstable();
        now.dedup();
        let before = self.written.twins.get(&twin.0).cloned().unwrap_or_default();
        if before == now {
            return Vec::new();
        }
        let new = now.iter().filter(|one| !before.contains(one)).copied().collect();
        if now.is_empty() {
            self.written.twins.remove(&twin.0);
        } else {
            self.written.twins.insert(twin.0, now);
        }
        self.write();
        new
    }

    /// A full disk must not stop a node that could say so.
    fn write(&self) {
        if let Err(error) = whole::write_json(&self.file, &self.written) {
            tracing::warn!(%error, "what is known of the node's health was not kept");
        }
    }
}

const HOUR_MS: i64 = 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_twins_told_outlives_the_node_and_is_new_once() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(folder.path()).unwrap();
        let mut remembered = Remembered::open(&folder);
        let (ann, failed) = (Number(3), TwinProblem::VerifyFailed);
        assert_eq!(remembered.told(ann, &[failed, failed]), [failed]);
        assert_eq!(remembered.told(ann, &[failed]), []);
        remembered.note_time();
        let mut again = Remembered::open(&folder);
        assert_eq!(again.written, remembered.written);
        assert!(again.seen_ms() > 0);
        assert_eq!(again.told_by_twins().collect::<Vec<_>>(), [(3, failed)]);
        assert_eq!(again.told(ann, &[]), []);
        assert_eq!(Remembered::open(&folder).told_by_twins().count(), 0);
        std::fs::write(folder.path().join("node/health.json"), "{").unwrap();
        assert_eq!(Remembered::open(&folder).seen_ms(), 0);
    }
}
