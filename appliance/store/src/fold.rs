//! Tables as a fold of the journal: what a fold is, what it may see, and replaying it. Never
//! gives a fold a clock, randomness or anything that is not in the entry or the tables.
use heed::RwTxn;

use crate::Error;
use crate::blobs::Blob;
use crate::entry::{self, Entry};
use crate::error::FoldError;
use crate::handles::Handles;
use crate::read::{ReadAll as _, Reader};
use crate::rows::table_key;

/// How entries become table rows.
///
/// The law a fold must obey, so that tables made live, tables rebuilt from the journal and tables
/// rebuilt after an erase are the same bytes:
///
/// 1. `apply` and `forget` depend on nothing but their arguments: no clock, randomness, locale,
///    floating point, hash-map order or state of their own. Ids and times are in the entry.
/// 2. `apply` works with `content` = `None` for every entry that may have content: that is what a
///    replay sees after an erase. Whatever it leaves out may only be what `forget` takes away.
/// 3. Let `A` be the tables made by any history in which an entry's content was there, and `B` by
///    the same history with that content missing from the start. Then `forget(entry)` makes the
///    same tables of both. It follows that `forget` is idempotent, and that a row must say which
///    entry its content came from wherever a later entry can replace it (compare `seq`).
///
/// When an `store.erase` entry is appended or replayed, the store first calls `forget` for each
/// entry it names, in ascending order, then `apply` with the erase entry itself.
/// `Store::verify` finds a fold that breaks this law; test yours with random histories.
pub trait Fold: Send + Sync {
    /// Raise it whenever the same journal would give other tables than before: tables are then
    /// rebuilt at the next open.
    fn version(&self) -> u32;

    /// Applies one entry to the tables. Unknown kinds should be ignored, not refused: an older
    /// release meets them after a fallback.
    ///
    /// # Errors
    /// [`FoldError::Refused`] makes the change that appends the entry fail as a whole.
    fn apply(
        &self,
        entry: &Entry,
        content: Option<&[u8]>,
        tables: &mut Tables<'_>,
    ) -> Result<(), FoldError>;

    /// Takes out of the tables what the content of `entry` had put there. As given, it applies the
    /// entry once more without content, which is right for folds where that is idempotent.
    ///
    /// # Errors
    /// As [`Fold::apply`].
    fn forget(&self, entry: &Entry, tables: &mut Tables<'_>) -> Result<(), FoldError> {
        self.apply(entry, None, tables)
    }

    /// Shows every [`Blob`] that the tables need: all others are removed. A content that was erased
    /// is not needed any more, which the tables can't say: look whether its entry still has one.
    ///
    /// # Errors
    /// What `show` returns, or the disk failed.
    fn blobs(
        &self,
        _: &Reader<'_>,
        _show: &mut dyn FnMut(Blob) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Ok(())
    }
}

/// The tables, inside the transaction that appends an entry. Only a fold gets them for writing; it
/// reads them by [`ReadTables`](crate::ReadTables).
pub struct Tables<'p> {
    pub(crate) handles: &'p Handles,
    pub(crate) txn: RwTxn<'p>,
    /// A write failed: even a fold that overlooks it must not have its half committed.
    pub(crate) failed: bool,
}

impl<'p> Tables<'p> {
    pub(crate) fn new(handles: &'p Handles, txn: RwTxn<'p>) -> Self {
        Self { handles, txn, failed: false }
    }

    /// Puts a row, replacing the one with the same key.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Full`], or the disk failed.
    pub fn put(&mut self, table: &str, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let full = table_key(table, key)?;
        let result = self.handles.put(self.handles.tables, &mut self.txn, &full, value);
        self.failed |= result.is_err();
        result
    }

    /// Deletes a row; tells whether there was one.
    ///
    /// # Errors
    /// As [`Tables::put`].
    pub fn delete(&mut self, table: &str, key: &[u8]) -> Result<bool, Error> {
        let full = table_key(table, key)?;
        let result = self.handles.delete(self.handles.tables, &mut self.txn, &full);
        self.failed |= result.is_err();
        result
    }
}

/// One entry through the fold, erased entries first: the same steps live and in a replay.
pub(crate) fn step(
    fold: &dyn Fold,
    entry: &Entry,
    content: Option<&[u8]>,
    erased: &[Entry],
    tables: &mut Tables<'_>,
) -> Result<(), Error> {
    for target in erased {
        fold.forget(target, tables).map_err(|e| e.at(entry.seq, &entry.kind))?;
    }
    fold.apply(entry, content, tables).map_err(|e| e.at(entry.seq, &entry.kind))
}

/// Replays the journal that `source` sees, `from ..= to`, into `tables`.
pub(crate) fn replay(
    source: &Reader<'_>,
    from: u64,
    to: u64,
    fold: &dyn Fold,
    tables: &mut Tables<'_>,
) -> Result<(), Error> {
    for seq in from..=to {
        let row = source.row(seq)?.ok_or_else(|| entry::damaged(seq))?;
        let entry = row.entry()?;
        let mut erased = Vec::new();
        for target in entry::erase_targets(&entry)? {
            erased.push(source.entry(target)?.ok_or_else(|| entry::damaged(seq))?);
        }
        step(fold, &entry, row.content()?, &erased, tables)?;
    }
    Ok(())
}
