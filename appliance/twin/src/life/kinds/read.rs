//! `chat.read`: how far somebody has read. One's own marker goes back only by an undo.

use link::TwinId;
use serde::{Deserialize, Serialize};
use store::{Direction, Entry, FoldError, ReadTables as _, Tables};

use super::{Kind, Line, Undo, shape};
use crate::life::tables::{
    CONVERSATION, Conversation, Id16, MESSAGE, Mark, Message, Rows as _, UNREAD, parsed, put,
};

pub(crate) const READ: &str = "chat.read";

pub(super) const KINDS: &[Kind] = &[Kind { name: READ, fold, line }];

/// Somebody has read up to a message.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Read {
    pub(crate) conversation: Id16,
    pub(crate) reader: TwinId,
    /// Nothing with `back`: as if nothing had been read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) up_to: Option<Mark>,
    /// Where the reader was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Mark>,
    /// The marker goes back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) back: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

fn fold(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let read: Read = shape(entry)?;
    let id = read.conversation;
    let Some(mut row) = t.conversation(id)? else {
        return Err(FoldError::refused("there is no such conversation"));
    };
    if read.reader == row.with && !row.notebook && row.space.is_none() {
        row.other_read = row.other_read.max(read.up_to);
    } else if read.back {
        row.read = read.up_to;
        row.read_by = Some(entry.seq);
        mark_unread(t, id, &mut row)?;
    } else {
        if row.read < read.up_to {
            row.read = read.up_to;
            row.read_by = Some(entry.seq);
        }
        // Also when the marker stays: a message that came late can be unread before it.
        mark_read(t, id, &mut row)?;
    }
    Ok(put(t, CONVERSATION, &id.0, &row)?)
}

/// Everything up to the marker is read.
fn mark_read(t: &mut Tables<'_>, id: Id16, row: &mut Conversation) -> Result<(), FoldError> {
    let Some(end) = row.read.map(|mark| mark.key(id)) else { return Ok(()) };
    loop {
        let rows = t.page(UNREAD, &id.0, None, STRETCH, Direction::Forward)?;
        let mut found = 0;
        for (key, _) in rows.iter().filter(|(key, _)| *key <= end) {
            t.delete(UNREAD, key)?;
            row.unread = row.unread.saturating_sub(1);
            found += 1;
        }
        if found < STRETCH {
            return Ok(());
        }
    }
}

/// What the other said after the marker is unread.
fn mark_unread(t: &mut Tables<'_>, id: Id16, row: &mut Conversation) -> Result<(), FoldError> {
    let me = t.me()?.id;
    let mut from = row.read.map_or_else(|| id.0.to_vec(), |mark| after(&mark.key(id)));
    loop {
        let rows = t.page(MESSAGE, &id.0, Some(&from), STRETCH, Direction::Forward)?;
        for (key, value) in &rows {
            let other = Mark::from_key(key).is_some_and(|(_, mark)| row.concerns(&mark, &me));
            let Message { deleted, .. } = parsed(MESSAGE, value)?;
            if other && !deleted && t.get(UNREAD, key)?.is_none() {
                t.put(UNREAD, key, b"")?;
                row.unread = row.unread.saturating_add(1);
            }
        }
        match rows.last() {
            Some((key, _)) if rows.len() == STRETCH => from = after(key),
            _ => return Ok(()),
        }
    }
}

/// The first key after this one.
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// Rows at a time.
const STRETCH: usize = 500;

fn line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let read: Read = shape(entry).ok()?;
    let key = if read.back { "chat.unread" } else { "chat.read" };
    let undo = if read.back { Undo::None } else { Undo::Local };
    let conversation = Some(read.conversation);
    Some(Line { key: key.to_owned(), conversation, undo, ..Line::default() })
}
