//! How often strangers may wake sleeping twins: a token bucket per source and one per twin. And how
//! often a twin may open links to its neighbours, so that one that is taken over can't drown another.
//!
//! Certificates are public, so scanners learn every name: without a budget they would keep all
//! twins of a node awake. Somebody who proves to be known gets the token back. Never holds more
//! than [`MAX_SOURCES`] sources, never uses a timer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use handover::{Bucket, Number, Rate, network};

/// The buckets of all sources and twins.
pub(crate) struct Budget {
    /// Wake-ups that a source or a twin has.
    wakes: Rate,
    sources: HashMap<IpAddr, Bucket>,
    twins: HashMap<Number, Bucket>,
    /// By the twin that opens.
    links: HashMap<Number, Bucket>,
    waking_links: HashMap<Number, Bucket>,
    /// When it was last said that a twin is short.
    told: HashMap<Number, Instant>,
}

impl Budget {
    pub(crate) fn new(wakes: Rate) -> Self {
        let (sources, twins, told) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (links, waking_links) = (HashMap::new(), HashMap::new());
        Self { wakes, sources, twins, links, waking_links, told }
    }

    /// Takes one wake-up of this twin by this source, if there is one left.
    pub(crate) fn take(&mut self, from: IpAddr, twin: Number, now: Instant) -> Result<(), Short> {
        if self.sources.len() >= MAX_SOURCES {
            self.sources.retain(|_, bucket| !bucket.is_full(now));
            if self.sources.len() >= MAX_SOURCES {
                return Err(Short::Source);
            }
        }
        let full = || Bucket::full(self.wakes, now);
        let source = self.sources.entry(network(from)).or_insert_with(full);
        let its = self.twins.entry(twin).or_insert_with(full);
        if !source.has(now) {
            return Err(Short::Source);
        }
        if !its.has(now) {
            return Err(Short::Twin { news: self.is_news(twin, now) });
        }
        source.take(1);
        its.take(1);
        Ok(())
    }

    fn is_news(&mut self, twin: Number, now: Instant) -> bool {
        let before = self.told.get(&twin);
        let is_news = before.is_none_or(|at| now.saturating_duration_since(*at) >= TOLD_EVERY);
        if is_news {
            self.told.insert(twin, now);
        }
        is_news
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
        let waking = waking.or_insert_with(|| Bucket::full(self.wakes, now));
        let may = links.has(now) && (!wakes || waking.has(now));
        if may {
            links.take(1);
            waking.take(u32::from(wakes));
        }
        may
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
        self.told.remove(&twin);
    }
}

/// Why somebody may not wake a twin now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Short {
    /// The source has woken too many.
    Source,
    /// The twin was woken too often.
    Twin {
        /// Whether that is to be told.
        news: bool,
    },
}

/// Links that a twin may open: one each to many contacts after its start.
const LINKS: Rate = Rate { at_once: 64, per_minute: 120 };
const MAX_SOURCES: usize = 4096;
/// A twin that is short of wake-ups is told of once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const TWIN: Number = Number(1);

    fn budget() -> Budget {
        Budget::new(Rate { at_once: 20, per_minute: 4 })
    }

    #[test]
    fn a_scanner_runs_dry_and_others_do_not() {
        let (mut budget, now) = (budget(), Instant::now());
        let scanner: IpAddr = [192, 0, 2, 1].into();
        let woken = (0..1000).filter(|&n| budget.take(scanner, Number(n), now).is_ok()).count();
        assert_eq!(woken, 20);
        assert_eq!(budget.take([192, 0, 2, 2].into(), TWIN, now), Ok(()));
        let later = now + Duration::from_secs(15);
        assert_eq!(budget.take(scanner, TWIN, later), Ok(()));
        assert_eq!(budget.take(scanner, TWIN, later), Err(Short::Source));
    }

    #[test]
    fn many_sources_run_dry_on_one_twin() {
        let (mut budget, now) = (budget(), Instant::now());
        let mut sources = (0..100).map(|n| IpAddr::from([192, 0, 2, n]));
        assert_eq!(
            sources.by_ref().take(20).filter_map(|s| budget.take(s, TWIN, now).ok()).count(),
            20
        );
        let short: Vec<_> = sources.map(|s| budget.take(s, TWIN, now)).collect();
        assert_eq!(short[0], Err(Short::Twin { news: true }));
        assert!(short[1..].iter().all(|one| *one == Err(Short::Twin { news: false })));
        let later = now + TOLD_EVERY;
        let taken: Vec<_> =
            (0..5).map(|n| budget.take([192, 0, 3, n].into(), TWIN, later)).collect();
        assert_eq!(taken[4], Err(Short::Twin { news: true }));
    }

    #[test]
    fn the_known_get_theirs_back() {
        let (mut budget, now) = (budget(), Instant::now());
        let phone: IpAddr = [192, 0, 2, 1].into();
        for _ in 0..1000 {
            assert_eq!(budget.take(phone, TWIN, now), Ok(()));
            budget.give_back(phone, TWIN);
        }
    }

    #[test]
    fn a_twin_can_neither_drown_nor_wake_its_neighbours_for_ever() {
        let (mut budget, now) = (budget(), Instant::now());
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
        let (mut budget, now) = (budget(), Instant::now());
        for n in 0..10_000_u32 {
            let _ = budget.take(IpAddr::from(n.to_be_bytes()), Number(n), now);
        }
        assert!(budget.sources.len() <= MAX_SOURCES);
    }
}
