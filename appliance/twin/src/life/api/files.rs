//! `files`: folders, files, their versions and the trash. Only the person empties the trash of
//! somebody else's making: experiences act within what they were given.

pub(crate) mod list;
mod trash;

use capability::{
    experiences::latest::Verb,
    files::latest::{
        FileName, Item, MakeFolder, MediaType, Move, Preview, Put, Replace, RestoreVersion,
    },
    wire::{ItemId, Rev, UploadId},
};
use data_encoding::BASE64;
use store::{Content, Direction, Entry, ReadAll as _, ReadTables as _, SWEEP_WITHIN_MS, Writer};

use super::{Context, View, caller::above};
use crate::life::{
    Fault,
    kinds::{
        append, content,
        file::{
            Bytes, FOLDER, Folder, MOVED, Moved, PUT, Put as PutShape, REPLACED, RESTORED,
            Replaced, TRASHED, VERSIONS, Words, about,
        },
        shape,
    },
    tables::{self, FILE_IN, FILE_VERSION, File, Id16, Rows as _, Version},
};
use trash::{bring_back, lies_in_trash, throw};
pub(super) use trash::{delete, restore, trash};

/// How deep folders may lie in each other.
const DEEPEST: usize = 64;

pub(super) fn make_folder(c: &Context, w: &mut Writer<'_>, q: &MakeFolder) -> Result<Item, Fault> {
    let (item, folder) = {
        let view = c.view(w.reader())?;
        let folder = view.folder(q.folder.as_ref(), Verb::Add)?;
        (new(&view, q.id.bytes(), folder, &q.name)?, folder)
    };
    let words = Words { name: Some(q.name.to_string()), ..Words::default() };
    append(w, &c.by(), FOLDER, &Folder { item, folder }, Some(&words))?;
    shown(c, w, item)
}

pub(super) fn put(c: &Context, w: &mut Writer<'_>, q: &Put) -> Result<Item, Fault> {
    let (item, folder) = {
        let view = c.view(w.reader())?;
        let folder = view.folder(q.folder.as_ref(), Verb::Add)?;
        (new(&view, q.id.bytes(), folder, &q.name)?, folder)
    };
    let (bytes, words) = take(c, w, &q.upload, q.media_type.as_ref())?;
    let (name, preview) = (Some(q.name.to_string()), small(q.preview.as_ref()));
    let words = Words { name, preview, ..words };
    append(w, &c.by(), PUT, &PutShape { item, folder, bytes }, Some(&words))?;
    shown(c, w, item)
}

/// Puts what is here already into a folder, under another name if its own is taken there.
pub(super) fn put_anyhow(
    c: &Context,
    w: &mut Writer<'_>,
    id: [u8; 16],
    folder: Option<&ItemId>,
    bytes: Bytes,
    words: Words,
) -> Result<Item, Fault> {
    let (item, folder, name) = {
        let view = c.view(w.reader())?;
        let folder = view.folder(folder, Verb::Add)?;
        let name = words.name.clone().ok_or_else(Fault::not_found)?;
        let name = match taken(&view, folder, &name)? {
            Some(_) => trash::free(&view, folder, &name)?,
            None => name,
        };
        let fits: FileName = name.parse().map_err(|_| Fault::malformed())?;
        (new(&view, id, folder, &fits)?, folder, name)
    };
    let words = Words { name: Some(name), ..words };
    append(w, &c.by(), PUT, &PutShape { item, folder, bytes }, Some(&words))?;
    shown(c, w, item)
}

fn small(preview: Option<&Preview>) -> Option<String> {
    preview.map(|preview| preview.as_str().to_owned())
}

pub(super) fn replace(c: &Context, w: &mut Writer<'_>, q: &Replace) -> Result<Item, Fault> {
    let (item, file) = c.view(w.reader())?.item(&q.item, Verb::Change)?;
    unchanged(&file, q.if_rev)?;
    let previous = file.version.ok_or_else(Fault::not_found)?;
    room_for_one(c, w, &file)?;
    let (bytes, words) = take(c, w, &q.upload, q.media_type.as_ref())?;
    let words = Words { preview: small(q.preview.as_ref()), ..words };
    let replaced = Replaced { item, bytes, previous, again: None, undoes: None };
    append(w, &c.by(), REPLACED, &replaced, Some(&words))?;
    shown(c, w, item)
}

pub(super) fn restore_version(
    c: &Context,
    w: &mut Writer<'_>,
    q: &RestoreVersion,
) -> Result<Item, Fault> {
    let (item, file) = c.view(w.reader())?.item(&q.item, Verb::Change)?;
    unchanged(&file, q.if_rev)?;
    again(c, w, item, &file, q.version, None)?;
    shown(c, w, item)
}

/// Gives a file the content of one of its versions.
pub(super) fn again(
    c: &Context,
    w: &mut Writer<'_>,
    item: Id16,
    file: &File,
    version: u64,
    undoes: Option<u64>,
) -> Result<u64, Fault> {
    let previous = file.version.ok_or_else(Fault::not_found)?;
    let row: Option<Version> =
        w.reader().row(FILE_VERSION, &tables::file_version(item, version))?;
    let Version { size, blob, .. } = row.ok_or_else(Fault::not_found)?;
    let words: Words = content(w.content(version)?.as_deref()).ok_or_else(Fault::not_found)?;
    let words = Words { name: None, ..words };
    room_for_one(c, w, file)?;
    let (bytes, again) = (Bytes { size, blob }, Some(version));
    let replaced = Replaced { item, bytes, previous, again, undoes };
    append(w, &c.by(), REPLACED, &replaced, Some(&words))
}

pub(super) fn rename(c: &Context, w: &mut Writer<'_>, q: &Move) -> Result<Item, Fault> {
    let (item, file, to) = {
        let view = c.view(w.reader())?;
        let (item, file) = view.item(&q.item, Verb::Change)?;
        unchanged(&file, q.if_rev)?;
        if view.is_top(item) && !view.whole() {
            return Err(Fault::not_granted());
        }
        let to = match &q.folder {
            Some(folder) => view.folder(Some(folder), Verb::Add)?,
            None => file.folder,
        };
        (item, file, to)
    };
    if file.trashed_ms.is_some() {
        return Err(Fault::not_found());
    }
    if to == file.folder && q.name.is_none() {
        return shown(c, w, item);
    }
    go(c, w, item, &file, to, q.name.as_deref(), None)?;
    shown(c, w, item)
}

/// Moves an item, gives it another name, or both.
pub(super) fn go(
    c: &Context,
    w: &mut Writer<'_>,
    item: Id16,
    file: &File,
    to: Id16,
    name: Option<&str>,
    undoes: Option<u64>,
) -> Result<u64, Fault> {
    let previous = w.reader().file_name(item)?;
    {
        let view = c.view(w.reader())?;
        if lies_in_trash(&view, to)? {
            return Err(Fault::not_found());
        }
        let path = above(&view.r, to)?;
        if path.contains(&item) {
            return Err(Fault::into_itself());
        }
        if path.len() + height(&view, item)? > DEEPEST {
            return Err(Fault::too_deep());
        }
        let name = name.or_else(|| previous.as_ref().map(|named| &*named.name));
        if let Some(name) = name
            && taken(&view, to, name)?.is_some_and(|other| other != item)
        {
            return Err(Fault::file_exists().with("file", name));
        }
    }
    let moved = Moved {
        item,
        from: file.folder,
        to,
        renamed: name.is_some(),
        previous: previous.map(|named| named.seq),
        undoes,
    };
    let words = name.map(|name| Words { name: Some(name.to_owned()), ..Words::default() });
    append(w, &c.by(), MOVED, &moved, words.as_ref())
}

/// The oldest version makes room for the next one.
fn room_for_one(c: &Context, w: &mut Writer<'_>, file: &File) -> Result<(), Fault> {
    if file.versions >= VERSIONS {
        w.sweep_by(c.now_ms.saturating_add(SWEEP_WITHIN_MS))?;
    }
    Ok(())
}

/// How many folders lie in each other below an item, itself included.
fn height(view: &View<'_>, item: Id16) -> Result<usize, Fault> {
    let (mut height, mut level) = (0, vec![item]);
    while !level.is_empty() && height <= DEEPEST {
        height += 1;
        let mut below = Vec::new();
        for folder in level {
            // Folders come first.
            let start = [&folder.0[..], &[0]].concat();
            let rows = view.r.prefix(FILE_IN, &start, usize::MAX, Direction::Forward)?;
            below.extend(rows.iter().filter_map(|(key, _)| key.last_chunk().map(|id| Id16(*id))));
        }
        level = below;
    }
    Ok(height)
}

/// A new item's id, if it can be made there.
fn new(view: &View<'_>, id: [u8; 16], folder: Id16, name: &FileName) -> Result<Id16, Fault> {
    let item = Id16(id);
    if item == Id16::ROOT || view.r.file(item)?.is_some() {
        return Err(Fault::id_taken());
    }
    if lies_in_trash(view, folder)? {
        return Err(Fault::not_found());
    }
    if above(&view.r, folder)?.len() >= DEEPEST {
        return Err(Fault::too_deep());
    }
    match taken(view, folder, name)? {
        Some(_) => Err(Fault::file_exists().with("file", &**name)),
        None => Ok(item),
    }
}

/// What has this name in a folder.
fn taken(view: &View<'_>, folder: Id16, name: &str) -> Result<Option<Id16>, Fault> {
    for is_file in [false, true] {
        let named = tables::file_named(folder, is_file, name);
        let found = view.r.prefix(FILE_IN, &named, 1, Direction::Forward)?;
        if let Some((key, _)) = found.first() {
            return Ok(key.last_chunk().map(|id| Id16(*id)));
        }
    }
    Ok(None)
}

/// Where the bytes of an upload are from now on.
fn take(
    c: &Context,
    w: &mut Writer<'_>,
    upload: &UploadId,
    media_type: Option<&MediaType>,
) -> Result<(Bytes, Words), Fault> {
    let content = w.take_upload(upload.bytes(), c.caller.owner())?.ok_or_else(Fault::no_upload)?;
    let (size, blob, bytes) = match content {
        Content::Blob(blob) => (blob.size, Some(blob), None),
        Content::Inline(bytes) => (bytes.len() as u64, None, Some(BASE64.encode(&bytes))),
    };
    let media_type = media_type.map(ToString::to_string);
    Ok((Bytes { size, blob }, Words { media_type, bytes, ..Words::default() }))
}

/// Undoes what an entry did, as long as nothing later stands on it.
pub(super) fn undo(c: &Context, w: &mut Writer<'_>, entry: &Entry) -> Result<u64, Fault> {
    let item = about(entry).ok_or_else(Fault::cannot_undo)?;
    let file = w.reader().file(item)?.ok_or_else(Fault::cannot_undo)?;
    if file.rev != entry.seq {
        return Err(Fault::built_upon().at(file.rev));
    }
    let undoes = Some(entry.seq);
    let shaped = |error: store::FoldError| Fault::inside(&error.to_string());
    match &*entry.kind {
        PUT | FOLDER | RESTORED => throw(c, w, item, &file, undoes),
        TRASHED => bring_back(c, w, item, &file, undoes),
        REPLACED => {
            let Replaced { previous, .. } = shape(entry).map_err(shaped)?;
            again(c, w, item, &file, previous, undoes).map_err(|_| Fault::cannot_undo())
        }
        MOVED => {
            let Moved { from, renamed, previous, .. } = shape(entry).map_err(shaped)?;
            let before = previous.filter(|_| renamed);
            let before = before.map(|seq| w.content(seq)).transpose()?.flatten();
            let name = content::<Words>(before.as_deref()).and_then(|words| words.name);
            if renamed && name.is_none() {
                return Err(Fault::cannot_undo());
            }
            go(c, w, item, &file, from, name.as_deref(), undoes)
        }
        _ => Err(Fault::cannot_undo()),
    }
}

fn unchanged(file: &File, if_rev: Option<Rev>) -> Result<(), Fault> {
    match if_rev.filter(|rev| *rev != file.rev) {
        Some(rev) => Err(Fault::conflict().at(file.rev).with("wanted", rev.to_string())),
        None => Ok(()),
    }
}

fn shown(c: &Context, w: &Writer<'_>, item: Id16) -> Result<Item, Fault> {
    let view = c.view(w.reader())?;
    let file = view.r.file(item)?.ok_or_else(|| Fault::inside("a file was lost"))?;
    list::item(&view, item, &file)
}
