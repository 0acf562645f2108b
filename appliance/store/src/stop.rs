//! A store that differs from its own journal stops being written, until somebody has repaired it or
//! a check finds it whole again. Never changes the data file by itself, and never lets it be
//! compacted or overwritten meanwhile.
//!
//! The mark lies in a file of its own beside the data file, so that it holds whatever is damaged in
//! there, and across restarts.
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::env::{self, Files};
use crate::store::{Core, STEM, Store};
use crate::{Difference, Error};

/// Why a store is not written any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Since when, ms since 1970.
    pub since_ms: i64,
    /// Which part of the store differs.
    pub part: Part,
    /// What was found, for operators; never content.
    pub found: String,
}

/// A part of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What was signed earlier says otherwise: entries are gone or others than they were.
    Checkpoint,
    /// The content of an entry.
    Content,
    /// The chain of entries.
    Journal,
    /// The tables, while the journal is sound: they can be made again from it.
    Tables,
}

impl Stopped {
    /// Whether [`Store::rebuild_tables`] can settle it.
    #[must_use]
    pub fn can_be_rebuilt(&self) -> bool {
        self.part == Part::Tables
    }

    pub(crate) fn of(difference: &Difference) -> Option<Self> {
        use Difference as D;
        let part = match difference {
            // An older release after a fallback: it keeps what it does not know, and goes on.
            D::Unreadable { source, .. } if matches!(**source, Error::NewerEntry { .. }) => {
                return None;
            }
            D::Missing { .. } | D::Unreadable { .. } | D::Chain { .. } | D::Replay { .. } => {
                Part::Journal
            }
            D::Content { .. } | D::ContentMissing { .. } | D::ContentLeft { .. } => Part::Content,
            // The rest is sound, and writing does it no harm.
            D::Blob { .. } => return None,
            D::Row { .. } | D::Tables { .. } => Part::Tables,
            D::Signature { .. } | D::History { .. } => Part::Checkpoint,
        };
        Some(Self { since_ms: now_ms(), part, found: difference.to_string() })
    }
}

impl Store {
    /// Why nothing is written any more; `None` while all is well.
    #[must_use]
    pub fn stopped(&self) -> Option<Stopped> {
        self.core().stopped.borrow().clone()
    }

    /// Tells when writing stops and when it goes on.
    #[must_use]
    pub fn watch_stopped(&self) -> tokio::sync::watch::Receiver<Option<Stopped>> {
        self.core().stopped.subscribe()
    }

    /// Stops writing because a call met damage. What is written already stays as it is.
    pub fn stop_for(&self, damage: &Error) {
        let stopped =
            Stopped { since_ms: now_ms(), part: Part::Journal, found: damage.to_string() };
        self.core().stop(&stopped);
    }
}

impl Core {
    /// Stops writing, durably if the disk allows it. The first reason stays.
    pub(crate) fn stop(&self, stopped: &Stopped) {
        let is_new = self.stopped.send_if_modified(|now| {
            let is_new = now.is_none();
            now.get_or_insert_with(|| stopped.clone());
            is_new
        });
        if !is_new {
            return;
        }
        tracing::error!(found = stopped.found, "the data differ: nothing is written any more");
        if let Err(error) = write_mark(&self.files, stopped) {
            tracing::error!(error = &error as &dyn std::error::Error, "no mark of it was kept");
        }
    }

    /// All is well again.
    pub(crate) fn go_on(&self) -> Result<(), Error> {
        if self.stopped.borrow().is_none() {
            return Ok(());
        }
        remove_mark(&self.files)?;
        self.stopped.send_replace(None);
        tracing::info!("the data agree again: writing goes on");
        Ok(())
    }

    /// What every change has to ask first.
    pub(crate) fn refuse_if_stopped(&self) -> Result<(), Error> {
        match &*self.stopped.borrow() {
            Some(stopped) => Err(Error::Stopped { found: stopped.found.clone() }),
            None => Ok(()),
        }
    }
}

/// The mark of a folder.
///
/// # Errors
/// The disk failed.
pub fn stopped(folder: &Path) -> Result<Option<Stopped>, Error> {
    read_mark(&Files::new(folder, STEM))
}

pub(crate) fn read_mark(files: &Files) -> Result<Option<Stopped>, Error> {
    let path = files.mark();
    match fs::read(&path) {
        // A mark that can't be read is still one.
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| Stopped {
            since_ms: now_ms(),
            part: Part::Journal,
            found: "the note of what was found can't be read".to_owned(),
        }))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(env::at_path(&path, source)),
    }
}

fn write_mark(files: &Files, stopped: &Stopped) -> Result<(), Error> {
    let (path, fresh) = (files.mark(), files.mark().with_extension("stopped-new"));
    let text = serde_json::to_vec(stopped).unwrap_or_default();
    let written = File::create(&fresh).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)
    });
    written.map_err(|source| env::at_path(&path, source))?;
    files.sync_folder()
}

fn remove_mark(files: &Files) -> Result<(), Error> {
    let path = files.mark();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(env::at_path(&path, error)),
        Ok(()) | Err(_) => files.sync_folder(),
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
