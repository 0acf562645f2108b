//! How often strangers may wake sleeping twins: a token bucket per source and one per twin.
//!
//! Certificates are public, so scanners learn every name: without a budget they would keep all
//! twins of a node awake. Somebody who proves to be known gets the token back. Never holds more
//! than [`MAX_SOURCES`] sources, never uses a timer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use handover::Number;

/// The buckets of all sources and twins.
#[derive(Default)]
pub(crate) struct Budget {
    sources: HashMap<IpAddr, Bucket>,
    twins: HashMap<Number, Bucket>,
}

impl Budget {
    /// Takes one wake-up of this twin by this source, if there is one left.
    pub(crate) fn take(&mut self, source: IpAddr, twin: Number, now: Instant) -> bool {
        if self.sources.len() >= MAX_SOURCES {
            self.sources.retain(|_, bucket| !bucket.is_full(now));
            if self.sources.len() >= MAX_SOURCES {
                return false;
            }
        }
        let source = self.sources.entry(network(source)).or_insert_with(|| Bucket::full(now));
        let twin = self.twins.entry(twin).or_insert_with(|| Bucket::full(now));
        source.has(now) && twin.has(now) && source.take() && twin.take()
    }

    /// Gives one back: the source proved to be known to the twin.
    pub(crate) fn give_back(&mut self, source: IpAddr, twin: Number) {
        for bucket in [self.sources.get_mut(&network(source)), self.twins.get_mut(&twin)]
            .into_iter()
            .flatten()
        {
            bucket.left = (bucket.left + 1.0).min(BURST);
        }
    }

    /// Drops a twin that is gone.
    pub(crate) fn forget(&mut self, twin: Number) {
        self.twins.remove(&twin);
    }
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self { left: BURST, at: now }
    }

    fn has(&mut self, now: Instant) -> bool {
        self.left = self.left_at(now);
        self.at = now;
        self.left >= 1.0
    }

    fn take(&mut self) -> bool {
        self.left -= 1.0;
        true
    }

    fn is_full(&self, now: Instant) -> bool {
        self.left_at(now) >= BURST
    }

    fn left_at(&self, now: Instant) -> f64 {
        let waited = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left + waited / ONE_PER.as_secs_f64()).min(BURST)
    }
}

/// A home has a /64 of its own (RFC 6177), so IPv6 sources are counted by network.
fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

/// Wake-ups that a source or a twin has at most at once.
const BURST: f64 = 20.0;
/// In this time it gets one more.
const ONE_PER: Duration = Duration::from_secs(15);
const MAX_SOURCES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const TWIN: Number = Number(1);

    #[test]
    fn a_scanner_runs_dry_and_others_do_not() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let scanner: IpAddr = [192, 0, 2, 1].into();
        let woken = (0..1000).filter(|&n| budget.take(scanner, Number(n), now)).count();
        assert_eq!(woken, 20);
        assert!(budget.take([192, 0, 2, 2].into(), TWIN, now));
        assert!(budget.take(scanner, TWIN, now + ONE_PER));
        assert!(!budget.take(scanner, TWIN, now + ONE_PER));
    }

    #[test]
    fn many_sources_run_dry_on_one_twin() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let sources = (0..100).map(|n| IpAddr::from([192, 0, 2, n]));
        assert_eq!(sources.filter(|&s| budget.take(s, TWIN, now)).count(), 20);
    }

    #[test]
    fn one_home_is_one_source() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let address = |n: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) | n));
        let woken = (0..100).filter(|&n| budget.take(address(n), Number(n as u32), now)).count();
        assert_eq!(woken, 20);
    }

    #[test]
    fn the_known_get_theirs_back() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let phone: IpAddr = [192, 0, 2, 1].into();
        for _ in 0..1000 {
            assert!(budget.take(phone, TWIN, now));
            budget.give_back(phone, TWIN);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        for n in 0..10_000_u32 {
            budget.take(IpAddr::from(n.to_be_bytes()), Number(n), now);
        }
        assert!(budget.sources.len() <= MAX_SOURCES);
    }
}
