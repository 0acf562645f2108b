//! `files.*`: what is in folders. Contents hold names and small files; large ones lie in blobs that
//! shapes name. Names are the one thing of a content that tables hold, to find and sort by: they are
//! taken out again when the content is erased.

use serde::{Deserialize, Serialize};
use store::{
    Blob, Direction, Entry, Error, FoldError, ReadAll as _, ReadTables as _, Reader, Tables,
};

use super::{Kind, Line, Undo, content, shape, short};
use crate::life::tables::{
    self, FILE, FILE_IN, FILE_NAME, FILE_TRASH, FILE_VERSION, File, Id16, Named, Rows as _,
    Version, put,
};

pub(crate) const PUT: &str = "files.put";
pub(crate) const FOLDER: &str = "files.folder";
pub(crate) const REPLACED: &str = "files.replaced";
pub(crate) const MOVED: &str = "files.moved";
pub(crate) const TRASHED: &str = "files.trashed";
pub(crate) const RESTORED: &str = "files.restored";
pub(crate) const DELETED: &str = "files.deleted";

pub(super) const KINDS: &[Kind] = &[
    Kind { name: PUT, fold: was_put, line: put_line },
    Kind { name: FOLDER, fold: folder_made, line: folder_line },
    Kind { name: REPLACED, fold: replaced, line: replaced_line },
    Kind { name: MOVED, fold: moved, line: moved_line },
    Kind { name: TRASHED, fold: trashed, line: trashed_line },
    Kind { name: RESTORED, fold: restored, line: restored_line },
    Kind { name: DELETED, fold: deleted, line: deleted_line },
];

/// Versions of a file that are kept.
pub(crate) const VERSIONS: u32 = 50;

/// A file was put into a folder.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Put {
    pub(crate) item: Id16,
    pub(crate) folder: Id16,
    #[serde(flatten)]
    pub(crate) bytes: Bytes,
}

/// Where the bytes of a version are.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Bytes {
    pub(crate) size: u64,
    /// In chunks; in the content of the entry without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blob: Option<Blob>,
}

/// A folder was made.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Folder {
    pub(crate) item: Id16,
    pub(crate) folder: Id16,
}

/// A file got another content.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Replaced {
    pub(crate) item: Id16,
    #[serde(flatten)]
    pub(crate) bytes: Bytes,
    /// The version of before.
    pub(crate) previous: u64,
    /// The version that has its content back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) again: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

/// An item got another name or folder.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Moved {
    pub(crate) item: Id16,
    pub(crate) from: Id16,
    pub(crate) to: Id16,
    /// The content has its new name.
    pub(crate) renamed: bool,
    /// The entry that holds its name of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

/// An item went into the trash.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Trashed {
    pub(crate) item: Id16,
    /// Its folder.
    pub(crate) from: Id16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

/// An item came back from the trash.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Restored {
    pub(crate) item: Id16,
    /// Where to: its own folder may be gone.
    pub(crate) to: Id16,
    /// The content has a new name: its own was given away.
    pub(crate) renamed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

/// Items were deleted for good, with their names and contents.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Deleted {
    /// That of the first of them.
    pub(crate) folder: Id16,
    /// The one that was chosen, and all that was in it.
    pub(crate) items: Vec<Id16>,
}

/// The content of these entries, as far as each has it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Words {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    /// A small picture of what is in it, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) preview: Option<String>,
    /// A small file, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<String>,
}

fn was_put(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Put { item, folder, bytes } = shape(entry)?;
    let file = File { folder, version: Some(entry.seq), ..new(entry) };
    place(t, item, &file)?;
    keep_version(t, entry, item, bytes)
}

fn folder_made(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Folder { item, folder } = shape(entry)?;
    place(t, item, &File { folder, ..new(entry) })
}

fn new(entry: &Entry) -> File {
    File {
        folder: Id16::ROOT,
        version: None,
        versions: 0,
        made_ms: entry.time_ms,
        made: entry.seq,
        changed_ms: entry.time_ms,
        trashed_ms: None,
        rev: entry.seq,
    }
}

/// Puts a new item into its folder; it has no name yet.
fn place(t: &mut Tables<'_>, item: Id16, file: &File) -> Result<(), FoldError> {
    if t.file(item)?.is_some() || item == Id16::ROOT {
        return Err(FoldError::refused("the item is there already"));
    }
    put(t, FILE, &item.0, file)?;
    Ok(t.put(FILE_IN, &tables::file_in(file, "", item), b"")?)
}

fn replaced(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Replaced { item, bytes, .. } = shape(entry)?;
    let mut file = found(t, item)?;
    if file.version.is_none() {
        return Err(FoldError::refused("a folder has no content"));
    }
    file.version = Some(entry.seq);
    file.changed_ms = entry.time_ms;
    file.rev = entry.seq;
    put(t, FILE, &item.0, &file)?;
    keep_version(t, entry, item, bytes)
}

/// Adds a version; the oldest makes room.
fn keep_version(
    t: &mut Tables<'_>,
    entry: &Entry,
    item: Id16,
    bytes: Bytes,
) -> Result<(), FoldError> {
    let Bytes { size, blob } = bytes;
    let row = Version { size, blob, made_ms: entry.time_ms };
    put(t, FILE_VERSION, &tables::file_version(item, entry.seq), &row)?;
    let mut file = found(t, item)?;
    file.versions += 1;
    if file.versions > VERSIONS {
        let oldest = t.prefix(FILE_VERSION, &item.0, 1, Direction::Forward)?;
        for (key, _) in oldest {
            t.delete(FILE_VERSION, &key)?;
            file.versions -= 1;
        }
    }
    Ok(put(t, FILE, &item.0, &file)?)
}

fn moved(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Moved { item, to, .. } = shape(entry)?;
    change(t, entry, item, |file| file.folder = to)
}

fn trashed(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Trashed { item, .. } = shape(entry)?;
    change(t, entry, item, |file| file.trashed_ms = Some(entry.time_ms))
}

fn restored(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Restored { item, to, .. } = shape(entry)?;
    change(t, entry, item, |file| {
        file.trashed_ms = None;
        file.folder = to;
    })
}

fn deleted(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Deleted { items, .. } = shape(entry)?;
    for item in items {
        let Some(file) = t.file(item)? else { continue };
        unplace(t, item, &file)?;
        t.delete(FILE_NAME, &item.0)?;
        for (key, _) in t.prefix(FILE_VERSION, &item.0, usize::MAX, Direction::Forward)? {
            t.delete(FILE_VERSION, &key)?;
        }
        t.delete(FILE, &item.0)?;
    }
    Ok(())
}

/// Changes where an item is.
fn change(
    t: &mut Tables<'_>,
    entry: &Entry,
    item: Id16,
    with: impl FnOnce(&mut File),
) -> Result<(), FoldError> {
    let mut file = found(t, item)?;
    unplace(t, item, &file)?;
    with(&mut file);
    file.rev = entry.seq;
    put(t, FILE, &item.0, &file)?;
    let name = t.file_name(item)?.map(|named| named.name).unwrap_or_default();
    placed(t, item, &file, &name)
}

/// Where an item is found: in its folder, or in the trash.
fn placed(t: &mut Tables<'_>, item: Id16, file: &File, name: &str) -> Result<(), FoldError> {
    let at = match file.trashed_ms {
        None => t.put(FILE_IN, &tables::file_in(file, name, item), b""),
        Some(ms) => t.put(FILE_TRASH, &tables::file_trash(ms, item), b""),
    };
    Ok(at?)
}

fn unplace(t: &mut Tables<'_>, item: Id16, file: &File) -> Result<(), FoldError> {
    let name = t.file_name(item)?.map(|named| named.name).unwrap_or_default();
    match file.trashed_ms {
        None => t.delete(FILE_IN, &tables::file_in(file, &name, item))?,
        Some(ms) => t.delete(FILE_TRASH, &tables::file_trash(ms, item))?,
    };
    Ok(())
}

fn found(t: &Tables<'_>, item: Id16) -> Result<File, FoldError> {
    t.file(item)?.ok_or_else(|| FoldError::refused("there is no such item"))
}

/// Gives an item the name that an entry has in its content; none, if that is gone.
pub(super) fn name(
    entry: &Entry,
    bytes: Option<&[u8]>,
    t: &mut Tables<'_>,
) -> Result<(), FoldError> {
    let Some(item) = named_by(entry)? else { return Ok(()) };
    let words: Option<Words> = content(bytes);
    set_name(t, item, words.and_then(|words| words.name).map(|name| (entry.seq, name)))
}

/// Takes the name of an entry out again, if it still is the item's.
pub(super) fn forget(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Some(item) = named_by(entry)? else { return Ok(()) };
    match t.file_name(item)? {
        Some(named) if named.seq == entry.seq => set_name(t, item, None),
        Some(_) | None => Ok(()),
    }
}

/// The item that an entry names.
fn named_by(entry: &Entry) -> Result<Option<Id16>, FoldError> {
    Ok(match &*entry.kind {
        PUT => Some(shape::<Put>(entry)?.item),
        FOLDER => Some(shape::<Folder>(entry)?.item),
        MOVED => Some(shape::<Moved>(entry)?).filter(|one| one.renamed).map(|one| one.item),
        RESTORED => Some(shape::<Restored>(entry)?).filter(|one| one.renamed).map(|one| one.item),
        _ => None,
    })
}

/// Shows every large content that is still there.
pub(super) fn blobs(
    r: &Reader<'_>,
    show: &mut dyn FnMut(Blob) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut from: Option<Vec<u8>> = None;
    loop {
        let rows = r.page(FILE_VERSION, b"", from.as_deref(), AT_A_TIME, Direction::Forward)?;
        let last = rows.len() < AT_A_TIME;
        for (key, row) in rows {
            let version: Version = tables::parsed(FILE_VERSION, &row)?;
            let seq = key.last_chunk().map(|seq| u64::from_be_bytes(*seq));
            if let (Some(blob), Some(seq)) = (version.blob, seq)
                && r.content(seq)?.is_some()
            {
                show(blob)?;
            }
            // The first key behind it.
            from = Some([&key[..], &[0]].concat());
        }
        if last {
            return Ok(());
        }
    }
}

/// Rows that are read at once.
const AT_A_TIME: usize = 1000;

fn set_name(t: &mut Tables<'_>, item: Id16, named: Option<(u64, String)>) -> Result<(), FoldError> {
    let Some(file) = t.file(item)? else { return Ok(()) };
    unplace(t, item, &file)?;
    let name = match named {
        Some((seq, name)) => {
            put(t, FILE_NAME, &item.0, &Named { seq, name: name.clone() })?;
            name
        }
        None => {
            t.delete(FILE_NAME, &item.0)?;
            String::new()
        }
    };
    placed(t, item, &file, &name)
}

/// The item that an entry is about; the one that was chosen, if it is about several.
pub(crate) fn about(entry: &Entry) -> Option<Id16> {
    match &*entry.kind {
        PUT => Some(shape::<Put>(entry).ok()?.item),
        FOLDER => Some(shape::<Folder>(entry).ok()?.item),
        REPLACED => Some(shape::<Replaced>(entry).ok()?.item),
        MOVED => Some(shape::<Moved>(entry).ok()?.item),
        TRASHED => Some(shape::<Trashed>(entry).ok()?.item),
        RESTORED => Some(shape::<Restored>(entry).ok()?.item),
        DELETED => shape::<Deleted>(entry).ok()?.items.first().copied(),
        _ => None,
    }
}

fn put_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    Some(line(entry, bytes, Undo::Local))
}

fn folder_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    Some(line(entry, bytes, Undo::Local))
}

fn replaced_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    Some(line(entry, bytes, Undo::Local))
}

fn moved_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    let renamed = shape::<Moved>(entry).ok()?.renamed;
    let mut line = line(entry, bytes, Undo::Local);
    if renamed {
        line.key = "files.renamed".to_owned();
    }
    Some(line)
}

fn trashed_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    Some(line(entry, bytes, Undo::Local))
}

fn restored_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    Some(line(entry, bytes, Undo::Local))
}

fn deleted_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    let count = shape::<Deleted>(entry).ok()?.items.len().to_string();
    let mut line = line(entry, bytes, Undo::None);
    line.args.insert("count".to_owned(), count);
    Some(line)
}

fn line(entry: &Entry, bytes: Option<&[u8]>, undo: Undo) -> Line {
    let mut line = Line { key: entry.kind.clone(), undo, ..Line::default() };
    if let Some(name) = content::<Words>(bytes).and_then(|words| words.name) {
        line.args.insert("file".to_owned(), short(&name));
    }
    line
}
