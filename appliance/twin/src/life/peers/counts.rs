//! Counting what was not taken: by us, by others, and answers that prove nothing. Each has a stable
//! code; the sums are in the vault, and the operator finds them in the log. Never a name or a text.

use super::{Peers, vault};
use link::Refusal;
use std::collections::BTreeMap;

impl Peers {
    /// One more was refused here. Kept in memory until the link ends.
    pub(super) fn refused(&self, reason: Refusal) {
        *self.0.refused.borrow_mut().entry(reason).or_default() += 1;
    }

    /// One came that had taken effect before.
    pub(super) fn repeated(&self) {
        self.0.repeated.set(self.0.repeated.get() + 1);
    }

    /// Counts refusals in one write at the end of a link, so that a stranger cannot make us write
    /// more often, and says the sums at most once a minute.
    pub(super) async fn count(&self) {
        let (refused, repeated) = (self.0.refused.take(), self.0.repeated.take());
        if refused.is_empty() && repeated == 0 {
            return;
        }
        let odd = refused.keys().any(|reason| !is_usual(*reason));
        let write = self.0.store.write(move |w| {
            if repeated > 0 {
                vault::count(w, vault::REPEATED, "envelope", repeated)?;
            }
            refused.iter().try_for_each(|(r, n)| vault::count(w, vault::REFUSED, r.code(), *n))
        });
        if let Err(error) = write.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "refusals not counted");
        }
        let now_ms = self.now_ms();
        if odd && now_ms.saturating_sub(self.0.told_ms.get()) >= MINUTE_MS {
            self.0.told_ms.set(now_ms);
            self.tell_counts();
        }
    }

    /// Says all sums in the log, if there are any.
    pub(crate) fn tell_counts(&self) {
        match self.counts() {
            Ok(counts) if counts.is_empty() => {}
            Ok(counts) => {
                let line: Vec<_> = counts.iter().map(|(what, n)| format!("{what} {n}")).collect();
                tracing::warn!(counts = line.join(", "), "envelopes not taken since the beginning");
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no counts");
            }
        }
    }

    /// Everything that was counted: `refused.forged`, `returned.full`, `unproven.answer`,
    /// `repeated.envelope`.
    pub(crate) fn counts(&self) -> Result<BTreeMap<String, u64>, store::Error> {
        let mut all = BTreeMap::new();
        for kind in [vault::REFUSED, vault::REPEATED, vault::RETURNED, vault::UNPROVEN] {
            let counted = self.0.store.read(|r| vault::counted(r, kind))?;
            all.extend(counted.into_iter().map(|(code, n)| (format!("{kind}.{code}"), n)));
        }
        for (reason, more) in &*self.0.refused.borrow() {
            *all.entry(format!("{}.{}", vault::REFUSED, reason.code())).or_default() += more;
        }
        if self.0.repeated.get() > 0 {
            let repeated = format!("{}.envelope", vault::REPEATED);
            *all.entry(repeated).or_default() += self.0.repeated.get();
        }
        Ok(all)
    }
}

/// What happens between honest twins too: a cut link, a pre-key of last month, a full disk.
const fn is_usual(reason: Refusal) -> bool {
    matches!(reason, Refusal::Full | Refusal::Gap | Refusal::UnknownPreKey)
}

const MINUTE_MS: i64 = 60_000;
