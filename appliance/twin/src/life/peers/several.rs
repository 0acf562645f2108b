//! Runs several futures of one task side by side. Dropping it drops them all, so nothing that a
//! pump or a server began outlives it. Meant for tens, not thousands: a wake polls each once.

use std::{future::Future, pin::Pin, task::Poll};

/// Futures under way.
pub(super) struct Several<'a, T>(Vec<Pin<Box<dyn Future<Output = T> + 'a>>>);

impl<'a, T> Several<'a, T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn push(&mut self, future: impl Future<Output = T> + 'a) {
        self.0.push(Box::pin(future));
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The result of the next one that is done; waits for ever while there is none. May be dropped
    /// and asked again.
    pub(super) async fn next(&mut self) -> T {
        std::future::poll_fn(|context| {
            for at in 0..self.0.len() {
                if let Poll::Ready(result) = self.0[at].as_mut().poll(context) {
                    drop(self.0.swap_remove(at));
                    return Poll::Ready(result);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Starts all in order, then gives all results in that order.
pub(super) async fn together<T>(futures: Vec<Pin<Box<dyn Future<Output = T> + '_>>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.into_iter().map(|f| (Some(f), None)).collect();
    std::future::poll_fn(|context| {
        for (future, result) in &mut waiting {
            if let Some(running) = future
                && let Poll::Ready(done) = running.as_mut().poll(context)
            {
                (*future, *result) = (None, Some(done));
            }
        }
        if waiting.iter().all(|(_, result)| result.is_some()) {
            Poll::Ready(waiting.iter_mut().filter_map(|(_, result)| result.take()).collect())
        } else {
            Poll::Pending
        }
    })
    .await
}
