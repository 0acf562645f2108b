//! When a twin was last used, and waiting until that is long enough ago.
//!
//! Never wakes up while something is in use: one timer runs, and only while nothing is.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The idle clock. Only what people and known twins do moves it.
pub(crate) struct Idle {
    in_use: Cell<usize>,
    awake_until: Cell<Instant>,
    after: Duration,
    released: Notify,
    /// Somebody wants this process to make room for the next one.
    leaving: Cell<bool>,
}

/// As long as it lives the twin is in use.
pub(crate) struct Hold(Rc<Idle>);

impl Idle {
    /// A twin that is idle after this time without use; counted from now.
    pub(crate) fn new(after: Duration) -> Rc<Self> {
        Rc::new(Self {
            in_use: Cell::new(0),
            awake_until: Cell::new(Instant::now() + after),
            after,
            released: Notify::new(),
            leaving: Cell::new(false),
        })
    }

    /// Something is in use until the hold is dropped.
    pub(crate) fn hold(self: &Rc<Self>) -> Hold {
        self.in_use.set(self.in_use.get() + 1);
        Hold(self.clone())
    }

    /// Ends all waiting: the process shall end as if it were idle, and the next one start fresh.
    pub(crate) fn leave(&self) {
        self.leaving.set(true);
        self.released.notify_one();
    }

    /// Waits for [`Idle::leave`] alone.
    pub(crate) async fn left(&self) {
        while !self.leaving.get() {
            self.released.notified().await;
        }
    }

    fn stay(&self, time: Duration) {
        self.awake_until.set(self.awake_until.get().max(Instant::now() + time));
    }

    /// Waits until nothing is in use, all was quiet for the set time, and `busy` has no reason to
    /// ask again after some time.
    pub(crate) async fn over(&self, busy: impl Fn() -> Option<Duration>) {
        loop {
            if self.leaving.get() {
                return;
            } else if self.in_use.get() > 0 {
                self.released.notified().await;
            } else if Instant::now() < self.awake_until.get() {
                tokio::select! {
                    () = tokio::time::sleep_until(self.awake_until.get()) => {}
                    () = self.released.notified() => {}
                }
            } else if let Some(time) = busy() {
                self.stay(time);
            } else {
                return;
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let in_use = self.0.in_use.get().saturating_sub(1);
        self.0.in_use.set(in_use);
        self.0.stay(self.0.after);
        if in_use == 0 {
            self.0.released.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(test);
    }

    async fn is_over_within(idle: &Idle, time: Duration) -> bool {
        tokio::time::timeout(time, idle.over(|| None)).await.is_ok()
    }

    #[test]
    fn a_hold_keeps_a_twin_awake_and_its_end_starts_the_clock_anew() {
        run(async {
            let idle = Idle::new(Duration::from_millis(50));
            let hold = idle.hold();
            let second = idle.hold();
            drop(second);
            assert!(!is_over_within(&idle, Duration::from_millis(200)).await);
            drop(hold);
            assert!(!is_over_within(&idle, Duration::from_millis(10)).await);
            assert!(is_over_within(&idle, Duration::from_secs(20)).await);
        });
    }

    #[test]
    fn leaving_does_not_wait_for_anything() {
        run(async {
            let idle = Idle::new(Duration::from_secs(600));
            let _hold = idle.hold();
            assert!(!is_over_within(&idle, Duration::from_millis(50)).await);
            idle.leave();
            assert!(is_over_within(&idle, Duration::from_secs(20)).await);
            assert!(tokio::time::timeout(Duration::from_secs(20), idle.left()).await.is_ok());
        });
    }

    #[test]
    fn a_busy_life_is_asked_again() {
        run(async {
            let idle = Idle::new(Duration::from_millis(1));
            let asked = Cell::new(0);
            idle.over(|| {
                asked.set(asked.get() + 1);
                (asked.get() < 3).then_some(Duration::from_millis(1))
            })
            .await;
            assert_eq!(asked.get(), 3);
        });
    }
}
