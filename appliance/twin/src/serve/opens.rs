//! Connections to other twins that were asked of the gateway. Never opens one itself.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::OwnedFd;

use handover::{FromTwin, Id, Reason};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use super::into_stream;
use crate::site::Speaker;

type Outcome = Result<UnixStream, Reason>;

/// What was asked and is not answered yet.
pub(crate) struct Opens {
    gateway: Speaker<FromTwin>,
    waiting: RefCell<HashMap<u64, oneshot::Sender<Outcome>>>,
    request: Cell<u64>,
}

impl Opens {
    pub(crate) fn new(gateway: Speaker<FromTwin>) -> Self {
        Self { gateway, waiting: RefCell::default(), request: Cell::new(0) }
    }

    /// Asks for a connection to a twin and waits for it.
    pub(crate) async fn open(&self, to: Id) -> Outcome {
        let request = self.request.get() + 1;
        self.request.set(request);
        let (sender, outcome) = oneshot::channel();
        {
            let mut waiting = self.waiting.borrow_mut();
            // Whoever gave up waiting has dropped the other end.
            waiting.retain(|_, sender| !sender.is_closed());
            waiting.insert(request, sender);
        }
        self.gateway.tell(FromTwin::Open { request, to });
        outcome.await.unwrap_or(Err(Reason::Stopping))
    }

    /// The gateway made the connection.
    pub(crate) fn opened(&self, request: u64, descriptor: Option<OwnedFd>) {
        let stream = descriptor.map(into_stream);
        let Some(Ok(stream)) = stream else {
            tracing::error!("a connection came without a usable socket");
            return self.refused(request, Reason::Stopping);
        };
        self.answer(request, Ok(stream));
    }

    /// The gateway did not.
    pub(crate) fn refused(&self, request: u64, reason: Reason) {
        self.answer(request, Err(reason));
    }

    /// The gateway is gone, and with it everything that was asked of it.
    pub(crate) fn none_will_come(&self) {
        for (_, sender) in self.waiting.borrow_mut().drain() {
            let _ = sender.send(Err(Reason::Stopping));
        }
    }

    fn answer(&self, request: u64, outcome: Outcome) {
        if let Some(waiting) = self.waiting.borrow_mut().remove(&request) {
            let _ = waiting.send(outcome);
        }
    }
}
