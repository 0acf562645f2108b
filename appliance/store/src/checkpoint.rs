//! Signed marks of what the tables were at an entry, to notice later that history or tables were
//! changed behind the store's back. Never holds the signing key.
use heed::RoTxn;
use serde::{Deserialize, Serialize};

use crate::entry::Hash;
use crate::error::engine;
use crate::handles::Handles;
use crate::read::ReadAll as _;
use crate::rows::{Direction, Scan};
use crate::store::Store;
use crate::verify::VerifyError;
use crate::write::Writer;
use crate::{Error, glance, read};

/// Signs for a twin, so that the store needs no key.
pub trait Sign: Send + Sync {
    /// The signature over `bytes`.
    fn sign(&self, bytes: &[u8]) -> Vec<u8>;
    /// Tells whether `signature` is this twin's over `bytes`.
    fn verify(&self, bytes: &[u8], signature: &[u8]) -> bool;
}

/// Entries between two checkpoints made by [`Store::checkpoint_if_due`].
pub const CHECKPOINT_EVERY: u64 = 10_000;

/// Older checkpoints than the newest four are dropped: each costs a verify one pass over the
/// tables, and a later one covers the chain before it.
const KEPT: usize = 4;
const KEY: &[u8] = b"checkpoint\0";
const DOMAIN: &[u8] = b"hometwin checkpoint 1\0";

/// What journal and tables were at one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The newest entry then.
    pub seq: u64,
    /// Its hash.
    pub head: Hash,
    /// The version of the fold that had made the tables.
    pub fold_version: u32,
    /// The hash of all tables.
    pub tables: Hash,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Signed {
    pub(crate) checkpoint: Checkpoint,
    signature: Vec<u8>,
}

impl Signed {
    pub(crate) fn genuine(&self, sign: &dyn Sign) -> Result<bool, Error> {
        Ok(sign.verify(&signed_bytes(&self.checkpoint)?, &self.signature))
    }
}

impl Store {
    /// Makes a checkpoint of this moment. Reads all tables (about a second per million rows) and
    /// blocks the thread.
    ///
    /// # Errors
    /// [`Error::Stopped`], [`Error::Full`], or the disk failed.
    pub fn checkpoint(&self, sign: &dyn Sign) -> Result<Checkpoint, Error> {
        self.check_since_last()?;
        let checkpoint = self.measure()?;
        let row = row(&checkpoint, sign)?;
        let key = [KEY, &checkpoint.seq.to_be_bytes()].concat();
        self.write_blocking(move |w| {
            w.meta_put(&key, &row)?;
            let kept = keys(&w.reader())?;
            for old in kept.iter().skip(KEPT) {
                w.meta_delete(old)?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(checkpoint)
    }

    /// What journal and tables are at this moment.
    pub(crate) fn measure(&self) -> Result<Checkpoint, Error> {
        let fold_version = self.core().fold.version();
        self.read(|r| {
            let head = r.head()?;
            let tables = tables_hash(r.handles, r.txn)?;
            Ok(Checkpoint { seq: head.seq, head: head.hash, fold_version, tables })
        })
    }

    /// Nothing is signed whose entries do not hang together: what is found stops the writing.
    fn check_since_last(&self) -> Result<(), Error> {
        let core = self.core();
        core.refuse_if_stopped()?;
        let checked = self.read(|r| {
            let last = all(r)?.pop().map_or(0, |signed| signed.checkpoint.seq);
            glance::links(r, last)
        });
        match checked {
            Ok(()) => Ok(()),
            Err(VerifyError::Store(error)) => Err(error),
            Err(VerifyError::Difference(difference)) => {
                core.found(&difference);
                core.refuse_if_stopped()
            }
        }
    }

    /// Makes a checkpoint when the last one is [`CHECKPOINT_EVERY`] entries or more behind.
    ///
    /// # Errors
    /// As [`Store::checkpoint`].
    pub fn checkpoint_if_due(&self, sign: &dyn Sign) -> Result<Option<Checkpoint>, Error> {
        let newest = self.read(|r| Ok::<_, Error>(all(r)?.pop()))?;
        let newest = newest.map_or(0, |signed| signed.checkpoint.seq);
        if self.head().seq < newest + CHECKPOINT_EVERY {
            return Ok(None);
        }
        self.checkpoint(sign).map(Some)
    }
}

/// A checkpoint as it is kept, signed.
pub(crate) fn row(checkpoint: &Checkpoint, sign: &dyn Sign) -> Result<Vec<u8>, Error> {
    let signature = sign.sign(&signed_bytes(checkpoint)?);
    encode(&Signed { checkpoint: checkpoint.clone(), signature })
}

/// Puts one checkpoint in the place of all others.
pub(crate) fn replace_all(
    w: &mut Writer<'_>,
    checkpoint: &Checkpoint,
    row: &[u8],
) -> Result<(), Error> {
    for key in keys(&w.reader())? {
        w.meta_delete(&key)?;
    }
    w.meta_put(&[KEY, &checkpoint.seq.to_be_bytes()].concat(), row)
}

/// All checkpoints, oldest first.
pub(crate) fn all(r: &read::Reader<'_>) -> Result<Vec<Signed>, Error> {
    let scan =
        Scan { prefix: KEY, from: None, cut: 0, limit: usize::MAX, direction: Direction::Forward };
    let rows = scan.run(r.handles.meta, r.txn)?;
    let read = |row: &[u8]| {
        postcard::from_bytes(row).map_err(|_| Error::Damaged { at: "a checkpoint".to_owned() })
    };
    rows.iter().map(|(_, row)| read(row)).collect()
}

/// Their keys, newest first.
fn keys(r: &read::Reader<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let scan =
        Scan { prefix: KEY, from: None, cut: 0, limit: usize::MAX, direction: Direction::Backward };
    Ok(scan.run(r.handles.meta, r.txn)?.into_iter().map(|(key, _)| key).collect())
}

/// One hash over every row of every table.
pub(crate) fn tables_hash(handles: &Handles, txn: &RoTxn<'_>) -> Result<Hash, Error> {
    let mut hasher = blake3::Hasher::new_derive_key("hometwin 2026 tables");
    for row in handles.tables.iter(txn).map_err(engine)? {
        let (key, value) = row.map_err(engine)?;
        for part in [key, value] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Ok(*hasher.finalize().as_bytes())
}

fn signed_bytes(checkpoint: &Checkpoint) -> Result<Vec<u8>, Error> {
    Ok([DOMAIN, &encode(checkpoint)?].concat())
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    postcard::to_stdvec(value).map_err(|source| Error::Engine { source: Box::new(source) })
}
