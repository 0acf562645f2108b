//! How often strangers may wake sleeping twins: a token bucket per source and one per twin. And how
//! often a twin may open links to its neighbours, so that one that is taken over can't drown another.
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
    /// By the twin that opens.
    links: HashMap<Number, Bucket>,
    waking_links: HashMap<Number, Bucket>,
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
        let full = || Bucket::full(WAKE_UPS, now);
        let source = self.sources.entry(network(source)).or_insert_with(full);
        let twin = self.twins.entry(twin).or_insert_with(full);
        source.has(now) && twin.has(now) && source.take() && twin.take()
    }

    /// Gives one back: the source proved to be known to the twin.
    pub(crate) fn give_back(&mut self, source: IpAddr, twin: Number) {
        for bucket in [self.sources.get_mut(&network(source)), self.twins.get_mut(&twin)]
            .into_iter()
            .flatten()
        {
            bucket.give_back();
        }
    }

    /// Takes one link that this twin opens, to a neighbour who sleeps or not.
    pub(crate) fn take_link(&mut self, from: Number, wakes: bool, now: Instant) -> bool {
        let links = self.links.entry(from).or_insert_with(|| Bucket::full(LINKS, now));
        let waking = self.waking_links.entry(from);
        let waking = waking.or_insert_with(|| Bucket::full(WAKE_UPS, now));
        links.has(now) && (!wakes || waking.has(now)) && links.take() && (!wakes || waking.take())
    }

    /// Gives the wake-up by a link back: the one that was woken knows who opened it.
    pub(crate) fn give_link_back(&mut self, from: Number) {
        if let Some(bucket) = self.waking_links.get_mut(&from) {
            bucket.give_back();
        }
    }

    /// Drops a twin that is gone.
    pub(crate) fn forget(&mut self, twin: Number) {
        self.twins.remove(&twin);
        self.links.remove(&twin);
        self.waking_links.remove(&twin);
    }
}

/// So many at once, and one more in each such time.
#[derive(Clone, Copy)]
struct Rate {
    burst: f64,
    one_per: Duration,
}

struct Bucket {
    left: f64,
    at: Instant,
    rate: Rate,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { left: rate.burst, at: now, rate }
    }

    fn give_back(&mut self) {
        self.left = (self.left + 1.0).min(self.rate.burst);
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
        self.left_at(now) >= self.rate.burst
    }

    fn left_at(&self, now: Instant) -> f64 {
        let waited = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left + waited / self.rate.one_per.as_secs_f64()).min(self.rate.burst)
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

/// Wake-ups that a source or a twin has.
const WAKE_UPS: Rate = Rate { burst: 20.0, one_per: Duration::from_secs(15) };
/// Links that a twin may open: one each to many contacts after its start.
const LINKS: Rate = Rate { burst: 64.0, one_per: Duration::from_millis(500) };
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
        let later = now + WAKE_UPS.one_per;
        assert!(budget.take(scanner, TWIN, later));
        assert!(!budget.take(scanner, TWIN, later));
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
    fn a_twin_can_neither_drown_nor_wake_its_neighbours_for_ever() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let opened = (0..1000).filter(|_| budget.take_link(TWIN, false, now)).count();
        assert_eq!(opened, 64);
        assert!(budget.take_link(Number(2), true, now), "another twin's links are its own");
        let woken = (0..1000).filter(|_| budget.take_link(Number(3), true, now)).count();
        assert_eq!(woken, 20);
        assert!(budget.take_link(Number(3), false, now));
        budget.give_link_back(Number(3));
        assert!(budget.take_link(Number(3), true, now));
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
