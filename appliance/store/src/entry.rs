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
const ENTRY_FORMAT: u8 = 2;
/// Bytes of salt before the content in a journal row: enough that a guess cannot be tested.
pub(crate) const SALT: usize = 16;
/// Format and length of the entry, at the start of a journal row.
const PREFIX: usize = 5;

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

/// A journal row: format (1 byte), length of the entry (4, big endian), the entry; behind it salt
/// and content, until they are erased. Every format begins like this.
#[derive(Clone, Copy)]
pub(crate) struct EntryRow<'r> {
    seq: u64,
    /// All before the content: what stays for ever and is hashed.
    pub(crate) lasting: &'r [u8],
    /// Salt and content.
    pub(crate) salted: Option<&'r [u8]>,
}

impl<'r> EntryRow<'r> {
    pub(crate) fn new(seq: u64, row: &'r [u8]) -> Result<Self, Error> {
        let length = row.get(1..PREFIX).and_then(|length| length.try_into().ok());
        let length = length.map(|length| u32::from_be_bytes(length) as usize);
        let split = length.and_then(|length| row.split_at_checked(PREFIX + length));
        let (lasting, rest) = split.ok_or_else(|| damaged(seq))?;
        Ok(Self { seq, lasting, salted: (!rest.is_empty()).then_some(rest) })
    }

    /// The row of an entry with what is behind it.
    pub(crate) fn bytes(entry: &Entry, salted: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let mut row = postcard::to_extend(entry, vec![ENTRY_FORMAT, 0, 0, 0, 0])
            .map_err(|source| Error::Engine { source: Box::new(source) })?;
        // Kind, shape and names are bounded far below 4 GiB.
        let length = u32::try_from(row.len() - PREFIX).unwrap_or(u32::MAX);
        row[1..PREFIX].copy_from_slice(&length.to_be_bytes());
        row.extend_from_slice(salted.unwrap_or_default());
        Ok(row)
    }

    pub(crate) fn entry(&self) -> Result<Entry, Error> {
        let seq = self.seq;
        self.check_format()?;
        let (_, entry) = self.lasting.split_at(PREFIX);
        let entry: Entry = postcard::from_bytes(entry).map_err(|_| damaged(seq))?;
        if entry.seq == seq { Ok(entry) } else { Err(damaged(seq)) }
    }

    /// Tells an entry of a newer release from a damaged one.
    pub(crate) fn check_format(&self) -> Result<(), Error> {
        match self.lasting.first() {
            Some(&ENTRY_FORMAT) => Ok(()),
            Some(&format) if format > ENTRY_FORMAT => {
                Err(Error::NewerEntry { seq: self.seq, format })
            }
            _ => Err(damaged(self.seq)),
        }
    }

    /// The content, without its salt.
    pub(crate) fn content(&self) -> Result<Option<&'r [u8]>, Error> {
        let content = |salted: &'r [u8]| salted.get(SALT..).ok_or_else(|| damaged(self.seq));
        self.salted.map(content).transpose()
    }

    /// The hash is over bytes as stored, so it can be taken even of a newer format.
    pub(crate) fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("hometwin 2026 journal entry");
        hasher.update(self.lasting);
        *hasher.finalize().as_bytes()
    }
}

/// The hash of salt and content: plain BLAKE3, so that any tool can check an export.
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
