//! Telling of commits: the newest durable entry, for whoever asks and whoever waits for the next,
//! and the thread that tells everybody whom a commit concerns.
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use crate::entry::Head;
use crate::write::After;

/// The newest durable entry.
#[derive(Default)]
pub(crate) struct Ends {
    head: watch::Sender<Head>,
    seq: watch::Sender<u64>,
}

impl Ends {
    pub(crate) fn head(&self) -> Head {
        *self.head.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.seq.subscribe()
    }

    /// Never back: the courier may tell of a commit after somebody was told of the next.
    pub(crate) fn publish(&self, head: Head) {
        let newer = self.head.send_if_modified(|known| {
            let newer = head.seq > known.seq;
            if newer {
                *known = head;
            }
            newer
        });
        if newer {
            self.seq.send_replace(head.seq);
        }
    }
}

/// Whoever tells of commits instead of the writer's thread.
#[derive(Default)]
pub(crate) struct Courier {
    to: Mutex<Option<UnboundedSender<After>>>,
}

impl Courier {
    /// Tells on the thread that polls this; the one before is let go.
    pub(crate) fn hire(&self) -> impl Future<Output = ()> + use<> {
        let (to, mut commits) = unbounded_channel::<After>();
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
        async move {
            while let Some(tell) = commits.recv().await {
                tell();
            }
        }
    }

    /// On the thread of whoever was hired, else on this one.
    pub(crate) fn tell(&self, tell: After) {
        let mut courier = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = match &*courier {
            Some(to) => to.send(tell).err().map(|SendError(tell)| tell),
            None => Some(tell),
        };
        if let Some(tell) = untold {
            *courier = None;
            drop(courier);
            tell();
        }
    }
}
