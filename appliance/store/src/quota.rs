//! How much room the data may take: changes that make them grow ask first. Never stands in the way
//! of what erases, or of what keeps the store in order.
//!
//! What counts are the pages in use, and the chunks of large contents. The file itself does not shrink by an erase, but what was freed
//! in it is used again before it grows, and a compacting copy gives it back.
use heed::RoTxn;

use crate::error::engine;
use crate::handles::Handles;
use crate::write::Writer;
use crate::{Error, Space, Store};

/// How much of the quota is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Enough, or there is no quota.
    Enough,
    /// A tenth at most.
    Little,
    /// Nothing: changes that ask are refused.
    Full,
}

impl Room {
    /// With so many bytes in use.
    #[must_use]
    pub fn of(used: u64, quota: Option<u64>) -> Self {
        match quota {
            Some(quota) if used >= quota => Self::Full,
            Some(quota) if used >= quota - quota / 10 => Self::Little,
            Some(_) | None => Self::Enough,
        }
    }
}

impl Store {
    /// Tells when there is little room, none, or enough again, as far as changes have asked.
    #[must_use]
    pub fn watch_room(&self) -> tokio::sync::watch::Receiver<Room> {
        self.core().handles.room.subscribe()
    }
}

impl Writer<'_> {
    /// Refuses to go on when the data take all the room they may. To be asked by changes that make
    /// them grow, before they do.
    ///
    /// # Errors
    /// [`Error::Full`] with [`Space::Quota`], or the disk failed.
    pub fn check_room(&self) -> Result<(), Error> {
        let reader = self.reader();
        match reader.handles.look_at_room(reader.txn)? {
            Room::Full => Err(Error::Full { space: Space::Quota }),
            Room::Enough | Room::Little => Ok(()),
        }
    }
}

impl Handles {
    /// Bytes of the pages in use.
    pub(crate) fn used_bytes(&self, txn: &RoTxn<'_>) -> Result<u64, Error> {
        let all = [self.meta, self.journal, self.tables, self.vault];
        let size = |rows: crate::rows::Rows| rows.stat(txn).map(|stat| stat.non_free_page_size());
        let sum: usize = all.into_iter().map(size).sum::<heed::Result<_>>().map_err(engine)?;
        Ok(sum as u64)
    }

    /// Looks how much is left, and tells when that is news.
    pub(crate) fn look_at_room(&self, txn: &RoTxn<'_>) -> Result<Room, Error> {
        if self.quota.is_none() {
            return Ok(Room::Enough);
        }
        let room = Room::of(self.used_bytes(txn)?.saturating_add(self.blob_bytes()), self.quota);
        self.room.send_if_modified(|before| std::mem::replace(before, room) != room);
        Ok(room)
    }
}
