//! The compacting copy: gives free space back and makes erases complete. Runs on a stopped
//! twin's folder; a kill at any point leaves either the old file or the new one, both whole.
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use heed::{PutFlags, RoTxn};

use crate::env::{self, Env, Files, Lock, Mode, Opened};
use crate::error::engine;
use crate::handles::{Handles, NAMES};
use crate::meta;
use crate::rows::Rows;
use crate::stop::{self, Stopped};
use crate::store::{OWNER, Options, STEM, Store};
use crate::{Error, repair};

/// Smaller files are not worth a copy for their free space.
const WORTH_IT: u64 = 1 << 20;
/// Bytes per commit of the copy: bounds memory.
const BATCH: usize = 8 << 20;

/// What a compacting copy did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Length of the data file before, in bytes.
    pub before: u64,
    /// Length after, in bytes.
    pub after: u64,
    /// Whether pending erases became complete by it.
    pub erased: bool,
}

/// Makes a compacting copy of the store in `folder` if more than half of it is free, the file is
/// larger than the quota, or an erase is due by the clock of this machine. To be called before
/// [`Store::open`](crate::Store::open); does nothing when there is no store yet. Needs room for the
/// copy; a failure (say [`Error::Full`]) is no reason not to open the store.
///
/// # Errors
/// As [`Store::open`](crate::Store::open); the store is then as it was before.
pub fn maintain(folder: &Path, quota: Option<u64>) -> Result<Option<Compacted>, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    maintain_at(folder, quota, i64::try_from(now).unwrap_or(i64::MAX))
}

/// What a data file holds, and what of it a compacting copy would give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Length of the data file in bytes.
    pub length: u64,
    /// Bytes in it that nothing needs.
    pub free: u64,
    /// When the oldest erase has to be complete, ms since 1970.
    pub erase_due_ms: Option<i64>,
    /// Bytes of the chunks beside it.
    pub blobs: u64,
    /// Bytes that the data may take.
    pub quota: Option<u64>,
}

impl Usage {
    /// Bytes of the pages in use and of the chunks, which is what a quota is about.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.length.saturating_sub(self.free).saturating_add(self.blobs)
    }

    /// Whether a compacting copy is due at this time.
    #[must_use]
    pub fn is_copy_due(&self, now_ms: i64) -> bool {
        let long_free = self.length > WORTH_IT && self.free > self.length / 2;
        let over = self.quota.is_some_and(|quota| self.length > quota && self.free > WORTH_IT);
        long_free || over || self.erase_due_ms.is_some_and(|due| due <= now_ms)
    }
}

impl Store {
    /// What the open data file holds.
    ///
    /// # Errors
    /// The disk failed.
    pub fn usage(&self) -> Result<Usage, Error> {
        let core = self.core();
        self.read(|r| {
            r.handles.look_at_room(r.txn)?;
            Ok(Usage {
                length: file_length(&core.files.data())?,
                free: free_bytes(&core.env, r.handles, r.txn)?,
                erase_due_ms: meta::erase_due(r.handles, r.txn)?,
                blobs: r.handles.blob_bytes(),
                quota: r.handles.quota,
            })
        })
    }
}

/// As [`maintain`], with the time given (ms since 1970).
///
/// # Errors
/// As [`maintain`].
pub fn maintain_at(
    folder: &Path,
    quota: Option<u64>,
    now_ms: i64,
) -> Result<Option<Compacted>, Error> {
    run(folder, quota, |usage| usage.is_copy_due(now_ms))
}

/// Makes a compacting copy now, which completes every erase.
///
/// # Errors
/// As [`maintain`]; [`Error::Missing`] when there is no store.
pub fn compact(folder: &Path) -> Result<Compacted, Error> {
    let missing = || Error::Missing { path: Files::new(folder, STEM).data() };
    run(folder, None, |_| true)?.ok_or_else(missing)
}

fn run(
    folder: &Path,
    quota: Option<u64>,
    due: impl FnOnce(&Usage) -> bool,
) -> Result<Option<Compacted>, Error> {
    let files = Files::new(folder, STEM);
    if !files.data().exists() {
        return Ok(None);
    }
    if let Some(Stopped { found, .. }) = stop::read_mark(&files)? {
        return Err(Error::Stopped { found });
    }
    let map_size = Options::default().map_size;
    let opened = files.open(OWNER, NAMES, map_size, false, Mode::Write)?;
    let Opened { env, rows, lock } = opened;
    let handles = Handles::new(rows, quota);
    let txn = env.read_txn().map_err(engine)?;
    let before = file_length(&files.data())?;
    let erase_due = meta::erase_due(&handles, &txn)?;
    let free = free_bytes(&env, &handles, &txn)?;
    // A copy gives nothing of the chunks back, so they are no reason for one.
    if !due(&Usage { length: before, free, erase_due_ms: erase_due, blobs: 0, quota }) {
        return Ok(None);
    }
    if let Err(error) = copy(&files, &txn, rows, map_size) {
        env::remove_env(&files.fresh())?;
        return Err(error);
    }
    drop(txn);
    drop(env);
    finish(&files, lock, before, erase_due.is_some()).map(Some)
}

/// Puts the copy in place, still under the lock.
fn finish(files: &Files, lock: Lock, before: u64, erased: bool) -> Result<Compacted, Error> {
    files.promote()?;
    drop(lock);
    let after = file_length(&files.data())?;
    if erased {
        // What was erased is in the copies too that repairs have kept.
        repair::forget_copies(files.folder())?;
    }
    tracing::info!(before, after, erased, "compacting copy made");
    Ok(Compacted { before, after, erased })
}

/// Copies row by row into a fresh file. Not LMDB's own compacting copy: that one copies the slack
/// at the end of large values' pages, where bytes of erased rows can survive.
fn copy(files: &Files, from: &RoTxn<'_>, rows: [Rows; 4], map_size: usize) -> Result<(), Error> {
    let path = files.fresh();
    let (env, fresh) = env::make(&path, OWNER, NAMES, map_size)?;
    for (place, (old, new)) in rows.into_iter().zip(fresh).enumerate() {
        let is_meta = NAMES[place] == "meta";
        let mut txn = env.write_txn().map_err(engine)?;
        if is_meta {
            // The format mark is written anew with the file.
            new.clear(&mut txn).map_err(engine)?;
        }
        let mut pending = 0;
        for row in old.iter(from).map_err(engine)? {
            let (key, value) = row.map_err(engine)?;
            if is_meta && key == meta::ERASE_DUE {
                continue;
            }
            new.put_with_flags(&mut txn, PutFlags::APPEND, key, value).map_err(engine)?;
            pending += key.len() + value.len();
            if pending > BATCH {
                env::commit(txn, &path).map_err(engine)?;
                txn = env.write_txn().map_err(engine)?;
                pending = 0;
            }
        }
        env::commit(txn, &path).map_err(engine)?;
    }
    env.force_sync().map_err(engine)
}

fn free_bytes(env: &Env, handles: &Handles, txn: &RoTxn<'_>) -> Result<u64, Error> {
    let main = env.unnamed_database_stat();
    let used = handles.used_bytes(txn)? + main.non_free_page_size() as u64;
    let pages = env.info().last_page_number + 1;
    Ok((pages as u64 * u64::from(main.page_size)).saturating_sub(used))
}

fn file_length(path: &Path) -> Result<u64, Error> {
    fs::metadata(path).map(|found| found.len()).map_err(|source| env::at_path(path, source))
}
