//! Which entries of the journal mean which events. An event says how a thing is now, so several
//! entries about one thing make one event, at the last of them.

use std::collections::BTreeMap;

use capability::{
    chat::latest::Event as Chat,
    contacts::latest::Event as Contacts,
    experiences::latest::Event as Experiences,
    experiences::latest::Verb,
    files::latest::Event as Files,
    history::latest::Event as History,
    wire::{GrantId, ItemId},
};
use link::TwinId;
use serde_json::Value;
use store::{Entry, ReadAll as _};

mod spaces;

pub(crate) use spaces::{records, spaces};

use super::{
    Fault,
    api::{Caller, Context, View, chat, conversation_of, files::list, history, show},
    kinds::{attachment, contact, file, grant, held, identity, message, read, shape, space, talk},
    subscription::{Found, Place, event},
    tables::{self, GRANT, Id16, Rows as _},
};

type Told = Vec<(u64, Value)>;

/// A thing of a chat that an entry is about.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum About {
    // Messages first: a conversation is told with its new last message after it.
    Message(TwinId, Id16),
    MessageIn(Id16, TwinId, Id16),
    Conversation(Id16),
}

/// Events of `chat`.
pub(crate) fn chat(
    context: &Context,
    view: &View<'_>,
    entries: &[Entry],
    only: Option<Id16>,
) -> Result<Found, Fault> {
    if let Caller::Experience { name, .. } = &context.caller
        && entries.iter().any(|entry| is_about_grants(entry, name))
    {
        // Followed one conversation and lost it: that is the end. Else everything may differ.
        if let Some(id) = only {
            view.may(id, Verb::See)?;
        }
        return Ok(Found::Resync);
    }
    let concerns =
        |id: Id16| only.is_none_or(|only| only == id) && view.visible_after(id).is_some();
    if entries.iter().filter_map(about_space).any(concerns) {
        return Ok(Found::Resync);
    }
    let mut last = BTreeMap::new();
    for entry in entries {
        for about in touched(view, entry)? {
            last.insert(about, entry.seq);
        }
    }
    let mut order: Vec<_> = last.into_iter().map(|(about, seq)| (seq, about)).collect();
    order.sort();
    let mut told = Told::new();
    for (seq, about) in order {
        if let Some(event) = now(view, about, only)? {
            told.push((seq, event));
        }
    }
    Ok(Found::Events(told))
}

/// A message that has come further.
pub(crate) fn moved(
    view: &View<'_>,
    only: Option<Id16>,
    author: TwinId,
    message: Id16,
) -> Result<Option<Value>, Fault> {
    now(view, About::Message(author, message), only)
}

/// Whether an entry gives a grant to this experience or takes one from it.
pub(crate) fn is_about_grants(entry: &Entry, experience: &str) -> bool {
    match &*entry.kind {
        grant::GIVEN => shape(entry).is_ok_and(|one: grant::Given| one.experience == experience),
        grant::REVOKED => {
            shape(entry).is_ok_and(|one: grant::Revoked| one.experience == experience)
        }
        grant::SPACE_GIVEN => {
            shape(entry).is_ok_and(|one: grant::SpaceGiven| one.experience == experience)
        }
        grant::FOLDER_GIVEN => {
            shape(entry).is_ok_and(|one: grant::FolderGiven| one.experience == experience)
        }
        _ => false,
    }
}

fn touched(view: &View<'_>, entry: &Entry) -> Result<Vec<About>, Fault> {
    let inside = |error: store::FoldError| Fault::inside(&error.to_string());
    Ok(match &*entry.kind {
        message::MESSAGE_SAID => {
            let message::Said { conversation, mark, .. } = shape(entry).map_err(inside)?;
            vec![About::Message(mark.author, mark.message), About::Conversation(conversation)]
        }
        attachment::ATTACHED_KIND => {
            let arrived: attachment::Arrived = shape(entry).map_err(inside)?;
            vec![About::Message(arrived.author, arrived.message)]
        }
        message::EDITED | message::DELETED => {
            let changed: message::Changed = shape(entry).map_err(inside)?;
            let message = About::Message(changed.author, changed.message);
            vec![message, About::Conversation(changed.conversation)]
        }
        read::READ => {
            let read: read::Read = shape(entry).map_err(inside)?;
            let at = read.conversation;
            let message = read.up_to.map(|mark| About::MessageIn(at, mark.author, mark.message));
            let conversation = Some(About::Conversation(at));
            message.into_iter().chain(conversation).collect()
        }
        talk::SAID_IN | talk::EDITED_IN | talk::DELETED_IN => {
            let talk::Said { base, message, .. } = shape(entry).map_err(inside)?;
            let message = About::MessageIn(base.space, base.author, message);
            vec![message, About::Conversation(base.space)]
        }
        contact::CHANGED => {
            let changed: contact::Changed = shape(entry).map_err(inside)?;
            vec![About::Conversation(conversation_of(&view.me.id, &changed.contact))]
        }
        identity::PROFILE => vec![About::Conversation(view.me.notebook)],
        held::KEPT => {
            let held::Kept { from, conversation, .. } = shape(entry).map_err(inside)?;
            let message = About::Message(from, held::stand_in_id(entry.seq));
            vec![message, About::Conversation(conversation)]
        }
        _ => {
            let mut all = Vec::new();
            for seq in history::erased_by(entry) {
                if let Some(erased) = view.r.entry(seq)? {
                    all.extend(touched(view, &erased)?);
                }
            }
            all
        }
    })
}

fn now(view: &View<'_>, about: About, only: Option<Id16>) -> Result<Option<Value>, Fault> {
    let followed = |id: Id16| only.is_none_or(|only| only == id);
    match about {
        About::Conversation(id) => {
            let row = view.r.conversation(id)?.filter(|_| followed(id));
            let Some(row) = row.filter(|_| view.visible_after(id).is_some()) else {
                return Ok(None);
            };
            if !chat::list::listed(view, id, &row)? {
                return Ok(None);
            }
            view.may(id, Verb::See)?;
            let conversation = show::conversation(view, id, &row)?;
            event(&Chat::Conversation { conversation }).map(Some)
        }
        About::Message(author, message) => {
            let Some((id, mark, row)) = view.r.find_message(&author, message)? else {
                return Ok(None);
            };
            said(view, id, &mark, &row, followed(id))
        }
        About::MessageIn(id, author, message) => {
            let Some((mark, row)) = view.r.find_in(id, &author, message)? else {
                return Ok(None);
            };
            said(view, id, &mark, &row, followed(id))
        }
    }
}

fn said(
    view: &View<'_>,
    id: Id16,
    mark: &tables::Mark,
    row: &tables::Message,
    followed: bool,
) -> Result<Option<Value>, Fault> {
    if !followed || !view.sees(id, row) {
        return Ok(None);
    }
    view.may(id, Verb::See)?;
    let message = show::message(view, id, mark, row)?;
    event(&Chat::Message { message }).map(Some)
}

/// The space about which an entry says who is in it, what it is called or whether it is put away:
/// with that other messages may count, and another conversation is there.
fn about_space(entry: &Entry) -> Option<Id16> {
    match &*entry.kind {
        space::ROSTER => Some(shape::<space::Roster>(entry).ok()?.space),
        space::STANDING => Some(shape::<space::Stands>(entry).ok()?.space),
        space::ARCHIVED => Some(shape::<space::Archived>(entry).ok()?.space),
        _ => None,
    }
}

/// Events of `contacts`.
pub(crate) fn contacts(view: &View<'_>, entries: &[Entry]) -> Result<Told, Fault> {
    let mut last = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind == contact::CHANGED) {
        let changed: contact::Changed =
            shape(entry).map_err(|error| Fault::inside(&error.to_string()))?;
        last.insert(changed.contact, entry.seq);
    }
    let mut told = Told::new();
    for (id, seq) in last {
        let now = match view.r.contact(&id)? {
            Some(row) => Contacts::Contact { contact: show::contact(view, &id, &row)? },
            None => Contacts::Removed { contact: show::wire_id(&id)? },
        };
        told.push((seq, event(&now)?));
    }
    told.sort_by_key(|(seq, _)| *seq);
    Ok(told)
}

/// Events of `files`.
pub(crate) fn files(
    context: &Context,
    view: &View<'_>,
    entries: &[Entry],
    place: Place,
) -> Result<Found, Fault> {
    if let Caller::Experience { name, .. } = &context.caller
        && entries.iter().any(|entry| is_about_grants(entry, name))
    {
        if let Place::Folder(id) = place {
            view.may_item(id, Verb::See)?;
        }
        return Ok(Found::Resync);
    }
    // By item: the last entry about it, and whether it was there before.
    let mut last: BTreeMap<Id16, (u64, bool)> = BTreeMap::new();
    for entry in entries {
        for (item, was_there) in touched_files(view, entry, place)? {
            let known = last.entry(item).or_default();
            *known = (entry.seq, known.1 || was_there);
        }
    }
    let mut told = Told::new();
    for (id, (seq, was_there)) in last {
        let file = view.r.file(id)?;
        let is_there = file.filter(|file| match place {
            Place::Folder(folder) => file.folder == folder && file.trashed_ms.is_none(),
            Place::Trash => file.trashed_ms.is_some(),
        });
        match is_there.filter(|_| view.may_item(id, Verb::See).is_ok()) {
            Some(file) => {
                let item = list::item(view, id, &file)?;
                told.push((seq, event(&Files::Item { item })?));
            }
            None if was_there => {
                let item = ItemId::from_bytes(id.0);
                told.push((seq, event(&Files::Removed { item })?));
            }
            None => {}
        }
    }
    told.sort_by_key(|(seq, _)| *seq);
    Ok(Found::Events(told))
}

/// The items that an entry is about, and whether it took them away from this place. What an
/// experience never saw there it does not hear of.
fn touched_files(view: &View<'_>, entry: &Entry, place: Place) -> Result<Vec<(Id16, bool)>, Fault> {
    let inside = |error: store::FoldError| Fault::inside(&error.to_string());
    let from = |folder| place == Place::Folder(folder);
    Ok(match &*entry.kind {
        file::MOVED => {
            let file::Moved { item, from: folder, .. } = shape(entry).map_err(inside)?;
            vec![(item, from(folder))]
        }
        file::TRASHED => {
            let file::Trashed { item, from: folder, .. } = shape(entry).map_err(inside)?;
            vec![(item, from(folder))]
        }
        file::RESTORED => {
            let file::Restored { item, .. } = shape(entry).map_err(inside)?;
            let seen = view.may_item(item, Verb::See).is_ok();
            vec![(item, place == Place::Trash && seen)]
        }
        file::DELETED => {
            let file::Deleted { folder, items } = shape(entry).map_err(inside)?;
            let seen = place == Place::Trash && view.may_item(folder, Verb::See).is_ok();
            items.into_iter().map(|item| (item, seen)).collect()
        }
        _ => {
            let mut all: Vec<_> =
                file::about(entry).map(|item| (item, false)).into_iter().collect();
            for seq in history::erased_by(entry) {
                if let Some(erased) = view.r.entry(seq)? {
                    all.extend(file::about(&erased).map(|item| (item, false)));
                }
            }
            all
        }
    })
}

/// Events of `experiences`.
pub(crate) fn experiences(view: &View<'_>, entries: &[Entry]) -> Result<Told, Fault> {
    let mut told = Told::new();
    for entry in entries {
        let now = if let Some(grant) = given(entry) {
            let row: Option<tables::Grant> = view.r.row(GRANT, &grant.0)?;
            let Some(row) = row else { continue };
            Experiences::Grant { grant: show::grant(view, &row)? }
        } else if entry.kind == grant::REVOKED
            && let Ok(grant::Revoked { grant, .. }) = shape(entry)
        {
            Experiences::Revoked { grant: GrantId::from_bytes(grant.0) }
        } else {
            continue;
        };
        told.push((entry.seq, event(&now)?));
    }
    Ok(told)
}

fn given(entry: &Entry) -> Option<Id16> {
    match &*entry.kind {
        grant::GIVEN => Some(shape::<grant::Given>(entry).ok()?.grant),
        grant::FOLDER_GIVEN => Some(shape::<grant::FolderGiven>(entry).ok()?.grant),
        grant::SPACE_GIVEN => Some(shape::<grant::SpaceGiven>(entry).ok()?.grant),
        _ => None,
    }
}

/// Events of `history`: new entries, and older ones that were undone or erased by them.
pub(crate) fn history(view: &View<'_>, entries: &[Entry]) -> Result<Told, Fault> {
    let mut told = Told::new();
    for entry in entries {
        let mut about = history::erased_by(entry);
        about.extend(history::undone_of(entry));
        about.push(entry.seq);
        for seq in about {
            let Some(one) = view.r.entry(seq)? else { continue };
            if one.kind == read::READ && seq == entry.seq {
                continue;
            }
            if let Some(item) = history::item(view, &one)? {
                told.push((entry.seq, event(&History::Entry { item })?));
            }
        }
    }
    Ok(told)
}
