//! `chat.message`, `chat.edited`, `chat.deleted`: what people say. Only authors edit and delete;
//! that is checked before an entry is made, here, where one is sent and where one arrives.

use capability::chat::latest::Announced;
use link::TwinId;
use serde::{Deserialize, Serialize};
use store::{Entry, FoldError, ReadTables as _, Tables};

use super::{Kind, Line, Undo, attachment, content, shape, short};
use crate::life::tables::{
    self, ACTIVE, CONVERSATION, Id16, MESSAGE, MESSAGE_AT, Mark, Message, Rows as _, UNREAD,
    message_at, put,
};

pub(crate) const MESSAGE_SAID: &str = "chat.message";
pub(crate) const EDITED: &str = "chat.edited";
pub(crate) const DELETED: &str = "chat.deleted";

pub(super) const KINDS: &[Kind] = &[
    Kind { name: MESSAGE_SAID, fold: said, line: said_line },
    Kind { name: EDITED, fold: edited, line: changed_line },
    Kind { name: DELETED, fold: deleted, line: changed_line },
];

/// A message.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Said {
    pub(crate) conversation: Id16,
    /// Its author, its id and the author's clock.
    #[serde(flatten)]
    pub(crate) mark: Mark,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<Id16>,
}

/// Its author changed or deleted a message.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Changed {
    pub(crate) conversation: Id16,
    pub(crate) author: TwinId,
    pub(crate) message: Id16,
    /// The author's clock.
    pub(crate) time_ms: i64,
    /// The entry that holds the text of before.
    pub(crate) previous: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

/// Content of a message and of an edit.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Words {
    pub(crate) text: String,
    /// Files that came with a message; an edit has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attachments: Vec<Announced>,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub(crate) more: serde_json::Map<String, serde_json::Value>,
}

fn said(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Said { conversation, mark, reply_to } = shape(entry)?;
    let row = Message {
        seq: entry.seq,
        text: entry.seq,
        edited_ms: None,
        changed_ms: mark.time_ms,
        deleted: false,
        reply_to,
        rev: entry.seq,
        needs_update: false,
        in_space: false,
    };
    place(t, entry, conversation, mark, &row)
}

/// Puts a new message into its conversation.
pub(super) fn place(
    t: &mut Tables<'_>,
    entry: &Entry,
    id: Id16,
    mark: Mark,
    row: &Message,
) -> Result<(), FoldError> {
    let Some(mut conversation) = t.conversation(id)? else {
        return Err(FoldError::refused("there is no such conversation"));
    };
    let at = message_at(&mark.author, mark.message);
    if t.get(MESSAGE_AT, &at)?.is_some() {
        return Err(FoldError::refused("the message is there already"));
    }
    let key = mark.key(id);
    put(t, MESSAGE, &key, row)?;
    t.put(MESSAGE_AT, &at, &key)?;
    if conversation.concerns(&mark, &t.me()?.id) {
        t.put(UNREAD, &key, b"")?;
        conversation.unread = conversation.unread.saturating_add(1);
    }
    conversation.last = conversation.last.max(Some(mark));
    // The time of arrival: another's clock must not pin a conversation to the top.
    t.delete(ACTIVE, &tables::active(conversation.active_ms, id))?;
    conversation.active_ms = conversation.active_ms.max(entry.time_ms);
    t.put(ACTIVE, &tables::active(conversation.active_ms, id), b"")?;
    Ok(put(t, CONVERSATION, &id.0, &conversation)?)
}

fn edited(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    change(entry, t, |row, time_ms| {
        row.text = entry.seq;
        row.edited_ms = Some(time_ms);
        row.deleted = false;
    })
}

fn deleted(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    change(entry, t, |row, _| row.deleted = true)?;
    let Changed { conversation: id, author, message, .. } = shape(entry)?;
    let Some((_, mark, Message { deleted: true, .. })) = t.find_message(&author, message)? else {
        return Ok(());
    };
    attachment::forget(t, &author, message)?;
    if t.delete(UNREAD, &mark.key(id))?
        && let Some(mut row) = t.conversation(id)?
    {
        row.unread = row.unread.saturating_sub(1);
        put(t, CONVERSATION, &id.0, &row)?;
    }
    Ok(())
}

/// The newest change by the author's clock wins; an older one that arrives late changes nothing.
fn change(
    entry: &Entry,
    t: &mut Tables<'_>,
    with: impl FnOnce(&mut Message, i64),
) -> Result<(), FoldError> {
    let Changed { author, message, time_ms, .. } = shape(entry)?;
    let Some((conversation, mark, mut row)) = t.find_message(&author, message)? else {
        return Err(FoldError::refused("there is no such message of this author"));
    };
    if time_ms > row.changed_ms {
        with(&mut row, time_ms);
        row.changed_ms = time_ms;
        row.rev = entry.seq;
        put(t, MESSAGE, &mark.key(conversation), &row)?;
    }
    Ok(())
}

fn said_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    let Said { conversation, mark, .. } = shape(entry).ok()?;
    Some(line(entry, bytes, conversation, mark.author))
}

fn changed_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    let Changed { conversation, author, .. } = shape(entry).ok()?;
    Some(line(entry, bytes, conversation, author))
}

fn line(entry: &Entry, bytes: Option<&[u8]>, conversation: Id16, author: TwinId) -> Line {
    let mut line = Line {
        key: entry.kind.clone(),
        conversation: Some(conversation),
        undo: Undo::AskPeer(author),
        ..Line::default()
    };
    if let Some(Words { text, attachments, .. }) = content(bytes) {
        let file = attachments.first().map(|file| file.name.to_string());
        let text = file.filter(|_| text.trim().is_empty()).unwrap_or(text);
        line.args.insert("text".to_owned(), short(&text));
    }
    line
}
