//! Two operation chains of one person that disagree: somebody else holds, or held, one of their
//! keys. Whoever shows us such a chain, it proves that by itself, so it is made known to our person
//! even when all else about the envelope is refused. Never more than once a day and contact.

use data_encoding::HEXLOWER;
use link::TwinId;
use store::{Actor, ReadAll as _, Writer};

use crate::life::{
    Fault,
    kinds::{
        By, append,
        contact::{CHANGED, Change, Changed, Fork},
        shape,
    },
    tables::{self, Rows as _},
};

/// Journals that a contact's chain forked, unless our person knows it already.
pub(crate) fn note(
    w: &mut Writer<'_>,
    id: &TwinId,
    fork: &link::Fork,
    now_ms: i64,
) -> Result<(), Fault> {
    let Some(row) = w.reader().contact(id)? else { return Ok(()) };
    let refused = HEXLOWER.encode(&fork.refused);
    let new = Fork { refused, at: fork.at, recovered: fork.recovered };
    if !is_news(w, &row, &new, now_ms)? {
        return Ok(());
    }
    let changed = Changed { fork: Some(new), ..Changed::new(*id, Change::Forked) };
    let by = By { actor: Actor::System, now_ms };
    append(w, &by, CHANGED, &changed, None::<&()>).map(drop)
}

fn is_news(w: &Writer<'_>, row: &tables::Contact, new: &Fork, now_ms: i64) -> Result<bool, Fault> {
    let Some(last) = row.fork.as_ref() else { return Ok(true) };
    let Some(entry) = w.entry(last.seq)? else { return Ok(true) };
    let known: Changed = shape(&entry).map_err(|error| Fault::inside(&error.to_string()))?;
    let Some(known) = known.fork else { return Ok(true) };
    // That they took themselves back is told at once, that it goes on is not.
    if new.recovered != known.recovered {
        return Ok(new.recovered);
    }
    let settled = last.seen && known.refused != new.refused;
    Ok(settled && now_ms.saturating_sub(entry.time_ms) >= DAY_MS)
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
