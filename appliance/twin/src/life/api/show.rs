//! Conversations, messages, contacts and grants as a caller sees them now. Never reads a clock.

use capability::{
    chat::latest::{Conversation, Delivery, Message, Person},
    contacts::latest::{Contact, ContactState, Double},
    experiences::latest::{From, Grant, ThingKind, Verb},
    wire::{ConversationId, MessageId, More},
};
use link::TwinId;
use store::{Direction, ReadAll as _, ReadTables as _};

use super::{
    View,
    chat::{self, attach},
    names, person,
};
use crate::life::{
    Fault,
    kinds::{contact::Changed, content, message::Words, shape, talk},
    spaces::{self, roster},
    tables::{
        self, Id16, MESSAGE, Mark, Rows as _, Standing, UNREAD, parsed, spaces::SpaceRows as _,
    },
};

/// A message.
pub(crate) fn message(
    view: &View<'_>,
    conversation: Id16,
    mark: &Mark,
    row: &tables::Message,
) -> Result<Message, Fault> {
    let words: Option<Words> = if row.deleted || row.needs_update {
        None
    } else if row.in_space {
        let text = talk::words(view.r.content(row.text)?.as_deref());
        text.map(|text| Words { text, attachments: Vec::new(), more: More::new() })
    } else {
        content(view.r.content(row.text)?.as_deref())
    };
    let files = if row.in_space {
        Vec::new()
    } else if row.text == row.seq {
        words.as_ref().map(|words| words.attachments.clone()).unwrap_or_default()
    } else {
        attach::said(view, row)?
    };
    let erased = words.is_none() && !row.deleted && !row.needs_update;
    let (text, more) = words.map_or((None, More::new()), |words| (Some(words.text), words.more));
    Ok(Message {
        message: MessageId::from_bytes(mark.message.0),
        conversation: ConversationId::from_bytes(conversation.0),
        author: match row.in_space {
            true => view.member(conversation, &mark.author)?,
            false => view.person(&mark.author)?,
        },
        text,
        time_ms: mark.time_ms,
        edited_ms: row.edited_ms,
        deleted: row.deleted,
        erased,
        needs_update: row.needs_update,
        reply_to: row.reply_to.map(|id| MessageId::from_bytes(id.0)),
        attachments: attach::shown_files(view, mark, row, files)?,
        state: delivery(view, conversation, mark)?,
        rev: row.rev,
        more,
    })
}

/// How far a message of one's own has come at the other.
fn delivery(view: &View<'_>, id: Id16, mark: &Mark) -> Result<Option<Delivery>, Fault> {
    if mark.author != view.me.id {
        return Ok(None);
    }
    let told = |row: &tables::Conversation| !row.notebook && row.space.is_none();
    let Some(row) = view.r.conversation(id)?.filter(told) else { return Ok(None) };
    if row.other_read.is_some_and(|read| *mark <= read) {
        return Ok(Some(Delivery::Read));
    }
    let state = match view.r.vault_get(&names::sent(mark.message))?.as_deref() {
        None => Delivery::Delivered,
        Some(HELD) => Delivery::Held,
        Some(REFUSED) => Delivery::Refused,
        Some(WITHDRAWN) => Delivery::Withdrawn,
        Some(_) => Delivery::Queued,
    };
    Ok(Some(state))
}

/// In the vault: it waits in the outbox.
pub(crate) const QUEUED: &[u8] = b"queued";
/// In the vault: the other twin keeps it until its update.
pub(crate) const HELD: &[u8] = b"held";
/// In the vault: the other twin did not take it.
pub(crate) const REFUSED: &[u8] = b"refused";
/// In the vault: it was taken back before it was known to have arrived.
pub(crate) const WITHDRAWN: &[u8] = b"withdrawn";

/// A conversation that the caller sees.
pub(crate) fn conversation(
    view: &View<'_>,
    id: Id16,
    row: &tables::Conversation,
) -> Result<Conversation, Fault> {
    let last = last(view, id)?;
    let unread = if view.visible_after(id) == Some(0) { row.unread } else { unread(view, id)? };
    let other_read = row.other_read.filter(|mark| sees_mark(view, id, mark).unwrap_or(false));
    let open = chat::open(view, id, row).is_ok();
    let members = row.space.map(|_| others(view, id)).transpose()?;
    let shown_ms = last.as_ref().map(|message| message.time_ms);
    Ok(Conversation {
        conversation: ConversationId::from_bytes(id.0),
        with: with(view, id, row)?,
        members,
        unread,
        read_up_to_by_other: other_read.map(|mark| MessageId::from_bytes(mark.message.0)),
        open,
        active_ms: if view.whole() { row.active_ms } else { shown_ms.unwrap_or_default() },
        last,
    })
}

/// Whom a conversation is with: a person, or a space by its name.
fn with(view: &View<'_>, id: Id16, row: &tables::Conversation) -> Result<Person, Fault> {
    if row.space.is_none() {
        return view.person(&row.with);
    }
    let name = match view.r.space(id)? {
        Some(space) => roster::words(&view.r, &space)?.map(|words| words.name),
        None => None,
    };
    let text = id.to_string();
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| person::short(&text));
    let id = text.parse().map_err(|_| Fault::inside("a space id is none"))?;
    Ok(Person { id, name, me: false })
}

/// Who else is in a space, by name.
fn others(view: &View<'_>, space: Id16) -> Result<Vec<Person>, Fault> {
    let mut all = Vec::new();
    for (person, member) in spaces::members(&view.r, space)? {
        if person != view.me.id && member.hears() {
            all.push(view.member(space, &person)?);
        }
    }
    all.sort_by_key(|person| person.name.to_lowercase());
    Ok(all)
}

fn sees_mark(view: &View<'_>, id: Id16, mark: &Mark) -> Result<bool, Fault> {
    let row = view.r.find_in(id, &mark.author, mark.message)?;
    Ok(row.is_some_and(|(_, row)| view.sees(id, &row)))
}

/// The newest message that the caller sees, looked for among the newest few.
fn last(view: &View<'_>, id: Id16) -> Result<Option<Message>, Fault> {
    for (key, value) in view.r.prefix(MESSAGE, &id.0, LOOK_BACK, Direction::Backward)? {
        let row: tables::Message = parsed(MESSAGE, &value)?;
        if let Some((_, mark)) = Mark::from_key(&key)
            && view.sees(id, &row)
        {
            return message(view, id, &mark, &row).map(Some);
        }
        if view.whole() {
            break;
        }
    }
    Ok(None)
}

/// Unread messages that the caller sees; counts no further than a badge would.
fn unread(view: &View<'_>, id: Id16) -> Result<u64, Fault> {
    let mut unread = 0;
    for (key, _) in view.r.prefix(UNREAD, &id.0, LOOK_BACK, Direction::Backward)? {
        if let Some((_, mark)) = Mark::from_key(&key)
            && sees_mark(view, id, &mark)?
        {
            unread += 1;
        }
    }
    Ok(unread)
}

const LOOK_BACK: usize = 100;

/// A contact.
pub(crate) fn contact(
    view: &View<'_>,
    id: &TwinId,
    row: &tables::Contact,
) -> Result<Contact, Fault> {
    let petname = person::words(&view.r, row.petname)?.and_then(|words| words.petname);
    let note = person::words(&view.r, row.note)?.and_then(|words| words.note);
    let about = person::words(&view.r, Some(row.profile))?.and_then(|words| words.about);
    let shown = row.standing == Standing::Accepted || row.conversation.is_some();
    Ok(Contact {
        contact: wire_id(id)?,
        petname,
        display_name: person::name_of(&view.r, &view.me, id, false)?,
        about: about.unwrap_or_default(),
        state: match row.standing {
            Standing::Accepted => ContactState::Accepted,
            Standing::Asked => ContactState::Asked,
            Standing::Asks => ContactState::Asks,
            Standing::Blocked => ContactState::Blocked,
            Standing::Denied => ContactState::Denied,
        },
        note,
        conversation: row.conversation.filter(|_| shown).map(|id| ConversationId::from_bytes(id.0)),
        double: double(view, row)?,
        since_ms: row.since_ms,
        rev: row.rev,
    })
}

/// What our person has not taken note of yet about a contact's keys.
fn double(view: &View<'_>, row: &tables::Contact) -> Result<Option<Double>, Fault> {
    let Some(fork) = row.fork.filter(|fork| !fork.seen) else { return Ok(None) };
    let Some(entry) = view.r.entry(fork.seq)? else { return Ok(None) };
    let changed: Changed = shape(&entry).map_err(|error| Fault::inside(&error.to_string()))?;
    let recovered = changed.fork.is_some_and(|fork| fork.recovered);
    Ok(Some(Double { since_ms: entry.time_ms, recovered }))
}

/// A twin id on the wire.
pub(crate) fn wire_id(id: &TwinId) -> Result<capability::wire::TwinId, Fault> {
    id.to_string().parse().map_err(|_| Fault::inside("a twin id is none"))
}

/// A grant.
pub(crate) fn grant(view: &View<'_>, row: &tables::Grant) -> Result<Grant, Fault> {
    let title = match row.conversation {
        None if row.folder.is_some() => {
            let folder = row.folder.unwrap_or(Id16::ROOT);
            view.r.file_name(folder)?.map(|named| named.name)
        }
        Some(id) => match view.r.conversation(id)? {
            Some(conversation) => Some(with(view, id, &conversation)?.name),
            None => None,
        },
        None => match row.space.map(|id| view.r.space(id)).transpose()?.flatten() {
            Some(space) => roster::words(&view.r, &space)?.map(|words| words.name),
            None => None,
        },
    };
    let used = view.r.vault_get(&names::used(row.grant))?;
    let used = used.and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
    let wrong = |_| Fault::inside("a grant has unusable names");
    let wrong_type = |_| Fault::inside("a grant has unusable types");
    let chosen = row.conversation.or(row.folder).or(row.space).filter(|id| *id != Id16::ROOT);
    let thing = chosen.map_or_else(|| "all".to_owned(), |id| id.to_string());
    let kind = match (row.folder, row.space) {
        (Some(_), _) => ThingKind::Folder,
        (None, Some(_)) => ThingKind::Space,
        (None, None) => ThingKind::Conversation,
    };
    let types: Result<Vec<_>, Fault> =
        row.types.iter().map(|name| name.parse().map_err(wrong_type)).collect();
    let verbs = [(true, Verb::See), (row.add, Verb::Add), (row.change, Verb::Change)];
    Ok(Grant {
        grant: capability::wire::GrantId::from_bytes(row.grant.0),
        experience: row.experience.parse().map_err(wrong)?,
        kind,
        thing: thing.parse().map_err(wrong)?,
        title,
        types: types?,
        verbs: verbs.into_iter().filter(|(given, _)| *given).map(|(_, verb)| verb).collect(),
        from: if row.history { From::History } else { From::Now },
        since_ms: row.since_ms,
        last_used_ms: used,
    })
}
