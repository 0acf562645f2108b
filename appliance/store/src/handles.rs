//! The four databases of a store and the few calls that write to them. Never decides what is
//! written.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use heed::{MdbError, PutFlags, RoTxn, RwTxn};
use tokio::sync::watch;

use crate::Error;
use crate::entry::{EntryRow, Head};
use crate::error::engine;
use crate::quota::Room;
use crate::read::seq_of;
use crate::rows::Rows;

/// Their names; `meta` first because it holds the format mark.
pub(crate) const NAMES: [&str; 4] = ["meta", "journal", "tables", "vault"];

pub(crate) struct Handles {
    pub(crate) meta: Rows,
    pub(crate) journal: Rows,
    pub(crate) tables: Rows,
    pub(crate) vault: Rows,
    /// Set when a write found the map full, so that it is enlarged before the next one.
    pub(crate) map_was_full: AtomicBool,
    /// Bytes that the data may take.
    pub(crate) quota: Option<u64>,
    pub(crate) room: watch::Sender<Room>,
    /// Bytes of all chunks.
    pub(crate) blobs: Arc<AtomicU64>,
}

impl Handles {
    pub(crate) fn new([meta, journal, tables, vault]: [Rows; 4], quota: Option<u64>) -> Self {
        let (map_was_full, room) = (AtomicBool::new(false), watch::Sender::new(Room::Enough));
        let blobs = Arc::default();
        Self { meta, journal, tables, vault, map_was_full, quota, room, blobs }
    }

    /// Bytes of all chunks.
    pub(crate) fn blob_bytes(&self) -> u64 {
        self.blobs.load(Ordering::Relaxed)
    }

    pub(crate) fn put(
        &self,
        rows: Rows,
        txn: &mut RwTxn<'_>,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Error> {
        rows.put(txn, key, value).map_err(|e| self.noted(e))
    }

    /// Puts a row whose key is after all others: pages fill up, and nothing can be overwritten.
    pub(crate) fn put_last(
        &self,
        rows: Rows,
        txn: &mut RwTxn<'_>,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Error> {
        rows.put_with_flags(txn, PutFlags::APPEND, key, value).map_err(|e| self.noted(e))
    }

    pub(crate) fn delete(
        &self,
        rows: Rows,
        txn: &mut RwTxn<'_>,
        key: &[u8],
    ) -> Result<bool, Error> {
        rows.delete(txn, key).map_err(|e| self.noted(e))
    }

    pub(crate) fn head(&self, txn: &RoTxn<'_>) -> Result<Head, Error> {
        match self.journal.last(txn).map_err(engine)? {
            None => Ok(Head::default()),
            Some((key, row)) => {
                let seq = seq_of(key)?;
                Ok(Head { seq, hash: EntryRow::new(seq, row)?.hash() })
            }
        }
    }

    /// Sorts an error of a write.
    fn noted(&self, error: heed::Error) -> Error {
        self.note(&error);
        engine(error)
    }

    /// Remembers a full map.
    pub(crate) fn note(&self, error: &heed::Error) {
        if matches!(error, heed::Error::Mdb(MdbError::MapFull)) {
            self.map_was_full.store(true, Ordering::Relaxed);
        }
    }
}
