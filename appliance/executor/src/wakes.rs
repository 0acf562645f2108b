//! Who has to be woken without being asked for, kept for the case that the node ends before: twins
//! that sleep and said when, and twins that may be awake. After a clean end nobody is of the second
//! kind; after a power cut, or a kill of the whole node, they may hold what they had not told yet, so
//! each is woken once.
//!
//! Written when it changes, a moment later and once for all that changed in it; never by a timer. Who
//! falls asleep stays among those that may be awake for a while: a twin that comes and goes writes
//! nothing. Only numbers and times are known here, never what a twin has to do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use handover::Number;
use serde::{Deserialize, Serialize};

use crate::{DataFolder, whole};

/// What is kept, and who of it sleeps again.
#[derive(Debug)]
pub(crate) struct Wakes {
    file: PathBuf,
    kept: Kept,
    /// Of those that may be awake: they have ended as agreed since.
    asleep: BTreeSet<u32>,
}

/// The file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// When twins that sleep want to be woken, in milliseconds since 1970.
    at_ms: BTreeMap<u32, i64>,
    awake: BTreeSet<u32>,
}

impl Wakes {
    /// Reads what it says of these. Where nothing tells who was awake, anybody may have been: a new
    /// folder has nobody yet.
    pub(crate) fn open(folder: &DataFolder, twins: impl Iterator<Item = Number>) -> Self {
        let file = folder.path().join("node").join("wakes.json");
        let kept = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(std::io::Error::from),
            Err(error) => Err(error),
        };
        let twins: BTreeSet<u32> = twins.map(|twin| twin.0).collect();
        let kept = match kept {
            Ok(Kept { mut at_ms, mut awake }) => {
                at_ms.retain(|twin, _| twins.contains(twin));
                awake.retain(|twin| twins.contains(twin));
                Kept { at_ms, awake }
            }
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    let file = file.display();
                    tracing::warn!(%file, %error, "who is to be woken can't be read; all will be");
                }
                Kept { at_ms: BTreeMap::new(), awake: twins }
            }
        };
        Self { file, kept, asleep: BTreeSet::new() }
    }

    /// Who is to be woken, and in how long: first those whose time is over, the earliest first, then
    /// those that may have been awake, and the others at their time. They are spread, so that a node
    /// that was off does not start all at once.
    pub(crate) fn waits(&self, now_ms: i64) -> Vec<(Number, Duration)> {
        let Kept { at_ms, awake } = &self.kept;
        let (late, later): (Vec<_>, Vec<_>) =
            at_ms.iter().map(|(twin, at)| (*at, *twin)).partition(|(at, _)| *at <= now_ms);
        let by_time = |mut some: Vec<(i64, u32)>| {
            some.sort_unstable();
            some
        };
        let late: Vec<u32> = by_time(late).into_iter().map(|(_, twin)| twin).collect();
        let is_late = |twin: &u32| at_ms.get(twin).is_some_and(|at| *at <= now_ms);
        let at_once = late.into_iter().chain(awake.iter().copied().filter(|one| !is_late(one)));
        let at_once = at_once.zip(0u32..).map(|(twin, place)| (Number(twin), ONE_IN * place));
        let later = by_time(later).into_iter().filter(|(_, twin)| !awake.contains(twin));
        let later = later.map(|(at, twin)| (Number(twin), wait(at, now_ms)));
        at_once.chain(later).collect()
    }

    /// A twin was started. Answers whether there is something to write.
    pub(crate) fn woken(&mut self, twin: Number) -> bool {
        self.asleep.remove(&twin.0);
        self.kept.awake.insert(twin.0)
    }

    /// A twin went to sleep and said when to wake it. Answers whether there is something to write.
    pub(crate) fn slept(&mut self, twin: Number, at_ms: Option<i64>) -> bool {
        let is_long = self.settled(twin);
        let before = match at_ms {
            Some(at_ms) => self.kept.at_ms.insert(twin.0, at_ms),
            None => self.kept.at_ms.remove(&twin.0),
        };
        before != at_ms || is_long
    }

    /// A twin ended, and to wake it would be of no use. Answers whether there is something to write.
    pub(crate) fn settled(&mut self, twin: Number) -> bool {
        if self.kept.awake.contains(&twin.0) {
            self.asleep.insert(twin.0);
        }
        self.is_long()
    }

    /// A twin is not of this node any more. Answers whether there is something to write.
    pub(crate) fn forget(&mut self, twin: Number) -> bool {
        self.asleep.remove(&twin.0);
        let was_due = self.kept.at_ms.remove(&twin.0).is_some();
        self.kept.awake.remove(&twin.0) || was_due
    }

    /// Writes it; who sleeps is left out when the list is too long.
    pub(crate) fn write(&mut self) {
        if self.is_long() {
            self.leave_out_sleepers();
        }
        // A full disk must not stop a node.
        if let Err(error) = self.persist() {
            tracing::warn!(%error, "who is to be woken was not kept");
        }
    }

    /// The node ends as it should: who ended as agreed is not woken for nothing by the next.
    pub(crate) fn write_at_end(&mut self) {
        self.leave_out_sleepers();
        self.write();
    }

    /// Most of those that may be awake are not, and they are more than some tens.
    fn is_long(&self) -> bool {
        let awake = self.kept.awake.len() - self.asleep.len();
        self.asleep.len() > awake.max(FEW)
    }

    fn leave_out_sleepers(&mut self) {
        for twin in std::mem::take(&mut self.asleep) {
            self.kept.awake.remove(&twin);
        }
    }

    fn persist(&self) -> std::io::Result<()> {
        whole::write_json(&self.file, &self.kept)
    }
}

/// How long until then; no twin has a reason to sleep for longer than this, whatever the clock says.
pub(crate) fn wait(at_ms: i64, now_ms: i64) -> Duration {
    let wait = u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0);
    Duration::from_millis(wait).min(LONGEST)
}

const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// With nothing to do each is gone after a minute, so some six hundred are awake at once at most.
const ONE_IN: Duration = Duration::from_millis(100);
/// So many that sleep are woken for nothing without harm.
const FEW: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        (temporary, folder)
    }

    /// Of twins 1 to 8.
    fn open(folder: &DataFolder) -> Wakes {
        Wakes::open(folder, (1..=8).map(Number))
    }

    fn waits(folder: &DataFolder, now_ms: i64) -> Vec<(u32, u64)> {
        let all = open(folder).waits(now_ms).into_iter();
        all.map(|(twin, wait)| (twin.0, wait.as_millis().try_into().unwrap())).collect()
    }

    /// A node was here, and nobody is awake.
    fn used() -> (tempfile::TempDir, DataFolder, Wakes) {
        let (temporary, folder) = folder();
        Wakes::open(&folder, std::iter::empty()).write();
        let wakes = open(&folder);
        (temporary, folder, wakes)
    }

    #[test]
    fn times_outlive_the_node() {
        let (_temporary, folder, mut wakes) = used();
        for (twin, at_ms) in [(3, 5_000), (4, 900), (5, 1_000), (6, i64::MAX), (7, 1_010)] {
            assert!(wakes.slept(Number(twin), Some(at_ms)));
        }
        assert!(!wakes.slept(Number(3), Some(5_000)));
        assert!(wakes.slept(Number(4), None));
        wakes.slept(Number(9), Some(1));
        wakes.write();
        let day = LONGEST.as_millis().try_into().unwrap();
        assert_eq!(waits(&folder, 1_000), [(5, 0), (7, 10), (3, 4000), (6, day)]);
        assert_eq!(waits(&folder, 1_020), [(5, 0), (7, 100), (3, 3980), (6, day)]);
    }

    #[test]
    fn who_was_awake_is_woken_after_who_is_late() {
        let (_temporary, folder, mut wakes) = used();
        for (twin, at_ms) in [(3, 900), (4, 800), (5, 9_000), (2, 9_000)] {
            wakes.slept(Number(twin), Some(at_ms));
        }
        for twin in [1, 4, 5, 8, 9] {
            assert!(wakes.woken(Number(twin)));
        }
        assert!(!wakes.woken(Number(1)));
        wakes.write();
        let expected = [(4, 0), (3, 100), (1, 200), (5, 300), (8, 400), (2, 8_000)];
        assert_eq!(waits(&folder, 1_000), expected);
        // One died, one is gone, the others end as agreed.
        for twin in [1, 4, 5] {
            wakes.slept(Number(twin), None);
        }
        assert!(wakes.forget(Number(9)));
        assert!(!wakes.forget(Number(9)));
        wakes.write_at_end();
        assert_eq!(waits(&folder, 1_000), [(3, 0), (8, 100), (2, 8_000)]);
    }

    #[test]
    fn who_comes_and_goes_writes_nothing_and_the_list_stays_short() {
        let (_temporary, _folder, mut wakes) = used();
        for twin in 1..=5 {
            assert!(wakes.woken(Number(twin)));
        }
        for _ in 0..3 {
            assert!(!wakes.slept(Number(1), None));
            assert!(!wakes.woken(Number(1)));
        }
        let mut writes = 0;
        for twin in 6..10_000 {
            wakes.woken(Number(twin));
            if wakes.slept(Number(twin), None) {
                wakes.write();
                writes += 1;
            }
            assert!(wakes.kept.awake.len() <= 5 + FEW + 1);
        }
        assert!(writes < 10_000 / FEW, "{writes}");
        assert!((1..=5).all(|twin| wakes.kept.awake.contains(&twin)), "they never slept");
    }

    #[test]
    fn where_nothing_tells_who_was_awake_all_are_woken() {
        let (_temporary, folder) = folder();
        let everybody: Vec<_> = (0..8).map(|twin| (twin + 1, 100 * u64::from(twin))).collect();
        assert_eq!(waits(&folder, 0), everybody);
        let file = folder.path().join("node/wakes.json");
        for unreadable in ["", "{\"3\":5000}", "{\"at_ms\":{\"3\":5000}", "{}"] {
            std::fs::write(&file, unreadable).unwrap();
            assert_eq!(waits(&folder, 0), everybody, "{unreadable}");
        }
        // It ended before one of them was woken.
        let mut wakes = open(&folder);
        for twin in [1, 2, 3, 4, 5, 6, 7] {
            wakes.slept(Number(twin), None);
        }
        wakes.write_at_end();
        assert_eq!(waits(&folder, 0), [(8, 0)]);
    }
}
