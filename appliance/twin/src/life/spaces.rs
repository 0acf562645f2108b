//! What the two sides of a space have in common, here where something is written and there where it
//! arrives: signatures, clocks, the journal's form of a change, and telling the others. It never
//! decides who may do something.

pub(crate) mod answer;
pub(crate) mod roster;
pub(crate) mod schema;
pub(crate) mod signed;
pub(crate) mod text;

use std::collections::BTreeMap;

use capability::{
    spaces::latest::{Act, Body, Clock, Op, Ops, Signed},
    wire::{MessageId, More, SpaceId},
};
use link::TwinId;
use store::{Direction, ReadTables as _, Reader, Writer};

use super::{
    Fault,
    api::Shared,
    kinds::{
        By, append,
        record::{Base, NOTHING, PUT, Put, REMOVED, Removed},
        talk::{DELETED_IN, EDITED_IN, SAID_IN, Said},
    },
    post::{About, Post, post},
    tables::{
        self, Id16,
        spaces::{Member, SPACE_MEMBER, Space, SpaceRows as _},
    },
};

/// Most bytes of the text of one change: with its signature it fits into an entry.
pub(crate) const OP_MAX: usize = 40 * 1024;
/// A clock that is further ahead than this is not followed.
pub(crate) const AHEAD_MS: i64 = 24 * 60 * 60 * 1000;

/// What only the author's own twin knows of a change.
#[derive(Default)]
pub(crate) struct Own {
    /// It makes a record.
    pub(crate) made: bool,
    /// What held each of its fields before.
    pub(crate) previous: BTreeMap<String, u64>,
    /// What held the text of a message before.
    pub(crate) before: Option<u64>,
    pub(crate) undoes: Option<u64>,
}

/// Our person changes something: it is signed, journaled, and goes to everybody who is in it.
pub(crate) fn say(
    shared: &Shared,
    w: &mut Writer<'_>,
    by: &By,
    space: Id16,
    act: Act,
    own: Own,
) -> Result<u64, Fault> {
    let row = w.reader().space(space)?.ok_or_else(Fault::not_found)?;
    let number = w.reader().mark(space, &shared.me)? + 1;
    let clock = match act {
        // Messages sort by their time alone.
        Act::Say { .. } => {
            next_clock(by.now_ms.max(row.clock.time_ms.saturating_add(1)), row.clock)
        }
        Act::Put { .. }
        | Act::Remove { .. }
        | Act::Edit { .. }
        | Act::Delete { .. }
        | Act::Void
        | Act::Other => next_clock(by.now_ms, row.clock),
    };
    let op = Op { space: wire(space), number, clock, act };
    let signed = signed::sign(shared, signed::OP, &op)?;
    if signed.text.len() > OP_MAX {
        return Err(Fault::too_large());
    }
    let seq = journal(w, by, shared.me, &op, &signed, own)?;
    let body = Body::Ops(Ops {
        space: wire(space),
        ops: vec![signed],
        answer: false,
        next: None,
        more: More::new(),
    });
    for (person, member) in members(&w.reader(), space)? {
        if person != shared.me && member.hears() {
            tell(w, person, space, &body, &[seq])?;
        }
    }
    Ok(seq)
}

/// Puts a change into the journal, whoever made it.
pub(crate) fn journal(
    w: &mut Writer<'_>,
    by: &By,
    author: TwinId,
    op: &Op,
    signed: &Signed,
    own: Own,
) -> Result<u64, Fault> {
    let base = Base { space: Id16(op.space.bytes()), author, number: op.number, clock: op.clock };
    let Own { made, previous, before, undoes } = own;
    let said = |message: &MessageId, reply_to: Option<&MessageId>| {
        let (message, reply_to) = (Id16(message.bytes()), reply_to.map(|id| Id16(id.bytes())));
        Said { base, message, reply_to, previous: before, undoes }
    };
    match &op.act {
        Act::Put { kind, record, fields } => {
            let names = |null: bool| {
                let those = fields.iter().filter(|(_, value)| value.is_null() == null);
                those.map(|(name, _)| name.clone()).collect()
            };
            let (set, cleared, kind) = (names(false), names(true), kind.to_string());
            let record = Id16(record.bytes());
            let put = Put { base, kind, record, set, cleared, made, previous, undoes };
            append(w, by, PUT, &put, Some(signed))
        }
        Act::Remove { kind, record, gone } => {
            let (kind, record) = (kind.to_string(), Id16(record.bytes()));
            let removed = Removed { base, kind, record, gone: *gone, undoes };
            append(w, by, REMOVED, &removed, Some(signed))
        }
        Act::Say { message, reply_to, .. } => {
            append(w, by, SAID_IN, &said(message, reply_to.as_ref()), Some(signed))
        }
        Act::Edit { message, .. } => append(w, by, EDITED_IN, &said(message, None), Some(signed)),
        Act::Delete { message } => append(w, by, DELETED_IN, &said(message, None), Some(signed)),
        Act::Void | Act::Other => append(w, by, NOTHING, &base, Some(signed)),
    }
}

/// Says something about a space to another twin. The body repeats the contents of these entries.
pub(crate) fn tell(
    w: &mut Writer<'_>,
    to: TwinId,
    space: Id16,
    body: &Body,
    quotes: &[u64],
) -> Result<(), Fault> {
    tell_about(w, to, space, body, About { quotes: quotes.to_vec(), ..About::default() })
}

/// The same, of what they asked for.
pub(crate) fn tell_back(
    w: &mut Writer<'_>,
    to: TwinId,
    space: Id16,
    body: &Body,
    quotes: &[u64],
) -> Result<(), Fault> {
    let about = About { quotes: quotes.to_vec(), answer: true, ..About::default() };
    tell_about(w, to, space, body, about)
}

fn tell_about(
    w: &mut Writer<'_>,
    to: TwinId,
    space: Id16,
    body: &Body,
    about: About,
) -> Result<(), Fault> {
    post(w, Post { to, thread: space, capability: "spaces", about }, body)
}

/// Everybody who is or was in a space.
pub(crate) fn members(r: &Reader<'_>, space: Id16) -> Result<Vec<(TwinId, Member)>, Fault> {
    let mut all = Vec::new();
    for (key, row) in r.prefix(SPACE_MEMBER, &space.0, usize::MAX, Direction::Forward)? {
        let Some(person) = key.last_chunk().map(|id| TwinId::from_bytes(*id)) else { continue };
        all.push((person, tables::parsed(SPACE_MEMBER, &row)?));
    }
    Ok(all)
}

/// Whether our person may change what is in a space.
pub(crate) fn writes(r: &Reader<'_>, space: Id16, me: &TwinId) -> Result<bool, Fault> {
    Ok(r.member(space, me)?.is_some_and(|member| member.writes()))
}

/// A time later than all that is known of.
pub(crate) fn next_clock(now_ms: i64, known: Clock) -> Clock {
    if now_ms > known.time_ms {
        Clock { time_ms: now_ms, tick: 0 }
    } else {
        match known.tick.checked_add(1) {
            Some(tick) => Clock { time_ms: known.time_ms, tick },
            None => Clock { time_ms: known.time_ms.saturating_add(1), tick: 0 },
        }
    }
}

/// The space as it is named between twins.
pub(crate) fn wire(space: Id16) -> SpaceId {
    SpaceId::from_bytes(space.0)
}

/// The id of the space that somebody makes with a seed: nobody else can sign for it.
pub(crate) fn space_of(owner: &TwinId, seed: Id16) -> Id16 {
    let mut hasher = blake3::Hasher::new_derive_key("hometwin 2026-11 space");
    hasher.update(owner.as_bytes()).update(&seed.0);
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    Id16(id)
}

/// Whether our person is in it.
pub(crate) fn is_in(row: &Space) -> bool {
    row.standing == tables::spaces::Standing::Member
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_only_rise() {
        let at = |time_ms, tick| Clock { time_ms, tick };
        assert_eq!(next_clock(5, at(3, 9)), at(5, 0));
        assert_eq!(next_clock(5, at(5, 0)), at(5, 1));
        assert_eq!(next_clock(1, at(5, 1)), at(5, 2));
        assert_eq!(next_clock(1, at(5, u32::MAX)), at(6, 0));
    }
}
