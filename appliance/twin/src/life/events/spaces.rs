//! Events of `spaces` and `records`.

use std::collections::BTreeMap;

use capability::{
    experiences::latest::Verb, records::latest::Event as Records, spaces::latest::Event as Spaces,
    wire::RecordId,
};
use store::{Entry, ReadAll as _};

use super::is_about_grants;
use crate::life::{
    Fault,
    api::{Caller, Context, View, history, records::list, spaces as api},
    kinds::{record, shape, space},
    subscription::{Followed, Found, event},
    tables::{Id16, spaces::SpaceRows as _},
};

/// Events of `records`.
pub(crate) fn records(
    context: &Context,
    view: &View<'_>,
    entries: &[Entry],
    followed: &Followed,
) -> Result<Found, Fault> {
    let Followed { space, kind, among } = followed;
    // Not granted any more, or left: that is the end.
    view.may_space(*space, Some(kind.as_str()), Verb::See)?;
    let other = |entry: &Entry| defines(entry, kind.as_str()) || recounts(entry, *space);
    if grants_changed(context, entries) || entries.iter().any(other) {
        return Ok(Found::Resync);
    }
    let mut last = BTreeMap::new();
    for entry in entries {
        for (at, of, id) in touched(view, entry)? {
            if at == *space && of == kind.as_str() {
                last.insert(id, entry.seq);
            }
        }
    }
    let mut told = Vec::new();
    for (id, seq) in last {
        let Some(row) = view.r.record(*space, kind.as_str(), id)? else { continue };
        if !view.sees_record(*space, kind.as_str(), &row) {
            continue;
        }
        let now = if among.has(&row) {
            Records::Record { record: Box::new(list::record(view, *space, kind, id, &row)?) }
        } else {
            Records::Removed { record: RecordId::from_bytes(id.0) }
        };
        told.push((seq, event(&now)?));
    }
    told.sort_by_key(|(seq, _)| *seq);
    Ok(Found::Events(told))
}

/// Whether the type's records have another order from this entry on.
fn defines(entry: &Entry, kind: &str) -> bool {
    entry.kind == record::DEFINED
        && shape(entry).is_ok_and(|one: record::Defined| one.definition.kind.as_str() == kind)
}

/// Whether other changes of somebody may count in the space from this entry on.
fn recounts(entry: &Entry, space: Id16) -> bool {
    match &*entry.kind {
        space::ROSTER => shape(entry).is_ok_and(|one: space::Roster| {
            one.space == space
                && !matches!(one.change, space::Change::Created | space::Change::Renamed)
        }),
        space::STANDING => shape(entry).is_ok_and(|one: space::Stands| one.space == space),
        _ => false,
    }
}

fn grants_changed(context: &Context, entries: &[Entry]) -> bool {
    let Caller::Experience { name, .. } = &context.caller else { return false };
    entries.iter().any(|entry| is_about_grants(entry, name))
}

/// The records that an entry is about.
fn touched(view: &View<'_>, entry: &Entry) -> Result<Vec<(Id16, String, Id16)>, Fault> {
    let mut all: Vec<_> = record::about(entry).into_iter().collect();
    for seq in history::erased_by(entry) {
        if let Some(erased) = view.r.entry(seq)? {
            all.extend(record::about(&erased));
        }
    }
    Ok(all)
}

/// Events of `spaces`.
pub(crate) fn spaces(
    context: &Context,
    view: &View<'_>,
    entries: &[Entry],
) -> Result<Found, Fault> {
    if grants_changed(context, entries) {
        return Ok(Found::Resync);
    }
    let mut last = BTreeMap::new();
    for entry in entries {
        last.extend(about(entry).map(|id| (id, entry.seq)));
        for seq in history::erased_by(entry) {
            let erased = view.r.entry(seq)?.and_then(|erased| about(&erased));
            last.extend(erased.map(|id| (id, entry.seq)));
        }
    }
    let mut told = Vec::new();
    for (id, seq) in last {
        let Some(row) = view.r.space(id)? else { continue };
        if view.may_space(id, None, Verb::See).is_ok() {
            let space = api::shown(view, id, &row)?;
            told.push((seq, event(&Spaces::Space { space })?));
        } else if !view.whole() {
            // It may have been one of those that it saw.
            return Ok(Found::Resync);
        }
    }
    told.sort_by_key(|(seq, _)| *seq);
    Ok(Found::Events(told))
}

/// The space that an entry changed.
fn about(entry: &Entry) -> Option<Id16> {
    match &*entry.kind {
        space::ROSTER => Some(shape::<space::Roster>(entry).ok()?.space),
        space::STANDING => Some(shape::<space::Stands>(entry).ok()?.space),
        space::ARCHIVED => Some(shape::<space::Archived>(entry).ok()?.space),
        _ => None,
    }
}
