//! Large contents: chunks in files of their own, named by what is in them. Never in the data file,
//! never changed once written, and never removed but by the sweep.
//!
//! A chunk's name is its keyed hash, so a name tells nobody without the key what is inside, and
//! every reading checks it. Contents of more than one chunk are named by a chunk that lists them.
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::entry::Hash;
use crate::env::{Env, Files, at_path};
use crate::error::{copy_of, engine, io_error};
use crate::handles::Handles;
use crate::{Error, Store, uploads};

/// Contents up to so many bytes belong into an entry; larger ones are blobs.
pub const INLINE: u64 = 16 * 1024;
/// Bytes of a chunk; only the last one of a content is shorter.
pub const CHUNK: usize = 1 << 20;
/// Most bytes of one content: as many chunks as one chunk can list, 32 GiB.
pub const BLOB_LIMIT: u64 = (CHUNK / HASH) as u64 * CHUNK as u64;
const HASH: usize = 32;

/// A content that lies in chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// The hash of its only chunk, or of the list of its chunks.
    #[serde(serialize_with = "write_hash", deserialize_with = "read_hash")]
    pub root: Hash,
    /// Its bytes.
    pub size: u64,
}

impl Blob {
    /// In how many chunks it lies.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(CHUNK as u64)
    }
}

/// Hexadecimal where people may read it: shapes stay for ever, and exports are text.
fn write_hash<S: Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
    if to.is_human_readable() {
        to.serialize_str(&HEXLOWER.encode(hash))
    } else {
        hash.serialize(to)
    }
}

fn read_hash<'de, D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
    if !from.is_human_readable() {
        return Hash::deserialize(from);
    }
    let text = String::deserialize(from)?;
    hash_of_name(&text).ok_or_else(|| serde::de::Error::custom("not 64 hexadecimal digits"))
}

/// The chunks of a content, found once and read one at a time.
pub struct Contents {
    store: Store,
    blob: Blob,
    chunks: Vec<Hash>,
}

impl Contents {
    /// How many bytes there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.blob.size
    }

    /// The bytes of one chunk, checked. Blocks the thread.
    ///
    /// # Errors
    /// [`Error::Blob`] when they are not what they were, or the disk failed.
    pub fn chunk(&self, index: u64) -> Result<Vec<u8>, Error> {
        let chunks = &self.store.core().chunks;
        let lost = || damaged(&self.blob.root, "is shorter than it says");
        let hash = usize::try_from(index).ok().and_then(|index| self.chunks.get(index));
        let bytes = chunks.read(hash.ok_or_else(lost)?)?;
        let wanted = (self.blob.size - index * CHUNK as u64).min(CHUNK as u64);
        if bytes.len() as u64 == wanted { Ok(bytes) } else { Err(lost()) }
    }
}

impl Store {
    /// Finds the chunks of a content. Blocks the thread.
    ///
    /// # Errors
    /// [`Error::Blob`] when they are not there, or the disk failed.
    pub fn contents(&self, blob: Blob) -> Result<Contents, Error> {
        let chunks = self.core().chunks.list(&blob)?;
        Ok(Contents { store: self.clone(), blob, chunks })
    }
}

/// The folder of chunks.
pub(crate) struct Chunks {
    folder: PathBuf,
    key: OnceLock<Hash>,
    busy: Mutex<Busy>,
    /// Bytes of all chunks, those that nothing names any more included.
    pub(crate) bytes: Arc<AtomicU64>,
    temporary: AtomicU64,
}

/// Which chunks may not be removed although no state names them yet.
#[derive(Default)]
struct Busy {
    /// By how many appends each is needed.
    fresh: HashMap<Hash, usize>,
    sweeping: bool,
    /// Named since the sweep looked.
    late: HashSet<Hash>,
}

impl Chunks {
    /// As [`Chunks::look`]; removes what a killed process was writing.
    pub(crate) fn open(files: &Files, env: &Env, handles: &Handles) -> Result<Self, Error> {
        let chunks = Self::look(files, env, handles)?;
        let folder = chunks.unfinished();
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at_path(&folder, error)),
            Ok(()) | Err(_) => Ok(chunks),
        }
    }

    /// The chunks beside a data file; nothing changes.
    pub(crate) fn look(files: &Files, env: &Env, handles: &Handles) -> Result<Self, Error> {
        let txn = env.read_txn().map_err(engine)?;
        let row = |key| handles.meta.get(&txn, key).map_err(engine);
        let key = OnceLock::new();
        if let Some(known) = row(uploads::KEY)?.and_then(|known| Hash::try_from(known).ok()) {
            // A new cell is empty.
            let _ = key.set(known);
        }
        let bytes = row(uploads::BYTES)?.and_then(|bytes| bytes.try_into().ok());
        handles.blobs.store(bytes.map_or(0, u64::from_be_bytes), Ordering::Relaxed);
        Ok(Self {
            folder: files.folder().join("blobs"),
            key,
            busy: Mutex::default(),
            bytes: handles.blobs.clone(),
            temporary: AtomicU64::new(0),
        })
    }

    /// The key that names chunks, once there is one.
    pub(crate) fn key(&self) -> Option<&Hash> {
        self.key.get()
    }

    pub(crate) fn know_key(&self, key: Hash) {
        // Whoever was first has written it.
        let _ = self.key.set(key);
    }

    /// Keeps a chunk; it is on the disk under its name when [`Chunks::sync`] was called after this.
    /// Until it is [released](Chunks::release) no sweep removes it.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<Hash, Error> {
        let hash = self.hash(bytes)?;
        *self.busy().fresh.entry(hash).or_default() += 1;
        let written = self.write(&hash, bytes);
        if written.is_err() {
            self.release([hash]);
        }
        written.map(|()| hash)
    }

    fn write(&self, hash: &Hash, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(hash);
        if fs::metadata(&path).is_ok_and(|about| about.len() == bytes.len() as u64) {
            return Ok(());
        }
        let unfinished = self.unfinished();
        if !unfinished.is_dir() {
            fs::create_dir_all(&unfinished).map_err(|source| at_path(&unfinished, source))?;
            self.folder.parent().map_or(Ok(()), sync_folder)?;
        }
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = unfinished.join(number.to_string());
        let write = || -> io::Result<()> {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_data()?;
            fs::rename(&temporary, &path)
        };
        if let Err(error) = write() {
            // What is left is cleared away at the next opening.
            let _ = fs::remove_file(&temporary);
            let full = io_error(copy_of(&error));
            let is_full = matches!(full, Error::Full { .. });
            return Err(if is_full { full } else { at_path(&path, error) });
        }
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Makes the names of chunks durable.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        sync_folder(&self.folder)
    }

    /// These are named by a durable state now, or given up.
    pub(crate) fn release(&self, hashes: impl IntoIterator<Item = Hash>) {
        let mut busy = self.busy();
        for hash in hashes {
            if let Some(count) = busy.fresh.get_mut(&hash) {
                *count -= 1;
                if *count == 0 {
                    busy.fresh.remove(&hash);
                }
            }
            if busy.sweeping {
                busy.late.insert(hash);
            }
        }
    }

    /// A chunk's bytes, checked.
    pub(crate) fn read(&self, hash: &Hash) -> Result<Vec<u8>, Error> {
        let path = self.path(hash);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| {
            // One byte more than a chunk has tells one that grew.
            file.take(CHUNK as u64 + 1).read_to_end(&mut bytes)
        });
        match read {
            Ok(_) if self.hash(&bytes)? == *hash => Ok(bytes),
            Ok(_) => Err(damaged(hash, "was changed")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(damaged(hash, "is missing"))
            }
            Err(source) => Err(at_path(&path, source)),
        }
    }

    /// The chunks of a content, in order.
    pub(crate) fn list(&self, blob: &Blob) -> Result<Vec<Hash>, Error> {
        if blob.chunks() <= 1 {
            return Ok(vec![blob.root]);
        }
        let list = self.read(&blob.root)?;
        let (hashes, rest) = list.as_chunks::<HASH>();
        if !rest.is_empty() || hashes.len() as u64 != blob.chunks() {
            return Err(damaged(&blob.root, "lists other chunks than it should"));
        }
        Ok(hashes.to_vec())
    }

    /// Looks through a whole content.
    pub(crate) fn check(&self, blob: &Blob) -> Result<(), Error> {
        let mut size = 0;
        for hash in self.list(blob)? {
            size += self.read(&hash)?.len() as u64;
        }
        if size == blob.size { Ok(()) } else { Err(damaged(&blob.root, "has another size")) }
    }

    /// Begins a sweep: from now on nothing that becomes named is taken for unnamed. `None` while
    /// another one is under way.
    pub(crate) fn begin_sweep(&self) -> Option<Sweeping<'_>> {
        let other = std::mem::replace(&mut self.busy().sweeping, true);
        if other { None } else { Some(Sweeping(self)) }
    }

    fn hash(&self, bytes: &[u8]) -> Result<Hash, Error> {
        let key = self.key().ok_or_else(|| Error::Blob { at: "its key is missing".to_owned() })?;
        Ok(*blake3::keyed_hash(key, bytes).as_bytes())
    }

    fn path(&self, hash: &Hash) -> PathBuf {
        self.folder.join(HEXLOWER.encode(hash))
    }

    fn unfinished(&self) -> PathBuf {
        self.folder.join("new")
    }

    fn busy(&self) -> MutexGuard<'_, Busy> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sweep under way.
pub(crate) struct Sweeping<'c>(&'c Chunks);

impl Sweeping<'_> {
    /// Removes every chunk that is not `named` and not just being written; counts what stays and
    /// what went, in bytes.
    pub(crate) fn run(&self, named: impl Fn(&Hash) -> bool) -> Result<(u64, u64), Error> {
        let Self(chunks) = self;
        let (mut kept, mut removed) = (0, 0);
        let at = |source| at_path(&chunks.folder, source);
        let all = match fs::read_dir(&chunks.folder) {
            Ok(all) => all,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
            Err(source) => return Err(at(source)),
        };
        for found in all {
            let found = found.map_err(at)?;
            let name = found.file_name();
            let Some(hash) = name.to_str().and_then(hash_of_name) else { continue };
            let length = found.metadata().map_or(0, |about| about.len());
            if named(&hash) || !self.remove(&hash)? {
                kept += length;
            } else {
                removed += length;
            }
        }
        Ok((kept, removed))
    }

    fn remove(&self, hash: &Hash) -> Result<bool, Error> {
        // Held while the file goes: nobody may find it there in between and rely on it.
        let busy = self.0.busy();
        if busy.fresh.contains_key(hash) || busy.late.contains(hash) {
            return Ok(false);
        }
        let path = self.0.path(hash);
        fs::remove_file(&path).map_err(|source| at_path(&path, source))?;
        Ok(true)
    }
}

impl Drop for Sweeping<'_> {
    fn drop(&mut self) {
        let mut busy = self.0.busy();
        busy.sweeping = false;
        busy.late = HashSet::new();
    }
}

fn hash_of_name(name: &str) -> Option<Hash> {
    HEXLOWER.decode(name.as_bytes()).ok()?.try_into().ok()
}

fn damaged(hash: &Hash, what: &str) -> Error {
    Error::Blob { at: format!("chunk {} {what}", HEXLOWER.encode(&hash[..8])) }
}

fn sync_folder(folder: &Path) -> Result<(), Error> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| at_path(folder, source))
}
