//! What a receiver remembers of one sender so that every envelope takes effect once and in order.
//! It judges; it never stores anything itself.

use crate::codec;
use serde::{Deserialize, Serialize};

/// The receive side of one sender: the newest epoch seen and the next counter owed in it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Marks {
    epoch: u32,
    done: u64,
}

/// What to do with an envelope.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judgement {
    /// Took effect earlier: acknowledge again, apply nothing.
    Duplicate,
    /// An older one that the sender still holds is missing.
    Gap {
        /// The counter after which the sender should begin again.
        expected: u64,
    },
    /// Apply it, and store the advanced marks in the same transaction.
    Next,
    /// From before the sender's last restore.
    OldEpoch,
}

impl Marks {
    /// Judges an envelope with this epoch and counter. `after` is the counter of the youngest
    /// older envelope that the sender still holds unacknowledged (0: none), so numbers given up by
    /// the sender leave no hole that would stop everything behind them.
    #[must_use]
    pub const fn judge(&self, epoch: u32, counter: u64, after: u64) -> Judgement {
        if epoch < self.epoch {
            return Judgement::OldEpoch;
        }
        let done = if epoch > self.epoch { 0 } else { self.done };
        if counter <= done {
            return Judgement::Duplicate;
        }
        if after > done { Judgement::Gap { expected: done + 1 } } else { Judgement::Next }
    }

    /// The marks once the envelope that was judged `Next` has taken effect.
    #[must_use]
    pub const fn advanced(self, epoch: u32, counter: u64) -> Self {
        Self { epoch, done: counter }
    }

    /// Bytes for the vault.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The marks that `to_bytes` wrote; `None` when the bytes are something else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        codec::decode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Judgement::{Duplicate, Gap, Next, OldEpoch};

    #[test]
    fn judgements() {
        let marks = Marks { epoch: 2, done: 5 };
        let cases = [
            // epoch, counter, after
            ((2, 6, 0), Next),
            ((2, 6, 5), Next),
            ((2, 9, 5), Next),
            ((2, 7, 6), Gap { expected: 6 }),
            ((2, 5, 0), Duplicate),
            ((2, 1, 0), Duplicate),
            ((2, 0, 0), Duplicate),
            ((1, 6, 0), OldEpoch),
            ((1, 1, 0), OldEpoch),
            ((3, 1, 0), Next),
            ((3, 2, 1), Gap { expected: 1 }),
            ((3, 0, 0), Duplicate),
            ((2, u64::MAX, 0), Next),
        ];
        for ((epoch, counter, after), judgement) in cases {
            assert_eq!(marks.judge(epoch, counter, after), judgement, "{epoch} {counter} {after}");
        }
    }

    #[test]
    fn any_order_of_arrival_takes_effect_once_and_in_order() {
        use proptest::prelude::*;
        let arrivals = prop::collection::vec(1..=8_u64, 0..60);
        proptest!(ProptestConfig::with_cases(64), |(arrivals in arrivals)| {
            let (mut marks, mut effects) = (Marks::default(), Vec::new());
            for counter in arrivals {
                // The sender has had nothing acknowledged: each still owes the one before.
                if marks.judge(1, counter, counter - 1) == Next {
                    marks = marks.advanced(1, counter);
                    effects.push(counter);
                }
            }
            let in_order: Vec<u64> = (1..=effects.len() as u64).collect();
            prop_assert_eq!(&effects, &in_order);
            prop_assert_eq!(Marks::from_bytes(&marks.to_bytes()), Some(marks));
        });
    }
}
