//! One change: entries, their effect on the tables, and the vault, all or nothing. Never commits
//! by itself.
use std::collections::BTreeSet;

use heed::RwTxn;

use crate::entry::{
    self, Actor, CONTENT_LIMIT, ERASE, Entry, EntryRow, KIND_LIMIT, NewEntry, RESERVED, SALT,
    SHAPE_LIMIT,
};
use crate::fold::{self, Fold, Tables};
use crate::handles::Handles;
use crate::meta;
use crate::read::{ReadAll as _, Reader};
use crate::rows::plain_key;
use crate::{Error, Head};

/// Something that is told after a commit.
pub(crate) type After = Box<dyn FnOnce() + Send>;

/// Changes that are made and not committed yet.
pub(crate) struct Made<'p> {
    pub(crate) txn: RwTxn<'p>,
    pub(crate) after: Vec<After>,
}

/// A change being made. It sees its own writes, by [`ReadTables`](crate::ReadTables) and
/// [`ReadAll`](crate::ReadAll). All of it is committed when the closure returns
/// `Ok`, none of it when it returns `Err`.
pub struct Writer<'p> {
    fold: &'p dyn Fold,
    tables: Tables<'p>,
    /// A step failed half-way: whatever the closure makes of it, nothing may be committed.
    spoiled: bool,
    /// What is told once all of it is durable.
    after: Vec<After>,
}

impl<'p> Writer<'p> {
    pub(crate) fn new(handles: &'p Handles, fold: &'p dyn Fold, txn: RwTxn<'p>) -> Self {
        Self { fold, tables: Tables::new(handles, txn), spoiled: false, after: Vec::new() }
    }

    /// As [`Writer::new`], going on with what others have made.
    pub(crate) fn onto(handles: &'p Handles, fold: &'p dyn Fold, made: Made<'p>) -> Self {
        Self { after: made.after, ..Self::new(handles, fold, made.txn) }
    }

    pub(crate) fn spoiled(&self) -> bool {
        self.spoiled || self.tables.failed
    }

    pub(crate) fn made(self) -> Made<'p> {
        Made { txn: self.tables.txn, after: self.after }
    }

    /// Has something told once this change is durable, before its caller hears of it; not at all
    /// when it fails.
    pub fn afterwards(&mut self, tell: impl FnOnce() + Send + 'static) {
        self.after.push(Box::new(tell));
    }

    /// The state as this change has made it so far.
    pub fn reader(&self) -> Reader<'_> {
        Reader { handles: self.tables.handles, txn: &self.tables.txn }
    }

    /// Appends an entry and applies it to the tables. Returns its seq.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::BadKind`], [`Error::Fold`], [`Error::Full`], or the disk
    /// failed.
    pub fn append(&mut self, new: NewEntry) -> Result<u64, Error> {
        if new.kind.is_empty() || new.kind.starts_with(RESERVED) {
            return Err(Error::BadKind { kind: new.kind });
        }
        limit("an entry's kind", new.kind.len(), KIND_LIMIT)?;
        limit("an entry's shape", new.shape.len(), SHAPE_LIMIT)?;
        limit("an entry's content", new.content.as_ref().map_or(0, Vec::len), CONTENT_LIMIT)?;
        self.spoil_on_error(|w| w.append_checked(new, &[]))
    }

    /// Erases the content of entries, now and in every replay: their shapes stay. Records it as an
    /// entry of kind [`ERASE`] and returns its seq. Entries whose content is already gone are
    /// passed over. The bytes leave the disk with the next compacting copy
    /// ([`Store::erase_pending`](crate::Store::erase_pending)).
    ///
    /// # Errors
    /// [`Error::NoEntry`], [`Error::NothingToErase`], and as [`Writer::append`].
    pub fn erase(&mut self, seqs: &[u64], time_ms: i64, actor: Actor) -> Result<u64, Error> {
        let mut targets = Vec::new();
        for seq in BTreeSet::from_iter(seqs.iter().copied()) {
            let row = self.reader().row(seq)?.ok_or(Error::NoEntry { seq })?;
            let entry = row.entry()?;
            if row.salted.is_some() {
                targets.push(entry);
            } else if entry.content_hash.is_none() {
                return Err(Error::NothingToErase { seq });
            }
        }
        if targets.is_empty() {
            return Err(Error::NothingToErase { seq: seqs.first().copied().unwrap_or_default() });
        }
        let seqs: Vec<u64> = targets.iter().map(|entry| entry.seq).collect();
        let shape = entry::erase_shape(&seqs)?;
        limit("the list of what to erase", shape.len(), SHAPE_LIMIT)?;
        self.spoil_on_error(|w| {
            let Tables { handles, txn, .. } = &mut w.tables;
            for target in &targets {
                let row = EntryRow::bytes(target, None)?;
                handles.put(handles.journal, txn, &target.seq.to_be_bytes(), &row)?;
            }
            meta::note_erase(handles, txn, time_ms)?;
            let kind = ERASE.to_owned();
            let new = NewEntry { time_ms, actor, kind, version: 1, shape, content: None };
            w.append_checked(new, &targets)
        })
    }

    /// Puts a value into the vault.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Full`], or the disk failed.
    pub fn vault_put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let key = plain_key("vault", key)?;
        self.spoil_on_error(|w| {
            let Tables { handles, txn, .. } = &mut w.tables;
            handles.put(handles.vault, txn, key, value)
        })
    }

    /// Deletes a value of the vault; tells whether there was one. Its bytes may stay on the disk
    /// until the next compacting copy.
    ///
    /// # Errors
    /// As [`Writer::vault_put`].
    pub fn vault_delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        let key = plain_key("vault", key)?;
        self.spoil_on_error(|w| {
            let Tables { handles, txn, .. } = &mut w.tables;
            handles.delete(handles.vault, txn, key)
        })
    }

    pub(crate) fn meta_put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.spoil_on_error(|w| {
            let Tables { handles, txn, .. } = &mut w.tables;
            handles.put(handles.meta, txn, key, value)
        })
    }

    pub(crate) fn meta_delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        self.spoil_on_error(|w| {
            let Tables { handles, txn, .. } = &mut w.tables;
            handles.delete(handles.meta, txn, key)
        })
    }

    fn append_checked(&mut self, new: NewEntry, erased: &[Entry]) -> Result<u64, Error> {
        let Head { seq, hash } = self.head()?;
        let seq = seq + 1;
        let salted = new.content.as_deref().map(salt).transpose()?;
        let entry = Entry {
            seq,
            prev_hash: hash,
            time_ms: new.time_ms,
            actor: new.actor,
            kind: new.kind,
            version: new.version,
            shape: new.shape,
            content_hash: salted.as_deref().map(entry::content_hash),
        };
        let Tables { handles, txn, .. } = &mut self.tables;
        let row = EntryRow::bytes(&entry, salted.as_deref())?;
        handles.put_last(handles.journal, txn, &seq.to_be_bytes(), &row)?;
        fold::step(self.fold, &entry, new.content.as_deref(), erased, &mut self.tables)?;
        Ok(seq)
    }

    fn spoil_on_error<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let result = step(self);
        self.spoiled |= result.is_err();
        result
    }
}

fn limit(what: &'static str, size: usize, limit: usize) -> Result<(), Error> {
    if size > limit { Err(Error::TooLarge { what, size, limit }) } else { Ok(()) }
}

fn salt(content: &[u8]) -> Result<Vec<u8>, Error> {
    let mut row = vec![0; SALT + content.len()];
    let (salt, rest) = row.split_at_mut(SALT);
    getrandom::fill(salt).map_err(|_| Error::Random)?;
    rest.copy_from_slice(content);
    Ok(row)
}
