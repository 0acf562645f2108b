//! Cursors: keys and numbers as opaque text. They carry nothing secret and are checked when they
//! come back.

use capability::wire::{Cursor, Page};
use data_encoding::BASE64URL_NOPAD;
use store::{ReadAll as _, Reader};

use crate::life::Fault;

/// A page ends early once its long texts have as many bytes.
pub(super) const BYTES: usize = 1024 * 1024;

/// The key that a cursor holds.
pub(super) fn key(cursor: Option<&Cursor>) -> Result<Option<Vec<u8>>, Fault> {
    let Some(cursor) = cursor else { return Ok(None) };
    let key = BASE64URL_NOPAD.decode(cursor.as_str().as_bytes());
    key.map(Some).map_err(|_| Fault::bad_cursor())
}

/// The number that a cursor holds.
pub(super) fn number(cursor: Option<&Cursor>) -> Result<Option<u64>, Fault> {
    let Some(key) = key(cursor)? else { return Ok(None) };
    let bytes = key.try_into().map_err(|_| Fault::bad_cursor())?;
    Ok(Some(u64::from_be_bytes(bytes)))
}

/// A page that goes on after `next`.
pub(super) fn page<T>(
    r: &Reader<'_>,
    items: Vec<T>,
    next: Option<&[u8]>,
) -> Result<Page<T>, Fault> {
    let cursor = next.map(|key| BASE64URL_NOPAD.encode(key).parse()).transpose();
    let cursor = cursor.map_err(|_| Fault::inside("a cursor is none"))?;
    Ok(Page { items, cursor, at: r.head()?.seq })
}
