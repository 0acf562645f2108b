//! Stages: each is kept under the hash of everything that it was made from, and made only once.
//!
//! A stage that failed leaves nothing. What several builds ago was used is removed, so that the
//! folder doesn't grow.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use rustix::fs::{FlockOperation, flock};

use crate::{Error, Result, say};

/// The folder of all stages, held by this build alone.
pub(crate) struct Cache {
    folder: PathBuf,
    _lock: File,
}

/// Everything that a stage is made from.
pub(crate) struct Inputs {
    hasher: blake3::Hasher,
}

impl Inputs {
    pub(crate) fn new() -> Self {
        Self { hasher: blake3::Hasher::new() }
    }

    /// A text, or what another stage is called.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        self
    }

    /// The stage whose result is used.
    pub(crate) fn stage(self, stage: &Path) -> Self {
        let name = stage.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.text(&name)
    }

    /// A file's content.
    pub(crate) fn file(self, path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(Error::file(path))?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
        Ok(self.text(&hash))
    }

    /// All files below a folder, with their names.
    pub(crate) fn folder(mut self, path: &Path) -> Result<Self> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(Error::file(path))? {
            entries.push(entry.map_err(Error::file(path))?.path());
        }
        entries.sort();
        for entry in entries {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self = self.text(&name);
            self = if entry.is_dir() { self.folder(&entry)? } else { self.file(&entry)? };
        }
        Ok(self)
    }

    fn name(&self, stage: &str) -> String {
        format!("{stage}-{}", &self.hasher.finalize().to_hex()[..20])
    }
}

impl Cache {
    /// Opens the folder, and waits until no other build uses it.
    pub(crate) fn open() -> Result<Self> {
        let folder = folder()?;
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(Error::file(&path))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            say("another build is going on; waiting for it");
            flock(&lock, FlockOperation::LockExclusive)
                .map_err(|error| Error::file(&path)(error.into()))?;
        }
        Ok(Self { folder, _lock: lock })
    }

    /// Where what a stage's programs say is kept.
    pub(crate) fn log(&self, stage: &str) -> PathBuf {
        self.folder.join(format!("{stage}.log"))
    }

    /// Whether this stage need not be made.
    pub(crate) fn has(&self, stage: &str, inputs: &Inputs) -> bool {
        self.folder.join(inputs.name(stage)).is_dir()
    }

    /// The stage's folder, made now if it isn't there.
    pub(crate) fn stage(
        &self,
        stage: &str,
        inputs: &Inputs,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let done = self.folder.join(inputs.name(stage));
        if done.is_dir() {
            // So that it counts as used.
            let now = File::open(&done).and_then(|dir| dir.set_modified(SystemTime::now()));
            now.map_err(Error::file(&done))?;
            return Ok(done);
        }
        say(&format!("{stage} ..."));
        let begin = Instant::now();
        let half = self.folder.join(format!("{stage}.making"));
        remove(&half)?;
        fs::create_dir(&half).map_err(Error::file(&half))?;
        if let Err(error) = make(&half) {
            remove(&half)?;
            return Err(error);
        }
        fs::rename(&half, &done).map_err(Error::file(&done))?;
        say(&format!("{stage}: {:.1} s", begin.elapsed().as_secs_f64()));
        self.forget(stage)?;
        Ok(done)
    }

    /// Removes all of a stage but those that were used last.
    fn forget(&self, stage: &str) -> Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(Error::file(&self.folder))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = name.strip_prefix(stage).and_then(|rest| rest.strip_prefix('-'));
            if ours.is_some_and(|hash| hash.len() == 20) {
                let used = entry.metadata().and_then(|about| about.modified());
                kept.push((used.unwrap_or(SystemTime::UNIX_EPOCH), entry.path()));
            }
        }
        kept.sort();
        let old = kept.len().saturating_sub(KEPT);
        kept.iter().take(old).try_for_each(|(_, path)| remove(path))
    }
}

/// Removes a folder if it's there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Tests make images of several versions, and want them again at the next run.
const KEPT: usize = 6;

fn folder() -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let none = || Error::file("HOME")(std::io::Error::other("is not set"));
    Ok(folder.ok_or_else(none)?.join("hometwin/image"))
}
