//! In what condition a life's data are, and what can be done about it. Never says what is in them.

use std::{future::Future, path::Path};

use store::{Direction, ReadAll as _, Room, Stopped, Usage};
use tokio::{net::UnixStream, sync::watch};

use super::{Fault, Life, aside, open::Signer};

/// What there is to know about the data as a whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    /// Why nothing is written any more.
    pub(crate) stopped: Option<Stopped>,
    /// How large the data are.
    pub(crate) usage: Usage,
    /// Time of the newest entry.
    pub(crate) newest_ms: Option<i64>,
    /// Bytes that repairs have kept aside.
    pub(crate) kept_bytes: u64,
}

impl Life {
    /// How the data are.
    pub(crate) fn condition(&self) -> Result<Condition, Fault> {
        let store = &self.0.store;
        let newest = store.read(|r| r.entries(u64::MAX, 1, Direction::Backward))?;
        let length = |path: &Path| path.metadata().map_or(0, |found| found.len());
        Ok(Condition {
            stopped: store.stopped(),
            usage: store.usage()?,
            newest_ms: newest.first().map(|entry| entry.time_ms),
            kept_bytes: store::kept_copies(&self.0.folder)?.iter().map(|path| length(path)).sum(),
        })
    }

    /// Tells when writing stops and when it goes on.
    pub(crate) fn watch_stopped(&self) -> watch::Receiver<Option<Stopped>> {
        self.0.store.watch_stopped()
    }

    /// Tells when room for the data gets short and when there is some again.
    pub(crate) fn watch_room(&self) -> watch::Receiver<Room> {
        self.0.store.watch_room()
    }

    /// Makes the tables again from the journal, if that is sound; keeps what was there.
    pub(crate) async fn rebuild(&self) -> Result<u64, String> {
        let (store, signer) = (self.0.store.clone(), Signer(self.0.shared.key.clone()));
        let rebuild = move || store.rebuild_tables(&signer).map_err(|error| crate::chain(&error));
        aside(rebuild).await.map(|verified| verified.entries)
    }

    /// Removes what repairs have kept.
    pub(crate) fn forget_copies(&self) -> Result<(), Fault> {
        Ok(store::forget_copies(&self.0.folder)?)
    }

    /// Whether the data may be written: nothing is delivered or received before.
    pub(super) fn is_stopped(&self) -> bool {
        self.0.store.stopped().is_some()
    }

    /// Delivers while the data may be written.
    pub(super) async fn pump_while_sound<F, Fut>(&self, open: F)
    where
        F: Fn(link::TwinId) -> Fut,
        Fut: Future<Output = Result<UnixStream, handover::Reason>>,
    {
        let mut stopped = self.watch_stopped();
        loop {
            // The sender lives in the store, which lives in `self`.
            let _ = stopped.wait_for(Option::is_none).await;
            let mut stops = self.watch_stopped();
            tokio::select! {
                () = self.0.peers.pump(&open) => return,
                _ = stops.wait_for(Option::is_some) => {}
            }
        }
    }
}
