//! Removing chunks that nothing names any more, and uploads that nobody went on with. Exact, so it
//! spares nothing by age: only this process writes chunks, and it knows which are not named yet.
//! Never run by a timer: it is due after something was given up, and made by who opens or writes.
use std::sync::atomic::Ordering;

use crate::blobs::Blob;
use crate::entry::Hash;
use crate::error::engine;
use crate::read::Reader;
use crate::write::Writer;
use crate::{Error, Store, meta, uploads};

/// What is over and in no hurry is looked for within a day, like the chunks of a killed upload.
pub const SWEEP_WITHIN_MS: i64 = 24 * 60 * 60 * 1000;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Bytes of chunks that are left.
    pub kept: u64,
    /// Bytes of chunks that went.
    pub removed: u64,
    /// Uploads that were given up.
    pub uploads: u64,
}

impl Writer<'_> {
    /// Something that named a content is gone: what nothing else names goes with the next sweep at
    /// or after this time, ms since 1970.
    ///
    /// # Errors
    /// The disk failed.
    pub fn sweep_by(&mut self, at_ms: i64) -> Result<(), Error> {
        due(self, at_ms)
    }
}

impl Store {
    /// When the next sweep is due, ms since 1970; `None`: there is nothing to look for.
    ///
    /// # Errors
    /// The disk failed.
    pub fn sweep_due(&self) -> Result<Option<i64>, Error> {
        self.read(due_ms)
    }

    /// Sweeps. Blocks the thread, for some seconds where there are many files; writes go on. `None`
    /// when another sweep is under way, or it can't be known what is needed.
    ///
    /// # Errors
    /// [`Error::Blob`] when it is not clear what is named: then nothing is removed. Or the disk
    /// failed.
    pub fn sweep(&self, now_ms: i64) -> Result<Option<Swept>, Error> {
        let core = self.core();
        let highest = self.read(|r| meta::highest_fold(r.handles, r.txn))?;
        if self.stopped().is_some() || highest.is_some_and(|highest| highest > core.fold.version())
        {
            // A newer release may have named chunks in ways that this one does not know.
            return Ok(None);
        }
        let Some(sweeping) = core.chunks.begin_sweep() else { return Ok(None) };
        let given_up = self.write_blocking(move |w| give_up(w, now_ms))?;
        let named = self.read(|r| named(self, r))?;
        let (kept, removed) = sweeping.run(|hash| named.binary_search(&short(hash)).is_ok())?;
        core.chunks.bytes.store(kept, Ordering::Relaxed);
        self.write_blocking(move |w| {
            w.meta_put(uploads::BYTES, &kept.to_be_bytes())?;
            let reader = w.reader();
            reader.handles.look_at_room(reader.txn).map(drop)
        })?;
        tracing::debug!(kept, removed, given_up, "swept");
        Ok(Some(Swept { kept, removed, uploads: given_up }))
    }
}

/// Drops expired uploads and says when to look again.
fn give_up(w: &mut Writer<'_>, now_ms: i64) -> Result<u64, Error> {
    let (mut count, mut next) = (0, None);
    for (id, upload) in uploads::all(&w.reader())? {
        if upload.expires_ms <= now_ms {
            uploads::forget(w, id)?;
            count += 1;
        } else {
            next = Some(next.unwrap_or(i64::MAX).min(upload.expires_ms));
        }
    }
    w.meta_delete(DUE)?;
    next.map_or(Ok(()), |next| due(w, next))?;
    Ok(count)
}

/// The first bytes of every chunk that something names, sorted. Two that agree in so many only keep
/// one chunk too much.
fn named(store: &Store, r: &Reader<'_>) -> Result<Vec<u128>, Error> {
    let core = store.core();
    let mut named = Vec::new();
    for (id, upload) in uploads::all(r)? {
        named.extend(uploads::chunks(r, id, &upload)?.iter().map(short));
    }
    core.fold.blobs(r, &mut |blob: Blob| {
        named.push(short(&blob.root));
        named.extend(core.chunks.list(&blob)?.iter().map(short));
        Ok(())
    })?;
    named.sort_unstable();
    named.dedup();
    Ok(named)
}

fn short(hash: &Hash) -> u128 {
    let first = hash.first_chunk().copied().unwrap_or_default();
    u128::from_be_bytes(first)
}

/// A sweep is due then, or earlier.
pub(crate) fn due(w: &mut Writer<'_>, at_ms: i64) -> Result<(), Error> {
    match due_ms(&w.reader())? {
        Some(known) if known <= at_ms => Ok(()),
        Some(_) | None => w.meta_put(DUE, &at_ms.to_be_bytes()),
    }
}

fn due_ms(r: &Reader<'_>) -> Result<Option<i64>, Error> {
    let row = r.handles.meta.get(r.txn, DUE).map_err(engine)?;
    Ok(row.and_then(|row| row.try_into().ok()).map(i64::from_be_bytes))
}

const DUE: &[u8] = b"blob.sweep";
