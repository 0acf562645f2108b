//! `chat`: writing, changing, deleting, reading. Only the author changes or deletes a message. What
//! is said in a space is a change of that space, and goes the way of its changes.

pub(crate) mod attach;
pub(crate) mod list;

use capability::{
    chat::latest::{
        Body, Delete, Edit, Message, MessageText, Read, Say, SayDelete, SayEdit, SayRead, Send,
    },
    experiences::latest::Verb,
    spaces::latest::Act,
    wire::{Done, MessageId, More},
};
use link::TwinId;
use store::{ReadAll as _, Writer};

use super::{Context, View, show};
use crate::life::{
    Fault, carry,
    fetch::Which,
    kinds::{
        append,
        message::{Changed, DELETED, EDITED, MESSAGE_SAID, Said, Words},
        read::{READ, Read as ReadShape},
    },
    post::{About, Post, post},
    spaces::{self, Own, is_in, writes},
    tables::{
        Conversation, Id16, Mark, Message as Row, Rows as _, Standing, spaces::SpaceRows as _,
    },
};

/// A clock that is further ahead than this is not followed.
const AHEAD_MS: i64 = 24 * 60 * 60 * 1000;

pub(super) fn send(c: &Context, w: &mut Writer<'_>, q: Send) -> Result<Message, Fault> {
    let me = c.shared.me;
    let (id, row) = {
        let view = c.view(w.reader())?;
        let (id, row) = view.conversation(&q.conversation, Verb::Add)?;
        open(&view, id, &row)?;
        if let Some(answered) = &q.reply_to {
            visible(&view, id, &row, answered)?;
        }
        (id, row)
    };
    let message = Id16(q.id.bytes());
    if w.reader().find_anywhere(&me, message)?.is_some() {
        return Err(Fault::id_taken());
    }
    if row.space.is_some() {
        return send_in(c, w, id, q);
    }
    let mark =
        Mark { time_ms: after(c.now_ms, row.last.map(|mark| mark.time_ms)), author: me, message };
    let reply_to = q.reply_to.as_ref().map(|id| Id16(id.bytes()));
    let files = attach::found(c, w, q.attachments)?;
    if files.is_empty() && q.text.trim().is_empty() {
        return Err(Fault::malformed().field("text", "a message has a text or a file"));
    }
    let attachments: Vec<_> = files.iter().map(|file| file.announced.clone()).collect();
    let words =
        Words { text: q.text.to_string(), attachments: attachments.clone(), more: More::new() };
    let said = Said { conversation: id, mark, reply_to };
    let seq = append(w, &c.by(), MESSAGE_SAID, &said, Some(&words))?;
    for (number, file) in (0..).zip(files) {
        carry::journal(w, &c.by(), Which { author: me, message, number }, file.content)?;
    }
    let say = Say {
        message: MessageId::from_bytes(message.0),
        text: q.text,
        time_ms: mark.time_ms,
        reply_to: q.reply_to,
        attachments,
        more: More::new(),
    };
    let about = About { message: Some(message), ..About::entry(seq) };
    tell(c, w, id, &row, &Body::Say(say), about)?;
    shown(c, w, id, &mark)
}

/// Says something in a space, to everybody who is in it.
fn send_in(c: &Context, w: &mut Writer<'_>, space: Id16, q: Send) -> Result<Message, Fault> {
    if !q.attachments.is_empty() {
        return Err(Fault::no_files_there());
    }
    let text = q.text.parse::<MessageText>();
    let text = text.map_err(|_| Fault::malformed().field("text", "a message has a text"))?;
    let message = MessageId::from_bytes(q.id.bytes());
    let act = Act::Say { message, text, reply_to: q.reply_to };
    spaces::say(&c.shared, w, &c.by(), space, act, Own::default())?;
    let view = c.view(w.reader())?;
    let found = view.r.find_in(space, &c.shared.me, Id16(q.id.bytes()))?;
    let (mark, row) = found.ok_or_else(|| Fault::inside("a message was lost"))?;
    show::message(&view, space, &mark, &row)
}

pub(super) fn edit(c: &Context, w: &mut Writer<'_>, q: Edit) -> Result<Message, Fault> {
    let (mine, text) = {
        let mine = Mine::find(c, w, &q.message)?;
        if let Some(rev) = q.if_rev.filter(|rev| *rev != mine.row.rev) {
            return Err(Fault::conflict().at(mine.row.rev).with("wanted", rev.to_string()));
        }
        if mine.row.deleted {
            return Err(Fault::deleted());
        }
        (mine, q.text)
    };
    mine.edit(c, w, text, None)?;
    shown(c, w, mine.id, &mine.mark)
}

pub(super) fn delete(c: &Context, w: &mut Writer<'_>, q: &Delete) -> Result<Message, Fault> {
    let mine = Mine::find(c, w, &q.message)?;
    if !mine.row.deleted {
        mine.delete(c, w, None)?;
    }
    shown(c, w, mine.id, &mine.mark)
}

pub(super) fn read(c: &Context, w: &mut Writer<'_>, q: &Read) -> Result<Done, Fault> {
    let (id, row, up_to) = {
        let view = c.view(w.reader())?;
        let (id, row) = view.conversation(&q.conversation, Verb::Add)?;
        let mark = marked(&view, id, &row, q)?;
        (id, row, mark)
    };
    let reader = c.shared.me;
    if row.read >= Some(up_to) && row.unread == 0 {
        return Ok(Done { at: w.head()?.seq });
    }
    let moved = row.read < Some(up_to);
    let read = ReadShape {
        conversation: id,
        reader,
        up_to: Some(up_to),
        previous: row.read,
        back: false,
        undoes: None,
    };
    let at = append(w, &c.by(), READ, &read, None::<&()>)?;
    let view = c.view(w.reader())?;
    if moved && row.space.is_none() && open(&view, id, &row).is_ok() {
        let author = show::wire_id(&up_to.author)?;
        let up_to = MessageId::from_bytes(up_to.message.0);
        let read = SayRead { up_to, author, time_ms: c.now_ms, more: More::new() };
        tell(c, w, id, &row, &Body::Read(read), About::default())?;
    }
    Ok(Done { at })
}

/// A message of one's own that is about to change.
pub(super) struct Mine {
    pub(super) id: Id16,
    pub(super) mark: Mark,
    pub(super) row: Row,
    conversation: Conversation,
}

impl Mine {
    /// One's own message, if the caller may change it.
    pub(super) fn find(c: &Context, w: &Writer<'_>, message: &MessageId) -> Result<Self, Fault> {
        let view = c.view(w.reader())?;
        let message = Id16(message.bytes());
        let Some((id, mark, row)) = view.r.find_anywhere(&c.shared.me, message)? else {
            return Err(not_mine(&view, message)?);
        };
        if !view.sees(id, &row) {
            return Err(Fault::not_found());
        }
        view.may(id, Verb::Change)?;
        let conversation = view.r.conversation(id)?.ok_or_else(Fault::not_found)?;
        Ok(Self { id, mark, row, conversation })
    }

    fn changed(&self, c: &Context, undoes: Option<u64>) -> Changed {
        Changed {
            conversation: self.id,
            author: self.mark.author,
            message: self.mark.message,
            time_ms: c.now_ms.max(self.row.changed_ms.saturating_add(1)),
            previous: self.row.text,
            undoes,
        }
    }

    /// Changes what was said in a space, as long as our person may write there.
    fn change_in(
        &self,
        c: &Context,
        w: &mut Writer<'_>,
        act: Act,
        undoes: Option<u64>,
    ) -> Result<u64, Fault> {
        open(&c.view(w.reader())?, self.id, &self.conversation)?;
        let own = Own { before: Some(self.row.text), undoes, ..Own::default() };
        spaces::say(&c.shared, w, &c.by(), self.id, act, own)
    }

    /// Gives it another text, here and at the other's.
    pub(super) fn edit(
        &self,
        c: &Context,
        w: &mut Writer<'_>,
        text: MessageText,
        undoes: Option<u64>,
    ) -> Result<u64, Fault> {
        if self.row.in_space {
            let message = MessageId::from_bytes(self.mark.message.0);
            return self.change_in(c, w, Act::Edit { message, text }, undoes);
        }
        let changed = self.changed(c, undoes);
        let words = Words { text: text.to_string(), attachments: Vec::new(), more: More::new() };
        let seq = append(w, &c.by(), EDITED, &changed, Some(&words))?;
        let message = MessageId::from_bytes(self.mark.message.0);
        let edit = SayEdit { message, text, time_ms: changed.time_ms, more: More::new() };
        tell(c, w, self.id, &self.conversation, &Body::Edit(edit), About::entry(seq))?;
        Ok(seq)
    }

    /// Deletes it, here and at the other's.
    pub(super) fn delete(
        &self,
        c: &Context,
        w: &mut Writer<'_>,
        undoes: Option<u64>,
    ) -> Result<u64, Fault> {
        if self.row.in_space {
            let message = MessageId::from_bytes(self.mark.message.0);
            return self.change_in(c, w, Act::Delete { message }, undoes);
        }
        let changed = self.changed(c, undoes);
        // Its files go with it.
        w.sweep_by(c.now_ms)?;
        let seq = append(w, &c.by(), DELETED, &changed, None::<&()>)?;
        let message = MessageId::from_bytes(self.mark.message.0);
        let delete = SayDelete { message, time_ms: changed.time_ms, more: More::new() };
        tell(c, w, self.id, &self.conversation, &Body::Delete(delete), About::default())?;
        Ok(seq)
    }
}

/// Whether the message is somebody else's or nobody's, as far as the caller may know.
fn not_mine(view: &View<'_>, message: Id16) -> Result<Fault, Fault> {
    for (id, row) in list::all(view)? {
        for person in people(view, id, &row)? {
            if let Some((_, found)) = view.r.find_in(id, &person, message)?
                && view.sees(id, &found)
            {
                return Ok(Fault::not_author());
            }
        }
    }
    Ok(Fault::not_found())
}

/// Whose messages may be in a conversation.
fn people(view: &View<'_>, id: Id16, row: &Conversation) -> Result<Vec<TwinId>, Fault> {
    if row.space.is_none() {
        return Ok(vec![row.with, view.me.id]);
    }
    Ok(spaces::members(&view.r, id)?.into_iter().map(|(person, _)| person).collect())
}

/// Whether something can be sent there.
pub(super) fn open(view: &View<'_>, id: Id16, row: &Conversation) -> Result<(), Fault> {
    if row.space.is_some() {
        let here = view.r.space(id)?.is_some_and(|row| is_in(&row));
        return match (here, writes(&view.r, id, &view.me.id)?) {
            (false, _) => Err(Fault::closed()),
            (true, false) => Err(Fault::only_see()),
            (true, true) => Ok(()),
        };
    }
    let contact = view.r.contact(&row.with)?;
    let accepted = contact.is_some_and(|contact| contact.standing == Standing::Accepted);
    if row.notebook || accepted { Ok(()) } else { Err(Fault::closed()) }
}

/// Tells the other of a conversation, if they are still a contact.
fn tell(
    c: &Context,
    w: &mut Writer<'_>,
    id: Id16,
    row: &Conversation,
    body: &Body,
    about: About,
) -> Result<(), Fault> {
    let told = open(&c.view(w.reader())?, id, row).is_ok();
    if row.notebook || !told {
        return Ok(());
    }
    post(w, Post { to: row.with, thread: id, capability: "chat", about }, body)
}

/// A message of either person that the caller sees.
fn visible(
    view: &View<'_>,
    id: Id16,
    row: &Conversation,
    message: &MessageId,
) -> Result<Mark, Fault> {
    for author in people(view, id, row)? {
        let found = view.r.find_in(id, &author, Id16(message.bytes()))?;
        if let Some((mark, found)) = found
            && view.sees(id, &found)
        {
            return Ok(mark);
        }
    }
    Err(Fault::not_found())
}

/// The message that was read, by the author that was named, if one was.
fn marked(view: &View<'_>, id: Id16, row: &Conversation, q: &Read) -> Result<Mark, Fault> {
    let Some(author) = &q.author else { return visible(view, id, row, &q.up_to) };
    for person in people(view, id, row)? {
        if view.person_id(&person)? == *author
            && let Some((mark, found)) = view.r.find_in(id, &person, Id16(q.up_to.bytes()))?
            && view.sees(id, &found)
        {
            return Ok(mark);
        }
    }
    Err(Fault::not_found())
}

fn shown(c: &Context, w: &Writer<'_>, id: Id16, mark: &Mark) -> Result<Message, Fault> {
    let view = c.view(w.reader())?;
    let found = view.r.find_in(id, &mark.author, mark.message)?;
    let (mark, row) = found.ok_or_else(|| Fault::inside("a message was lost"))?;
    show::message(&view, id, &mark, &row)
}

/// The clock, moved on so that a new message stands after the last one.
fn after(now_ms: i64, last_ms: Option<i64>) -> i64 {
    let next = last_ms.map_or(now_ms, |last| last.saturating_add(1));
    if next <= now_ms.saturating_add(AHEAD_MS) { now_ms.max(next) } else { now_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_behind_follows_and_a_mad_one_is_ignored() {
        assert_eq!(after(100, None), 100);
        assert_eq!(after(100, Some(50)), 100);
        assert_eq!(after(100, Some(100)), 101);
        assert_eq!(after(100, Some(5000)), 5001);
        assert_eq!(after(100, Some(i64::MAX)), 100);
    }
}
