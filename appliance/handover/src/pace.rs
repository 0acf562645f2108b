//! Who says too much waits, in its own queue, and keeps nobody else waiting. Uses no timer as long as
//! nobody does; never drops anything.

use std::time::{Duration, Instant};

/// So many steps in a second, not more.
#[derive(Debug)]
pub struct Pace {
    most: u32,
    taken: u32,
    since: Instant,
}

impl Pace {
    /// Begins with all of them.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self { most, taken: 0, since: Instant::now() }
    }

    /// Takes one step, after a wait when this second has none left.
    pub async fn keep(&mut self) {
        let wait = self.take(1, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes some steps; answers how long to wait before the next.
    pub fn take(&mut self, steps: u32, now: Instant) -> Duration {
        let mut gone = now.saturating_duration_since(self.since);
        if gone >= SECOND {
            (self.taken, self.since, gone) = (0, now, Duration::ZERO);
        }
        self.taken = self.taken.saturating_add(steps);
        if self.taken < self.most { Duration::ZERO } else { SECOND - gone }
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_steps() {
        let mut pace = Pace::new(3);
        let begin = pace.since;
        assert_eq!(pace.take(1, begin), Duration::ZERO);
        assert_eq!(pace.take(1, begin), Duration::ZERO);
        assert_eq!(pace.take(1, begin + SECOND / 4), SECOND * 3 / 4);
        assert_eq!(pace.take(1, begin + SECOND), Duration::ZERO);
    }
}
