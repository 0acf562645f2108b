//! Messages that arrive. An author changes their own messages and nobody else's.

use capability::chat::latest::{Say, SayDelete, SayEdit, SayRead};
use link::{Refusal, TwinId};
use store::Writer;

use super::{Arrived, bounded};
use crate::life::{
    kinds::{
        message::{Changed, DELETED, EDITED, MESSAGE_SAID, Said, Words},
        read::{READ, Read},
    },
    peers::Failure,
    tables::{Id16, Mark, Message, Rows as _},
};

pub(super) fn say(a: &Arrived<'_>, w: &mut Writer<'_>, say: Say) -> Result<(), Failure> {
    let conversation = a.conversation()?;
    let message = Id16(say.message.bytes());
    if w.reader().find_message(&a.from, message)?.is_some() {
        return Ok(());
    }
    let mark = Mark { time_ms: say.time_ms, author: a.from, message };
    let reply_to = say.reply_to.map(|id| Id16(id.bytes()));
    let words = Words { text: say.text.into_string(), more: bounded(say.more)? };
    a.append(w, MESSAGE_SAID, &Said { conversation, mark, reply_to }, Some(&words)).map(drop)
}

pub(super) fn edit(a: &Arrived<'_>, w: &mut Writer<'_>, edit: SayEdit) -> Result<(), Failure> {
    let Some(changed) = changed(a, w, Id16(edit.message.bytes()), edit.time_ms)? else {
        return Ok(());
    };
    let words = Words { text: edit.text.into_string(), more: bounded(edit.more)? };
    a.append(w, EDITED, &changed, Some(&words)).map(drop)
}

pub(super) fn delete(
    a: &Arrived<'_>,
    w: &mut Writer<'_>,
    delete: &SayDelete,
) -> Result<(), Failure> {
    let Some(changed) = changed(a, w, Id16(delete.message.bytes()), delete.time_ms)? else {
        return Ok(());
    };
    a.append(w, DELETED, &changed, None::<&()>).map(drop)
}

/// The change, if its author may make it; nothing if a newer one was made already.
fn changed(
    a: &Arrived<'_>,
    w: &Writer<'_>,
    message: Id16,
    time_ms: i64,
) -> Result<Option<Changed>, Failure> {
    let conversation = a.conversation()?;
    let found = w.reader().find_message(&a.from, message)?;
    let Some((at, _, row @ Message { needs_update: false, .. })) = found else {
        return Err(Refusal::NotAuthor.into());
    };
    if at != conversation {
        return Err(Refusal::NotAuthor.into());
    }
    let (author, previous) = (a.from, row.text);
    let newer = time_ms > row.changed_ms;
    Ok(newer.then_some(Changed { conversation, author, message, time_ms, previous, undoes: None }))
}

pub(super) fn read(a: &Arrived<'_>, w: &mut Writer<'_>, read: &SayRead) -> Result<(), Failure> {
    let conversation = a.conversation()?;
    let author: TwinId = read.author.as_str().parse().map_err(|_| Refusal::Malformed)?;
    let found = w.reader().find_message(&author, Id16(read.up_to.bytes()))?;
    let Some((at, mark, _)) = found else { return Ok(()) };
    let Some(row) = w.reader().conversation(conversation)? else { return Ok(()) };
    // A message elsewhere, or one that was read already: nothing to say.
    if at != conversation || row.other_read >= Some(mark) {
        return Ok(());
    }
    let read = Read {
        conversation,
        reader: a.from,
        up_to: Some(mark),
        previous: row.other_read,
        back: false,
        undoes: None,
    };
    a.append(w, READ, &read, None::<&()>).map(drop)
}
