//! `records`: out of a space as a text, and in again after somebody edited it. Either all that the text
//! asks for is done, or nothing and every mistake is named.

use std::collections::BTreeSet;

use capability::{
    experiences::latest::Verb,
    records::latest::{
        Definition, Export, Exported, Field, FieldKind, Import, Imported, Mistake, Wrong,
    },
    wire::TypeName,
};
use serde_json::{Map, Value};
use store::{Direction, ReadTables as _, Writer};

use super::super::{Context, View, page};
use super::{definition, list, missing_reference, take_away, write};
use crate::life::{
    Fault,
    spaces::{
        OP_MAX, is_in, schema,
        text::{self, Block, What, mistake},
        writes,
    },
    tables::{
        Id16,
        spaces::{RECORD_AT, SPACE_TYPE, SpaceRows as _, of_type},
    },
};

/// Most records that one text changes: each change goes to everybody in the space.
const CHANGES: usize = 500;
/// Room that a change needs besides its values.
const AROUND: usize = 4096;

/// All records of a space, page by page: type by type, in the order in which they were made.
pub(crate) fn export(view: &View<'_>, q: &Export) -> Result<Exported, Fault> {
    let (space, _) = view.space(&q.space, None, Verb::See)?;
    let from = page::key(q.cursor.as_ref())?;
    if from.as_ref().is_some_and(|key| !key.starts_with(&space.0)) {
        return Err(Fault::bad_cursor());
    }
    let mut text = if from.is_none() { format!("{}\n", text::FIRST) } else { String::new() };
    let (limit, mut count) = (q.limit.items(), 0);
    for (key, _) in view.r.prefix(SPACE_TYPE, &space.0, usize::MAX, Direction::Forward)? {
        let name = key.get(16..).and_then(|name| name.strip_suffix(&[0]));
        let kind = name.and_then(|name| std::str::from_utf8(name).ok()?.parse::<TypeName>().ok());
        let Some(kind) = kind else { continue };
        let prefix = [&of_type(space, kind.as_str())[..], &[0]].concat();
        let start = from.as_deref().filter(|from| **from > *prefix);
        if start.is_some_and(|from| !from.starts_with(&prefix)) {
            continue;
        }
        let rows = view.r.page(RECORD_AT, &prefix, start, limit + 1 - count, Direction::Forward)?;
        for (key, _) in rows {
            if count == limit || text.len() >= page::BYTES {
                let next = page::page::<()>(&view.r, Vec::new(), Some(&key))?.cursor;
                return Ok(Exported { text, cursor: next });
            }
            let lost = || Fault::inside("a record of an index was lost");
            let id = key.last_chunk().map(|id| Id16(*id)).ok_or_else(lost)?;
            let row = view.r.record(space, kind.as_str(), id)?.ok_or_else(lost)?;
            let record = list::record(view, space, &kind, id, &row)?;
            text.push_str(&text::record(&record.record, &kind, record.rev, &record.fields));
            count += 1;
        }
    }
    Ok(Exported { text, cursor: None })
}

/// One thing that a text asks for.
enum Act {
    Put { kind: TypeName, id: Id16, fields: Map<String, Value>, new: bool },
    Remove { kind: TypeName, id: Id16 },
}

pub(crate) fn import(c: &Context, w: &mut Writer<'_>, q: &Import) -> Result<Imported, Fault> {
    let space = {
        let view = c.view(w.reader())?;
        let (space, row) = view.space(&q.space, None, Verb::Change)?;
        if !is_in(&row) || !writes(&view.r, space, &c.shared.me)? {
            return Err(Fault::only_see());
        }
        space
    };
    let mut done = Imported::default();
    let blocks = match text::read(&q.text) {
        Ok(blocks) => blocks,
        Err(mistakes) => return Ok(Imported { mistakes, ..done }),
    };
    let (mut acts, mut seen) = (Vec::new(), BTreeSet::new());
    for (number, block) in (0_u64..).zip(&blocks) {
        let asked = match &block.what {
            What::Record { id, .. } | What::Remove { id, .. }
                if !seen.insert((block.kind.clone(), id.bytes())) =>
            {
                Err(mistake(block.line, Wrong::Twice, ""))
            }
            What::New | What::Record { .. } | What::Remove { .. } => {
                asked(&c.view(w.reader())?, space, block, new_id(q, number))?
            }
        };
        match asked {
            Ok(act) => acts.extend(act),
            Err(mistake) => done.mistakes.push(mistake),
        }
        if acts.len() > CHANGES {
            done.mistakes.push(mistake(block.line, Wrong::TooMany, ""));
            break;
        }
    }
    for act in &acts {
        match act {
            Act::Put { new: true, .. } => done.added += 1,
            Act::Put { .. } => done.changed += 1,
            Act::Remove { .. } => done.removed += 1,
        }
    }
    if q.check || !done.mistakes.is_empty() {
        return Ok(done);
    }
    for act in acts {
        match act {
            Act::Put { kind, id, fields, .. } => write(c, w, space, &kind, id, fields, None)?,
            Act::Remove { kind, id } => take_away(c, w, space, &kind, id, true, None)?,
        };
    }
    Ok(Imported { done: true, ..done })
}

/// The id of a record that is new in a text: the same whenever the call is made again.
fn new_id(q: &Import, number: u64) -> Id16 {
    let mut hasher = blake3::Hasher::new_derive_key("hometwin 2026-11 record of a text");
    hasher.update(&q.id.bytes()).update(&number.to_be_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    Id16(id)
}

type Asked = Result<Option<Act>, Mistake>;

/// What a part of a text asks for; nothing if all is so already.
fn asked(view: &View<'_>, space: Id16, block: &Block, new: Id16) -> Result<Asked, Fault> {
    let wrong = |wrong| Ok(Err(mistake(block.line, wrong, "")));
    let kind = &block.kind;
    let Some(definition) = definition(&view.r, kind.as_str())? else {
        return wrong(Wrong::UnknownType);
    };
    let (id, rev) = match &block.what {
        What::New => return put(view, space, block, &definition, new, None),
        What::Record { id, rev } | What::Remove { id, rev } => (Id16(id.bytes()), *rev),
    };
    let row = view.r.record(space, kind.as_str(), id)?.filter(|row| row.is_there());
    let Some(row) = row else { return wrong(Wrong::Unknown) };
    let act = if matches!(block.what, What::Remove { .. }) {
        Ok(Some(Act::Remove { kind: kind.clone(), id }))
    } else {
        let known = list::record(view, space, kind, id, &row)?;
        put(view, space, block, &definition, id, Some(&known.fields))?
    };
    match act {
        // What somebody changed since the text was made isn't undone by it.
        Ok(Some(_)) if rev.is_some_and(|rev| rev != row.rev) => wrong(Wrong::Changed),
        act => Ok(act),
    }
}

/// Values that a text gives a record, as far as they are other ones.
fn put(
    view: &View<'_>,
    space: Id16,
    block: &Block,
    definition: &Definition,
    id: Id16,
    known: Option<&Map<String, Value>>,
) -> Result<Asked, Fault> {
    let mut fields = Map::new();
    for said in &block.fields {
        let field = definition.schema.properties.get(&said.name);
        let value = said.value(field.is_some_and(|field: &Field| field.kind == FieldKind::String));
        let before = known.and_then(|known| known.get(said.name.as_str()));
        let same = match before {
            // As it would be read again: a fraction may lose its last digit.
            Some(before) => {
                serde_json::from_str(&before.to_string()).is_ok_and(|before: Value| before == value)
            }
            None => value.is_null(),
        };
        if !same {
            fields.insert(said.name.as_str().to_owned(), value);
        }
    }
    if known.is_some() && fields.is_empty() {
        return Ok(Ok(None));
    }
    let at = |name: &str| {
        let said = block.fields.iter().find(|said| said.name.as_str() == name);
        mistake(said.map_or(block.line, |said| said.line), Wrong::BadValue, name)
    };
    if let Err(fault) = schema::check(definition, &fields, known.is_none()) {
        return Ok(Err(at(fault.fields.first().map_or("", |field| &field.field))));
    }
    if let Some(field) = missing_reference(&view.r, space, definition, &fields)? {
        return Ok(Err(at(field)));
    }
    let length = serde_json::to_vec(&fields).map_or(usize::MAX, |bytes| bytes.len());
    if length > OP_MAX - AROUND {
        return Ok(Err(mistake(block.line, Wrong::TooLong, "")));
    }
    let (kind, new) = (block.kind.clone(), known.is_none());
    Ok(Ok(Some(Act::Put { kind, id, fields, new })))
}
