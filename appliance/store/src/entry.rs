//! The journal entry: its shape, its bytes and its hash. Never reads or writes a file.
use serde::{Deserialize, Serialize};

use crate::Error;

/// The largest content of one entry, in bytes; larger things belong into blobs.
pub const CONTENT_LIMIT: usize = 64 * 1024;
/// The largest shape of one entry, in bytes.
pub const SHAPE_LIMIT: usize = 64 * 1024;
/// The longest kind, in bytes.
pub const KIND_LIMIT: usize = 128;
/// The kind of the store's own entry that records an erase; its shape is `{"targets":[seq, ..]}`.
pub const ERASE: &str = "store.erase";

/// Kinds with this prefix are the store's own.
pub(crate) const RESERVED: &str = "store.";
/// The first byte of every journal row. A later number is a format of a newer release.
pub(crate) const ENTRY_FORMAT: u8 = 1;
/// Bytes of salt before the content in a content row: enough that a guess cannot be tested.
pub(crate) const SALT: usize = 16;

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// Who made an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The person, through one of their paired devices (its public id).
    Device(String),
    /// An experience (its name), on behalf of the person.
    Experience(String),
    /// Another person's twin.
    Contact([u8; 32]),
    /// The twin itself.
    System,
}

/// One entry of the journal, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place: 1 for the first entry, then without gaps. This alone is the order.
    pub seq: u64,
    /// The hash of the entry before it, zeros for the first.
    pub prev_hash: Hash,
    /// When it was written: milliseconds since 1970, by the writer's clock. Never used for order.
    pub time_ms: i64,
    /// Who made it.
    pub actor: Actor,
    /// What it is; says how `shape` and the content are read.
    pub kind: String,
    /// The version of that kind.
    pub version: u16,
    /// Ids and references: stays for ever.
    pub shape: Vec<u8>,
    /// BLAKE3 of salt and content, if there was content; stays when the content is erased.
    pub content_hash: Option<Hash>,
}

/// What a caller gives to have an entry appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Milliseconds since 1970.
    pub time_ms: i64,
    /// Who makes it.
    pub actor: Actor,
    /// At most [`KIND_LIMIT`] bytes, not starting with `store.`.
    pub kind: String,
    /// The version of the kind.
    pub version: u16,
    /// At most [`SHAPE_LIMIT`] bytes; stays for ever, so nothing a person may want to erase.
    pub shape: Vec<u8>,
    /// At most [`CONTENT_LIMIT`] bytes; can be erased.
    pub content: Option<Vec<u8>>,
}

/// The end of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The newest entry, 0 when there is none.
    pub seq: u64,
    /// Its hash, zeros when there is none.
    pub hash: Hash,
}

impl Entry {
    pub(crate) fn to_row(&self) -> Result<Vec<u8>, Error> {
        postcard::to_extend(self, vec![ENTRY_FORMAT])
            .map_err(|source| Error::Engine { source: Box::new(source) })
    }

    pub(crate) fn from_row(seq: u64, row: &[u8]) -> Result<Self, Error> {
        check_format(seq, row)?;
        let rest = row.get(1..).unwrap_or_default();
        let entry: Self = postcard::from_bytes(rest).map_err(|_| damaged(seq))?;
        if entry.seq == seq { Ok(entry) } else { Err(damaged(seq)) }
    }
}

/// Tells a row of a newer release from a damaged one.
pub(crate) fn check_format(seq: u64, row: &[u8]) -> Result<(), Error> {
    match row.first() {
        Some(&ENTRY_FORMAT) => Ok(()),
        Some(&format) if format > ENTRY_FORMAT => Err(Error::NewerEntry { seq, format }),
        _ => Err(damaged(seq)),
    }
}

/// The hash of an entry is over its row as stored, so it can be taken even of a newer format.
pub(crate) fn row_hash(row: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("hometwin 2026 journal entry");
    hasher.update(row);
    *hasher.finalize().as_bytes()
}

/// The hash of a content row (salt and content): plain BLAKE3, so that any tool can check an export.
pub(crate) fn content_hash(salted: &[u8]) -> Hash {
    *blake3::hash(salted).as_bytes()
}

#[derive(Serialize, Deserialize)]
struct EraseShape {
    targets: Vec<u64>,
}

pub(crate) fn erase_shape(targets: &[u64]) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(&EraseShape { targets: targets.to_vec() })
        .map_err(|source| Error::Engine { source: Box::new(source) })
}

/// The entries an erase entry names; empty for every other kind.
pub(crate) fn erase_targets(entry: &Entry) -> Result<Vec<u64>, Error> {
    if entry.kind != ERASE {
        return Ok(Vec::new());
    }
    let shape: EraseShape = serde_json::from_slice(&entry.shape).map_err(|_| damaged(entry.seq))?;
    if shape.targets.iter().any(|target| *target >= entry.seq) {
        return Err(damaged(entry.seq));
    }
    Ok(shape.targets)
}

pub(crate) fn damaged(seq: u64) -> Error {
    Error::Damaged { at: format!("journal entry {seq}") }
}
