//! `records`: putting something into a space, taking it out, and the types of what is put there.
//! Everything is checked here against its type and against what our person may do in the space.

pub(crate) mod list;
pub(crate) mod text;

use std::collections::BTreeMap;

use capability::{
    experiences::latest::Verb,
    records::latest::{Choose, Define, Definition, Put, Record, Types, well_known},
    spaces::latest::Act,
    wire::{Nothing, RecordId, Rev, SpaceId, TypeName},
};
use serde_json::{Map, Value};
use store::{Direction, Entry, ReadAll as _, ReadTables as _, Reader, Writer};

use super::{Caller, Context, View};
use crate::life::{
    Fault,
    kinds::{
        append,
        record::{self, DEFINED, Defined, PUT, REMOVED, values},
        shape,
    },
    spaces::{Own, is_in, say, schema, writes},
    tables::{
        self, Id16, Rows as _,
        spaces::{RECORD_TYPE, SpaceRows as _},
    },
};

/// The types that are known.
pub(super) fn types(view: &View<'_>, _: Nothing) -> Result<Types, Fault> {
    let mut all = well_known().clone();
    for (key, _) in view.r.prefix(RECORD_TYPE, b"", usize::MAX, Direction::Forward)? {
        let name = String::from_utf8_lossy(&key).into_owned();
        if let Some(definition) = definition(&view.r, &name)? {
            all.insert(name, definition);
        }
    }
    // What others have defined tells what is installed.
    let seen = |name: &str| view.whole() || view.knows_type(name);
    Ok(Types {
        items: all.into_iter().filter(|(name, _)| seen(name)).map(|(_, one)| one).collect(),
    })
}

/// What a type looks like, if it is known.
fn definition(r: &Reader<'_>, name: &str) -> Result<Option<Definition>, Fault> {
    let Some(row) = r.row::<tables::spaces::Type>(RECORD_TYPE, name.as_bytes())? else {
        return Ok(well_known().get(name).cloned());
    };
    let entry = r.entry(row.seq)?.ok_or_else(|| Fault::inside("a type was lost"))?;
    let Defined { definition } =
        shape(&entry).map_err(|error| Fault::inside(&error.to_string()))?;
    Ok(Some(definition))
}

pub(super) fn define(c: &Context, w: &mut Writer<'_>, q: Define) -> Result<Definition, Fault> {
    let Define { definition: new, .. } = q;
    if let Caller::Experience { name, .. } = &c.caller
        && new.kind.publisher() != name
    {
        return Err(Fault::not_yours().with("type", new.kind.as_str()));
    }
    if well_known().contains_key(new.kind.as_str()) {
        return Err(Fault::not_yours().with("type", new.kind.as_str()));
    }
    schema::sound(&new)?;
    match definition(&w.reader(), new.kind.as_str())? {
        Some(old) if old == new => return Ok(new),
        Some(old) if !schema::follows(&old, &new) => {
            return Err(Fault::bad_type().with("type", new.kind.as_str()));
        }
        Some(_) | None => {}
    }
    append(w, &c.by(), DEFINED, &Defined { definition: new.clone() }, None::<&()>)?;
    Ok(new)
}

pub(super) fn put(c: &Context, w: &mut Writer<'_>, q: Put) -> Result<Record, Fault> {
    let Put { id, space, kind, record, fields, if_rev } = q;
    let (space, definition) = open(c, w, &space, &kind, Verb::Add)?;
    let (id, known) = match &record {
        None => (Id16(id.bytes()), None),
        Some(record) => {
            let id = Id16(record.bytes());
            let known = c.view(w.reader())?.record(space, &kind, id, Verb::Change)?;
            unchanged(&known, if_rev)?;
            (id, Some(known))
        }
    };
    if known.is_none() && w.reader().record(space, kind.as_str(), id)?.is_some() {
        return Err(Fault::id_taken());
    }
    schema::check(&definition, &fields, known.is_none())?;
    if let Some(field) = missing_reference(&w.reader(), space, &definition, &fields)? {
        return Err(Fault::bad_record().field(field, "there is no such record in the space"));
    }
    write(c, w, space, &kind, id, fields, None)?;
    shown(c, w, space, &kind, id)
}

/// A field that names a record which isn't in the space.
fn missing_reference<'v>(
    r: &Reader<'_>,
    space: Id16,
    definition: &'v Definition,
    fields: &'v Map<String, Value>,
) -> Result<Option<&'v str>, Fault> {
    for (field, kind, text) in schema::references(definition, fields) {
        let named = text.parse().map(|id: RecordId| Id16(id.bytes()));
        let there = match named {
            Ok(named) => r.record(space, kind.as_str(), named)?.is_some(),
            Err(_) => false,
        };
        if !there {
            return Ok(Some(field));
        }
    }
    Ok(None)
}

/// Removes a record, or brings it back.
pub(super) fn remove(
    c: &Context,
    w: &mut Writer<'_>,
    q: &Choose,
    gone: bool,
) -> Result<Record, Fault> {
    let (space, _) = open(c, w, &q.space, &q.kind, Verb::Change)?;
    let id = Id16(q.record.bytes());
    let known = c.view(w.reader())?.record(space, &q.kind, id, Verb::Change)?;
    unchanged(&known, q.if_rev)?;
    if known.is_there() == gone {
        take_away(c, w, space, &q.kind, id, gone, None)?;
    }
    shown(c, w, space, &q.kind, id)
}

/// A space in which our person may write records of a type that is known.
fn open(
    c: &Context,
    w: &Writer<'_>,
    space: &SpaceId,
    kind: &TypeName,
    verb: Verb,
) -> Result<(Id16, Definition), Fault> {
    let view = c.view(w.reader())?;
    let (id, row) = view.space(space, Some(kind.as_str()), verb)?;
    if !is_in(&row) || !writes(&view.r, id, &c.shared.me)? {
        return Err(Fault::only_see());
    }
    let definition = definition(&view.r, kind.as_str())?;
    Ok((id, definition.ok_or_else(|| Fault::bad_type().with("type", kind.as_str()))?))
}

/// Puts values into a record, whether it is there or not.
fn write(
    c: &Context,
    w: &mut Writer<'_>,
    space: Id16,
    kind: &TypeName,
    id: Id16,
    fields: Map<String, Value>,
    undoes: Option<u64>,
) -> Result<u64, Fault> {
    let known = w.reader().record(space, kind.as_str(), id)?;
    let before = |name: &String| {
        let field = known.as_ref()?.fields.get(name)?;
        (!field.null).then(|| (name.clone(), field.seq))
    };
    let previous: BTreeMap<String, u64> = fields.keys().filter_map(before).collect();
    let own = Own { made: known.is_none(), previous, undoes, ..Own::default() };
    let act = Act::Put { kind: kind.clone(), record: RecordId::from_bytes(id.0), fields };
    say(&c.shared, w, &c.by(), space, act, own)
}

fn take_away(
    c: &Context,
    w: &mut Writer<'_>,
    space: Id16,
    kind: &TypeName,
    id: Id16,
    gone: bool,
    undoes: Option<u64>,
) -> Result<u64, Fault> {
    let act = Act::Remove { kind: kind.clone(), record: RecordId::from_bytes(id.0), gone };
    say(&c.shared, w, &c.by(), space, act, Own { undoes, ..Own::default() })
}

/// Undoes a change of our person, for everybody, as long as nothing later stands on it.
pub(super) fn undo(c: &Context, w: &mut Writer<'_>, entry: &Entry) -> Result<u64, Fault> {
    let shaped = |error: store::FoldError| Fault::inside(&error.to_string());
    let (space, kind, id) = record::about(entry).ok_or_else(Fault::cannot_undo)?;
    let kind: TypeName = kind.parse().map_err(|_| Fault::cannot_undo())?;
    let row = w.reader().record(space, kind.as_str(), id)?.ok_or_else(Fault::cannot_undo)?;
    let in_it = w.reader().space(space)?.is_some_and(|row| is_in(&row));
    if !in_it || !writes(&w.reader(), space, &c.shared.me)? {
        return Err(Fault::only_see());
    }
    let undoes = Some(entry.seq);
    match &*entry.kind {
        REMOVED => {
            let removed: record::Removed = shape(entry).map_err(shaped)?;
            if row.gone != Some((removed.base.stamp(), removed.gone)) {
                return Err(Fault::built_upon().at(row.rev));
            }
            take_away(c, w, space, &kind, id, !removed.gone, undoes)
        }
        PUT => {
            let put: record::Put = shape(entry).map_err(shaped)?;
            let mine = |name: &String| {
                row.fields.get(name).is_some_and(|field| field.stamp == put.base.stamp())
            };
            if !put.set.iter().chain(&put.cleared).all(mine) {
                return Err(Fault::built_upon().at(row.rev));
            }
            if put.made {
                return take_away(c, w, space, &kind, id, true, undoes);
            }
            let mut fields = Map::new();
            for name in put.set.iter().chain(&put.cleared) {
                let value = match put.previous.get(name) {
                    Some(seq) => {
                        let known = values(w.content(*seq)?.as_deref());
                        let value = known.and_then(|known| known.get(name).cloned());
                        value.ok_or_else(Fault::cannot_undo)?
                    }
                    None => Value::Null,
                };
                fields.insert(name.clone(), value);
            }
            write(c, w, space, &kind, id, fields, undoes)
        }
        _ => Err(Fault::cannot_undo()),
    }
}

fn unchanged(record: &tables::spaces::Record, if_rev: Option<Rev>) -> Result<(), Fault> {
    match if_rev.filter(|rev| *rev != record.rev) {
        Some(rev) => Err(Fault::conflict().at(record.rev).with("wanted", rev.to_string())),
        None => Ok(()),
    }
}

fn shown(
    c: &Context,
    w: &Writer<'_>,
    space: Id16,
    kind: &TypeName,
    id: Id16,
) -> Result<Record, Fault> {
    let view = c.view(w.reader())?;
    let row = view.r.record(space, kind.as_str(), id)?;
    let row = row.ok_or_else(|| Fault::inside("a record was lost"))?;
    list::record(&view, space, kind, id, &row)
}
