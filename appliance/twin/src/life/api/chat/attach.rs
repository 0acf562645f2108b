//! `chat`: files with messages. What is sent becomes a part of the message; what came can be kept in
//! a folder, where it stays. A message's files go when it is deleted or erased.

use capability::{
    chat::latest::{
        ATTACHMENTS_MAX, Announced, Arrival, Attach, Attachment, Fetch as FetchIt, Keep, Message,
    },
    experiences::latest::Verb,
    files::latest::{FileName, Item},
    wire::{MessageId, More, PersonId},
};
use data_encoding::BASE64;
use store::{Content, ReadAll as _, Writer};

use super::{super::files, Context, View, open, shown};
use crate::life::{
    Fault,
    fetch::{self, Fetch, Stage, Which},
    kinds::{self, attachment::Small, file, message::Words},
    tables::{Id16, Mark, Message as Row, Rows as _},
};

/// A file that goes with a message.
pub(super) struct Found {
    pub(super) announced: Announced,
    pub(super) content: Content,
}

/// The files that a message names.
pub(super) fn found(
    c: &Context,
    w: &mut Writer<'_>,
    all: Vec<Attach>,
) -> Result<Vec<Found>, Fault> {
    if all.len() > ATTACHMENTS_MAX {
        return Err(Fault::too_many().with("most", ATTACHMENTS_MAX.to_string()));
    }
    all.into_iter().map(|one| find(c, w, one)).collect()
}

fn find(c: &Context, w: &mut Writer<'_>, one: Attach) -> Result<Found, Fault> {
    let (content, words) = match (&one.upload, &one.item) {
        (Some(upload), None) => {
            let content = w.take_upload(upload.bytes(), c.caller.owner())?;
            (content.ok_or_else(Fault::no_upload)?, file::Words::default())
        }
        (None, Some(item)) => {
            let view = c.view(w.reader())?;
            let (id, row) = view.item(item, Verb::See)?;
            let version = files::list::row(&view, id, row.version)?.ok_or_else(Fault::not_found)?;
            let words = files::list::words(&view, row.version)?.ok_or_else(Fault::not_found)?;
            let name = view.r.file_name(id)?.map(|named| named.name);
            let content = match version.blob {
                Some(blob) => Content::Blob(blob),
                None => Content::Inline(decoded(words.bytes.as_deref())?),
            };
            (content, file::Words { name, bytes: None, ..words })
        }
        (Some(_), Some(_)) | (None, None) => {
            let detail = "a file to send is an upload or an item";
            return Err(Fault::malformed().field("attachments", detail));
        }
    };
    let unnamed = || Fault::malformed().field("attachments", "a file to send needs a name");
    let name: Option<FileName> = one.name.or_else(|| words.name.and_then(|name| name.parse().ok()));
    let announced = Announced {
        name: name.ok_or_else(unnamed)?,
        size: match &content {
            Content::Blob(blob) => blob.size,
            Content::Inline(bytes) => bytes.len() as u64,
        },
        media_type: one.media_type.or_else(|| words.media_type.and_then(|kind| kind.parse().ok())),
        preview: one.preview.or_else(|| words.preview.and_then(|small| small.parse().ok())),
        more: More::new(),
    };
    Ok(Found { announced, content })
}

fn decoded(text: Option<&str>) -> Result<Vec<u8>, Fault> {
    BASE64.decode(text.unwrap_or_default().as_bytes()).map_err(|_| Fault::damaged_file())
}

/// The files of a message as the caller sees them.
pub(crate) fn shown_files(
    view: &View<'_>,
    mark: &Mark,
    row: &Row,
    words: Vec<Announced>,
) -> Result<Vec<Attachment>, Fault> {
    let show = |(number, file): (u8, Announced)| {
        let which = Which { author: mark.author, message: mark.message, number };
        let link = format!("t/m/{}/{number}", row.seq);
        let (state, here) = match fetch::here(&view.r, &which)? {
            Some(_) => (Arrival::Here, None),
            None => match which.read(&view.r)? {
                Some(Fetch { stage: Stage::Coming, next, .. }) => (Arrival::Coming, Some(next)),
                Some(Fetch { stage: Stage::NoRoom, .. }) => (Arrival::NoRoom, None),
                Some(Fetch { stage: Stage::Gone, .. }) => (Arrival::Gone, None),
                None if mark.author == view.me.id => (Arrival::Gone, None),
                None => (Arrival::Waiting, None),
            },
        };
        Ok(Attachment {
            name: file.name.to_string(),
            size: file.size,
            media_type: file.media_type.map(|kind| kind.to_string()),
            state,
            here,
            preview: file.preview.map(|_| format!("{link}/p")),
            link: (state == Arrival::Here).then_some(link),
        })
    };
    (0..).zip(words).map(show).collect()
}

/// What a message says of its files.
pub(crate) fn said(view: &View<'_>, row: &Row) -> Result<Vec<Announced>, Fault> {
    if row.deleted || row.needs_update {
        return Ok(Vec::new());
    }
    let words: Option<Words> = kinds::content(view.r.content(row.seq)?.as_deref());
    Ok(words.map(|words| words.attachments).unwrap_or_default())
}

/// A file of a message that the caller sees.
fn of_message(
    view: &View<'_>,
    message: &MessageId,
    author: Option<&PersonId>,
    number: u8,
) -> Result<(Id16, Mark, Which, Announced), Fault> {
    let id = Id16(message.bytes());
    for (_, talk) in super::list::all(view)? {
        // In a space there are none.
        if talk.space.is_some() {
            continue;
        }
        for person in [talk.with, view.me.id] {
            let Some((at, mark, row)) = view.r.find_message(&person, id)? else { continue };
            let meant = match author {
                Some(author) => view.person_id(&person)? == *author,
                None => true,
            };
            if !meant || !view.sees(at, &row) {
                continue;
            }
            let file = said(view, &row)?.into_iter().nth(number.into());
            let file = file.ok_or_else(Fault::not_found)?;
            return Ok((at, mark, Which { author: person, message: id, number }, file));
        }
    }
    Err(Fault::not_found())
}

pub(in crate::life::api) fn fetch(
    c: &Context,
    w: &mut Writer<'_>,
    q: &FetchIt,
) -> Result<Message, Fault> {
    let (at, mark, which, size) = {
        let view = c.view(w.reader())?;
        let (at, mark, which, file) = of_message(&view, &q.message, q.author.as_ref(), q.number)?;
        // Fetching tells the other that it is wanted, as reading does.
        view.may(at, Verb::Add)?;
        let row = view.r.conversation(at)?.ok_or_else(Fault::not_found)?;
        open(&view, at, &row)?;
        if which.author == view.me.id {
            return Err(Fault::gone());
        }
        if fetch::here(&view.r, &which)?.is_some() {
            return shown(c, w, at, &mark);
        }
        (at, mark, which, file.size)
    };
    let coming = which.read(&w.reader())?.filter(|now| now.stage == Stage::Coming);
    which.put(w, &Fetch { asked: true, ..coming.unwrap_or_else(|| Fetch::new(size, true)) })?;
    let errands = std::sync::Arc::clone(&c.shared.errands);
    w.afterwards(move || errands.notify_one());
    shown(c, w, at, &mark)
}

pub(in crate::life::api) fn keep(c: &Context, w: &mut Writer<'_>, q: &Keep) -> Result<Item, Fault> {
    let (bytes, words) = {
        let view = c.view(w.reader())?;
        let (_, _, which, announced) = of_message(&view, &q.message, q.author.as_ref(), q.number)?;
        let row = fetch::here(&view.r, &which)?.ok_or_else(Fault::gone)?;
        let small: Option<Small> = kinds::content(view.r.content(row.seq)?.as_deref());
        let words = file::Words {
            name: Some(announced.name.to_string()),
            media_type: announced.media_type.map(|kind| kind.to_string()),
            preview: announced.preview.map(|small| small.as_str().to_owned()),
            bytes: small.map(|small| small.bytes),
        };
        (file::Bytes { size: row.size, blob: row.blob }, words)
    };
    files::put_anyhow(c, w, q.id.bytes(), q.folder.as_ref(), bytes, words)
}

/// The bytes of a file of a message, by the entry of the message.
pub(crate) fn linked(view: &View<'_>, seq: u64, number: u8) -> Result<(Which, Announced), Fault> {
    let entry = view.r.entry(seq)?.filter(|entry| entry.kind == kinds::message::MESSAGE_SAID);
    let entry = entry.ok_or_else(Fault::not_found)?;
    let shape: kinds::message::Said =
        kinds::shape(&entry).map_err(|error| Fault::inside(&error.to_string()))?;
    let found = view.r.find_message(&shape.mark.author, shape.mark.message)?;
    let (at, mark, row) = found.filter(|(.., row)| row.seq == seq).ok_or_else(Fault::not_found)?;
    if !view.sees(at, &row) {
        return Err(Fault::not_found());
    }
    view.may(at, Verb::See)?;
    let file = said(view, &row)?.into_iter().nth(number.into()).ok_or_else(Fault::not_found)?;
    Ok((Which { author: mark.author, message: mark.message, number }, file))
}
