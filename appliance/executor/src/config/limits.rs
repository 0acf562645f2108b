//! What `node.toml` says in `[twin]`: what one twin may use at most. What is not said stays as usual.

use std::ops::RangeInclusive;

use handover::{Rate, Share};
use serde::Deserialize;

use super::Said;

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
    /// How often strangers may wake it, and how often one source may wake any.
    pub wakes: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        // An awake twin uses some megabytes; a large export or a rebuild of its tables some tens.
        let (share, wakes) = (Share::default(), Rate { at_once: 20, per_minute: 4 });
        Self { memory: 256 * MIB, threads: 64, cpu_weight: 100, share, wakes }
    }
}

/// The table as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    memory_mib: Said,
    threads: Said,
    cpu_weight: Said,
    /// 0: no limit but the disk itself.
    disk_mib: Said,
    connections: Said,
    requests_at_once: Said,
    requests_per_second: Said,
    wakes_at_once: Said,
    wakes_per_minute: Said,
}

impl Limits {
    /// Reads it; `within` refuses what is out of range.
    pub(super) fn read<E>(
        written: &Written,
        within: impl Fn(&str, &Said, RangeInclusive<u64>) -> Result<Option<u64>, E>,
    ) -> Result<Self, E> {
        let mut limits = Self::default();
        let large = |limit: &mut u64, key: &str, value: &Said, range| {
            within(key, value, range).map(|value| *limit = value.unwrap_or(*limit))
        };
        let small = |limit: &mut u32, key: &str, value: &Said, most: u32| {
            let value = within(key, value, 1..=most.into())?;
            *limit = value.and_then(|value| u32::try_from(value).ok()).unwrap_or(*limit);
            Ok(())
        };
        let Share { connections, requests, .. } = &mut limits.share;
        let wakes = &mut limits.wakes;
        // A twin may have 1024 descriptors, some of them for links and files.
        small(connections, "connections", &written.connections, 512)?;
        small(&mut requests.at_once, "requests_at_once", &written.requests_at_once, 1_000_000)?;
        let mut a_second = requests.per_minute / 60;
        small(&mut a_second, "requests_per_second", &written.requests_per_second, 100_000)?;
        requests.per_minute = a_second * 60;
        small(&mut wakes.at_once, "wakes_at_once", &written.wakes_at_once, 10_000)?;
        small(&mut wakes.per_minute, "wakes_per_minute", &written.wakes_per_minute, 10_000)?;
        let mut memory_mib = limits.memory / MIB;
        large(&mut memory_mib, "memory_mib", &written.memory_mib, 64..=65_536)?;
        limits.memory = memory_mib * MIB;
        large(&mut limits.threads, "threads", &written.threads, 8..=4096)?;
        large(&mut limits.cpu_weight, "cpu_weight", &written.cpu_weight, 1..=10_000)?;
        if let Some(disk) = within("disk_mib", &written.disk_mib, 0..=16_777_216)? {
            limits.share.disk = (disk > 0).then_some(disk * MIB);
        }
        Ok(limits)
    }
}

const MIB: u64 = 1 << 20;
