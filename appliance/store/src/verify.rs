//! Checks a store against itself: the chain, the contents, the tables, the checkpoints. Writes
//! only to a scratch file, never to the data file it looks at.
use std::collections::HashSet;
use std::path::Path;

use heed::RoTxn;

use crate::blobs::Chunks;
use crate::checkpoint::{self, Sign, Signed, tables_hash};
use crate::entry::{EntryRow, Hash, Head, content_hash, erase_targets};
use crate::env::{self, Env, Files, Mode};
use crate::error::engine;
use crate::fold::{self, Fold, Tables};
use crate::handles::{Handles, NAMES};
use crate::read::{Reader, seq_of};
use crate::rebuild::BATCH;
use crate::store::{OWNER, Options, STEM, Store};
use crate::{Entry, Error, meta};

/// What a check looked at and found in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Entries in the chain.
    pub entries: u64,
    /// The end of the chain.
    pub head: Head,
    /// Entries whose content has been erased.
    pub erased: u64,
    /// Table rows, all equal to a replay's. `None` when the tables were made by another version of
    /// the fold, so that they could not be compared: opening the store rebuilds them.
    pub rows: Option<u64>,
    /// Checkpoints whose signature and place in the chain are right.
    pub checkpoints: u64,
    /// Those of them whose tables could still be compared with the replay's: made by this version
    /// of the fold, and nothing before them erased since.
    pub compared: u64,
    /// Large contents, all of whose bytes are as they were. Looked at only where rows are.
    pub blobs: u64,
}

/// The first thing that is not as it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// An entry is missing.
    #[error("journal entry {seq} is missing")]
    Missing {
        /// The entry.
        seq: u64,
    },
    /// An entry cannot be read.
    #[error("journal entry {seq} cannot be read")]
    Unreadable {
        /// The entry.
        seq: u64,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// An entry does not name the entry before it: that one, or this one, was changed.
    #[error("the chain breaks at journal entry {seq}")]
    Chain {
        /// The later of the two.
        seq: u64,
    },
    /// The content is not what the entry was written with.
    #[error("the content of journal entry {seq} was changed")]
    Content {
        /// The entry.
        seq: u64,
    },
    /// The content is gone although no entry erased it.
    #[error("the content of journal entry {seq} is missing")]
    ContentMissing {
        /// The entry.
        seq: u64,
    },
    /// There is content where there should be none: erased, or never written.
    #[error("journal entry {seq} has content it should not have")]
    ContentLeft {
        /// The entry.
        seq: u64,
    },
    /// The fold refuses an entry it once took.
    #[error("journal entry {seq} cannot be replayed")]
    Replay {
        /// The entry.
        seq: u64,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// A table row is not what a replay makes.
    #[error("row {key:02x?} of table {table:?} {what}")]
    Row {
        /// The table.
        table: String,
        /// The key within the table.
        key: Vec<u8>,
        /// In which way.
        what: RowDifference,
    },
    /// A large content is not what it was, or not there.
    #[error("not every file is whole, while everything else is in order")]
    Blob {
        /// Its name.
        root: Hash,
        /// In which way.
        #[source]
        source: Box<Error>,
    },
    /// A checkpoint was not signed by this twin.
    #[error("the checkpoint at entry {seq} has a wrong signature")]
    Signature {
        /// The entry it was made at.
        seq: u64,
    },
    /// A checkpoint names another history.
    #[error("the checkpoint at entry {seq} belongs to another history")]
    History {
        /// The entry it was made at.
        seq: u64,
    },
    /// A checkpoint names other tables than a replay makes.
    #[error("the checkpoint at entry {seq} names other tables")]
    Tables {
        /// The entry it was made at.
        seq: u64,
    },
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowDifference {
    /// The replay makes it, the tables lack it.
    Missing,
    /// The tables have it, the replay does not make it.
    Extra,
    /// Both have it with different values.
    Other,
}

impl std::fmt::Display for RowDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Extra => "should not be there",
            Self::Other => "has another value",
        })
    }
}

/// Why a check did not end well.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The check was done; the store is not in order.
    #[error("the store differs from its own journal")]
    Difference(#[from] Difference),
    /// The check could not be done.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Store {
    /// Checks everything, as of this moment: walks the chain, replays it into a scratch file and
    /// compares. Blocks the thread (some seconds per million entries); writes go on meanwhile, but
    /// space they give up is not used again until the check is over. A difference stops the
    /// writing ([`Store::stopped`]); a check that finds none lets it go on.
    ///
    /// # Errors
    /// [`VerifyError::Difference`] for the first difference, otherwise as [`Store::read`] and
    /// [`Error::Full`].
    pub fn verify(&self, sign: &dyn Sign) -> Result<Verified, VerifyError> {
        let core = self.core();
        let look = |r: &Reader<'_>| check(r, &core.files, &core.chunks, core.fold.as_ref(), sign);
        let checked = self.read(look);
        match &checked {
            Ok(_) => core.go_on()?,
            Err(VerifyError::Difference(difference)) => core.found(difference),
            Err(VerifyError::Store(_)) => {}
        }
        checked
    }
}

/// As [`Store::verify`], for the folder of a stopped twin: opens it for reading only and changes
/// nothing in the data file. The folder must allow a scratch file.
///
/// # Errors
/// As [`Store::verify`] and [`Store::open`].
#[expect(clippy::needless_pass_by_value, reason = "the same shape as `Store::open`")]
pub fn verify_folder(
    folder: &Path,
    fold: Box<dyn Fold>,
    sign: &dyn Sign,
) -> Result<Verified, VerifyError> {
    let files = Files::new(folder, STEM);
    let opened = files.open(OWNER, NAMES, Options::default().map_size, false, Mode::Read)?;
    let handles = Handles::new(opened.rows, None);
    let chunks = Chunks::look(&files, &opened.env, &handles)?;
    let txn = opened.env.read_txn().map_err(engine)?;
    check(&Reader { handles: &handles, txn: &txn }, &files, &chunks, fold.as_ref(), sign)
}

fn check(
    r: &Reader<'_>,
    files: &Files,
    chunks: &Chunks,
    fold: &dyn Fold,
    sign: &dyn Sign,
) -> Result<Verified, VerifyError> {
    let (chain, checkpoints) = Chain::whole(r, sign)?;
    let scratch = Scratch::new(files)?;
    let comparable: Vec<_> = checkpoints
        .iter()
        .filter(|signed| signed.checkpoint.fold_version == fold.version())
        .filter(|signed| !chain.erased_after(signed.checkpoint.seq))
        .collect();
    let mut done = 0;
    for signed in &comparable {
        let seq = signed.checkpoint.seq;
        scratch.replay(r, done + 1, seq, fold)?;
        done = seq;
        let txn = scratch.env.read_txn().map_err(engine)?;
        if tables_hash(&scratch.handles, &txn)? != signed.checkpoint.tables {
            return Err(Difference::Tables { seq }.into());
        }
    }
    scratch.replay(r, done + 1, chain.head.seq, fold)?;
    let same_fold = meta::fold_version(r.handles, r.txn)? == Some(fold.version());
    let rows = if same_fold { Some(scratch.compare(r)?) } else { None };
    let blobs = if same_fold { check_blobs(r, chunks, fold)? } else { 0 };
    Ok(Verified {
        entries: chain.head.seq,
        head: chain.head,
        erased: chain.erased.len() as u64,
        rows,
        checkpoints: checkpoints.len() as u64,
        compared: comparable.len() as u64,
        blobs,
    })
}

/// Reads every large content that the tables need; says how many there are.
fn check_blobs(r: &Reader<'_>, chunks: &Chunks, fold: &dyn Fold) -> Result<u64, VerifyError> {
    let (mut count, mut first) = (0, None);
    fold.blobs(r, &mut |blob| {
        count += 1;
        match chunks.check(&blob) {
            Err(source @ Error::Blob { .. }) => {
                first.get_or_insert((blob.root, Box::new(source)));
                Ok(())
            }
            checked => checked,
        }
    })?;
    match first {
        Some((root, source)) => Err(Difference::Blob { root, source }.into()),
        None => Ok(count),
    }
}

/// What a walk along the journal finds out.
pub(crate) struct Chain {
    head: Head,
    /// Entries whose content was erased, and by which entry: `(target, by)`.
    erases: Vec<(u64, u64)>,
    erased: HashSet<u64>,
    /// Hashes at the checkpoints.
    marks: HashSet<(u64, Hash)>,
}

impl Chain {
    /// Walks the journal and its contents, without looking at what was signed.
    pub(crate) fn sound(r: &Reader<'_>) -> Result<(), VerifyError> {
        Self::walk(r, &[]).map(drop)
    }

    /// Walks the journal and its contents, and compares with every checkpoint.
    pub(crate) fn whole(
        r: &Reader<'_>,
        sign: &dyn Sign,
    ) -> Result<(Self, Vec<Signed>), VerifyError> {
        let checkpoints = checkpoint::all(r)?;
        let chain = Self::walk(r, &checkpoints)?;
        for signed in &checkpoints {
            let checkpoint = &signed.checkpoint;
            let seq = checkpoint.seq;
            if !signed.genuine(sign)? {
                return Err(Difference::Signature { seq }.into());
            }
            if !chain.marks.contains(&(seq, checkpoint.head)) {
                return Err(Difference::History { seq }.into());
            }
        }
        Ok((chain, checkpoints))
    }

    fn walk(r: &Reader<'_>, checkpoints: &[Signed]) -> Result<Self, VerifyError> {
        let places: HashSet<u64> =
            checkpoints.iter().map(|signed| signed.checkpoint.seq).chain([0]).collect();
        let mut chain = Self {
            head: Head::default(),
            erases: Vec::new(),
            erased: HashSet::new(),
            marks: HashSet::from([(0, [0; 32])]),
        };
        let mut without = HashSet::new();
        for row in r.handles.journal.iter(r.txn).map_err(engine)? {
            let (key, row) = row.map_err(engine)?;
            let seq = chain.head.seq + 1;
            if seq_of(key)? != seq {
                return Err(Difference::Missing { seq }.into());
            }
            let row = EntryRow::new(seq, row).and_then(|row| Ok((row, row.entry()?)));
            let (row, entry) =
                row.map_err(|source| Difference::Unreadable { seq, source: Box::new(source) })?;
            if entry.prev_hash != chain.head.hash {
                return Err(Difference::Chain { seq }.into());
            }
            if !content_matches(&row, &entry)? {
                without.insert(seq);
            }
            for target in erase_targets(&entry)? {
                chain.erases.push((target, seq));
                chain.erased.insert(target);
            }
            chain.head = Head { seq, hash: row.hash() };
            if places.contains(&seq) {
                chain.marks.insert((seq, chain.head.hash));
            }
        }
        chain.compare_contents(&without)?;
        Ok(chain)
    }

    fn compare_contents(&self, without: &HashSet<u64>) -> Result<(), Difference> {
        if let Some(seq) = without.difference(&self.erased).min() {
            return Err(Difference::ContentMissing { seq: *seq });
        }
        match self.erased.difference(without).min() {
            Some(seq) => Err(Difference::ContentLeft { seq: *seq }),
            None => Ok(()),
        }
    }

    /// Whether something at or before `seq` was erased after it.
    fn erased_after(&self, seq: u64) -> bool {
        self.erases.iter().any(|(target, by)| *target <= seq && *by > seq)
    }
}

/// Whether the content is as the entry says; `false` when it is gone.
fn content_matches(row: &EntryRow<'_>, entry: &Entry) -> Result<bool, Difference> {
    let seq = entry.seq;
    match (row.salted, entry.content_hash) {
        (None, None) => Ok(true),
        (None, Some(_)) => Ok(false),
        (Some(salted), Some(hash)) if content_hash(salted) == hash => Ok(true),
        (Some(_), Some(_)) => Err(Difference::Content { seq }),
        (Some(_), None) => Err(Difference::ContentLeft { seq }),
    }
}

fn refused(error: Error) -> VerifyError {
    if let Error::Fold { seq, .. } = error {
        Difference::Replay { seq, source: Box::new(error) }.into()
    } else {
        VerifyError::Store(error)
    }
}

/// A replay's tables, in a file of their own inside the twin's folder (contents must not leave
/// it). Removed when dropped; one left by a kill is removed at the next open.
struct Scratch<'f> {
    handles: Handles,
    env: Env,
    files: &'f Files,
}

impl<'f> Scratch<'f> {
    fn new(files: &'f Files) -> Result<Self, Error> {
        let path = files.scratch();
        env::remove_env(&path)?;
        let (env, rows) = env::make(&path, OWNER, NAMES, Options::default().map_size)?;
        Ok(Self { handles: Handles::new(rows, None), env, files })
    }

    fn replay(
        &self,
        source: &Reader<'_>,
        from: u64,
        to: u64,
        fold: &dyn Fold,
    ) -> Result<(), VerifyError> {
        let mut next = from;
        while next <= to {
            let last = to.min(next + BATCH);
            let mut tables = Tables::new(&self.handles, self.env.write_txn().map_err(engine)?);
            fold::replay(source, next, last, fold, &mut tables).map_err(refused)?;
            env::commit(tables.txn, &self.files.scratch()).map_err(engine)?;
            next = last + 1;
        }
        Ok(())
    }

    /// Compares row by row; returns how many there are.
    fn compare(&self, r: &Reader<'_>) -> Result<u64, VerifyError> {
        let txn = self.env.read_txn().map_err(engine)?;
        let mut count = 0;
        let mut theirs = rows(r.handles, r.txn)?;
        let mut ours = rows(&self.handles, &txn)?;
        loop {
            let (found, wanted) = (theirs()?, ours()?);
            let (key, what) = match (found, wanted) {
                (None, None) => return Ok(count),
                (Some(found), Some(wanted)) if found == wanted => {
                    count += 1;
                    continue;
                }
                (Some((found, _)), Some((wanted, _))) if found == wanted => {
                    (found, RowDifference::Other)
                }
                (Some((found, _)), Some((wanted, _))) if found > wanted => {
                    (wanted, RowDifference::Missing)
                }
                (None, Some((wanted, _))) => (wanted, RowDifference::Missing),
                (Some((found, _)), _) => (found, RowDifference::Extra),
            };
            let mut parts = key.splitn(2, |byte| *byte == 0);
            let table = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
            let key = parts.next().unwrap_or_default().to_vec();
            return Err(Difference::Row { table, key, what }.into());
        }
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        // The names go now; the space goes when the environment closes, right after this.
        if let Err(error) = env::remove_env(&self.files.scratch()) {
            tracing::warn!(%error, "the scratch file of a check is left behind");
        }
    }
}

type NextRow<'t> = Box<dyn FnMut() -> Result<Option<(&'t [u8], &'t [u8])>, Error> + 't>;

fn rows<'t>(handles: &Handles, txn: &'t RoTxn<'_>) -> Result<NextRow<'t>, Error> {
    let mut iter = handles.tables.iter(txn).map_err(engine)?;
    Ok(Box::new(move || iter.next().transpose().map_err(engine)))
}
