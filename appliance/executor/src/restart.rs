//! When a twin that died may be started again.
//!
//! A death soon after the start, several times in a row, is a crash loop: the pauses between tries
//! grow, so that a broken twin costs the node nothing. Never uses a clock or a timer of its own.

use std::time::{Duration, Instant};

/// What is remembered of one twin's starts.
#[derive(Debug, Default)]
pub(crate) struct Restart {
    in_a_row: u32,
    not_before: Option<Instant>,
}

impl Restart {
    /// The process ended by itself or was killed, `lived` after its start. Answers how long to wait
    /// when this is a loop.
    pub(crate) fn died(&mut self, lived: Duration, now: Instant) -> Option<Duration> {
        if lived > LIVED {
            *self = Self::default();
            return None;
        }
        self.in_a_row += 1;
        let beyond = self.in_a_row.checked_sub(FREE)?;
        let pause = FIRST_PAUSE.saturating_mul(1 << beyond.min(10)).min(LONGEST_PAUSE);
        self.not_before = Some(now + pause);
        Some(pause)
    }

    /// It can't open its data: trying again at once would not help, so every try costs a pause.
    pub(crate) fn is_broken(&mut self, now: Instant) {
        self.in_a_row = self.in_a_row.max(FREE - 1);
        self.died(Duration::ZERO, now);
    }

    /// The process ended as agreed.
    pub(crate) fn slept(&mut self) {
        *self = Self::default();
    }

    /// Whether it is started again without being asked: not for ever, a hopeless twin costs nothing.
    pub(crate) fn may_return(&self) -> bool {
        self.in_a_row <= RETURNS
    }

    /// How long it still has to wait, when it is in a loop.
    pub(crate) fn waits(&self, now: Instant) -> Option<Duration> {
        let left = self.not_before?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Whether it may be started now.
    pub(crate) fn may_start(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|time| now >= time)
    }
}

/// Who lives this long is not in a crash loop.
const LIVED: Duration = Duration::from_secs(2);
/// Deaths in a row that cost no pause.
const FREE: u32 = 3;
/// Deaths in a row after which it waits for somebody to ask.
const RETURNS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_a_life_ends_them() {
        let (mut restart, now) = (Restart::default(), Instant::now());
        let quick = Duration::from_millis(10);
        let pauses: Vec<_> =
            (0..12).map(|_| restart.died(quick, now).map_or(0, |pause| pause.as_secs())).collect();
        assert_eq!(pauses, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert!(!restart.may_start(now + Duration::from_secs(59)));
        assert!(!restart.may_return());
        assert!(restart.may_start(now + Duration::from_secs(60)));
        assert_eq!(restart.died(Duration::from_secs(3), now), None);
        assert!(restart.may_start(now));
        restart.is_broken(now);
        assert!(!restart.may_start(now));
    }
}
