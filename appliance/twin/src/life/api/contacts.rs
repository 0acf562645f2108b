//! `contacts`: asking, answering, blocking, naming, forgetting.

use capability::{
    contacts::latest::{Accept, Ask, Body, Choose, Contact, ContactState, List, Rename, Request},
    identity::latest::{About as AboutOneself, DisplayName},
    wire::{Done, More, Page},
};
use link::{Card, TwinId};
use store::{Direction, ReadTables as _, Reader, Writer};

use super::{Context, View, page, person, show};
use crate::life::{
    Fault,
    apply::forks,
    kinds::{
        append,
        contact::{CHANGED, Change, Changed, Words, chain_text},
    },
    peers::{self, Instead},
    post::{self, About, Post, post},
    tables::{self, CONTACT, Rows as _, Standing, parsed},
};

pub(super) fn list(view: &View<'_>, q: &List) -> Result<Page<Contact>, Fault> {
    let mut all = Vec::new();
    for (key, row) in view.r.prefix(CONTACT, b"", usize::MAX, Direction::Forward)? {
        let id = key.try_into().map(TwinId::from_bytes);
        let id = id.map_err(|_| Fault::inside("a key of a contact is short"))?;
        all.push(show::contact(view, &id, &parsed(CONTACT, &row)?)?);
    }
    all.sort_by_cached_key(|one| {
        let name = one.petname.as_ref().unwrap_or(&one.display_name).to_lowercase();
        (one.state != ContactState::Asks, name, one.contact.clone())
    });
    let from = page::number(q.cursor.as_ref())?.unwrap_or_default();
    let from = usize::try_from(from).map_err(|_| Fault::bad_cursor())?;
    let end = from.saturating_add(q.limit.items());
    let next = (end < all.len()).then(|| (end as u64).to_be_bytes());
    let items = all.into_iter().skip(from).take(q.limit.items()).collect();
    page::page(&view.r, items, next.as_ref().map(<[u8; 8]>::as_slice))
}

pub(super) fn request(c: &Context, w: &mut Writer<'_>, q: Request) -> Result<Contact, Fault> {
    let card =
        Card::from_text(&q.card).map_err(|error| Fault::bad_card().with("reason", error.code()))?;
    let id = card.person().id;
    if id == c.shared.me {
        return Err(Fault::own_card());
    }
    match w.reader().contact(&id)?.map(|row| row.standing) {
        Some(Standing::Accepted | Standing::Blocked) => return Err(Fault::already()),
        Some(Standing::Asked) => return shown(c, w, &id),
        Some(Standing::Asks | Standing::Denied) => {
            if let Some(fork) = peers::fork_of(&w.reader(), &card)? {
                forks::note(w, &id, &fork, c.now_ms)?;
            }
            peers::meet(w, &card)?;
            say_yes(c, w, &id)?;
            return shown(c, w, &id);
        }
        None => {}
    }
    peers::meet(w, &card)?;
    let changed = Changed {
        chain: Some(chain_text(card.chain())),
        profile: !card.name().trim().is_empty(),
        note: q.note.is_some(),
        ..Changed::new(id, Change::Requested)
    };
    let name = changed.profile.then(|| card.name().chars().take(80).collect());
    let note = q.note.as_ref().map(ToString::to_string);
    let words = Words { display_name: name, note, ..Words::default() };
    let seq = append(w, &c.by(), CHANGED, &changed, Some(&words))?;
    let (display_name, about) = introduction(c, w)?;
    let ask = Ask { display_name, about, note: q.note, time_ms: c.now_ms, more: More::new() };
    tell(c, w, &id, &Body::Ask(ask), &[seq])?;
    shown(c, w, &id)
}

pub(super) fn accept(c: &Context, w: &mut Writer<'_>, q: &Choose) -> Result<Contact, Fault> {
    let (id, row) = chosen(w, q)?;
    match row.standing {
        Standing::Accepted => {}
        Standing::Asks | Standing::Denied => say_yes(c, w, &id)?,
        Standing::Asked | Standing::Blocked => return Err(Fault::wrong_state()),
    }
    shown(c, w, &id)
}

pub(super) fn deny(c: &Context, w: &mut Writer<'_>, q: &Choose) -> Result<Contact, Fault> {
    let (id, row) = chosen(w, q)?;
    match row.standing {
        Standing::Denied => {}
        Standing::Asks => {
            change(c, w, &Changed::new(id, Change::Denied))?;
            peers::settle(w, &id)?;
        }
        Standing::Accepted | Standing::Asked | Standing::Blocked => {
            return Err(Fault::wrong_state());
        }
    }
    shown(c, w, &id)
}

pub(super) fn block(c: &Context, w: &mut Writer<'_>, q: &Choose) -> Result<Contact, Fault> {
    let (id, row) = chosen(w, q)?;
    if row.standing != Standing::Blocked {
        stop(c, w, &id, None)?;
    }
    shown(c, w, &id)
}

pub(super) fn unblock(c: &Context, w: &mut Writer<'_>, q: &Choose) -> Result<Contact, Fault> {
    let (id, row) = chosen(w, q)?;
    if row.standing != Standing::Blocked {
        return Err(Fault::wrong_state());
    }
    change(c, w, &Changed::new(id, Change::Unblocked))?;
    shown(c, w, &id)
}

pub(super) fn rename(c: &Context, w: &mut Writer<'_>, q: Rename) -> Result<Contact, Fault> {
    let choose = Choose { id: q.id, contact: q.contact, if_rev: q.if_rev };
    let (id, row) = chosen(w, &choose)?;
    name(c, w, &id, &row, q.petname.into_string(), None)?;
    shown(c, w, &id)
}

/// Our person has taken note of what is shown about their keys.
pub(super) fn acknowledge(c: &Context, w: &mut Writer<'_>, q: &Choose) -> Result<Contact, Fault> {
    let (id, row) = chosen(w, q)?;
    if row.fork.is_some_and(|fork| !fork.seen) {
        change(c, w, &Changed::new(id, Change::ForkSeen))?;
    }
    shown(c, w, &id)
}

pub(super) fn remove(c: &Context, w: &mut Writer<'_>, q: &Choose) -> Result<Done, Fault> {
    let (id, _) = chosen(w, q)?;
    let at = change(c, w, &Changed::new(id, Change::Removed))?;
    forget(w, &id)?;
    Ok(Done { at })
}

/// Undoes an entry about a contact, if nothing later stands on it.
pub(super) fn undo(
    c: &Context,
    w: &mut Writer<'_>,
    seq: u64,
    done: &Changed,
) -> Result<u64, Fault> {
    let id = done.contact;
    let row = w.reader().contact(&id)?.ok_or_else(Fault::cannot_undo)?;
    let undoing = |change| Changed { undoes: Some(seq), ..Changed::new(id, change) };
    if !still_stands(&row, seq, done) {
        return Err(Fault::built_upon().at(row.rev));
    }
    match done.change {
        Change::Blocked => change(c, w, &undoing(Change::Unblocked)),
        Change::Denied => change(c, w, &undoing(Change::Undenied)),
        Change::Unblocked => stop(c, w, &id, Some(seq)),
        Change::Renamed => {
            let words = person::words(&w.reader(), done.previous)?;
            let petname = words.and_then(|words| words.petname);
            if done.previous.is_some() && petname.is_none() {
                return Err(Fault::cannot_undo());
            }
            name(c, w, &id, &row, petname.unwrap_or_default(), Some(seq))
        }
        Change::Accepted
        | Change::Asked
        | Change::Chain
        | Change::Displaced
        | Change::Forked
        | Change::ForkSeen
        | Change::Profile
        | Change::Removed
        | Change::Requested
        | Change::Undenied => Err(Fault::cannot_undo()),
    }
}

/// Whether nothing later has changed what an entry changed.
fn still_stands(row: &tables::Contact, seq: u64, done: &Changed) -> bool {
    match done.change {
        Change::Blocked => row.standing == Standing::Blocked,
        Change::Denied => row.standing == Standing::Denied,
        Change::Unblocked => row.standing != Standing::Blocked,
        Change::Renamed => row.petname == done.petname.then_some(seq),
        Change::Accepted
        | Change::Asked
        | Change::Chain
        | Change::Displaced
        | Change::Forked
        | Change::ForkSeen
        | Change::Profile
        | Change::Removed
        | Change::Requested
        | Change::Undenied => true,
    }
}

/// The profile that goes with a request or an answer.
pub(super) fn introduction(
    c: &Context,
    w: &Writer<'_>,
) -> Result<(DisplayName, AboutOneself), Fault> {
    let view = c.view(w.reader())?;
    presented(&view.r, &view.me)
}

fn presented(r: &Reader<'_>, me: &tables::Me) -> Result<(DisplayName, AboutOneself), Fault> {
    let profile = person::profile(r, me)?;
    let unfit = |_| Fault::inside("the profile has an unusable text");
    Ok((
        profile.display_name.parse().map_err(unfit)?,
        profile.about.parse().map_err(|_| Fault::inside("the profile has an unusable text"))?,
    ))
}

/// Everybody who is told when something about oneself changes.
pub(super) fn accepted(w: &Writer<'_>) -> Result<Vec<TwinId>, Fault> {
    let mut found = Vec::new();
    for (key, row) in w.prefix(CONTACT, b"", usize::MAX, Direction::Forward)? {
        let row: tables::Contact = parsed(CONTACT, &row)?;
        if row.standing == Standing::Accepted
            && let Ok(id) = key.try_into()
        {
            found.push(TwinId::from_bytes(id));
        }
    }
    Ok(found)
}

fn say_yes(c: &Context, w: &mut Writer<'_>, id: &TwinId) -> Result<(), Fault> {
    let conversation = Some(person::conversation_of(&c.shared.me, id));
    change(c, w, &Changed { conversation, ..Changed::new(*id, Change::Accepted) })?;
    peers::settle(w, id)?;
    let (display_name, about) = introduction(c, w)?;
    let accept = Accept { display_name, about, time_ms: c.now_ms, more: More::new() };
    tell(c, w, id, &Body::Accept(accept), &[])
}

/// Tells them. It repeats our profile, and the content of these entries.
fn tell(
    c: &Context,
    w: &mut Writer<'_>,
    id: &TwinId,
    body: &Body,
    quotes: &[u64],
) -> Result<(), Fault> {
    let thread = person::conversation_of(&c.shared.me, id);
    let profile = [w.reader().me()?.profile];
    let about = About { quotes: [&profile, quotes].concat(), ..About::default() };
    post(w, Post { to: *id, thread, capability: "contacts", about }, body)
}

/// A request or an answer as it goes after some of what it repeats was erased: a request without
/// words is still one.
pub(super) fn instead(
    r: &Reader<'_>,
    body: &[u8],
    about: &About,
    erased: &[u64],
) -> Result<Instead, Fault> {
    let Ok(body) = serde_json::from_slice::<Body>(body) else { return Ok(Instead::Nothing) };
    let (display_name, text) = presented(r, &r.me()?)?;
    let profile = about.quotes.first().is_some_and(|seq| erased.contains(seq));
    let words = about.quotes.iter().skip(1).any(|seq| erased.contains(seq));
    let body = match body {
        Body::Ask(ask) => {
            let ask = Ask { note: ask.note.filter(|_| !words), ..ask };
            Body::Ask(if profile { Ask { display_name, about: text, ..ask } } else { ask })
        }
        Body::Accept(accept) => Body::Accept(Accept { display_name, about: text, ..accept }),
    };
    Ok(Instead::Body(tables::written(&body)?))
}

fn stop(c: &Context, w: &mut Writer<'_>, id: &TwinId, undoes: Option<u64>) -> Result<u64, Fault> {
    let seq = change(c, w, &Changed { undoes, ..Changed::new(*id, Change::Blocked) })?;
    forget(w, id)?;
    Ok(seq)
}

/// Nothing more goes to them; what was not known to have arrived shows that.
fn forget(w: &mut Writer<'_>, id: &TwinId) -> Result<(), Fault> {
    let gone = peers::forget(w, id)?;
    post::withdrawn(w, &gone)?;
    Ok(peers::settle(w, id)?)
}

fn name(
    c: &Context,
    w: &mut Writer<'_>,
    id: &TwinId,
    row: &tables::Contact,
    petname: String,
    undoes: Option<u64>,
) -> Result<u64, Fault> {
    let named = !petname.trim().is_empty();
    let changed = Changed {
        petname: named,
        previous: row.petname,
        undoes,
        ..Changed::new(*id, Change::Renamed)
    };
    let words = named.then(|| Words { petname: Some(petname), ..Words::default() });
    append(w, &c.by(), CHANGED, &changed, words.as_ref())
}

fn change(c: &Context, w: &mut Writer<'_>, changed: &Changed) -> Result<u64, Fault> {
    // Files of somebody who is no contact any more don't come.
    let errands = std::sync::Arc::clone(&c.shared.errands);
    w.afterwards(move || errands.notify_one());
    append(w, &c.by(), CHANGED, changed, None::<&()>)
}

/// The contact that was chosen, if it is still as the caller thinks.
fn chosen(w: &Writer<'_>, q: &Choose) -> Result<(TwinId, tables::Contact), Fault> {
    let id: TwinId = q.contact.as_str().parse().map_err(|_| Fault::not_found())?;
    let row = w.reader().contact(&id)?.ok_or_else(Fault::not_found)?;
    if q.if_rev.is_some_and(|rev| rev != row.rev) {
        return Err(Fault::conflict().at(row.rev));
    }
    Ok((id, row))
}

fn shown(c: &Context, w: &Writer<'_>, id: &TwinId) -> Result<Contact, Fault> {
    let view = c.view(w.reader())?;
    let row = view.r.contact(id)?.ok_or_else(Fault::not_found)?;
    show::contact(&view, id, &row)
}
