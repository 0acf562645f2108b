//! `records`: asking for them. A page is one range of an index; values are read from the journal.

use std::collections::{BTreeMap, btree_map::Entry};

use capability::{
    experiences::latest::Verb,
    records::latest::{Get, Query, Record},
    wire::{FieldName, Page, RecordId, TypeName},
};
use serde_json::{Map, Value};
use store::{Direction, ReadAll as _, ReadTables as _, Reader};

use super::super::{View, page};
use crate::life::{
    Fault,
    kinds::record::values,
    spaces::wire,
    tables::{
        self, Id16,
        spaces::{KEY_TEXT, Key, RECORD_AT, SpaceRows as _, of_type, push_key},
    },
};

/// Rows that are looked at for one page, should some of them not be visible.
const LOOKED_AT: usize = 2000;

pub(crate) fn query(view: &View<'_>, q: &Query) -> Result<Page<Record>, Fault> {
    let (space, _) = view.space(&q.space, Some(q.kind.as_str()), Verb::See)?;
    let Among { prefix, .. } = among(&view.r, space, &q.kind, &q.by, &q.equals)?;
    let from = page::key(q.cursor.as_ref())?;
    if from.as_ref().is_some_and(|key| !key.starts_with(&prefix)) {
        return Err(Fault::bad_cursor());
    }
    let direction = if q.backward { Direction::Backward } else { Direction::Forward };
    let limit = q.limit.items();
    let most = if view.whole() { limit + 1 } else { LOOKED_AT };
    let rows = view.r.page(RECORD_AT, &prefix, from.as_deref(), most, direction)?;
    let (mut items, mut next, mut bytes, looked_at) = (Vec::new(), None, 0, rows.len());
    for (key, _) in rows {
        if items.len() == limit || bytes >= page::BYTES {
            return page::page(&view.r, items, next.as_deref());
        }
        let id = key.last_chunk().map(|id| Id16(*id));
        let id = id.ok_or_else(|| Fault::inside("a key of an index is short"))?;
        // Forward a page starts at its cursor, backward before it.
        next = Some(if q.backward { key } else { [&key[..], &[0]].concat() });
        let lost = || Fault::inside("a record of an index was lost");
        let row = view.r.record(space, q.kind.as_str(), id)?.ok_or_else(lost)?;
        if view.sees_record(space, q.kind.as_str(), &row) {
            let record = record(view, space, &q.kind, id, &row)?;
            bytes += serde_json::to_vec(&record.fields).map_or(0, |fields| fields.len());
            items.push(record);
        }
    }
    page::page(&view.r, items, next.as_deref().filter(|_| looked_at == most))
}

pub(crate) fn get(view: &View<'_>, q: &Get) -> Result<Record, Fault> {
    let (space, _) = view.space(&q.space, Some(q.kind.as_str()), Verb::See)?;
    let id = Id16(q.record.bytes());
    let row = view.record(space, &q.kind, id, Verb::See)?;
    record(view, space, &q.kind, id, &row)
}

/// Those records of a type that a question is about.
#[derive(Clone, Debug)]
pub(crate) struct Among {
    /// What their keys in the index begin with.
    pub(crate) prefix: Vec<u8>,
    /// The values that they have.
    equals: Vec<(String, Option<Key>)>,
}

impl Among {
    /// Whether a record is one of them.
    pub(crate) fn has(&self, record: &tables::spaces::Record) -> bool {
        record.is_there()
            && self.equals.iter().all(|(field, wanted)| {
                let key = record.fields.get(field).and_then(|field| field.key.as_ref());
                key == wanted.as_ref()
            })
    }
}

/// What a question is about; it names fields of an index, or none.
pub(crate) fn among(
    r: &Reader<'_>,
    space: Id16,
    kind: &TypeName,
    by: &[FieldName],
    equals: &[Value],
) -> Result<Among, Fault> {
    let start = of_type(space, kind.as_str());
    if by.is_empty() {
        if !equals.is_empty() {
            return Err(Fault::malformed().field("equals", "values go with the fields of `by`"));
        }
        return Ok(Among { prefix: [&start[..], &[0]].concat(), equals: Vec::new() });
    }
    let indexes = r.indexes(kind.as_str())?;
    let same = |index: &Vec<String>| index.iter().eq(by.iter().map(FieldName::as_str));
    let found = indexes.iter().zip(1_u8..).find(|(index, _)| same(index));
    let (_, number) = found
        .ok_or_else(|| Fault::bad_type().with("type", kind.as_str()).field("by", "no index"))?;
    if equals.len() > by.len() {
        return Err(Fault::malformed().field("equals", "more values than fields"));
    }
    let (mut prefix, mut wanted) = ([&start[..], &[number]].concat(), Vec::new());
    for (field, value) in by.iter().zip(equals) {
        let long = value.as_str().is_some_and(|text| text.len() > KEY_TEXT);
        let key = Key::of(value);
        if long || (key.is_none() && !value.is_null()) {
            let what = "texts of up to 48 bytes, whole numbers, true, false and null";
            return Err(Fault::malformed().field("equals", what));
        }
        push_key(&mut prefix, key.as_ref());
        wanted.push((field.as_str().to_owned(), key));
    }
    Ok(Among { prefix, equals: wanted })
}

/// A record as it is now.
pub(crate) fn record(
    view: &View<'_>,
    space: Id16,
    kind: &TypeName,
    id: Id16,
    row: &tables::spaces::Record,
) -> Result<Record, Fault> {
    let mut contents: BTreeMap<u64, Option<Map<String, Value>>> = BTreeMap::new();
    let (mut fields, mut erased) = (Map::new(), Vec::new());
    for (name, field) in row.fields.iter().filter(|(_, field)| !field.null) {
        let values = match contents.entry(field.seq) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(values(view.r.content(field.seq)?.as_deref())),
        };
        match values.as_ref().and_then(|values| values.get(name)) {
            Some(value) => drop(fields.insert(name.clone(), value.clone())),
            None => erased.push(name.clone()),
        }
    }
    let made = row.made.unwrap_or(row.changed);
    Ok(Record {
        record: RecordId::from_bytes(id.0),
        space: wire(space),
        kind: kind.clone(),
        fields,
        erased,
        removed: !row.is_there(),
        made_by: view.member(space, &made.author)?,
        made_ms: made.clock.time_ms,
        changed_by: view.member(space, &row.changed.author)?,
        changed_ms: row.changed.clock.time_ms,
        rev: row.rev,
    })
}
