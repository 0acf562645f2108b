//! What is sent of a space to who lacks it: page by page, each asked for when the one before has
//! arrived, so that a copy of any size is on its way with little room.

use std::collections::BTreeMap;

use capability::{
    spaces::latest::{Act, Body, Have, Op, Ops, Signed},
    wire::More,
};
use link::TwinId;
use store::{Direction, ReadAll as _, ReadTables as _, Reader, Writer};

use super::{members, signed, tell_back, wire};
use crate::life::{
    Fault,
    api::Shared,
    kinds::{content, record::Base, shape},
    peers::Instead,
    post::About,
    tables::{
        Id16,
        spaces::{SPACE_OP, SpaceRows as _, of_person, op_key},
    },
};

/// Most changes on a page, and their bytes.
const PAGE: usize = 29;
const PAGE_BYTES: usize = 256 * 1024;

/// Sends what is known of these authors (of all, if none is named) beyond these marks.
pub(crate) fn send(
    shared: &Shared,
    w: &mut Writer<'_>,
    to: TwinId,
    space: Id16,
    of: &[TwinId],
    marks: &BTreeMap<TwinId, u64>,
) -> Result<(), Fault> {
    // Of everybody who is asked for, also who comes on a later page: what comes next is of these.
    let mut marks: BTreeMap<TwinId, u64> = members(&w.reader(), space)?
        .into_iter()
        .map(|(author, _)| (author, marks.get(&author).copied().unwrap_or_default()))
        .filter(|(author, _)| *author != to && (of.is_empty() || of.contains(author)))
        .collect();
    let (mut ops, mut quotes, mut bytes, mut full) = (Vec::new(), Vec::new(), 0, false);
    'all: for (&author, above) in &mut marks {
        let start = of_person(space, &author);
        loop {
            let from = op_key(space, &author, above.saturating_add(1));
            let rows = w.page(SPACE_OP, &start, Some(&from), PAGE, Direction::Forward)?;
            let last = rows.len() < PAGE;
            for (key, row) in rows {
                if ops.len() == PAGE || bytes >= PAGE_BYTES {
                    full = true;
                    break 'all;
                }
                let number = key.last_chunk().map(|number| u64::from_be_bytes(*number));
                let seq = row.try_into().map(u64::from_be_bytes);
                let (Some(number), Ok(seq)) = (number, seq) else { continue };
                *above = number;
                let known = content::<Signed>(w.content(seq)?.as_deref());
                let op = match known {
                    Some(op) => op,
                    None if author == shared.me => void(shared, w, seq)?,
                    // What was erased here somebody else may have.
                    None => continue,
                };
                bytes += op.text.len();
                ops.push(op);
                quotes.push(seq);
            }
            if last {
                break;
            }
        }
    }
    let next = if full { Some(named(&marks)?) } else { None };
    if ops.is_empty() && next.is_none() {
        return Ok(());
    }
    let body = Ops { space: wire(space), ops, answer: true, next, more: More::new() };
    tell_back(w, to, space, &Body::Ops(body), &quotes)
}

/// An own change whose content was erased: it says nothing, but nobody looks for it for ever.
fn void(shared: &Shared, w: &Writer<'_>, seq: u64) -> Result<Signed, Fault> {
    let lost = || Fault::inside("a change was lost");
    let entry = w.entry(seq)?.ok_or_else(lost)?;
    let Base { space, number, clock, .. } = shape(&entry).map_err(|_| lost())?;
    let op = Op { space: wire(space), number, clock, act: Act::Void };
    signed::sign(shared, signed::OP, &op)
}

/// Asks somebody for what is missing here.
pub(crate) fn ask(
    w: &mut Writer<'_>,
    to: TwinId,
    space: Id16,
    of: &[TwinId],
    marks: &BTreeMap<TwinId, u64>,
) -> Result<(), Fault> {
    let name = |id: &TwinId| id.to_string().parse().map_err(|_| Fault::inside("an id is none"));
    let of = of.iter().map(name).collect::<Result<_, _>>()?;
    let have = Have { space: wire(space), of, marks: named(marks)?, more: More::new() };
    tell_back(w, to, space, &Body::Have(have), &[])
}

/// Marks as they are said.
fn named(marks: &BTreeMap<TwinId, u64>) -> Result<BTreeMap<capability::wire::TwinId, u64>, Fault> {
    let one = |(id, mark): (&TwinId, &u64)| {
        let id = id.to_string().parse().map_err(|_| Fault::inside("a twin id is none"))?;
        Ok((id, *mark))
    };
    marks.iter().map(one).collect()
}

/// What goes instead of a letter that repeats a content which was erased.
pub(crate) fn instead(
    shared: &Shared,
    r: &Reader<'_>,
    body: &[u8],
    about: &About,
    erased: &[u64],
) -> Result<Instead, Fault> {
    let read: Body = match serde_json::from_slice(body) {
        Ok(read) => read,
        Err(_) => return Ok(Instead::Nothing),
    };
    let new = match read {
        Body::Ops(ops) => Body::Ops(without(shared, r, ops, about, erased)?),
        Body::Invite(mut invite) => {
            let Some(roster) = super::roster::nameless(shared, &invite.roster)? else {
                return Ok(Instead::Body(body.to_vec()));
            };
            (invite.roster, invite.note) = (roster, None);
            Body::Invite(invite)
        }
        Body::Roster(mut said) => {
            let Some(roster) = super::roster::nameless(shared, &said.roster)? else {
                return Ok(Instead::Body(body.to_vec()));
            };
            said.roster = roster;
            Body::Roster(said)
        }
        Body::Join(_) | Body::Bye(_) | Body::Have(_) => return Ok(Instead::Body(body.to_vec())),
    };
    let bytes = serde_json::to_vec(&new).map_err(|error| Fault::inside(&error.to_string()))?;
    Ok(Instead::Body(bytes))
}

/// The changes without those that were erased. Our own leave an empty one behind, so that nobody
/// looks for it for ever.
fn without(
    shared: &Shared,
    r: &Reader<'_>,
    mut ops: Ops,
    about: &About,
    erased: &[u64],
) -> Result<Ops, Fault> {
    let space = Id16(ops.space.bytes());
    let mut kept = Vec::new();
    for signed in ops.ops {
        let op: Option<Op> = serde_json::from_str(&signed.text).ok();
        let author = signed.by.as_str().parse::<TwinId>().ok();
        let (Some(op), Some(author)) = (op, author) else { continue };
        let seq = r.op(space, &author, op.number)?;
        if !seq.is_some_and(|seq| about.quotes.contains(&seq) && erased.contains(&seq)) {
            kept.push(signed);
        } else if author == shared.me {
            let op = Op { act: Act::Void, ..op };
            kept.push(signed::sign(shared, signed::OP, &op)?);
        }
    }
    ops.ops = kept;
    Ok(ops)
}
