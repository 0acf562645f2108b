//! How often somebody may ask this twin: each asker has a share of their own, so that an experience
//! that asks without end takes nothing from the person's own pages.
//!
//! Counted when somebody asks, never by a timer. Never keeps more askers than it may; strangers are
//! forgotten first.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use handover::{Bucket, Rate};
use tokio::sync::watch;

use crate::frames::Frame;

/// Who asks.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Who {
    /// A browser's own pages, by the public id of its session.
    Person(String),
    /// An experience that is open in a session.
    Experience {
        /// Its name.
        name: String,
        /// The session's public id.
        session: String,
    },
    /// Somebody who is not signed in, by network.
    Stranger(IpAddr),
}

impl Who {
    /// The experience in a frame.
    pub(crate) fn of(frame: &Frame) -> Self {
        Self::Experience { name: frame.experience.clone(), session: frame.session.clone() }
    }
}

/// What everybody has left.
pub(crate) struct Limits {
    rate: Rate,
    left: RefCell<HashMap<Share, Bucket>>,
    refused: RefCell<Option<Refused>>,
    /// How often it became worth telling that much was refused.
    told: watch::Sender<u64>,
}

/// What is counted by itself.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Share {
    One(Who),
    /// All experiences together.
    Experiences,
    Strangers,
}

/// What was refused lately.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    last: Instant,
    /// How much.
    pub(crate) count: u64,
    by: HashMap<String, u64>,
}

impl Refused {
    /// Whose was most of it: an experience's name, an address, or this for the person's own pages.
    pub(crate) fn most_by<'a>(&'a self, own: &'a str) -> &'a str {
        let most = self.by.iter().max_by_key(|(name, count)| (**count, *name));
        most.map(|(name, _)| name.as_str()).filter(|name| !name.is_empty()).unwrap_or(own)
    }

    /// Whether it is worth telling somebody.
    pub(crate) fn is_much(&self) -> bool {
        self.count >= MUCH
    }
}

impl Limits {
    pub(crate) fn new(rate: Rate) -> Self {
        let (left, refused) = (RefCell::default(), RefCell::default());
        Self { rate, left, refused, told: watch::Sender::new(0) }
    }

    /// Takes one request, or answers how long to wait for the next.
    pub(crate) fn take(&self, who: &Who, now: Instant) -> Result<(), Duration> {
        let (own, together) = self.shares(who);
        let mut left = self.left.borrow_mut();
        if left.len() >= MAX_ASKERS {
            left.retain(|_, bucket| !bucket.is_full(now));
        }
        if left.len() >= MAX_ASKERS {
            left.retain(|share, _| !matches!(share, Share::One(Who::Stranger(_))));
        }
        let all = [Some(own), together].into_iter().flatten();
        let mut wait = Duration::ZERO;
        for (share, rate) in all.clone() {
            let bucket = left.entry(share).or_insert_with(|| Bucket::full(rate, now));
            if !bucket.has(now) {
                wait = wait.max(bucket.wait(now));
            }
        }
        if !wait.is_zero() {
            drop(left);
            self.note(who, now);
            return Err(wait);
        }
        for (share, _) in all {
            if let Some(bucket) = left.get_mut(&share) {
                bucket.take(1);
            }
        }
        Ok(())
    }

    /// One request turned out to be several.
    pub(crate) fn take_more(&self, who: &Who, more: u32) {
        let (own, together) = self.shares(who);
        let mut left = self.left.borrow_mut();
        for (share, _) in [Some(own), together].into_iter().flatten() {
            if let Some(bucket) = left.get_mut(&share) {
                bucket.take(more);
            }
        }
    }

    /// Something of theirs was refused.
    pub(crate) fn note(&self, who: &Who, now: Instant) {
        let mut refused = self.refused.borrow_mut();
        let lately = refused.take().filter(|before| !before.is_over(now));
        let new = || Refused { last: now, count: 0, by: HashMap::new() };
        let refused = refused.insert(lately.unwrap_or_else(new));
        refused.last = now;
        refused.count += 1;
        let name = match who {
            Who::Person(_) => String::new(),
            Who::Experience { name, .. } => name.clone(),
            Who::Stranger(address) => address.to_string(),
        };
        if refused.by.len() < MAX_NAMES || refused.by.contains_key(&name) {
            *refused.by.entry(name).or_default() += 1;
        }
        if refused.count == MUCH {
            tracing::warn!(
                count = MUCH,
                "so many requests were refused, because they came too fast"
            );
            self.told.send_modify(|told| *told += 1);
        }
    }

    /// What was refused lately.
    pub(crate) fn refused(&self, now: Instant) -> Option<Refused> {
        self.refused.borrow().clone().filter(|refused| !refused.is_over(now))
    }

    /// Tells when much was refused.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// What they take from: their own share, and one that they have together with others.
    fn shares(&self, who: &Who) -> ((Share, Rate), Option<(Share, Rate)>) {
        let own = Share::One(who.clone());
        match who {
            Who::Person(_) => ((own, self.rate), None),
            Who::Experience { .. } => {
                ((own, self.rate.part(2)), Some((Share::Experiences, self.rate)))
            }
            Who::Stranger(_) => ((own, self.rate.part(2)), Some((Share::Strangers, self.rate))),
        }
    }
}

impl Refused {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= LATELY
    }
}

const MAX_ASKERS: usize = 1024;
const MAX_NAMES: usize = 32;
/// Fewer refusals are a page that was loaded often.
const MUCH: u64 = 100;
/// For so long after the last refusal it is told.
const LATELY: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { at_once: 100, per_minute: 600 };

    fn experience(name: &str) -> Who {
        Who::Experience { name: name.to_owned(), session: "s".to_owned() }
    }

    fn stranger(number: u32) -> Who {
        Who::Stranger(IpAddr::from(number.to_be_bytes()))
    }

    fn taken(limits: &Limits, who: &Who, now: Instant) -> usize {
        (0..1000).filter(|_| limits.take(who, now).is_ok()).count()
    }

    #[test]
    fn no_experience_takes_anything_from_the_person_or_all_from_the_others() {
        let (limits, now) = (Limits::new(RATE), Instant::now());
        assert_eq!(taken(&limits, &experience("greedy"), now), 50);
        assert_eq!(taken(&limits, &experience("chat"), now), 50);
        assert_eq!(taken(&limits, &experience("third"), now), 0);
        assert_eq!(taken(&limits, &stranger(7), now), 50);
        let person = Who::Person("s".to_owned());
        assert_eq!(taken(&limits, &person, now), 100);
        assert_eq!(taken(&limits, &Who::Person("phone".to_owned()), now), 100);
        let wait = limits.take(&person, now).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(limits.take(&person, now + wait), Ok(()));
    }

    #[test]
    fn several_calls_in_one_cost_as_much() {
        let (limits, now) = (Limits::new(RATE), Instant::now());
        let chat = experience("chat");
        limits.take(&chat, now).unwrap();
        limits.take_more(&chat, 47);
        assert_eq!(taken(&limits, &chat, now), 2);
        limits.take_more(&chat, 100_000);
        assert!(limits.take(&chat, now).unwrap_err() <= Duration::from_secs(11));
    }

    #[test]
    fn much_is_told_once_and_names_who_asked_most() {
        let (limits, now) = (Limits::new(RATE), Instant::now());
        let mut told = limits.watch();
        taken(&limits, &stranger(1), now);
        let refused = limits.refused(now).unwrap();
        assert!(refused.is_much() && told.has_changed().unwrap());
        assert_eq!(refused.most_by("own"), "0.0.0.1");
        told.mark_unchanged();
        taken(&limits, &experience("greedy"), now);
        assert!(!told.has_changed().unwrap(), "once is enough");
        assert_eq!(limits.refused(now).unwrap().count, 950 + 950);
        assert_eq!(limits.refused(now + LATELY), None);
        limits.note(&Who::Person("s".to_owned()), now + LATELY);
        let refused = limits.refused(now + LATELY).unwrap();
        assert_eq!((refused.count, refused.most_by("own"), refused.is_much()), (1, "own", false));
    }

    #[test]
    fn memory_is_bounded_and_strangers_are_forgotten_first() {
        let (limits, now) = (Limits::new(RATE), Instant::now());
        let person = Who::Person("s".to_owned());
        assert_eq!(taken(&limits, &person, now), 100);
        for number in 0..10_000 {
            // All strangers together run dry; each is counted all the same.
            let _ = limits.take(&stranger(number), now);
        }
        assert!(limits.left.borrow().len() <= MAX_ASKERS + 2);
        assert!(limits.take(&person, now).is_err(), "what the person used is not forgotten");
    }
}
