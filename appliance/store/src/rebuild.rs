//! Making the tables from the journal: when they were made by another version of the fold, or when
//! a repair asks. In steps that are durable each, so that a kill costs only the last one.
use crate::entry::EntryRow;
use crate::env;
use crate::error::engine;
use crate::fold::Tables;
use crate::read::ReadAll as _;
use crate::store::Core;
use crate::verify::{Chain, VerifyError};
use crate::{Error, fold, meta, read};

/// Entries per commit while tables are rebuilt: bounds memory to some tens of MiB.
pub(crate) const BATCH: u64 = 2000;

impl Core {
    /// When the tables were made by another version of the fold, or not to the end.
    pub(crate) fn rebuild_if_due(&self) -> Result<(), Error> {
        let version = self.fold.version();
        let (made_by, rebuilt, head) = self.read(|r| {
            let made_by = meta::fold_version(r.handles, r.txn)?;
            Ok::<_, Error>((made_by, meta::rebuilt_to(r.handles, r.txn, version)?, r.head()?))
        })?;
        if made_by == Some(version) {
            return Ok(());
        }
        if head.seq > 0 {
            tracing::info!(?made_by, version, entries = head.seq, "rebuilding the tables");
        }
        self.refuse_newer_entries()?;
        if self.stopped.borrow().is_some() {
            // What a damaged journal would make of the tables is of no use to anybody.
            self.read(Chain::sound).map_err(damaged_by)?;
        }
        self.rebuild(rebuilt, head.seq)
    }

    /// Makes the tables from the journal, from where an unfinished rebuild is, else anew.
    fn rebuild(&self, mut done: Option<u64>, head: u64) -> Result<(), Error> {
        let version = self.fold.version();
        loop {
            match self.rebuild_batch(version, done, head) {
                Ok(seq) if seq == head => return Ok(()),
                Ok(seq) => done = Some(seq),
                Err(error) => {
                    let before = self.env.info().map_size;
                    self.make_room();
                    if self.env.info().map_size == before {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Makes the tables from the whole journal.
    pub(crate) fn rebuild_all(&self) -> Result<(), Error> {
        let head = self.read(|r| r.head())?;
        self.rebuild(None, head.seq)
    }

    /// Before the tables are cleared: a journal that cannot be replayed must not cost them.
    fn refuse_newer_entries(&self) -> Result<(), Error> {
        self.read(|r| {
            for row in r.handles.journal.iter(r.txn).map_err(engine)? {
                let (key, row) = row.map_err(engine)?;
                EntryRow::new(read::seq_of(key)?, row)?.check_format()?;
            }
            Ok(())
        })
    }

    /// One durable step of a rebuild: clears the tables, or applies the next entries. Returns the
    /// last entry the tables then hold.
    fn rebuild_batch(&self, version: u32, done: Option<u64>, head: u64) -> Result<u64, Error> {
        let handles = &self.handles;
        let mut tables = Tables::new(handles, self.env.write_txn().map_err(engine)?);
        let seq = match done {
            None => {
                handles.tables.clear(&mut tables.txn).map_err(engine)?;
                0
            }
            Some(done) => {
                let seq = head.min(done + BATCH);
                self.read(|source| {
                    fold::replay(source, done + 1, seq, self.fold.as_ref(), &mut tables)
                })?;
                seq
            }
        };
        if tables.failed {
            return Err(Error::Spoiled);
        }
        if seq == head {
            meta::note_rebuilt(handles, &mut tables.txn, version)?;
        } else {
            meta::note_rebuild(handles, &mut tables.txn, version, seq)?;
        }
        env::commit(tables.txn, &self.files.data()).map_err(|error| {
            handles.note(&error);
            engine(error)
        })?;
        Ok(seq)
    }
}

fn damaged_by(error: VerifyError) -> Error {
    match error {
        VerifyError::Difference(difference) => Error::Damaged { at: difference.to_string() },
        VerifyError::Store(error) => error,
    }
}
