//! `history`: what happened, undoing it, erasing it. Only the person sees it, never an experience.

use capability::{
    history::latest::{Actor, Erase, Erased, Item, List, Undo, UndoIt, Undone},
    wire::{MessageId, Page, Word},
};
use link::TwinId;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::{Direction, ERASE, ERASE_WITHIN_MS, Entry, ReadAll as _, ReadTables as _, Writer};

use super::{Context, View, chat, contacts, files, identity, once, page, person, records, show};
use crate::life::{
    Fault, fetch,
    kinds::{self, Line, Undo as Rule, append, contact, identity as me, message, read, talk},
    peers::Instead,
    post,
    spaces::{self, roster},
    tables::{ATTACHED, Attached, Id16, Rows as _, message_at, parsed, spaces::SpaceRows as _},
};

/// Entries that are looked at for one page.
const LOOKED_AT: usize = 2000;
/// Entries that are read at a time.
const STRETCH: usize = 200;

pub(crate) fn list(view: &View<'_>, q: &List) -> Result<Page<Item>, Fault> {
    let filter = Filter::new(q)?;
    let mut from = page::number(q.cursor.as_ref())?.unwrap_or(u64::MAX);
    let (mut items, mut looked_at) = (Vec::new(), 0);
    loop {
        let entries = view.r.entries(from, STRETCH, Direction::Backward)?;
        let more = entries.len() == STRETCH;
        for entry in entries {
            if items.len() == q.limit.items() {
                return page::page(&view.r, items, Some(&from.to_be_bytes()));
            }
            from = entry.seq;
            looked_at += 1;
            if filter.takes_kind(&entry.kind) {
                items.extend(filter.item(view, &entry)?);
            }
        }
        if !more {
            return page::page(&view.r, items, None);
        }
        if looked_at >= LOOKED_AT {
            return page::page(&view.r, items, Some(&from.to_be_bytes()));
        }
    }
}

/// What the person looks for.
struct Filter {
    kinds: Option<Vec<Word>>,
    contact: Option<TwinId>,
    text: Option<String>,
}

impl Filter {
    fn new(q: &List) -> Result<Self, Fault> {
        let contact = q.contact.as_ref().map(|id| id.as_str().parse());
        let contact = contact.transpose().map_err(|_| Fault::not_found())?;
        let text = q.text.as_ref().map(|text| text.to_lowercase());
        Ok(Self { kinds: q.kinds.clone(), contact, text })
    }

    /// Read markers would drown everything else: they are shown when they are asked for.
    fn takes_kind(&self, kind: &str) -> bool {
        let Some(kinds) = &self.kinds else { return kind != read::READ };
        kinds.iter().any(|wanted| {
            let wanted = wanted.as_str();
            kind == wanted || (wanted.ends_with('.') && kind.starts_with(wanted))
        })
    }

    fn item(&self, view: &View<'_>, entry: &Entry) -> Result<Option<Item>, Fault> {
        let content = view.r.content(entry.seq)?;
        if let Some(text) = &self.text {
            let value = content.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
            if !value.is_some_and(|value: Value| has(&value, text)) {
                return Ok(None);
            }
        }
        let Some(line) = line(entry, content.as_deref()) else { return Ok(None) };
        let contact = contact_of(view, &line)?;
        if self.contact.is_some() && self.contact != contact {
            return Ok(None);
        }
        shown(view, entry, line, contact, content.is_some()).map(Some)
    }
}

/// One entry as it is now, for an event.
pub(crate) fn item(view: &View<'_>, entry: &Entry) -> Result<Option<Item>, Fault> {
    Filter { kinds: None, contact: None, text: None }.item(view, entry)
}

fn line(entry: &Entry, content: Option<&[u8]>) -> Option<Line> {
    if entry.kind == ERASE {
        let count = erased_by(entry).len().to_string();
        let args = [("count".to_owned(), count)].into();
        return Some(Line { key: ERASE.to_owned(), args, ..Line::default() });
    }
    match kinds::find(&entry.kind) {
        Some(kind) => (kind.line)(entry, content),
        None => Some(Line { key: "newer".to_owned(), ..Line::default() }),
    }
}

/// The entries whose content an entry erased.
pub(crate) fn erased_by(entry: &Entry) -> Vec<u64> {
    let shape: Option<Value> = serde_json::from_slice(&entry.shape).ok();
    let targets = shape.filter(|_| entry.kind == ERASE).map(|shape| shape["targets"].clone());
    targets.and_then(|targets| serde_json::from_value(targets).ok()).unwrap_or_default()
}

/// The entry that an entry undid.
pub(crate) fn undone_of(entry: &Entry) -> Option<u64> {
    let shape: Value = serde_json::from_slice(&entry.shape).ok()?;
    shape["undoes"].as_u64()
}

fn contact_of(view: &View<'_>, line: &Line) -> Result<Option<TwinId>, Fault> {
    match (line.contact, line.conversation) {
        (Some(contact), _) => Ok(Some(contact)),
        (None, Some(id)) => {
            let row = view.r.conversation(id)?;
            Ok(row.filter(|row| !row.notebook && row.space.is_none()).map(|row| row.with))
        }
        (None, None) => Ok(None),
    }
}

fn shown(
    view: &View<'_>,
    entry: &Entry,
    mut line: Line,
    contact: Option<TwinId>,
    present: bool,
) -> Result<Item, Fault> {
    let undone_by = undone_by(view, entry.seq)?;
    let undo = match line.undo {
        _ if undone_by.is_some() => Undo::None,
        Rule::AskPeer(author) if author != view.me.id => Undo::None,
        Rule::AskPeer(_) if contact.is_some() => Undo::AskPeer,
        Rule::Own(author) if author != view.me.id => Undo::None,
        Rule::Own(_) if shared(view, line.space)? => Undo::AskPeer,
        Rule::AskPeer(_) | Rule::Local | Rule::Own(_) => Undo::Local,
        Rule::None => Undo::None,
    };
    if let Some(contact) = &contact {
        line.args.insert("name".to_owned(), person::name_of(&view.r, &view.me, contact, true)?);
    }
    // The conversation of a space goes by the name of the space.
    if let Some(id) = line.conversation
        && view.r.conversation(id)?.is_some_and(|row| row.space.is_some())
    {
        line.space = Some(id);
        if line.key.starts_with("chat.") {
            line.key.push_str("_in");
        }
    }
    if let Some(space) = line.space
        && let Some(row) = view.r.space(space)?
        && let Some(words) = roster::words(&view.r, &row)?
    {
        if line.conversation.is_some() {
            line.args.insert("name".to_owned(), words.name.clone());
        }
        line.args.insert("space".to_owned(), words.name);
    }
    if let (Some(space), Some(author)) = (line.space, line.author)
        && author != view.me.id
    {
        line.args.insert("name".to_owned(), view.member(space, &author)?.name);
    }
    Ok(Item {
        seq: entry.seq,
        time_ms: entry.time_ms,
        actor: actor(view, &entry.actor)?,
        kind: entry.kind.clone(),
        line: format!("history.{}", line.key),
        args: line.args,
        contact: contact.as_ref().map(show::wire_id).transpose()?,
        undo,
        undone_by,
        erased: entry.content_hash.is_some() && !present,
        erasable: present,
    })
}

/// Whether others are in a space.
fn shared(view: &View<'_>, space: Option<Id16>) -> Result<bool, Fault> {
    let Some(space) = space else { return Ok(false) };
    Ok(spaces::members(&view.r, space)?.iter().any(|(id, one)| *id != view.me.id && one.hears()))
}

/// The entry that undid it, unless that was undone itself.
fn undone_by(view: &View<'_>, seq: u64) -> Result<Option<u64>, Fault> {
    let first = view.r.undone_by(seq)?;
    let (mut last, mut times) = (first, 0);
    while let Some(by) = last {
        times += 1;
        last = view.r.undone_by(by)?;
    }
    Ok(first.filter(|_| times % 2 == 1))
}

fn actor(view: &View<'_>, actor: &store::Actor) -> Result<Actor, Fault> {
    Ok(match actor {
        store::Actor::Device(device) => Actor::Device { device: device.clone() },
        store::Actor::Experience(name) => Actor::Experience { name: name.clone() },
        store::Actor::Contact(id) => {
            let id = TwinId::from_bytes(*id);
            let name = person::name_of(&view.r, &view.me, &id, true)?;
            Actor::Contact { contact: show::wire_id(&id)?, name }
        }
        store::Actor::System => Actor::System,
    })
}

/// Whether some text in it has these lower-case words.
fn has(value: &Value, words: &str) -> bool {
    match value {
        Value::String(text) => text.to_lowercase().contains(words),
        Value::Array(items) => items.iter().any(|item| has(item, words)),
        // Bytes are no words.
        Value::Object(fields) => fields
            .iter()
            .any(|(name, field)| !matches!(&**name, "bytes" | "preview") && has(field, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

pub(super) fn undo(c: &Context, w: &mut Writer<'_>, q: &UndoIt) -> Result<Undone, Fault> {
    let entry = w.entry(q.seq)?.ok_or_else(Fault::not_found)?;
    let item = {
        let view = c.view(w.reader())?;
        let content = view.r.content(entry.seq)?;
        let line = line(&entry, content.as_deref()).ok_or_else(Fault::cannot_undo)?;
        let contact = contact_of(&view, &line)?;
        shown(&view, &entry, line, contact, content.is_some())?
    };
    if item.undo == Undo::None {
        return Err(Fault::cannot_undo());
    }
    let seq = match &*entry.kind {
        message::MESSAGE_SAID => undo_message(c, w, &entry),
        message::EDITED | message::DELETED => undo_change(c, w, &entry),
        talk::SAID_IN => {
            let said: talk::Said = shape(&entry)?;
            undo_said(c, w, entry.seq, said.message)
        }
        talk::EDITED_IN | talk::DELETED_IN => {
            let said: talk::Said = shape(&entry)?;
            undo_text(c, w, entry.seq, said.message, said.previous)
        }
        read::READ => undo_read(c, w, &entry),
        contact::CHANGED => contacts::undo(c, w, entry.seq, &shape(&entry)?),
        me::PROFILE => identity::undo(c, w, entry.seq, &shape(&entry)?),
        kind if kind.starts_with("files.") => files::undo(c, w, &entry),
        kind if kind.starts_with("records.") => records::undo(c, w, &entry),
        _ => Err(Fault::cannot_undo()),
    }?;
    Ok(Undone { seq, asked_peer: item.undo == Undo::AskPeer })
}

/// Takes back a message: it is deleted here, and the other's twin is asked to.
fn undo_message(c: &Context, w: &mut Writer<'_>, entry: &Entry) -> Result<u64, Fault> {
    let said: message::Said = shape(entry)?;
    undo_said(c, w, entry.seq, said.mark.message)
}

fn undo_said(c: &Context, w: &mut Writer<'_>, seq: u64, message: Id16) -> Result<u64, Fault> {
    let mine = chat::Mine::find(c, w, &MessageId::from_bytes(message.0))?;
    if mine.row.deleted {
        return Err(Fault::built_upon().at(mine.row.rev));
    }
    mine.delete(c, w, Some(seq))
}

/// Puts the text of before an edit or a deletion back, as a new edit.
fn undo_change(c: &Context, w: &mut Writer<'_>, entry: &Entry) -> Result<u64, Fault> {
    let changed: message::Changed = shape(entry)?;
    undo_text(c, w, entry.seq, changed.message, Some(changed.previous))
}

fn undo_text(
    c: &Context,
    w: &mut Writer<'_>,
    seq: u64,
    message: Id16,
    previous: Option<u64>,
) -> Result<u64, Fault> {
    let mine = chat::Mine::find(c, w, &MessageId::from_bytes(message.0))?;
    if mine.row.rev != seq {
        return Err(Fault::built_upon().at(mine.row.rev));
    }
    let content = w.content(previous.ok_or_else(Fault::cannot_undo)?)?;
    let text = if mine.row.in_space {
        talk::words(content.as_deref())
    } else {
        kinds::content(content.as_deref()).map(|words: message::Words| words.text)
    };
    let text = text.and_then(|text| text.parse().ok()).ok_or_else(Fault::cannot_undo)?;
    mine.edit(c, w, text, Some(seq))
}

/// Marks as unread again; nobody else is told.
fn undo_read(c: &Context, w: &mut Writer<'_>, entry: &Entry) -> Result<u64, Fault> {
    let done: read::Read = shape(entry)?;
    let row = w.reader().conversation(done.conversation)?.ok_or_else(Fault::cannot_undo)?;
    if done.reader != c.shared.me {
        return Err(Fault::cannot_undo());
    }
    if row.read_by != Some(entry.seq) {
        return Err(row.read_by.map_or_else(Fault::cannot_undo, |by| Fault::built_upon().at(by)));
    }
    let back = read::Read {
        conversation: done.conversation,
        reader: done.reader,
        up_to: done.previous,
        previous: row.read,
        back: true,
        undoes: Some(entry.seq),
    };
    append(w, &c.by(), read::READ, &back, None::<&()>)
}

/// A message is erased with its files, those that are still on their way included.
fn with_files(w: &mut Writer<'_>, seq: u64, present: &mut Vec<u64>) -> Result<bool, Fault> {
    let entry = w.entry(seq)?.filter(|entry| entry.kind == message::MESSAGE_SAID);
    let Some(entry) = entry else { return Ok(false) };
    let message::Said { mark, .. } = shape(&entry)?;
    fetch::forget(w, &mark.author, mark.message)?;
    let all = message_at(&mark.author, mark.message);
    let rows = w.reader().prefix(ATTACHED, &all, usize::MAX, Direction::Forward)?;
    for (_, row) in &rows {
        let row: Attached = parsed(ATTACHED, row)?;
        if w.content(row.seq)?.is_some() && !present.contains(&row.seq) {
            present.push(row.seq);
        }
    }
    Ok(!rows.is_empty())
}

fn shape<T: DeserializeOwned>(entry: &Entry) -> Result<T, Fault> {
    kinds::shape(entry).map_err(|error| Fault::inside(&error.to_string()))
}

pub(super) fn erase(c: &Context, w: &mut Writer<'_>, q: &Erase) -> Result<Erased, Fault> {
    if !(1..=200).contains(&q.seqs.len()) {
        return Err(Fault::malformed().field("seqs", "1 to 200 entries can be erased at a time"));
    }
    let (mut present, mut files) = (Vec::new(), false);
    for seq in &q.seqs {
        let entry = w.entry(*seq)?;
        files |= entry.as_ref().is_some_and(|entry| entry.kind.starts_with("files."));
        entry.ok_or_else(|| Fault::not_found().with("seq", seq.to_string()))?;
        if w.content(*seq)?.is_some() && !present.contains(seq) {
            present.push(*seq);
            files |= with_files(w, *seq, &mut present)?;
        }
    }
    if present.is_empty() {
        return Err(Fault::nothing_to_erase());
    }
    w.erase(&present, c.now_ms, c.by().actor)?;
    once::blank(w)?;
    if files {
        w.sweep_by(c.now_ms)?;
    }
    post::erased(w, &present, |r, capability, body, about| match capability {
        "contacts" => contacts::instead(r, body, about, &present),
        "spaces" => spaces::answer::instead(&c.shared, r, body, about, &present),
        _ => Ok(Instead::Nothing),
    })?;
    let complete_by_ms = c.now_ms.saturating_add(ERASE_WITHIN_MS);
    Ok(Erased { erased: present.len() as u64, complete_by_ms })
}
