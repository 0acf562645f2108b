//! What is known of files of messages that are being fetched: rows in the vault, from the moment it
//! begins until their bytes are journaled. A file without a row, and not here, waits for its person's
//! word. Never holds a byte itself.

use link::TwinId;
use serde::{Deserialize, Serialize};
use store::{Error, ReadAll as _, Reader, Writer};

use super::{
    api::names,
    tables::{self, Id16, written},
};

/// Files up to so many bytes come by themselves.
const COMES_MAX: u64 = 32 * 1024 * 1024;
/// Files of one person that come by themselves; beyond they wait.
const COME_MAX: usize = 64;
/// Bytes of one piece.
pub(crate) const PIECE: u64 = 512 * 1024;
/// Pieces that come for one asking.
pub(super) const AT_ONCE: u64 = 2;

/// Whose file of which message it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Which {
    pub(crate) author: TwinId,
    pub(crate) message: Id16,
    pub(crate) number: u8,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Stage {
    Coming,
    Gone,
    NoRoom,
}

/// A file that is being fetched.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Fetch {
    pub(crate) size: u64,
    pub(crate) stage: Stage,
    /// The person said so: no judgement about room any more but whether there is any.
    pub(crate) asked: bool,
    /// Where its bytes are gathered.
    pub(crate) upload: Option<[u8; 16]>,
    /// Bytes that are here or wait to be gathered: what comes next begins there.
    pub(crate) next: u64,
    /// How far was asked for.
    pub(crate) wanted: u64,
}

impl Fetch {
    /// From the beginning.
    pub(crate) fn new(size: u64, asked: bool) -> Self {
        Self { size, stage: Stage::Coming, asked, upload: None, next: 0, wanted: 0 }
    }
}

impl Which {
    pub(crate) fn key(&self) -> Vec<u8> {
        names::fetch(&self.author, self.message, self.number)
    }

    /// From the part of a key behind its prefix.
    pub(crate) fn of_key(rest: &[u8]) -> Option<Self> {
        let (author, rest) = rest.split_first_chunk::<32>()?;
        let (message, rest) = rest.split_first_chunk::<16>()?;
        let &[number] = rest else { return None };
        Some(Self { author: TwinId::from_bytes(*author), message: Id16(*message), number })
    }

    pub(crate) fn read(&self, r: &Reader<'_>) -> Result<Option<Fetch>, Error> {
        r.vault_get(&self.key())?.map(|row| parsed(&row)).transpose()
    }

    pub(crate) fn put(&self, w: &mut Writer<'_>, fetch: &Fetch) -> Result<(), Error> {
        w.vault_put(&self.key(), &written(fetch)?)
    }

    /// Nothing of it waits to be gathered any more.
    pub(crate) fn drop_pieces(&self, w: &mut Writer<'_>) -> Result<(), Error> {
        for (key, _) in w.vault_prefix(&names::pieces(&self.author, self.message, self.number))? {
            w.vault_delete(&key)?;
        }
        Ok(())
    }
}

/// A file was announced: it comes by itself, if it is small and not one of many.
pub(crate) fn announced(w: &mut Writer<'_>, which: Which, size: u64) -> Result<(), Error> {
    let theirs = [names::FETCH, which.author.as_bytes()].concat();
    if size <= COMES_MAX && w.vault_count(&theirs, COME_MAX)? < COME_MAX {
        which.put(w, &Fetch::new(size, false))?;
    }
    Ok(())
}

/// All files that are being fetched.
pub(super) fn all(r: &Reader<'_>) -> Result<Vec<(Which, Fetch)>, Error> {
    let mut all = Vec::new();
    for (key, row) in r.vault_prefix(names::FETCH)? {
        let which = key.get(names::FETCH.len()..).and_then(Which::of_key);
        if let Some(which) = which {
            all.push((which, parsed(&row)?));
        }
    }
    Ok(all)
}

/// The message is gone: nothing of it is fetched any more. What was gathered goes with the sweep.
pub(crate) fn forget(w: &mut Writer<'_>, author: &TwinId, message: Id16) -> Result<(), Error> {
    for (key, _) in w.vault_prefix(&names::fetches(author, message))? {
        if let Some(which) = key.get(names::FETCH.len()..).and_then(Which::of_key) {
            which.drop_pieces(w)?;
        }
        w.vault_delete(&key)?;
    }
    Ok(())
}

fn parsed(row: &[u8]) -> Result<Fetch, Error> {
    serde_json::from_slice(row)
        .map_err(|_| Error::Damaged { at: "a row of a file that is fetched".to_owned() })
}

/// The key of a piece that arrived.
pub(super) fn piece(which: &Which, offset: u64) -> Vec<u8> {
    let pieces = names::pieces(&which.author, which.message, which.number);
    [&pieces[..], &offset.to_be_bytes()].concat()
}

/// The bytes of a file of a message, if they are here and its message has its content.
pub(crate) fn here(r: &Reader<'_>, which: &Which) -> Result<Option<tables::Attached>, Error> {
    use tables::Rows as _;
    let key = tables::attached(&which.author, which.message, which.number);
    let Some(row): Option<tables::Attached> = r.row(tables::ATTACHED, &key)? else {
        return Ok(None);
    };
    let is_there =
        r.content(row.said)?.is_some() && (row.blob.is_some() || r.content(row.seq)?.is_some());
    Ok(is_there.then_some(row))
}
