//! `files`: what is in a folder or the trash, and the versions of a file, read as one range each.

use capability::{
    experiences::latest::Verb,
    files::latest::{Get, Item, ItemKind, List, Version, Versions},
    wire::{ItemId, Page},
};
use store::{Direction, ReadAll as _, ReadTables as _};

use super::super::{View, page};
use crate::life::{
    Fault,
    kinds::{content, file::Words},
    tables::{self, FILE_IN, FILE_TRASH, FILE_VERSION, File, Id16, Rows as _, parsed},
};

/// Rows that are looked at for one page, should most of them not be visible.
const LOOKED_AT: usize = 2000;

pub(crate) fn list(view: &View<'_>, q: &List) -> Result<Page<Item>, Fault> {
    let from = page::key(q.cursor.as_ref())?;
    let (table, prefix, direction) = if q.trash {
        view.top()?.ok_or_else(Fault::not_found)?;
        (FILE_TRASH, Vec::new(), Direction::Backward)
    } else {
        let folder = view.folder(q.folder.as_ref(), Verb::See)?;
        (FILE_IN, folder.0.to_vec(), Direction::Forward)
    };
    let rows = view.r.page(table, &prefix, from.as_deref(), LOOKED_AT, direction)?;
    let (mut items, mut next, looked_at) = (Vec::new(), None, rows.len());
    for (key, _) in rows {
        if items.len() == q.limit.items() {
            return page::page(&view.r, items, next.as_deref());
        }
        // Forward a page starts at its cursor, backward before it.
        next = Some(if q.trash { key.clone() } else { [&key[..], &[0]].concat() });
        let Some(id) = key.last_chunk().map(|id| Id16(*id)) else { continue };
        if view.may_item(id, Verb::See).is_err() {
            continue;
        }
        let lost = || Fault::inside("an item of a folder was lost");
        items.push(item(view, id, &view.r.file(id)?.ok_or_else(lost)?)?);
    }
    page::page(&view.r, items, next.filter(|_| looked_at == LOOKED_AT).as_deref())
}

pub(crate) fn get(view: &View<'_>, q: &Get) -> Result<Item, Fault> {
    let id = match &q.item {
        Some(id) => Id16(id.bytes()),
        None => view.top()?.ok_or_else(Fault::not_found)?,
    };
    view.may_item(id, Verb::See)?;
    if id == Id16::ROOT {
        return Ok(root());
    }
    item(view, id, &view.r.file(id)?.ok_or_else(Fault::not_found)?)
}

pub(crate) fn versions(view: &View<'_>, q: &Versions) -> Result<Page<Version>, Fault> {
    let (id, _) = view.item(&q.item, Verb::See)?;
    let from = page::key(q.cursor.as_ref())?;
    let limit = q.limit.items() + 1;
    let (prefix, back) = (&id.0, Direction::Backward);
    let mut rows = view.r.page(FILE_VERSION, prefix, from.as_deref(), limit, back)?;
    let more = rows.len() == limit;
    rows.truncate(limit - 1);
    let next = rows.last().map(|(key, _)| key.clone()).filter(|_| more);
    let version = |(key, row): (Vec<u8>, Vec<u8>)| {
        let lost = || Fault::inside("a key of a version is short");
        let seq = key.last_chunk().map(|seq| u64::from_be_bytes(*seq)).ok_or_else(lost)?;
        let row: tables::Version = parsed(FILE_VERSION, &row)?;
        let words = words(view, Some(seq))?;
        Ok::<_, Fault>(Version {
            version: seq,
            size: row.size,
            link: words.is_some().then(|| link(id, seq)),
            media_type: words.and_then(|words| words.media_type),
            made_ms: row.made_ms,
        })
    };
    let items: Vec<_> = rows.into_iter().map(version).collect::<Result<_, _>>()?;
    page::page(&view.r, items, next.as_deref())
}

/// An item as this caller sees it.
pub(crate) fn item(view: &View<'_>, id: Id16, file: &File) -> Result<Item, Fault> {
    let (words, version) = (words(view, file.version)?, row(view, id, file.version)?);
    let link = file.version.filter(|_| words.is_some()).map(|seq| link(id, seq));
    Ok(Item {
        item: ItemId::from_bytes(id.0),
        kind: if file.version.is_some() { ItemKind::File } else { ItemKind::Folder },
        folder: (!view.is_top(id)).then(|| ItemId::from_bytes(file.folder.0)),
        name: view.r.file_name(id)?.map(|named| named.name),
        size: version.map(|version| version.size),
        preview: preview(words.as_ref(), link.as_deref()),
        media_type: words.and_then(|words| words.media_type),
        link,
        version: file.version,
        made_ms: file.made_ms,
        changed_ms: file.changed_ms,
        trashed_ms: file.trashed_ms,
        rev: file.rev,
    })
}

/// The folder that holds everything.
fn root() -> Item {
    Item {
        item: ItemId::from_bytes(Id16::ROOT.0),
        kind: ItemKind::Folder,
        folder: None,
        name: None,
        size: None,
        media_type: None,
        link: None,
        preview: None,
        version: None,
        made_ms: 0,
        changed_ms: 0,
        trashed_ms: None,
        rev: 0,
    }
}

/// What the entry of a version says about it, if it still has its content.
pub(crate) fn words(view: &View<'_>, version: Option<u64>) -> Result<Option<Words>, Fault> {
    let Some(seq) = version else { return Ok(None) };
    Ok(content(view.r.content(seq)?.as_deref()))
}

/// A version of a file.
pub(crate) fn row(
    view: &View<'_>,
    id: Id16,
    version: Option<u64>,
) -> Result<Option<tables::Version>, Fault> {
    let Some(seq) = version else { return Ok(None) };
    Ok(view.r.row(FILE_VERSION, &tables::file_version(id, seq))?)
}

/// Where the small picture of what a link leads to is read.
fn preview(words: Option<&Words>, link: Option<&str>) -> Option<String> {
    words?.preview.as_ref()?;
    Some(format!("{}/p", link?))
}

fn link(id: Id16, version: u64) -> String {
    format!("t/{id}/{version}")
}
