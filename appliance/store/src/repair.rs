//! Making the tables again from a sound journal, after a check found them to differ. The data file
//! as it was is kept beside it first; a kill at any point leaves a store that is still stopped and
//! can be repaired again. Never touches the journal, the content or the vault.
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::checkpoint::{self, Sign};
use crate::env::{self, Files};
use crate::store::{STEM, Store};
use crate::verify::{Chain, VerifyError};
use crate::{Error, Verified};

/// Files of this beginning are data files as they were before a repair.
const KEPT: &str = "kept-";

impl Store {
    /// Repairs a store whose tables differ from its journal: keeps a copy of the data file, makes
    /// the tables anew from the journal, checks everything, and only then lets writing go on. Does
    /// nothing but the check when all is well. Blocks the thread.
    ///
    /// # Errors
    /// [`VerifyError::Difference`] when the journal itself is not sound (nothing was changed then)
    /// or the tables still differ; [`Error::Full`] when the copy does not fit.
    pub fn rebuild_tables(&self, sign: &dyn Sign) -> Result<Verified, VerifyError> {
        let core = self.core();
        // A second repair at the same time waits, and finds nothing to do.
        let _one = core.repairing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(stopped) = self.stopped() else { return self.verify(sign) };
        core.read(|r| Chain::whole(r, sign))?;
        keep_copy(&core.files, stopped.since_ms)?;
        core.rebuild_all()?;
        let checkpoint = self.measure()?;
        let row = checkpoint::row(&checkpoint, sign)?;
        core.write_alone(|w| checkpoint::replace_all(w, &checkpoint, &row))?;
        self.verify(sign)
    }
}

/// Data files that repairs have kept, in this folder.
///
/// # Errors
/// The folder can't be read.
pub fn kept_copies(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let beginning = format!("{STEM}.{KEPT}");
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&beginning) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    };
    read().map_err(|source| env::at_path(folder, source))
}

/// Removes them.
///
/// # Errors
/// One can't be removed.
pub fn forget_copies(folder: &Path) -> Result<(), Error> {
    for path in kept_copies(folder)? {
        fs::remove_file(&path).map_err(|source| env::at_path(&path, source))?;
    }
    Ok(())
}

/// Copies the data file, once per difference that was found. Nothing is written to it meanwhile,
/// because the store is stopped.
fn keep_copy(files: &Files, since_ms: i64) -> Result<(), Error> {
    let path = files.named(&format!("{KEPT}{since_ms}"));
    if path.exists() {
        return Ok(());
    }
    let part = files.copying();
    let copied = copy(&files.data(), &part).and_then(|()| fs::rename(&part, &path));
    if let Err(source) = copied {
        // A half copy is of no use and takes room.
        let _ = fs::remove_file(&part);
        return Err(env::at_path(&part, source));
    }
    files.sync_folder()
}

/// Plain reading and writing: the library's own copying sets permissions too, which a twin's wall
/// does not allow.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (fs::File::open(from)?, fs::File::create(to)?);
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece)? {
            0 => return to.sync_all(),
            read => to.write_all(piece.get(..read).unwrap_or_default())?,
        }
    }
}

/// Bytes that are copied at a time.
const PIECE: usize = 1 << 20;
