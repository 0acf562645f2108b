//! `peer.held`, `peer.released`: what only a newer release can read is kept and later read. The
//! content is the envelope's body as it came.

use link::TwinId;
use serde::{Deserialize, Serialize};
use store::{Entry, FoldError, ReadTables as _, Tables};

use super::{Kind, Line, message, shape};
use crate::life::tables::{
    CONVERSATION, HELD, Held, Id16, MESSAGE, MESSAGE_AT, Mark, Message, Rows as _, UNREAD,
    message_at, put,
};

pub(crate) const KEPT: &str = "peer.held";
pub(crate) const RELEASED: &str = "peer.released";

pub(super) const KINDS: &[Kind] = &[
    Kind { name: KEPT, fold: kept, line: kept_line },
    Kind { name: RELEASED, fold: released, line: |_, _| None },
];

/// Something newer came from a contact.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Kept {
    pub(crate) from: TwinId,
    pub(crate) conversation: Id16,
    pub(crate) capability: String,
    pub(crate) major: u16,
}

/// It can be read now and has been.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Released {
    /// The entry that kept it.
    pub(crate) held: u64,
}

fn kept(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Kept { from, conversation, capability, major } = shape(entry)?;
    let shown = capability == "chat" && t.conversation(conversation)?.is_some();
    let held = Held { from, conversation, capability, major };
    put(t, HELD, &entry.seq.to_be_bytes(), &held)?;
    if !shown {
        return Ok(());
    }
    let row = Message {
        seq: entry.seq,
        text: entry.seq,
        edited_ms: None,
        changed_ms: entry.time_ms,
        deleted: false,
        reply_to: None,
        rev: entry.seq,
        needs_update: true,
        in_space: false,
    };
    let mark = stand_in(entry.seq, entry.time_ms, from);
    // Its author could have used this id: then the history alone shows that something is kept.
    if t.get(MESSAGE_AT, &message_at(&from, mark.message))?.is_some() {
        return Ok(());
    }
    message::place(t, entry, conversation, mark, &row)
}

/// The place that is kept for a message that can't be read yet.
fn stand_in(seq: u64, time_ms: i64, author: TwinId) -> Mark {
    Mark { time_ms, author, message: stand_in_id(seq) }
}

/// The id that the message has until then.
pub(crate) fn stand_in_id(seq: u64) -> Id16 {
    let mut message = [0; 16];
    message[8..].copy_from_slice(&seq.to_be_bytes());
    Id16(message)
}

fn released(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Released { held: seq } = shape(entry)?;
    let Some(held) = t.row::<Held>(HELD, &seq.to_be_bytes())? else { return Ok(()) };
    t.delete(HELD, &seq.to_be_bytes())?;
    let stand_in = stand_in(seq, 0, held.from);
    let found = t.find_message(&held.from, stand_in.message)?;
    let Some((id, mark, Message { needs_update: true, .. })) = found else { return Ok(()) };
    let key = mark.key(id);
    t.delete(MESSAGE, &key)?;
    t.delete(MESSAGE_AT, &message_at(&held.from, mark.message))?;
    let Some(mut row) = t.conversation(id)? else { return Ok(()) };
    if t.delete(UNREAD, &key)? {
        row.unread = row.unread.saturating_sub(1);
    }
    if row.last == Some(mark) {
        let newest = t.page(MESSAGE, &id.0, None, 1, store::Direction::Backward)?;
        row.last = newest.first().and_then(|(key, _)| Mark::from_key(key)).map(|(_, mark)| mark);
    }
    Ok(put(t, CONVERSATION, &id.0, &row)?)
}

fn kept_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let Kept { from, capability, .. } = shape(entry).ok()?;
    let args = [("capability".to_owned(), capability)].into();
    Some(Line { key: KEPT.to_owned(), contact: Some(from), args, ..Line::default() })
}
