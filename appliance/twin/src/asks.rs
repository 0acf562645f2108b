//! Questions to another process: each has a number, and an answer that comes back with it or not at
//! all. Never waits for ever.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::oneshot;

/// Questions of one kind that wait.
pub(crate) struct Asks<T> {
    waiting: RefCell<HashMap<u64, oneshot::Sender<T>>>,
    last: Cell<u64>,
}

impl<T> Default for Asks<T> {
    fn default() -> Self {
        Self { waiting: RefCell::default(), last: Cell::new(0) }
    }
}

impl<T> Asks<T> {
    /// Asks with a new number and waits for its answer; `None` when none comes in time.
    pub(crate) async fn ask(&self, within: Duration, ask: impl FnOnce(u64)) -> Option<T> {
        let request = self.last.get() + 1;
        self.last.set(request);
        let (sender, answer) = oneshot::channel();
        self.waiting.borrow_mut().insert(request, sender);
        ask(request);
        let answer = tokio::time::timeout(within, answer).await;
        self.waiting.borrow_mut().remove(&request);
        answer.ok()?.ok()
    }

    /// The answer to one of them; nobody waits for it who gave up.
    pub(crate) fn answer(&self, request: u64, answer: T) {
        if let Some(waiting) = self.waiting.borrow_mut().remove(&request) {
            let _ = waiting.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_finds_its_question_and_none_waits_for_ever() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let asks = Asks::default();
            let long = Duration::from_secs(20);
            let (first, second) = tokio::join!(asks.ask(long, |_| {}), async {
                asks.answer(7, "nobody asked");
                asks.ask(long, |request| {
                    asks.answer(request, "second");
                    asks.answer(request - 1, "first");
                })
                .await
            });
            assert_eq!((first, second), (Some("first"), Some("second")));
            assert_eq!(asks.ask(Duration::from_millis(1), |_| {}).await, None::<&str>);
        });
    }
}
