//! `chat`: lists of conversations and messages, read as one range each.

use capability::{
    chat::latest::{Conversation, Conversations, Message, Messages},
    experiences::latest::Verb,
    wire::Page,
};
use store::{Direction, ReadTables as _};

use super::super::{View, page, show};
use crate::life::{
    Fault,
    spaces::{self, is_in},
    tables::{self, ACTIVE, Id16, MESSAGE, Mark, Rows as _, parsed, spaces::SpaceRows as _},
};

/// Rows that are looked at for one page, should most of them not be visible.
const LOOKED_AT: usize = 2000;

pub(crate) fn conversations(
    view: &View<'_>,
    q: &Conversations,
) -> Result<Page<Conversation>, Fault> {
    let limit = q.limit.items();
    let from = page::key(q.cursor.as_ref())?;
    let rows = view.r.page(ACTIVE, b"", from.as_deref(), LOOKED_AT, Direction::Backward)?;
    let (mut items, mut next, mut bytes) = (Vec::new(), None, 0);
    let looked_at = rows.len();
    for (key, _) in rows {
        if items.len() == limit || bytes >= page::BYTES {
            return page::page(&view.r, items, next.as_deref());
        }
        let Some(id) = key.last_chunk::<16>().copied().map(Id16) else {
            return Err(Fault::inside("a key of the active conversations is short"));
        };
        if view.visible_after(id).is_some()
            && let Some(row) = view.r.conversation(id)?
            && listed(view, id, &row)?
        {
            view.may(id, Verb::See)?;
            let conversation = show::conversation(view, id, &row)?;
            bytes += conversation.last.as_ref().map_or(0, size);
            bytes += conversation.members.as_ref().map_or(0, |members| members.len() * PERSON);
            items.push(conversation);
        }
        next = Some(key);
    }
    page::page(&view.r, items, next.as_deref().filter(|_| looked_at == LOOKED_AT))
}

pub(crate) fn messages(view: &View<'_>, q: &Messages) -> Result<Page<Message>, Fault> {
    let (id, _) = view.conversation(&q.conversation, Verb::See)?;
    let limit = q.limit.items();
    let from = page::key(q.cursor.as_ref())?;
    if from.as_ref().is_some_and(|key| !key.starts_with(&id.0)) {
        return Err(Fault::bad_cursor());
    }
    let most = if view.visible_after(id) == Some(0) { limit + 1 } else { LOOKED_AT };
    let rows = view.r.page(MESSAGE, &id.0, from.as_deref(), most, Direction::Backward)?;
    let (mut items, mut next, mut bytes) = (Vec::new(), None, 0);
    let looked_at = rows.len();
    for (key, value) in rows {
        if items.len() == limit || bytes >= page::BYTES {
            return page::page(&view.r, items, next.as_deref());
        }
        let row: tables::Message = parsed(MESSAGE, &value)?;
        let Some((_, mark)) = Mark::from_key(&key) else {
            return Err(Fault::inside("a key of a message is short"));
        };
        if view.sees(id, &row) {
            let message = show::message(view, id, &mark, &row)?;
            bytes += size(&message);
            items.push(message);
        }
        next = Some(key);
    }
    page::page(&view.r, items, next.as_deref().filter(|_| looked_at == most))
}

/// Whether a conversation is one that people look for: that of a space only if it isn't put away, and
/// once somebody else is in it or something was said.
pub(crate) fn listed(view: &View<'_>, id: Id16, row: &tables::Conversation) -> Result<bool, Fault> {
    if row.space.is_none() {
        return Ok(true);
    }
    let Some(space) = view.r.space(id)? else { return Ok(false) };
    let here = is_in(&space);
    let others = || {
        let all = spaces::members(&view.r, id)?;
        Ok::<_, Fault>(all.iter().any(|(who, one)| *who != view.me.id && one.hears()))
    };
    Ok(!space.archived && (row.last.is_some() || (here && others()?)))
}

/// About as much room as a person takes, in bytes.
const PERSON: usize = 100;

/// About as much room as it takes; only what can be long is counted.
fn size(message: &Message) -> usize {
    let more = if message.more.is_empty() {
        0
    } else {
        serde_json::to_vec(&message.more).map_or(0, |more| more.len())
    };
    message.text.as_ref().map_or(0, String::len) + more
}

/// Every conversation that the caller sees.
pub(super) fn all(view: &View<'_>) -> Result<Vec<(Id16, tables::Conversation)>, Fault> {
    let mut found = Vec::new();
    for (key, _) in view.r.prefix(ACTIVE, b"", usize::MAX, Direction::Backward)? {
        if let Some(id) = key.last_chunk::<16>().copied().map(Id16)
            && view.visible_after(id).is_some()
            && let Some(row) = view.r.conversation(id)?
        {
            found.push((id, row));
        }
    }
    Ok(found)
}
