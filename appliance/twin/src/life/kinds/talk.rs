//! `chat.said_in`, `chat.edited_in`, `chat.deleted_in`: what is said in a space. These are changes of
//! the space like those of records, numbered by their author; the content is what the author signed,
//! with the words. Of a message the first that says it and the last that changes it count, both by
//! number, so what all have in the end depends on which changes they have, never on the order.

use std::collections::BTreeSet;

use capability::spaces::latest::{Act, Op, Signed};
use link::TwinId;
use serde::{Deserialize, Serialize};
use store::{Direction, Entry, FoldError, ReadTables as _, Tables};

use super::{
    Kind, Line, Undo, content,
    record::{Base, arrived, counting_to},
    shape, short,
};
use crate::life::tables::{
    self, ACTIVE, CONVERSATION, Conversation, Id16, MESSAGE, MESSAGE_AT, Mark, Message, Rows as _,
    UNREAD, message_in, put,
    spaces::{SPACE_SAID, Talk, of_person, said_key, said_of},
};

pub(crate) const SAID_IN: &str = "chat.said_in";
pub(crate) const EDITED_IN: &str = "chat.edited_in";
pub(crate) const DELETED_IN: &str = "chat.deleted_in";

pub(super) const KINDS: &[Kind] = &[
    Kind { name: SAID_IN, fold, line },
    Kind { name: EDITED_IN, fold, line },
    Kind { name: DELETED_IN, fold, line },
];

/// Something was said in a space, or its author changed or deleted it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Said {
    #[serde(flatten)]
    pub(crate) base: Base,
    pub(crate) message: Id16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<Id16>,
    /// Of a change of our person: the entry that holds the text of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

/// The words that a content holds.
pub(crate) fn words(bytes: Option<&[u8]>) -> Option<String> {
    let signed: Signed = content(bytes)?;
    match serde_json::from_str::<Op>(&signed.text).ok()?.act {
        Act::Say { text, .. } | Act::Edit { text, .. } => Some(text.into_string()),
        Act::Put { .. } | Act::Remove { .. } | Act::Delete { .. } | Act::Void | Act::Other => None,
    }
}

fn fold(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Said { base, message, reply_to, .. } = shape(entry)?;
    arrived(entry, &base, t)?;
    let (says, deletes) = (entry.kind == SAID_IN, entry.kind == DELETED_IN);
    let key = said_key(base.space, &base.author, message, !says, base.number);
    let talk = Talk { time_ms: base.clock.time_ms, seq: entry.seq, deletes, reply_to };
    put(t, SPACE_SAID, &key, &talk)?;
    build(entry, base.space, &base.author, message, says, t)
}

/// Of an author's changes others count than before, all beyond this number: the messages that they
/// are about are put together anew.
pub(super) fn recount(
    entry: &Entry,
    space: Id16,
    author: &TwinId,
    beyond: u64,
    t: &mut Tables<'_>,
) -> Result<(), FoldError> {
    let start = of_person(space, author);
    let (mut messages, mut from) = (BTreeSet::new(), None::<Vec<u8>>);
    loop {
        let rows = t.page(SPACE_SAID, &start, from.as_deref(), AT_A_TIME, Direction::Forward)?;
        let Some((last, _)) = rows.last() else { break };
        from = Some([&last[..], &[0]].concat());
        messages.extend(rows.iter().filter_map(|(key, _)| {
            let (message, number) = said_of(key)?;
            (number > beyond).then_some(message)
        }));
    }
    messages.into_iter().try_for_each(|message| build(entry, space, author, message, false, t))
}

/// Puts a message together from all that its author said about it, as far as it counts.
fn build(
    entry: &Entry,
    space: Id16,
    author: &TwinId,
    id: Id16,
    says: bool,
    t: &mut Tables<'_>,
) -> Result<(), FoldError> {
    let Some(mut row) = t.conversation(space)? else {
        return Err(FoldError::refused("there is no such conversation"));
    };
    let old = t.find_in(space, author, id)?;
    let new = counting(entry, space, author, id, t)?;
    if let Some((mark, _)) =
        old.as_ref().filter(|(mark, _)| new.as_ref().is_none_or(|n| n.0 != *mark))
    {
        let key = mark.key(space);
        t.delete(MESSAGE, &key)?;
        t.delete(MESSAGE_AT, &message_in(author, id, space))?;
        read(t, &key, &mut row)?;
    }
    if let Some((mark, message)) = &new {
        let key = mark.key(space);
        put(t, MESSAGE, &key, message)?;
        t.put(MESSAGE_AT, &message_in(author, id, space), &key)?;
        let is_new = old.as_ref().is_none_or(|(known, _)| known != mark);
        if message.deleted {
            read(t, &key, &mut row)?;
        } else if is_new && row.concerns(mark, &t.me()?.id) {
            t.put(UNREAD, &key, b"")?;
            row.unread = row.unread.saturating_add(1);
        }
    }
    let newest = t.page(MESSAGE, &space.0, None, 1, Direction::Backward)?;
    row.last = newest.first().and_then(|(key, _)| Mark::from_key(key)).map(|(_, mark)| mark);
    if says && new.is_some() {
        // The time of arrival: another's clock must not pin a conversation to the top.
        t.delete(ACTIVE, &tables::active(row.active_ms, space))?;
        row.active_ms = row.active_ms.max(entry.time_ms);
        t.put(ACTIVE, &tables::active(row.active_ms, space), b"")?;
    }
    Ok(put(t, CONVERSATION, &space.0, &row)?)
}

/// A message as it is with all that counts; `None`: nothing of it does.
fn counting(
    entry: &Entry,
    space: Id16,
    author: &TwinId,
    id: Id16,
    t: &Tables<'_>,
) -> Result<Option<(Mark, Message)>, FoldError> {
    let to = counting_to(t, space, author)?;
    let first = said_key(space, author, id, false, 0);
    let all = &first[..first.len() - 8];
    let said = t.page(SPACE_SAID, all, None, 1, Direction::Forward)?;
    let number = |key: &[u8]| said_of(key).map_or(u64::MAX, |(_, number)| number);
    let Some((key, said)) = said.first().filter(|(key, _)| number(key) <= to) else {
        return Ok(None);
    };
    let (first, said): (_, Talk) = (number(key), tables::parsed(SPACE_SAID, said)?);
    let mark = Mark { time_ms: said.time_ms, author: *author, message: id };
    let mut message = Message {
        seq: said.seq,
        text: said.seq,
        edited_ms: None,
        changed_ms: said.time_ms,
        deleted: false,
        reply_to: said.reply_to,
        rev: entry.seq,
        needs_update: false,
        in_space: true,
    };
    let behind = to.checked_add(1).map(|behind| said_key(space, author, id, true, behind));
    let changes = said_key(space, author, id, true, 0);
    let changes = &changes[..changes.len() - 8];
    let last = t.page(SPACE_SAID, changes, behind.as_deref(), 1, Direction::Backward)?;
    if let Some((_, change)) = last.first().filter(|(key, _)| number(key) > first) {
        let change: Talk = tables::parsed(SPACE_SAID, change)?;
        (message.deleted, message.changed_ms) = (change.deletes, change.time_ms);
        if !change.deletes {
            (message.text, message.edited_ms) = (change.seq, Some(change.time_ms));
        }
    }
    Ok(Some((mark, message)))
}

/// A message isn't unread any more.
fn read(t: &mut Tables<'_>, key: &[u8], row: &mut Conversation) -> Result<(), FoldError> {
    if t.delete(UNREAD, key)? {
        row.unread = row.unread.saturating_sub(1);
    }
    Ok(())
}

/// Rows that are read at once.
const AT_A_TIME: usize = 1000;

fn line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    let Said { base, .. } = shape(entry).ok()?;
    let mut line = Line {
        key: entry.kind.clone(),
        author: Some(base.author),
        space: Some(base.space),
        undo: Undo::Own(base.author),
        ..Line::default()
    };
    line.args.extend(words(bytes).map(|text| ("text".to_owned(), short(&text))));
    Some(line)
}
