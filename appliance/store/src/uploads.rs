//! Contents on their way in: begun with their size, continued where they were interrupted, and
//! taken by the entry that names them. Never acknowledges a byte before it is on the disk.
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use crate::blobs::{BLOB_LIMIT, Blob, CHUNK, INLINE};
use crate::entry::Hash;
use crate::error::engine;
use crate::handles::Handles;
use crate::read::Reader;
use crate::rows::{Direction, Scan};
use crate::write::Writer;
use crate::{Error, Space, Store, sweep};

/// How long an upload is kept after it was begun, in milliseconds: three days.
pub const UPLOAD_KEPT_MS: i64 = 3 * 24 * 60 * 60 * 1000;
/// Uploads that one owner may have at a time; the oldest makes room.
const AT_ONCE: usize = 32;

/// Names an upload.
pub type UploadId = [u8; 16];

/// An upload as it is on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Who began it: nobody else sees it.
    pub owner: String,
    /// Bytes it will have.
    pub size: u64,
    /// Bytes that are here for good.
    pub offset: u64,
    /// When it is given up, ms since 1970.
    pub expires_ms: i64,
    /// The whole content, once it lies in chunks.
    blob: Option<Blob>,
}

impl Upload {
    /// Whether all bytes are here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.offset == self.size
    }
}

/// A content that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// In chunks.
    Blob(Blob),
    /// Small: it belongs into the entry.
    Inline(Vec<u8>),
}

impl Store {
    /// An upload of this owner.
    ///
    /// # Errors
    /// The disk failed.
    pub fn upload(&self, id: UploadId, owner: &str) -> Result<Option<Upload>, Error> {
        self.read(|r| find(r, id, owner))
    }

    /// Begins an upload.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Full`] when there is no room for all of it; or the disk failed.
    pub async fn begin_upload(
        &self,
        id: UploadId,
        owner: &str,
        size: u64,
        now_ms: i64,
    ) -> Result<Upload, Error> {
        let expires_ms = now_ms.saturating_add(UPLOAD_KEPT_MS);
        let blob = None;
        let upload = Upload { owner: owner.to_owned(), size, offset: 0, expires_ms, blob };
        let made = upload.clone();
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| Error::Random)?;
        let begin = move |w: &mut Writer<'_>| {
            if size > BLOB_LIMIT {
                let usize = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
                let (size, limit) = (usize(size), usize(BLOB_LIMIT));
                return Err(Error::TooLarge { what: "a file", size, limit });
            }
            w.reader().handles.room_for(w.reader().txn, size)?;
            let key = match w.meta_get(KEY)? {
                Some(key) => {
                    key.try_into().map_err(|_| Error::Blob { at: "its key".to_owned() })?
                }
                None => {
                    w.meta_put(KEY, &key)?;
                    key
                }
            };
            make_room(w, &made.owner)?;
            sweep::due(w, now_ms.saturating_add(sweep::SWEEP_WITHIN_MS))?;
            put(w, id, &made)?;
            Ok(key)
        };
        let key = self.write(begin).await?;
        self.core().chunks.know_key(key);
        Ok(upload)
    }

    /// What a complete upload of this owner holds; it stays an upload.
    ///
    /// # Errors
    /// The disk failed.
    pub fn uploaded(&self, id: UploadId, owner: &str) -> Result<Option<Content>, Error> {
        self.read(|r| {
            let Some(upload) = find(r, id, owner)?.filter(Upload::is_complete) else {
                return Ok(None);
            };
            Ok(Some(match upload.blob {
                Some(blob) => Content::Blob(blob),
                None => Content::Inline(meta(r, &tail_key(id))?.unwrap_or_default()),
            }))
        })
    }

    /// Gives an upload up; one that is not there is no error.
    ///
    /// # Errors
    /// The disk failed.
    pub async fn drop_upload(&self, id: UploadId, now_ms: i64) -> Result<(), Error> {
        self.write(move |w| {
            forget(w, id)?;
            sweep::due(w, now_ms)
        })
        .await
    }

    /// Goes on with an upload. Only one may at a time; who calls sees to that.
    ///
    /// # Errors
    /// The disk failed.
    pub fn append(&self, id: UploadId, owner: &str) -> Result<Option<Append>, Error> {
        self.read(|r| {
            let Some(upload) = find(r, id, owner)? else { return Ok(None) };
            let buffer = meta(r, &tail_key(id))?.unwrap_or_default();
            let parts = upload.offset / CHUNK as u64;
            let (store, new) = (self.clone(), Vec::new());
            Ok(Some(Append { store, id, upload, parts, buffer, new }))
        })
    }
}

/// Bytes being added to an upload. Dropped without [`Append::commit`] none of them was added.
pub struct Append {
    store: Store,
    id: UploadId,
    upload: Upload,
    /// Chunks that the upload had before.
    parts: u64,
    /// What does not fill a chunk yet.
    buffer: Vec<u8>,
    new: Vec<Hash>,
}

impl Append {
    /// How far the upload is with what was added.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.upload.offset
    }

    /// Bytes that are still missing.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.upload.size - self.upload.offset
    }

    /// Takes as many bytes as fill the chunk that is being filled; says how many.
    pub fn take(&mut self, bytes: &[u8]) -> usize {
        let room = (CHUNK - self.buffer.len()) as u64;
        let most = usize::try_from(room.min(self.missing())).unwrap_or(CHUNK);
        let some = bytes.get(..most).unwrap_or(bytes);
        self.buffer.extend_from_slice(some);
        self.upload.offset += some.len() as u64;
        some.len()
    }

    /// Whether [`Append::flush`] has to be called before more is taken.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.buffer.len() == CHUNK
    }

    /// Writes the full chunk. Blocks the thread.
    ///
    /// # Errors
    /// [`Error::Full`], or the disk failed.
    pub fn flush(&mut self) -> Result<(), Error> {
        let core = self.store.core();
        core.read(|r| r.handles.room_for(r.txn, self.buffer.len() as u64))?;
        self.new.push(core.chunks.put(&self.buffer)?);
        self.buffer.clear();
        Ok(())
    }

    /// Makes all that was taken durable. Blocks the thread.
    ///
    /// # Errors
    /// [`Error::Full`], or the disk failed.
    pub fn commit(mut self) -> Result<Upload, Error> {
        let complete = self.upload.is_complete();
        if self.is_full() || (complete && self.upload.size > INLINE && !self.buffer.is_empty()) {
            self.flush()?;
        }
        let (id, parts, new) = (self.id, self.parts, self.new.clone());
        // The last step may come again: then all of it is there already.
        if complete && self.upload.size > INLINE && self.upload.blob.is_none() {
            self.upload.blob = Some(self.whole()?);
        }
        let core = self.store.core();
        if !self.new.is_empty() {
            core.chunks.sync()?;
        }
        let (upload, tail) = (self.upload.clone(), std::mem::take(&mut self.buffer));
        let bytes = core.chunks.bytes.load(Ordering::Relaxed);
        let commit = move |w: &mut Writer<'_>| {
            // It may have been dropped meanwhile.
            if find(&w.reader(), id, &upload.owner)?.is_none() {
                return Ok(None);
            }
            for (hash, part) in new.iter().zip(parts..) {
                w.meta_put(&part_key(id, part), hash)?;
            }
            if tail.is_empty() {
                w.meta_delete(&tail_key(id))?;
            } else {
                w.meta_put(&tail_key(id), &tail)?;
            }
            w.meta_put(BYTES, &bytes.to_be_bytes())?;
            put(w, id, &upload)?;
            Ok::<_, Error>(Some(upload))
        };
        let committed = self.store.write_blocking(commit)?;
        committed.ok_or_else(|| Error::NoUpload)
    }

    /// The name of the whole content, all of whose chunks are written.
    fn whole(&mut self) -> Result<Blob, Error> {
        let size = self.upload.size;
        let mut all = self.store.read(|r| parts(r, self.id))?;
        all.truncate(usize::try_from(self.parts).unwrap_or(usize::MAX));
        all.extend(&self.new);
        if let [only] = all[..] {
            return Ok(Blob { root: only, size });
        }
        let list = all.as_flattened();
        let root = self.store.core().chunks.put(list)?;
        // Held like the others; its place in the list is behind them, where no part is.
        self.new.push(root);
        Ok(Blob { root, size })
    }
}

impl Drop for Append {
    fn drop(&mut self) {
        self.store.core().chunks.release(self.new.drain(..));
    }
}

impl Writer<'_> {
    /// Takes a complete upload, for the entry that names it; `None` when this owner has none of
    /// this id that is complete.
    ///
    /// # Errors
    /// The disk failed.
    pub fn take_upload(&mut self, id: UploadId, owner: &str) -> Result<Option<Content>, Error> {
        let found = find(&self.reader(), id, owner)?.filter(Upload::is_complete);
        let Some(upload) = found else { return Ok(None) };
        let content = match upload.blob {
            Some(blob) => Content::Blob(blob),
            None => Content::Inline(meta(&self.reader(), &tail_key(id))?.unwrap_or_default()),
        };
        forget(self, id)?;
        Ok(Some(content))
    }

    pub(crate) fn meta_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        meta(&self.reader(), key)
    }
}

impl Handles {
    /// Refuses what does not fit into the quota beside what is there.
    fn room_for(&self, txn: &heed::RoTxn<'_>, more: u64) -> Result<(), Error> {
        let Some(quota) = self.quota else { return Ok(()) };
        let used = self.used_bytes(txn)?.saturating_add(self.blob_bytes());
        if used.saturating_add(more) > quota {
            self.look_at_room(txn)?;
            return Err(Error::Full { space: Space::Quota });
        }
        Ok(())
    }
}

/// Every upload with its id.
pub(crate) fn all(r: &Reader<'_>) -> Result<Vec<(UploadId, Upload)>, Error> {
    let mut found = Vec::new();
    for (key, row) in scan(r, HEAD)? {
        let id = key.get(HEAD.len()..).and_then(|id| id.try_into().ok());
        let upload = postcard::from_bytes(&row).ok();
        let lost = || Error::Damaged { at: "an upload".to_owned() };
        found.push(id.zip(upload).ok_or_else(lost)?);
    }
    Ok(found)
}

/// The chunks that an upload has; with the list of them, if it is complete.
pub(crate) fn chunks(r: &Reader<'_>, id: UploadId, upload: &Upload) -> Result<Vec<Hash>, Error> {
    let mut all = parts(r, id)?;
    all.extend(upload.blob.map(|blob| blob.root));
    Ok(all)
}

fn parts(r: &Reader<'_>, id: UploadId) -> Result<Vec<Hash>, Error> {
    let lost = |_| Error::Damaged { at: "a part of an upload".to_owned() };
    let rows = scan(r, &[PART, &id].concat())?;
    rows.into_iter().map(|(_, hash)| hash.try_into().map_err(lost)).collect()
}

pub(crate) fn forget(w: &mut Writer<'_>, id: UploadId) -> Result<(), Error> {
    for (key, _) in scan(&w.reader(), &[PART, &id].concat())? {
        w.meta_delete(&key)?;
    }
    w.meta_delete(&tail_key(id))?;
    w.meta_delete(&head_key(id)).map(drop)
}

fn make_room(w: &mut Writer<'_>, owner: &str) -> Result<(), Error> {
    let mut mine = all(&w.reader())?;
    mine.retain(|(_, upload)| upload.owner == owner);
    mine.sort_by_key(|(_, upload)| upload.expires_ms);
    let over = (mine.len() + 1).saturating_sub(AT_ONCE);
    mine.iter().take(over).try_for_each(|(id, _)| forget(w, *id))
}

fn find(r: &Reader<'_>, id: UploadId, owner: &str) -> Result<Option<Upload>, Error> {
    let Some(row) = meta(r, &head_key(id))? else { return Ok(None) };
    let upload: Upload =
        postcard::from_bytes(&row).map_err(|_| Error::Damaged { at: "an upload".to_owned() })?;
    Ok(Some(upload).filter(|upload| upload.owner == owner))
}

fn put(w: &mut Writer<'_>, id: UploadId, upload: &Upload) -> Result<(), Error> {
    let row = postcard::to_stdvec(upload);
    let row = row.map_err(|source| Error::Engine { source: Box::new(source) })?;
    w.meta_put(&head_key(id), &row)
}

fn meta(r: &Reader<'_>, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    Ok(r.handles.meta.get(r.txn, key).map_err(engine)?.map(<[u8]>::to_vec))
}

fn scan(r: &Reader<'_>, prefix: &[u8]) -> Result<Vec<crate::Row>, Error> {
    let direction = Direction::Forward;
    let scan = Scan { prefix, from: None, cut: 0, limit: usize::MAX, direction };
    scan.run(r.handles.meta, r.txn)
}

fn head_key(id: UploadId) -> Vec<u8> {
    [HEAD, &id].concat()
}

fn tail_key(id: UploadId) -> Vec<u8> {
    [TAIL, &id].concat()
}

fn part_key(id: UploadId, part: u64) -> Vec<u8> {
    [PART, &id, &part.to_be_bytes()].concat()
}

const HEAD: &[u8] = b"upload.head/";
const PART: &[u8] = b"upload.part/";
const TAIL: &[u8] = b"upload.tail/";
/// What chunks are named with.
pub(crate) const KEY: &[u8] = b"blob.key";
/// Bytes of all chunks.
pub(crate) const BYTES: &[u8] = b"blob.bytes";
