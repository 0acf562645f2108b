//! The pump: finds people for whom letters wait and keeps one link to each, several side by side.
//! With nothing waiting it has no timer and causes no wake-up; a person who cannot be reached is
//! tried again after growing, jittered pauses that survive a restart.

use super::{
    Peers,
    delivery::{self, End},
    outbox,
    several::Several,
    vault,
};
use link::TwinId;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    time::Duration,
};
use store::{ReadAll as _, Store};
use tokio::{net::UnixStream, time::sleep};

/// A person who could not be reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Away {
    /// When to try again; 0: now, or under way.
    pub(super) next_ms: i64,
    failures: u32,
}

impl Peers {
    /// Delivers the outbox for ever, over the streams that `open` gives. Returns only when the
    /// store is closed. Dropping it closes its links; nothing is lost by that.
    pub(crate) async fn pump<F, Fut>(&self, open: F)
    where
        F: Fn(TwinId) -> Fut,
        Fut: Future<Output = Result<UnixStream, handover::Reason>>,
    {
        let (mut seq, mut wake) = (self.0.store.watch(), self.0.wake.subscribe());
        let mut links = Several::new();
        let mut linked = BTreeSet::new();
        loop {
            for to in self.due(&linked) {
                if linked.len() < MAX_LINKS {
                    linked.insert(to);
                    self.try_now(&to);
                    let open = &open;
                    links.push(async move { (to, delivery::run(self, to, open).await) });
                }
            }
            let pause = self.pause(linked.len());
            tokio::select! {
                (to, end) = links.next() => {
                    linked.remove(&to);
                    self.ended(to, end).await;
                }
                changed = seq.changed() => if changed.is_err() { return },
                changed = wake.changed() => if changed.is_err() { return },
                () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    /// The person spoke to us, so they can be reached.
    pub(super) fn reached(&self, id: &TwinId) {
        if self.try_now(id) {
            self.wake();
        }
    }

    /// Ends a pause. Says whether there was one.
    fn try_now(&self, id: &TwinId) -> bool {
        let mut away = self.0.away.borrow_mut();
        away.get_mut(id).is_some_and(|away| std::mem::take(&mut away.next_ms) > 0)
    }

    /// People for whom letters wait, who have no link and may be tried now.
    fn due(&self, linked: &BTreeSet<TwinId>) -> Vec<TwinId> {
        let pending = match self.0.store.read(outbox::pending) {
            Ok(pending) => pending,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "no outbox");
                return Vec::new();
            }
        };
        let now_ms = self.now_ms();
        let mut away = self.0.away.borrow_mut();
        // Nobody is tried again for whom nothing waits; who has a link is judged at its end.
        away.retain(|id, _| pending.contains(id) || linked.contains(id));
        let may =
            |to: &TwinId| away.get(to).is_none_or(|a| a.next_ms <= now_ms || a.is_odd(now_ms));
        pending.into_iter().filter(|to| !linked.contains(to) && may(to)).collect()
    }

    fn pause(&self, links: usize) -> Option<Duration> {
        if links >= MAX_LINKS {
            return None;
        }
        let away = self.0.away.borrow();
        let next = away.values().map(|a| a.next_ms).filter(|next| *next > 0).min()?;
        let ms = next.saturating_sub(self.now_ms()).clamp(1, LONGEST_MS);
        u64::try_from(ms).ok().map(Duration::from_millis)
    }

    async fn ended(&self, to: TwinId, end: End) {
        let before = self.0.away.borrow().get(&to).copied();
        let key = vault::of(vault::AWAY, &to);
        let written = match end {
            End::Done if before.is_none() => return,
            End::Done => {
                self.0.away.borrow_mut().remove(&to);
                self.0.store.write(move |w| w.vault_delete(&key).map(drop)).await
            }
            End::Away { progress } => {
                let before = before.filter(|_| !progress);
                let failures = before.map_or(0, |a| a.failures).saturating_add(1);
                let next_ms = self.now_ms().saturating_add(wait_ms(failures));
                self.0.away.borrow_mut().insert(to, Away { next_ms, failures });
                let row = [&next_ms.to_be_bytes()[..], &failures.to_be_bytes()].concat();
                self.0.store.write(move |w| w.vault_put(&key, &row)).await
            }
        };
        if let Err(error) = written {
            // It is in memory, which is enough until the next restart.
            tracing::warn!(error = &error as &dyn std::error::Error, "pause not kept");
        }
    }
}

impl Away {
    /// A time further off than any pause: the clock was set back.
    const fn is_odd(&self, now_ms: i64) -> bool {
        self.next_ms.saturating_sub(now_ms) > LONGEST_MS
    }
}

#[cfg(test)]
impl Peers {
    /// Ends all pauses.
    pub(crate) fn try_all_now(&self) {
        self.0.away.borrow_mut().values_mut().for_each(|away| away.next_ms = 0);
        self.wake();
    }

    /// Whether something waits for one of these.
    pub(crate) fn waiting_to(&self, those: impl Fn(&TwinId) -> bool) -> bool {
        let pending = self.0.store.read(outbox::pending).unwrap_or_default();
        pending.iter().any(those)
    }
}

/// Who was away when the twin last ran.
pub(super) fn away(store: &Store) -> Result<BTreeMap<TwinId, Away>, store::Error> {
    let rows = store.read(|r| r.vault_prefix(&vault::all(vault::AWAY)))?;
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        let (next, failures) = value.split_first_chunk::<8>()?;
        let failures = u32::from_be_bytes(failures.try_into().ok()?);
        let away = Away { next_ms: i64::from_be_bytes(*next), failures };
        Some((vault::id_in(vault::AWAY, &key)?, away))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Doubles from a second to five minutes; after some two hours of that, an hour. Half of it is
/// chance, so that a node's twins do not all call at once when another node comes back.
fn wait_ms(failures: u32) -> i64 {
    let whole = if failures > PATIENCE {
        LONGEST_MS
    } else {
        (1000_i64 << failures.saturating_sub(1).min(16)).min(300_000)
    };
    let mut chance = [0; 4];
    // Without chance the pause is the longest of its kind.
    if getrandom::fill(&mut chance).is_err() {
        return whole;
    }
    whole / 2 + whole / 2 * i64::from(u32::from_be_bytes(chance)) / i64::from(u32::MAX)
}

const LONGEST_MS: i64 = 3_600_000;
const PATIENCE: u32 = 32;
/// Links that are open at one time.
const MAX_LINKS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_second_to_five_minutes_to_an_hour() {
        let cases =
            [(1, 500, 1000), (2, 1000, 2000), (9, 128_000, 256_000), (10, 150_000, 300_000)];
        let more =
            [(32, 150_000, 300_000), (33, 1_800_000, 3_600_000), (u32::MAX, 1_800_000, 3_600_000)];
        for (failures, least, most) in cases.into_iter().chain(more) {
            for _ in 0..20 {
                let ms = wait_ms(failures);
                assert!((least..=most).contains(&ms), "{failures}: {ms}");
            }
        }
    }
}
