//! Keys and scans, the same for tables, vault and door. Never knows what a row means.
use std::ops::Bound;

use heed::RoTxn;
use heed::types::Bytes;

use crate::Error;
use crate::error::engine;

/// A database handle that outlives transactions.
pub(crate) type Rows = heed::Database<'static, Bytes, Bytes>;

/// The longest key LMDB takes.
const KEY_LIMIT: usize = 511;

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Which way a scan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys: what is at or after the starting point.
    Forward,
    /// Descending keys: what is strictly before the starting point.
    Backward,
}

/// `table\0key`, checked.
pub(crate) fn table_key(table: &str, key: &[u8]) -> Result<Vec<u8>, Error> {
    let mut full = Vec::with_capacity(table.len() + 1 + key.len());
    full.extend_from_slice(table.as_bytes());
    full.push(0);
    full.extend_from_slice(key);
    if table.is_empty() || table.as_bytes().contains(&0) || full.len() > KEY_LIMIT {
        return Err(Error::BadKey { table: table.to_owned(), length: key.len() });
    }
    Ok(full)
}

/// A key outside of tables, checked.
pub(crate) fn plain_key<'k>(place: &str, key: &'k [u8]) -> Result<&'k [u8], Error> {
    if key.is_empty() || key.len() > KEY_LIMIT {
        return Err(Error::BadKey { table: place.to_owned(), length: key.len() });
    }
    Ok(key)
}

/// What to read: keys that start with `prefix`, from the point `from` on, `cut` bytes taken off
/// the front of every key that is returned. `prefix` and `from` are whole keys, `cut` included.
pub(crate) struct Scan<'a> {
    pub(crate) prefix: &'a [u8],
    pub(crate) from: Option<&'a [u8]>,
    pub(crate) cut: usize,
    pub(crate) limit: usize,
    pub(crate) direction: Direction,
}

impl Scan<'_> {
    pub(crate) fn run(&self, rows: Rows, txn: &RoTxn<'_>) -> Result<Vec<Row>, Error> {
        let mut found = Vec::new();
        self.each(rows, txn, |key, value| {
            found.push((key.get(self.cut..).unwrap_or_default().to_vec(), value.to_vec()));
            Ok(())
        })?;
        Ok(found)
    }

    /// Shows each row where it lies, with its whole key.
    pub(crate) fn each(
        &self,
        rows: Rows,
        txn: &RoTxn<'_>,
        mut show: impl FnMut(&[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut left = self.limit;
        let mut take = |item: heed::Result<(&[u8], &[u8])>| -> Result<bool, Error> {
            let (key, value) = item.map_err(engine)?;
            if left == 0 || !key.starts_with(self.prefix) {
                return Ok(false);
            }
            left -= 1;
            show(key, value)?;
            Ok(left > 0)
        };
        let range = self.range();
        let range = (range.0.as_ref().map(Vec::as_slice), range.1.as_ref().map(Vec::as_slice));
        match self.direction {
            Direction::Forward => {
                for item in rows.range(txn, &range).map_err(engine)? {
                    if !take(item)? {
                        break;
                    }
                }
            }
            Direction::Backward => {
                for item in rows.rev_range(txn, &range).map_err(engine)? {
                    if !take(item)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn range(&self) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let (mut low, mut high) = (self.prefix.to_vec(), after(self.prefix));
        match (self.direction, self.from) {
            (Direction::Forward, Some(from)) => low = low.max(from.to_vec()),
            (Direction::Backward, Some(from)) => {
                let from = from.to_vec();
                high = Some(high.map_or(from.clone(), |high| high.min(from)));
            }
            (_, None) => {}
        }
        // LMDB knows no empty key.
        let low = if low.is_empty() { Bound::Unbounded } else { Bound::Included(low) };
        let high = match high {
            // Nothing is before the empty key: a range that holds no key at all.
            Some(high) if high.is_empty() => Bound::Excluded(vec![0]),
            Some(high) => Bound::Excluded(high),
            None => Bound::Unbounded,
        };
        (low, high)
    }
}

/// The first key after all keys that start with `prefix`.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}
