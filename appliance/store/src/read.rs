//! Reading one consistent state of a store. Never outlives the closure it is given to.
use heed::RoTxn;

use crate::Error;
use crate::entry::{self, Entry, EntryRow, Head};
use crate::error::engine;
use crate::fold::Tables;
use crate::handles::Handles;
use crate::rows::{Direction, Row, Scan, plain_key, table_key};
use crate::write::Writer;

/// One consistent state: tables, journal, content and vault as of one moment, or, inside a write,
/// as that write has made them so far. Read by [`ReadTables`] and [`ReadAll`].
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub(crate) handles: &'a Handles,
    pub(crate) txn: &'a RoTxn<'a>,
}

mod state {
    /// What has a state to read; outside of this crate nobody can ask for it.
    pub trait State {
        /// The state, all of it.
        fn state(&self) -> super::Reader<'_>;
    }
}

use state::State;

impl State for Reader<'_> {
    fn state(&self) -> Reader<'_> {
        *self
    }
}

impl State for Tables<'_> {
    fn state(&self) -> Reader<'_> {
        Reader { handles: self.handles, txn: &self.txn }
    }
}

impl State for Writer<'_> {
    fn state(&self) -> Reader<'_> {
        self.reader()
    }
}

impl ReadTables for Reader<'_> {}
impl ReadTables for Tables<'_> {}
impl ReadTables for Writer<'_> {}
impl ReadAll for Reader<'_> {}
impl ReadAll for Writer<'_> {}

/// Reading tables: the same from outside, within a change and within a fold.
pub trait ReadTables: State {
    /// The value of `key` in `table`.
    ///
    /// # Errors
    /// [`Error::BadKey`], or the disk failed.
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let (Reader { handles, txn }, full) = (self.state(), table_key(table, key)?);
        let value = handles.tables.get(txn, &full).map_err(engine)?;
        Ok(value.map(<[u8]>::to_vec))
    }

    /// At most `limit` rows of `table` from a point on. `Forward` gives keys at or after `from`,
    /// `Backward` keys strictly before it, so the last key of a page is the `from` of the next one
    /// backward, and that key with a zero byte added the next one forward.
    ///
    /// # Errors
    /// As [`ReadTables::get`].
    fn range(
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
    /// As [`ReadTables::get`].
    fn prefix(
        &self,
        table: &str,
        prefix: &[u8],
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Row>, Error> {
        self.page(table, prefix, None, limit, direction)
    }

    /// Rows whose keys start with `prefix`, from the point `from` (a whole key) on as in
    /// [`ReadTables::range`], or from the end the direction starts at.
    ///
    /// # Errors
    /// As [`ReadTables::get`].
    fn page(
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
        let (cut, Reader { handles, txn }) = (table.len() + 1, self.state());
        Scan { prefix: &prefix, from, cut, limit, direction }.run(handles.tables, txn)
    }
}

/// Reading everything else: journal, contents and vault.
pub trait ReadAll: ReadTables {
    /// The entry at `seq`.
    ///
    /// # Errors
    /// [`Error::NewerEntry`], [`Error::Damaged`], or the disk failed.
    fn entry(&self, seq: u64) -> Result<Option<Entry>, Error> {
        self.state().row(seq)?.map(|row| row.entry()).transpose()
    }

    /// At most `limit` entries: `Forward` at or after `from`, `Backward` strictly before it (so
    /// `u64::MAX` starts at the newest).
    ///
    /// # Errors
    /// As [`ReadAll::entry`].
    fn entries(&self, from: u64, limit: usize, direction: Direction) -> Result<Vec<Entry>, Error> {
        let Reader { handles, txn } = self.state();
        let from = from.to_be_bytes();
        let scan = Scan { prefix: b"", from: Some(&from), cut: 0, limit, direction };
        let mut entries = Vec::new();
        scan.each(handles.journal, txn, |key, row| {
            entries.push(EntryRow::new(seq_of(key)?, row)?.entry()?);
            Ok(())
        })?;
        Ok(entries)
    }

    /// The content of the entry at `seq`; `None` when it has none (any more).
    ///
    /// # Errors
    /// [`Error::Damaged`], or the disk failed.
    fn content(&self, seq: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(row) = self.state().row(seq)? else { return Ok(None) };
        Ok(row.content()?.map(<[u8]>::to_vec))
    }

    /// The end of the journal.
    ///
    /// # Errors
    /// The disk failed.
    fn head(&self) -> Result<Head, Error> {
        let Reader { handles, txn } = self.state();
        handles.head(txn)
    }

    /// A value of the vault.
    ///
    /// # Errors
    /// [`Error::BadKey`], or the disk failed.
    fn vault_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Reader { handles, txn } = self.state();
        let value = handles.vault.get(txn, plain_key("vault", key)?).map_err(engine)?;
        Ok(value.map(<[u8]>::to_vec))
    }

    /// All values of the vault whose keys start with `prefix`, ascending.
    ///
    /// # Errors
    /// The disk failed.
    fn vault_prefix(&self, prefix: &[u8]) -> Result<Vec<Row>, Error> {
        self.vault_page(prefix, None, usize::MAX, Direction::Forward)
    }

    /// How many values of the vault have a key that starts with `prefix`, counted up to `limit`.
    ///
    /// # Errors
    /// The disk failed.
    fn vault_count(&self, prefix: &[u8], limit: usize) -> Result<usize, Error> {
        let Reader { handles, txn } = self.state();
        let scan = Scan { prefix, from: None, cut: 0, limit, direction: Direction::Forward };
        let mut count = 0;
        scan.each(handles.vault, txn, |_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    /// As [`ReadTables::page`], of the vault.
    ///
    /// # Errors
    /// The disk failed.
    fn vault_page(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Row>, Error> {
        let Reader { handles, txn } = self.state();
        Scan { prefix, from, cut: 0, limit, direction }.run(handles.vault, txn)
    }
}

impl<'a> Reader<'a> {
    /// The journal row at `seq`.
    pub(crate) fn row(&self, seq: u64) -> Result<Option<EntryRow<'a>>, Error> {
        let row = self.handles.journal.get(self.txn, &seq.to_be_bytes()).map_err(engine)?;
        row.map(|row| EntryRow::new(seq, row)).transpose()
    }
}

pub(crate) fn seq_of(key: &[u8]) -> Result<u64, Error> {
    let key: [u8; 8] = key.try_into().map_err(|_| entry::damaged(0))?;
    Ok(u64::from_be_bytes(key))
}
