//! Messages that arrive. An author changes their own messages and nobody else's.

use capability::chat::latest::{ATTACHMENTS_MAX, Piece, Say, SayDelete, SayEdit, SayRead, Want};
use data_encoding::BASE64;
use link::{Refusal, TwinId};
use store::{BLOB_LIMIT, Writer};

use super::{Arrived, bounded};
use crate::life::{
    api::names,
    fetch::{self, Fetch, PIECE, Stage, Which},
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
    let attachments = say.attachments;
    let fits = |one: &capability::chat::latest::Announced| one.size <= BLOB_LIMIT;
    if attachments.len() > ATTACHMENTS_MAX
        || !attachments.iter().all(fits)
        || (attachments.is_empty() && say.text.trim().is_empty())
    {
        return Err(Refusal::Malformed.into());
    }
    for one in &attachments {
        bounded(one.more.clone())?;
    }
    let sizes: Vec<u64> = attachments.iter().map(|one| one.size).collect();
    let words = Words { text: say.text.into_string(), attachments, more: bounded(say.more)? };
    a.append(w, MESSAGE_SAID, &Said { conversation, mark, reply_to }, Some(&words))?;
    for (number, size) in (0..).zip(sizes) {
        fetch::announced(w, Which { author: a.from, message, number }, size)?;
        a.run_errand(w);
    }
    Ok(())
}

/// The other wants a file of a message of ours: it is sent when it is its turn. What is asked for
/// twice is sent once, from where it was asked for last.
pub(super) fn want(a: &Arrived<'_>, w: &mut Writer<'_>, want: &Want) -> Result<(), Failure> {
    let conversation = a.conversation()?;
    let message = Id16(want.message.bytes());
    let found = w.reader().find_message(&a.me, message)?;
    if usize::from(want.number) >= ATTACHMENTS_MAX
        || found.is_none_or(|(at, ..)| at != conversation)
    {
        return Err(Refusal::Malformed.into());
    }
    w.vault_put(&names::owed(&a.from, message, want.number), &want.offset.to_be_bytes())?;
    a.run_errand(w);
    Ok(())
}

/// A piece of a file that we asked for. What nobody asked for is left.
pub(super) fn piece(a: &Arrived<'_>, w: &mut Writer<'_>, piece: &Piece) -> Result<(), Failure> {
    a.conversation()?;
    let which =
        Which { author: a.from, message: Id16(piece.message.bytes()), number: piece.number };
    let Some(mut fetch) = which.read(&w.reader())? else { return Ok(()) };
    if fetch.stage != Stage::Coming || fetch.upload.is_none() || piece.offset != fetch.next {
        return Ok(());
    }
    let Some(text) = &piece.bytes else {
        which.drop_pieces(w)?;
        which.put(w, &Fetch { stage: Stage::Gone, upload: None, ..fetch })?;
        a.moved(w, which.message);
        return Ok(());
    };
    let bytes = BASE64.decode(text.as_bytes()).map_err(|_| Refusal::Malformed)?;
    let (size, end) = (bytes.len() as u64, fetch.next.saturating_add(bytes.len() as u64));
    if size == 0 || size > PIECE || end > fetch.wanted {
        return Err(Refusal::Malformed.into());
    }
    // Every piece but the last is a whole one: many small ones would cost more than they bring.
    if size < PIECE && end < fetch.size {
        return Err(Refusal::Malformed.into());
    }
    if w.check_room().is_err() {
        // Refused it would come again and again, and stand in the way of what is said.
        which.drop_pieces(w)?;
        which.put(w, &Fetch { stage: Stage::NoRoom, ..Fetch::new(fetch.size, fetch.asked) })?;
        a.moved(w, which.message);
        return Ok(());
    }
    w.vault_put(&fetch::piece(&which, piece.offset), &bytes)?;
    fetch.next = end;
    which.put(w, &fetch)?;
    a.run_errand(w);
    Ok(())
}

pub(super) fn edit(a: &Arrived<'_>, w: &mut Writer<'_>, edit: SayEdit) -> Result<(), Failure> {
    let Some(changed) = changed(a, w, Id16(edit.message.bytes()), edit.time_ms)? else {
        return Ok(());
    };
    let attachments = Vec::new();
    let words = Words { text: edit.text.into_string(), attachments, more: bounded(edit.more)? };
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
    fetch::forget(w, &a.from, changed.message)?;
    // What was here of its files goes with it.
    w.sweep_by(a.by.now_ms)?;
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
