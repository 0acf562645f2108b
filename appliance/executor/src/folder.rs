//! The node's data folder: its lock, and where things lie in it.
//!
//! ```text
//! DATA/node.toml          settings, written by people
//! DATA/lock               held by every process of the running node
//! DATA/control.sock       verbs of `hometwin twin ...`
//! DATA/node/twins.json    who has a twin here
//! DATA/node/empty/        the gateway's folder: nothing is in it, ever
//! DATA/twins/<number>/    one folder per twin; the executor never looks inside
//! DATA/exports/           what `remove` writes before it removes
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use handover::Number;
use rustix::fs::{FlockOperation, flock};

use crate::uids::{self, Uids};
use crate::{Error, file_error};

/// A data folder that belongs to this process and its children.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Held, never used again.
    _lock: File,
    uids: Option<Uids>,
}

impl DataFolder {
    /// Makes the folder if there is none, and takes its lock.
    ///
    /// # Errors
    /// [`Error::InUse`] when another node runs on it, [`Error::File`] when it can't be made.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = std::path::absolute(path).map_err(file_error(path))?;
        check_owner(&path)?;
        make(&path)?;
        for inside in ["node", "node/empty", "twins"] {
            make(&path.join(inside))?;
        }
        let file = lock_file(&path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&file).map_err(file_error(&file))?;
        // A killed executor's children hold the lock for the moment that they need to follow it.
        let until = Instant::now() + Duration::from_secs(2);
        while let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(file_error(file)(error.into()));
            }
            if Instant::now() > until || control_answers(&path) {
                return Err(Error::InUse { folder: path });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // Every process of the node holds it from here on, each on its own, so that none can let go
        // for another. Who comes later wants it alone, as this one did.
        if flock(&lock, FlockOperation::NonBlockingLockShared).is_err() {
            return Err(Error::InUse { folder: path });
        }
        Ok(Self { path, _lock: lock, uids: None })
    }

    /// Gives every twin's folder to a user of its own, from now on.
    pub fn keep_apart(&mut self, uids: Option<Uids>) {
        self.uids = uids;
    }

    /// The users of the node's processes, if they have their own.
    #[must_use]
    pub fn uids(&self) -> Option<Uids> {
        self.uids
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A twin's folder.
    #[must_use]
    pub fn twin(&self, twin: Number) -> PathBuf {
        self.path.join("twins").join(twin.to_string())
    }

    /// Makes a twin's folder.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn make_twin(&self, twin: Number) -> Result<PathBuf, Error> {
        let folder = self.twin(twin);
        for folder in [folder.clone(), folder.join("door"), folder.join("life")] {
            make(&folder)?;
        }
        self.give_twin(twin)?;
        Ok(folder)
    }

    /// Gives a twin that doesn't run what is in its folder: what an operator brought back from a
    /// copy, or a verb has touched, is another user's.
    ///
    /// # Errors
    /// When it can't be given.
    pub fn give_twin(&self, twin: Number) -> Result<(), Error> {
        match self.uids {
            Some(uids) => uids::give(&self.twin(twin), uids.twin(twin)),
            None => Ok(()),
        }
    }

    /// Copies an experience's folder to where a twin looks for those that are not built in.
    ///
    /// # Errors
    /// When a file can't be read or written.
    pub fn give_experience(&self, twin: Number, experience: &Path) -> Result<(), Error> {
        let name = experience.file_name().unwrap_or(experience.as_os_str());
        // It is given to the twin again when that starts.
        self.take(&self.twin(twin), uids::take)?;
        let folder = self.twin(twin).join("experiences");
        make(&folder)?;
        copy(experience, &folder.join(name))
    }

    /// Removes a twin's folder and all in it.
    ///
    /// # Errors
    /// When something in it can't be removed.
    pub fn remove_twin(&self, twin: Number) -> Result<(), Error> {
        let folder = self.twin(twin);
        self.take(&folder, uids::take_all)?;
        std::fs::remove_dir_all(&folder).map_err(file_error(folder))
    }

    /// Takes every twin's folder back, so that all of this one can be removed. No twin runs any more.
    ///
    /// # Errors
    /// When one can't be taken.
    pub fn take_back(&self) -> Result<(), Error> {
        self.take(&self.path.join("twins"), uids::take_all)
    }

    fn take(&self, folder: &Path, take: fn(&Path) -> Result<(), Error>) -> Result<(), Error> {
        match self.uids {
            Some(_) => take(folder),
            None => Ok(()),
        }
    }

    /// A new file for an export, readable by nobody else.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new_export(&self, name: &str) -> Result<(PathBuf, File), Error> {
        let folder = self.path.join("exports");
        make(&folder)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut n = 1;
        loop {
            let path = folder.join(format!("{name}-{n}.jsonl"));
            match options.open(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
                Err(error) => return Err(file_error(path)(error)),
            }
        }
    }

    /// The lock, for a child's standard output: a child never prints, and as long as one lives no
    /// second node can start on the folder. Opened anew, to read only: a child that lets go of it
    /// lets go for itself, and it can't be filled.
    pub(crate) fn lock_for_child(&self) -> std::io::Result<Stdio> {
        let lock = File::open(lock_file(&self.path))?;
        flock(&lock, FlockOperation::NonBlockingLockShared)?;
        Ok(Stdio::from(lock))
    }

    /// Where the gateway is at home: nothing is there.
    pub(crate) fn empty(&self) -> PathBuf {
        self.path.join("node").join("empty")
    }

    pub(crate) fn registry_file(&self) -> PathBuf {
        self.path.join("node").join("twins.json")
    }
}

/// Where a node on this folder listens for verbs.
pub(crate) fn control_socket(folder: &Path) -> PathBuf {
    folder.join("control.sock")
}

fn control_answers(folder: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(control_socket(folder)).is_ok()
}

fn lock_file(folder: &Path) -> PathBuf {
    folder.join("lock")
}

/// Root must not touch what an ordinary user has: that user couldn't open it any more.
fn check_owner(path: &Path) -> Result<(), Error> {
    let Ok(about) = std::fs::metadata(path) else { return Ok(()) };
    if rustix::process::geteuid().is_root() && about.uid() != 0 {
        return Err(Error::NotYours { folder: path.to_owned(), owner: about.uid() });
    }
    Ok(())
}

fn make(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(file_error(path))
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    make(to)?;
    for item in std::fs::read_dir(from).map_err(file_error(from))? {
        let item = item.map_err(file_error(from))?;
        let (path, target) = (item.path(), to.join(item.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).map_err(file_error(&path))?;
        }
    }
    Ok(())
}
