//! So many at once, and after that so many a minute: counted when somebody comes, without a timer.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How often something may be done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rate {
    /// So often without a pause.
    pub at_once: u32,
    /// So often in the long run.
    pub per_minute: u32,
}

impl Rate {
    /// A part of it, but never nothing.
    #[must_use]
    pub fn part(self, of: u32) -> Self {
        let part = |whole: u32| (whole / of.max(1)).max(1);
        Self { at_once: part(self.at_once), per_minute: part(self.per_minute) }
    }

    fn per_second(self) -> f64 {
        f64::from(self.per_minute) / 60.0
    }
}

/// What is left of a rate for somebody.
#[derive(Debug)]
pub struct Bucket {
    left: f64,
    at: Instant,
    rate: Rate,
}

impl Bucket {
    /// Nothing is used yet.
    #[must_use]
    pub fn full(rate: Rate, now: Instant) -> Self {
        Self { left: rate.at_once.into(), at: now, rate }
    }

    /// Whether there is one left.
    pub fn has(&mut self, now: Instant) -> bool {
        self.left = self.left_at(now);
        self.at = now;
        self.left >= 1.0
    }

    /// Takes some, also those that are not there yet; nobody owes more than a whole bucket.
    pub fn take(&mut self, some: u32) {
        self.left = (self.left - f64::from(some)).max(-f64::from(self.rate.at_once));
    }

    /// Gives one back.
    pub fn give_back(&mut self) {
        self.left = (self.left + 1.0).min(self.rate.at_once.into());
    }

    /// Whether nothing is missing: it need not be remembered.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.left_at(now) >= self.rate.at_once.into()
    }

    /// How long until there is one.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Duration {
        let missing = (1.0 - self.left_at(now)).max(0.0);
        Duration::try_from_secs_f64(missing / self.rate.per_second()).unwrap_or(Duration::MAX)
    }

    fn left_at(&self, now: Instant) -> f64 {
        let waited = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left + waited * self.rate.per_second()).min(self.rate.at_once.into())
    }
}

/// Whose address counts as one source: a home has a /64 of its own (RFC 6177).
#[must_use]
pub fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_runs_dry_and_fills_again() {
        let (rate, now) = (Rate { at_once: 3, per_minute: 60 }, Instant::now());
        let mut bucket = Bucket::full(rate, now);
        let mut take = |now| {
            let has = bucket.has(now);
            if has {
                bucket.take(1);
            }
            (has, bucket.wait(now))
        };
        let second = Duration::from_secs(1);
        assert_eq!([take(now).0, take(now).0], [true, true]);
        assert_eq!(take(now), (true, second));
        assert_eq!(take(now + second / 2), (false, second / 2));
        assert!(take(now + second).0 && !take(now + second).0);
        assert!(!bucket.is_full(now + 3 * second) && bucket.is_full(now + 4 * second));
    }

    #[test]
    fn nobody_owes_more_than_a_whole_bucket() {
        let (rate, now) = (Rate { at_once: 10, per_minute: 60 }, Instant::now());
        let mut bucket = Bucket::full(rate, now);
        bucket.take(u32::MAX);
        assert_eq!(bucket.wait(now), Duration::from_secs(11));
        bucket.give_back();
        assert_eq!(bucket.wait(now), Duration::from_secs(10));
        assert_eq!(rate.part(20), Rate { at_once: 1, per_minute: 3 });
    }

    #[test]
    fn one_home_is_one_source() {
        let address = |n: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) | n));
        assert_eq!(network(address(1)), network(address(7 << 40)));
        assert_ne!(network(address(1)), network(address(1 << 64)));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), IpAddr::from([192, 0, 2, 1]));
    }
}
