//! Reading one consistent state of a store. Never outlives the closure it is given to.
use heed::RoTxn;

use crate::entry::{Entry, Head, SALT};
use crate::error::engine;
use crate::handles::Handles;
use crate::rows::{Direction, Row, Scan, plain_key, table_key};
use crate::{Error, entry};

/// One consistent state: tables, journal, content and vault as of one moment, or, inside a write,
/// as that write has made them so far.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub(crate) handles: &'a Handles,
    pub(crate) txn: &'a RoTxn<'a>,
}

impl Reader<'_> {
    /// The value of `key` in `table`.
    ///
    /// # Errors
    /// [`Error::BadKey`], or the disk failed.
    pub fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let full = table_key(table, key)?;
        let value = self.handles.tables.get(self.txn, &full).map_err(engine)?;
        Ok(value.map(<[u8]>::to_vec))
    }

    /// At most `limit` rows of `table` from a point on. `Forward` gives keys at or after `from`,
    /// `Backward` keys strictly before it, so the last key of a page is the `from` of the next one
    /// backward, and that key with a zero byte added the next one forward.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn range(
        &self,
        table: &str,
        from: &[u8],
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Row>, Error> {
        self.page(table, b"", Some(from), limit, direction)
    }

    /// At most `limit` rows of `table` whose keys start with `prefix`, from the first or the last.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn prefix(
        &self,
        table: &str,
        prefix: &[u8],
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Row>, Error> {
        self.page(table, prefix, None, limit, direction)
    }

    /// Rows whose keys start with `prefix`, from the point `from` (a whole key) on as in
    /// [`Reader::range`], or from the end the direction starts at.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn page(
        &self,
        table: &str,
        prefix: &[u8],
        from: Option<&[u8]>,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Row>, Error> {
        let prefix = table_key(table, prefix)?;
        let from = from.map(|from| table_key(table, from)).transpose()?;
        let from = from.as_deref();
        let cut = table.len() + 1;
        Scan { prefix: &prefix, from, cut, limit, direction }.run(self.handles.tables, self.txn)
    }

    /// The entry at `seq`.
    ///
    /// # Errors
    /// [`Error::NewerEntry`], [`Error::Damaged`], or the disk failed.
    pub fn entry(&self, seq: u64) -> Result<Option<Entry>, Error> {
        let row = self.handles.journal.get(self.txn, &seq.to_be_bytes()).map_err(engine)?;
        row.map(|row| Entry::from_row(seq, row)).transpose()
    }

    /// At most `limit` entries: `Forward` at or after `from`, `Backward` strictly before it (so
    /// `u64::MAX` starts at the newest).
    ///
    /// # Errors
    /// As [`Reader::entry`].
    pub fn entries(
        &self,
        from: u64,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Entry>, Error> {
        let from = from.to_be_bytes();
        let scan = Scan { prefix: b"", from: Some(&from), cut: 0, limit, direction };
        let rows = scan.run(self.handles.journal, self.txn)?;
        rows.iter().map(|(key, row)| Entry::from_row(seq_of(key)?, row)).collect()
    }

    /// The content of the entry at `seq`; `None` when it has none (any more).
    ///
    /// # Errors
    /// [`Error::Damaged`], or the disk failed.
    pub fn content(&self, seq: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(row) = self.salted(seq)? else {
            return Ok(None);
        };
        row.get(SALT..).map(|content| Some(content.to_vec())).ok_or_else(|| entry::damaged(seq))
    }

    /// The end of the journal.
    ///
    /// # Errors
    /// The disk failed.
    pub fn head(&self) -> Result<Head, Error> {
        self.handles.head(self.txn)
    }

    /// A value of the vault.
    ///
    /// # Errors
    /// [`Error::BadKey`], or the disk failed.
    pub fn vault_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let value = self.handles.vault.get(self.txn, plain_key("vault", key)?).map_err(engine)?;
        Ok(value.map(<[u8]>::to_vec))
    }

    /// All values of the vault whose keys start with `prefix`, ascending.
    ///
    /// # Errors
    /// The disk failed.
    pub fn vault_prefix(&self, prefix: &[u8]) -> Result<Vec<Row>, Error> {
        self.vault_page(prefix, None, usize::MAX, Direction::Forward)
    }

    /// As [`Reader::page`], of the vault.
    ///
    /// # Errors
    /// The disk failed.
    pub fn vault_page(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Row>, Error> {
        Scan { prefix, from, cut: 0, limit, direction }.run(self.handles.vault, self.txn)
    }

    /// Salt and content of an entry.
    pub(crate) fn salted(&self, seq: u64) -> Result<Option<&[u8]>, Error> {
        self.handles.content.get(self.txn, &seq.to_be_bytes()).map_err(engine)
    }
}

pub(crate) fn seq_of(key: &[u8]) -> Result<u64, Error> {
    let key: [u8; 8] = key.try_into().map_err(|_| entry::damaged(0))?;
    Ok(u64::from_be_bytes(key))
}
