//! `records.*`: what is put into spaces. A shape names the record, its fields and their place in
//! time; the content is what the author signed, with the values. The merge is here: of each field
//! the change that comes last by clock, author and number counts, in whatever order changes arrive.

use std::collections::{BTreeMap, BTreeSet};

use capability::spaces::latest::{Act, Clock, Op, Signed};
use link::TwinId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{Direction, Entry, FoldError, ReadTables as _, Tables};

use super::{Kind, Line, Undo, content, shape, short, space, talk};
use crate::life::tables::{
    self, Id16, Rows as _, put,
    spaces::{
        Changed, Field, Key, RECORD, RECORD_AT, RECORD_CHANGE, RECORD_TYPE, Record, SPACE,
        SPACE_MARK, SPACE_OP, SPACE_TYPE, SpaceRows as _, Stamp, Type, change_key, of_person,
        of_type, op_key, places, record_key,
    },
};

pub(crate) const PUT: &str = "records.put";
pub(crate) const REMOVED: &str = "records.removed";
/// A change without effect here: empty, or of a later version.
pub(crate) const NOTHING: &str = "records.nothing";
pub(crate) const DEFINED: &str = "records.defined";

pub(super) const KINDS: &[Kind] = &[
    Kind { name: PUT, fold: elsewhere, line: put_line },
    Kind { name: REMOVED, fold: elsewhere, line: removed_line },
    Kind { name: NOTHING, fold: elsewhere, line: nothing_line },
    Kind { name: DEFINED, fold: defined, line: defined_line },
];

/// What is in the shape of every change in a space.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Base {
    pub(crate) space: Id16,
    pub(crate) author: TwinId,
    pub(crate) number: u64,
    pub(crate) clock: Clock,
}

/// Fields of a record got values.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Put {
    #[serde(flatten)]
    pub(crate) base: Base,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) record: Id16,
    /// Fields with a value, and fields that were taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) set: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cleared: Vec<String>,
    /// Of a change of our person: it made the record, else what held each field before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) made: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) previous: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

/// A record was removed or came back.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Removed {
    #[serde(flatten)]
    pub(crate) base: Base,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) record: Id16,
    pub(crate) gone: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

/// A type was defined; the whole definition.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Defined {
    pub(crate) definition: capability::records::latest::Definition,
}

impl Base {
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { clock: self.clock, author: self.author, number: self.number }
    }
}

/// The values that a content holds.
pub(crate) fn values(bytes: Option<&[u8]>) -> Option<Map<String, Value>> {
    let signed: Signed = content(bytes)?;
    match serde_json::from_str::<Op>(&signed.text).ok()?.act {
        Act::Put { fields, .. } => Some(fields),
        Act::Remove { .. }
        | Act::Say { .. }
        | Act::Edit { .. }
        | Act::Delete { .. }
        | Act::Void
        | Act::Other => None,
    }
}

/// These need their content, so [`apply`] does it.
fn elsewhere(_: &Entry, _: &mut Tables<'_>) -> Result<(), FoldError> {
    Ok(())
}

/// What a change does to the tables.
pub(super) fn apply(
    entry: &Entry,
    bytes: Option<&[u8]>,
    t: &mut Tables<'_>,
) -> Result<(), FoldError> {
    match &*entry.kind {
        PUT => {
            let put: Put = shape(entry)?;
            arrived(entry, &put.base, t)?;
            let values = values(bytes).unwrap_or_default();
            let set = put.set.iter().map(|name| (name, false));
            let all = set.chain(put.cleared.iter().map(|name| (name, true)));
            let key = |name| values.get(name).and_then(Key::of);
            let fields = all.map(|(name, null)| (name.clone(), (null, key(name)))).collect();
            change(entry, &put.base, &put.kind, put.record, t, None, fields)
        }
        REMOVED => {
            let Removed { base, kind, record, gone, .. } = shape(entry)?;
            arrived(entry, &base, t)?;
            change(entry, &base, &kind, record, t, Some(gone), BTreeMap::new())
        }
        NOTHING => arrived(entry, &shape(entry)?, t),
        _ => Ok(()),
    }
}

/// Of each field the last change counts, and of removing and bringing back.
fn merge(record: &mut Record, stamp: Stamp, change: Changed) {
    let empty = record.made.is_none() && record.gone.is_none() && record.fields.is_empty();
    record.changed = if empty { stamp } else { record.changed.max(stamp) };
    let Changed { seq, gone, fields, .. } = change;
    if let Some(gone) = gone {
        if record.gone.is_none_or(|(known, _)| known < stamp) {
            record.gone = Some((stamp, gone));
        }
        return;
    }
    record.made = Some(record.made.map_or(stamp, |made| made.min(stamp)));
    for (name, (null, key)) in fields {
        if record.fields.get(&name).is_none_or(|known| known.stamp < stamp) {
            record.fields.insert(name, Field { stamp, seq, null, key });
        }
    }
    // Of more than that the first by name are kept: the same ones in whatever order they came.
    while record.fields.len() > MERGED_MAX {
        record.fields.pop_last();
    }
}

/// Most fields of a record, whoever has put them there.
pub(crate) const MERGED_MAX: usize = 256;

/// Notes that a change is here, and how far its author's are here without a gap.
pub(super) fn arrived(entry: &Entry, base: &Base, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Base { space, author, number, clock } = *base;
    let Some(mut row) = t.space(space)? else {
        return Err(FoldError::refused("there is no such space"));
    };
    let key = op_key(space, &author, number);
    if number == 0 || t.get(SPACE_OP, &key)?.is_some() {
        return Err(FoldError::refused("the change is there already"));
    }
    t.put(SPACE_OP, &key, &entry.seq.to_be_bytes())?;
    let mut mark = t.mark(space, &author)?;
    while t.op(space, &author, mark + 1)?.is_some() {
        mark += 1;
    }
    t.put(SPACE_MARK, &of_person(space, &author), &mark.to_be_bytes())?;
    row.clock = row.clock.max(clock);
    space::active(t, space, &mut row, entry)
}

/// One more change of a record. It is kept in any case; whether it counts the roster says.
fn change(
    entry: &Entry,
    base: &Base,
    kind: &str,
    id: Id16,
    t: &mut Tables<'_>,
    gone: Option<bool>,
    fields: BTreeMap<String, (bool, Option<Key>)>,
) -> Result<(), FoldError> {
    let Base { space, author, number, clock } = *base;
    let changed = Changed { clock, seq: entry.seq, gone, fields };
    let key = change_key(&record_key(space, kind, id), &author, number);
    put(t, RECORD_CHANGE, &key, &changed)?;
    let known = t.record(space, kind, id)?;
    let mut row = known.clone().unwrap_or_else(|| empty(base.stamp(), entry));
    if number <= counting_to(t, space, &author)? {
        merge(&mut row, base.stamp(), changed);
    }
    keep(entry, space, kind, id, t, known.as_ref(), row)
}

/// Up to which number what somebody wrote counts.
pub(super) fn counting_to(t: &Tables<'_>, space: Id16, author: &TwinId) -> Result<u64, FoldError> {
    Ok(t.member(space, author)?.map_or(u64::MAX, |member| member.counts_to()))
}

/// A record of which nothing counts yet.
fn empty(changed: Stamp, entry: &Entry) -> Record {
    let (came, rev) = (entry.seq, entry.seq);
    Record { made: None, came, changed, gone: None, rev, fields: BTreeMap::new() }
}

/// Writes a record that is another now.
fn keep(
    entry: &Entry,
    space: Id16,
    kind: &str,
    id: Id16,
    t: &mut Tables<'_>,
    known: Option<&Record>,
    mut row: Record,
) -> Result<(), FoldError> {
    row.rev = entry.seq;
    let (was, is) = (known.is_some_and(Record::is_there), row.is_there());
    if was != is {
        count(t, space, kind, is)?;
    }
    place(t, space, kind, id, known, &row)
}

/// Of an author's changes others count than before, all beyond this number: the records and messages
/// that they are about are put together anew.
pub(super) fn recount(
    entry: &Entry,
    space: Id16,
    author: &TwinId,
    beyond: u64,
    t: &mut Tables<'_>,
) -> Result<(), FoldError> {
    let Some(first) = beyond.checked_add(1) else { return Ok(()) };
    let (start, first) = (of_person(space, author), op_key(space, author, first));
    if t.page(SPACE_OP, &start, Some(&first), 1, Direction::Forward)?.is_empty() {
        return Ok(());
    }
    talk::recount(entry, space, author, beyond, t)?;
    let mut records = BTreeSet::new();
    each(t, &space.0, |key, _| {
        if let Some((record, by, number)) = change_of(key)
            && by == *author
            && number > beyond
        {
            records.insert(record.to_vec());
        }
        Ok(())
    })?;
    for key in records {
        let name = key.get(16..key.len() - 16).and_then(|name| name.strip_suffix(&[0]));
        let kind = name.and_then(|name| std::str::from_utf8(name).ok());
        let id = key.last_chunk().map(|id| Id16(*id));
        let (Some(kind), Some(id)) = (kind, id) else { continue };
        let Some(known) = t.record(space, kind, id)? else { continue };
        let (mut row, mut counting) = (empty(known.changed, entry), BTreeMap::new());
        row.came = known.came;
        each(t, &key, |key, value| {
            let Some((_, author, number)) = change_of(key) else { return Ok(()) };
            let to = match counting.get(&author) {
                Some(to) => *to,
                None => counting_to(t, space, &author)?,
            };
            counting.insert(author, to);
            if number <= to {
                let changed: Changed = tables::parsed(RECORD_CHANGE, value)?;
                merge(&mut row, Stamp { clock: changed.clock, author, number }, changed);
            }
            Ok(())
        })?;
        keep(entry, space, kind, id, t, Some(&known), row)?;
    }
    Ok(())
}

/// The key of the record, the author and the number in the key of a change.
fn change_of(key: &[u8]) -> Option<(&[u8], TwinId, u64)> {
    let (rest, number) = key.split_last_chunk()?;
    let (record, author) = rest.split_last_chunk()?;
    Some((record, TwinId::from_bytes(*author), u64::from_be_bytes(*number)))
}

/// Shows all changes whose keys start like this.
fn each(
    t: &Tables<'_>,
    start: &[u8],
    mut show: impl FnMut(&[u8], &[u8]) -> Result<(), FoldError>,
) -> Result<(), FoldError> {
    let mut from: Option<Vec<u8>> = None;
    loop {
        let rows = t.page(RECORD_CHANGE, start, from.as_deref(), AT_A_TIME, Direction::Forward)?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        // The first key behind it.
        from = Some([&last[..], &[0]].concat());
        for (key, row) in &rows {
            show(key, row)?;
        }
    }
}

/// How many records of a type a space has.
fn count(t: &mut Tables<'_>, space: Id16, kind: &str, more: bool) -> Result<(), FoldError> {
    let key = of_type(space, kind);
    let known = t.get(SPACE_TYPE, &key)?.and_then(|row| row.try_into().ok());
    let known = known.map_or(0, u64::from_be_bytes);
    let now = if more { known + 1 } else { known.saturating_sub(1) };
    Ok(t.put(SPACE_TYPE, &key, &now.to_be_bytes())?)
}

/// Writes a record and its places in the indexes.
fn place(
    t: &mut Tables<'_>,
    space: Id16,
    kind: &str,
    id: Id16,
    before: Option<&Record>,
    after: &Record,
) -> Result<(), FoldError> {
    let indexes = t.indexes(kind)?;
    let old = before.map(|before| places(space, kind, &indexes, id, before)).unwrap_or_default();
    let new = places(space, kind, &indexes, id, after);
    for key in old.iter().filter(|key| !new.contains(key)) {
        t.delete(RECORD_AT, key)?;
    }
    for key in new.iter().filter(|key| !old.contains(key)) {
        t.put(RECORD_AT, key, b"")?;
    }
    Ok(put(t, RECORD, &record_key(space, kind, id), after)?)
}

/// Takes the values of an entry out again, as far as they still count.
pub(super) fn forget(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    if entry.kind != PUT {
        return Ok(());
    }
    let Put { base, kind, record: id, set, .. } = shape(entry)?;
    let key = change_key(&record_key(base.space, &kind, id), &base.author, base.number);
    if let Some(mut changed) = t.row::<Changed>(RECORD_CHANGE, &key)? {
        changed.fields.values_mut().for_each(|(_, key)| *key = None);
        put(t, RECORD_CHANGE, &key, &changed)?;
    }
    let Some(before) = t.record(base.space, &kind, id)? else { return Ok(()) };
    let mut after = before.clone();
    for name in set {
        if let Some(field) = after.fields.get_mut(&name).filter(|field| field.seq == entry.seq) {
            field.key = None;
        }
    }
    place(t, base.space, &kind, id, Some(&before), &after)
}

/// A type's records are sorted anew.
fn defined(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Defined { definition } = shape(entry)?;
    let kind = definition.kind.as_str();
    let names = |index: &Vec<capability::wire::FieldName>| -> Vec<String> {
        index.iter().map(|field| field.as_str().to_owned()).collect()
    };
    let indexes: Vec<Vec<String>> = definition.indexes.iter().map(names).collect();
    let old = t.indexes(kind)?;
    put(t, RECORD_TYPE, kind.as_bytes(), &Type { seq: entry.seq, indexes: indexes.clone() })?;
    if old == indexes {
        return Ok(());
    }
    for (space, _) in t.prefix(SPACE, b"", usize::MAX, Direction::Forward)? {
        let Ok(space) = space.try_into().map(Id16) else { continue };
        let start = of_type(space, kind);
        let mut from: Option<Vec<u8>> = None;
        loop {
            let rows = t.page(RECORD, &start, from.as_deref(), AT_A_TIME, Direction::Forward)?;
            let Some((last, _)) = rows.last() else { break };
            // The first key behind it.
            from = Some([&last[..], &[0]].concat());
            for (key, row) in rows {
                let Some(id) = key.last_chunk().map(|id| Id16(*id)) else { continue };
                let row: Record = tables::parsed(RECORD, &row)?;
                for key in places(space, kind, &old, id, &row) {
                    t.delete(RECORD_AT, &key)?;
                }
                for key in places(space, kind, &indexes, id, &row) {
                    t.put(RECORD_AT, &key, b"")?;
                }
            }
        }
    }
    Ok(())
}

/// Rows that are read at once.
const AT_A_TIME: usize = 1000;

fn put_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    let put: Put = shape(entry).ok()?;
    let key = if put.made { "records.made" } else { PUT };
    let mut line = line(key, &put.base, &put.kind, Undo::Own(put.base.author));
    let values = values(bytes).unwrap_or_default();
    if let Some(text) = values.get("title").and_then(Value::as_str) {
        line.args.insert("text".to_owned(), short(text));
    }
    Some(line)
}

fn removed_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let Removed { base, kind, gone, .. } = shape(entry).ok()?;
    let key = if gone { REMOVED } else { "records.restored" };
    Some(line(key, &base, &kind, Undo::Own(base.author)))
}

fn nothing_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let base: Base = shape(entry).ok()?;
    Some(line(NOTHING, &base, "", Undo::None))
}

fn line(key: &str, base: &Base, kind: &str, undo: Undo) -> Line {
    let args = [("type".to_owned(), kind.to_owned())].into();
    let space = Some(base.space);
    Line { key: key.to_owned(), author: Some(base.author), space, args, undo, ..Line::default() }
}

fn defined_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let Defined { definition } = shape(entry).ok()?;
    let args = [("type".to_owned(), definition.kind.to_string())].into();
    Some(Line { key: DEFINED.to_owned(), args, ..Line::default() })
}

/// The record that an entry is about.
pub(crate) fn about(entry: &Entry) -> Option<(Id16, String, Id16)> {
    match &*entry.kind {
        PUT => shape::<Put>(entry).ok().map(|put| (put.base.space, put.kind, put.record)),
        REMOVED => shape::<Removed>(entry).ok().map(|one| (one.base.space, one.kind, one.record)),
        _ => None,
    }
}
