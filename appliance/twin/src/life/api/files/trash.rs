//! `files`: the trash. What goes in there keeps its place and its name, as long as nobody else takes
//! them; what is deleted from there is gone with its bytes.

use capability::{
    experiences::latest::Verb,
    files::latest::{Choose, FileName, Item},
    wire::Done,
};
use store::{Direction, ReadAll as _, ReadTables as _, Writer};

use super::{Context, View, above, shown, taken, unchanged};
use crate::life::{
    Fault,
    api::{caller, experiences, once},
    kinds::{
        append,
        file::{DELETED, Deleted, RESTORED, Restored, TRASHED, Trashed, Words},
    },
    tables::{FILE_IN, FILE_TRASH, FILE_VERSION, File, Id16, Rows as _},
};

/// Most items that are deleted at once: more are deleted in parts.
const DELETED_MAX: usize = 1000;

pub(in crate::life::api) fn trash(
    c: &Context,
    w: &mut Writer<'_>,
    q: &Choose,
) -> Result<Item, Fault> {
    let (item, file) = mine(c, w, q)?;
    if file.trashed_ms.is_none() {
        throw(c, w, item, &file, None)?;
    }
    shown(c, w, item)
}

/// Puts an item into the trash.
pub(super) fn throw(
    c: &Context,
    w: &mut Writer<'_>,
    item: Id16,
    file: &File,
    undoes: Option<u64>,
) -> Result<u64, Fault> {
    append(w, &c.by(), TRASHED, &Trashed { item, from: file.folder, undoes }, None::<&()>)
}

pub(in crate::life::api) fn restore(
    c: &Context,
    w: &mut Writer<'_>,
    q: &Choose,
) -> Result<Item, Fault> {
    let (item, file) = mine(c, w, q)?;
    if file.trashed_ms.is_some() {
        bring_back(c, w, item, &file, None)?;
    }
    shown(c, w, item)
}

/// Takes an item out of the trash, to where it was if that is still there, under another name if its
/// own was given away.
pub(super) fn bring_back(
    c: &Context,
    w: &mut Writer<'_>,
    item: Id16,
    file: &File,
    undoes: Option<u64>,
) -> Result<u64, Fault> {
    let (to, new) = {
        let view = c.view(w.reader())?;
        let gone = lies_in_trash(&view, file.folder)?;
        let top = view.top()?.ok_or_else(Fault::not_found)?;
        let to = if gone { top } else { file.folder };
        let name = view.r.file_name(item)?.map(|named| named.name);
        let new = match &name {
            Some(name) if taken(&view, to, name)?.is_some() => Some(free(&view, to, name)?),
            Some(_) | None => None,
        };
        (to, new)
    };
    let restored = Restored { item, to, renamed: new.is_some(), undoes };
    let words = new.map(|name| Words { name: Some(name), ..Words::default() });
    append(w, &c.by(), RESTORED, &restored, words.as_ref())
}

pub(in crate::life::api) fn delete(
    c: &Context,
    w: &mut Writer<'_>,
    q: &Choose,
) -> Result<Done, Fault> {
    let (item, file) = mine(c, w, q)?;
    if file.trashed_ms.is_none() {
        return Err(Fault::not_in_trash());
    }
    let (items, with_content) = {
        let view = c.view(w.reader())?;
        let items = whole(&view, item)?;
        let mut seqs = Vec::new();
        for item in &items {
            let versions = view.r.prefix(FILE_VERSION, &item.0, usize::MAX, Direction::Forward)?;
            let versions = versions.iter().filter_map(|(key, _)| key.last_chunk::<8>());
            seqs.extend(versions.map(|seq| u64::from_be_bytes(*seq)));
            seqs.extend(view.r.file_name(*item)?.map(|named| named.seq));
        }
        seqs.sort_unstable();
        seqs.dedup();
        let mut with_content = Vec::new();
        for seq in seqs {
            if view.r.content(seq)?.is_some() {
                with_content.push(seq);
            }
        }
        (items, with_content)
    };
    // Names and bytes are gone for good, like what is erased in the history.
    for some in with_content.chunks(DELETED_MAX) {
        w.erase(some, c.now_ms, c.by().actor)?;
    }
    if !with_content.is_empty() {
        once::blank(w)?;
    }
    let gone = items.clone();
    let at = append(w, &c.by(), DELETED, &Deleted { folder: file.folder, items }, None::<&()>)?;
    end_grants(c, w, &gone)?;
    w.sweep_by(c.now_ms)?;
    Ok(Done { at })
}

/// What experiences were given ends with the folders that are gone.
fn end_grants(c: &Context, w: &mut Writer<'_>, gone: &[Id16]) -> Result<(), Fault> {
    for grant in caller::grants(&w.reader(), None)? {
        if grant.folder.is_some_and(|folder| gone.contains(&folder)) {
            experiences::end(&c.by(), w, &grant)?;
        }
    }
    Ok(())
}

/// An item and all that lies in it; what was put into the trash out of a folder goes with it.
fn whole(view: &View<'_>, item: Id16) -> Result<Vec<Id16>, Fault> {
    let mut trashed = Vec::new();
    for (key, _) in view.r.prefix(FILE_TRASH, b"", usize::MAX, Direction::Forward)? {
        let Some(id) = key.last_chunk().map(|id| Id16(*id)) else { continue };
        trashed.extend(view.r.file(id)?.map(|file| (file.folder, id)));
    }
    let (mut all, mut next) = (vec![item], 0);
    while let Some(folder) = all.get(next).copied() {
        next += 1;
        if view.r.file(folder)?.is_none_or(|file| file.version.is_some()) {
            continue;
        }
        let inside = view.r.prefix(FILE_IN, &folder.0, DELETED_MAX, Direction::Forward)?;
        all.extend(inside.iter().filter_map(|(key, _)| key.last_chunk().map(|id| Id16(*id))));
        all.extend(trashed.iter().filter(|(from, _)| *from == folder).map(|(_, id)| *id));
        if all.len() > DELETED_MAX {
            return Err(Fault::too_many().with("most", DELETED_MAX.to_string()));
        }
    }
    Ok(all)
}

/// Whether a folder, or one that it lies in, is in the trash.
pub(super) fn lies_in_trash(view: &View<'_>, folder: Id16) -> Result<bool, Fault> {
    for id in above(&view.r, folder)? {
        let trashed = |file: File| file.trashed_ms.is_some();
        if id != Id16::ROOT && view.r.file(id)?.is_none_or(trashed) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A name like this one that nothing in the folder has.
pub(super) fn free(view: &View<'_>, folder: Id16, name: &str) -> Result<String, Fault> {
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= 10 => {
            (stem, format!(".{ending}"))
        }
        Some(_) | None => (name, String::new()),
    };
    for number in 2..1000 {
        let mark = format!(" ({number}){ending}");
        let mut cut = stem.len().min(255 - mark.len());
        while !stem.is_char_boundary(cut) {
            cut -= 1;
        }
        let other = format!("{}{mark}", &stem[..cut]);
        // Cut in the middle of what belongs together it may not be a name any more.
        if other.parse::<FileName>().is_ok() && taken(view, folder, &other)?.is_none() {
            return Ok(other);
        }
    }
    Err(Fault::file_exists().with("file", name))
}

/// An item that the caller may change, and has not been changed.
fn mine(c: &Context, w: &Writer<'_>, q: &Choose) -> Result<(Id16, File), Fault> {
    let view = c.view(w.reader())?;
    let (item, file) = view.item(&q.item, Verb::Change)?;
    if view.is_top(item) && !view.whole() {
        return Err(Fault::not_granted());
    }
    unchanged(&file, q.if_rev)?;
    Ok((item, file))
}
