//! Requests, answers and profiles that arrive. A person who was denied or blocked is not told so
//! by an answer of ours.

use capability::{
    contacts::latest::{Accept, Ask, Body},
    identity::latest::Profile,
    wire::More,
};
use link::{Chain, Refusal, TwinId};
use store::{Actor, ReadAll as _, ReadTables as _, Writer};

use super::{Arrived, bounded, failed};
use crate::life::{
    api::{conversation_of, profile_of, words},
    kinds::{
        By, append,
        contact::{CHANGED, Change, Changed, Words, chain_text},
    },
    peers::{self, Failure, OutboxError},
    post::{About, Post, post},
    tables::{CHAIN, Rows as _, Standing},
};

/// Keeps a contact's chain when it has grown.
pub(super) fn learn(w: &mut Writer<'_>, a: &Arrived<'_>) -> Result<(), Failure> {
    let Some(introduction) = &a.inner.introduction else { return Ok(()) };
    let known = w.get(CHAIN, a.from.as_bytes())?.map(|bytes| Chain::from_bytes(&bytes));
    let Some(Ok(known)) = known.filter(|_| a.contact.is_some()) else { return Ok(()) };
    let grown = Chain::choose(&known, &introduction.chain)
        .is_ok_and(|choice| *choice.chain == introduction.chain && *choice.chain != known);
    if grown {
        let chain = Some(chain_text(&introduction.chain));
        let changed = Changed { chain, ..Changed::new(a.from, Change::Chain) };
        a.append(w, CHANGED, &changed, None::<&()>)?;
    }
    Ok(())
}

pub(super) fn ask(a: &Arrived<'_>, w: &mut Writer<'_>, ask: Ask) -> Result<(), Failure> {
    let words = Words {
        display_name: Some(ask.display_name.into_string()),
        about: Some(ask.about.into_string()),
        note: ask.note.map(capability::wire::Text::into_string),
        petname: None,
        more: bounded(ask.more)?,
    };
    match a.contact.as_ref().map(|contact| contact.standing) {
        None => {
            let chain = a.inner.introduction.as_ref().map(|one| chain_text(&one.chain));
            let note = words.note.is_some();
            let changed =
                Changed { chain, profile: true, note, ..Changed::new(a.from, Change::Asked) };
            a.append(w, CHANGED, &changed, Some(&words)).map(drop)
        }
        // Both asked: that is a yes from both.
        Some(Standing::Asked) => become_contacts(a, w, words),
        // They forgot us, or our answer: it is still yes.
        Some(Standing::Accepted) => {
            update(a, w, words)?;
            // They may ask more often than they listen.
            if !peers::waits(&w.reader(), &a.from, "contacts")? {
                answer_yes(a, w)?;
            }
            try_again(a, w)
        }
        Some(Standing::Asks) => {
            // A stranger must not fill the journal: new words count once a day.
            let last = a.contact.as_ref().map(|contact| contact.profile).unwrap_or_default();
            let last_ms = w.entry(last)?.map_or(i64::MIN, |entry| entry.time_ms);
            if a.by.now_ms.saturating_sub(last_ms) < DAY_MS { Ok(()) } else { update(a, w, words) }
        }
        Some(Standing::Blocked | Standing::Denied) => Ok(()),
    }
}

pub(super) fn accept(a: &Arrived<'_>, w: &mut Writer<'_>, accept: Accept) -> Result<(), Failure> {
    let words = Words {
        display_name: Some(accept.display_name.into_string()),
        about: Some(accept.about.into_string()),
        more: bounded(accept.more)?,
        ..Words::default()
    };
    match a.contact.as_ref().map(|contact| contact.standing) {
        Some(Standing::Asked) => become_contacts(a, w, words),
        Some(Standing::Accepted) => update(a, w, words),
        None | Some(Standing::Asks | Standing::Blocked | Standing::Denied) => {
            Err(Refusal::NotContact.into())
        }
    }
}

pub(super) fn profile(a: &Arrived<'_>, w: &mut Writer<'_>, new: Profile) -> Result<(), Failure> {
    if !a.accepted() {
        return Err(Refusal::NotContact.into());
    }
    let words = Words {
        display_name: Some(new.display_name.into_string()),
        about: Some(new.about.into_string()),
        more: bounded(new.more)?,
        ..Words::default()
    };
    update(a, w, words)
}

/// Too many people ask at once: this one's request is given up, and the history says so.
pub(super) fn displaced(w: &mut Writer<'_>, id: &TwinId, now_ms: i64) -> Result<(), Failure> {
    let asks = w.reader().contact(id)?.is_some_and(|row| row.standing == Standing::Asks);
    if !asks {
        return Ok(());
    }
    let by = By { actor: Actor::System, now_ms };
    append(w, &by, CHANGED, &Changed::new(*id, Change::Displaced), None::<&()>)
        .map(drop)
        .map_err(failed)
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn become_contacts(a: &Arrived<'_>, w: &mut Writer<'_>, words: Words) -> Result<(), Failure> {
    let changed = Changed {
        conversation: Some(conversation_of(&a.me, &a.from)),
        profile: true,
        ..Changed::new(a.from, Change::Accepted)
    };
    a.append(w, CHANGED, &changed, Some(&Words { note: None, ..words }))?;
    Ok(peers::settle(w, &a.from)?)
}

/// What they refused while they did not know us goes out again.
fn try_again(a: &Arrived<'_>, w: &mut Writer<'_>) -> Result<(), Failure> {
    match peers::retry(w, &a.from) {
        Ok(_) => Ok(()),
        Err(OutboxError::Store(error)) => Err(error.into()),
        Err(OutboxError::Form | OutboxError::NotOpen) => Err(Refusal::Full.into()),
    }
}

/// What they say about themselves, if it is new.
fn update(a: &Arrived<'_>, w: &mut Writer<'_>, new: Words) -> Result<(), Failure> {
    let seq = a.contact.as_ref().map(|contact| contact.profile);
    let known = words(&w.reader(), seq).map_err(failed)?.unwrap_or_default();
    let same = (&known.display_name, &known.about) == (&new.display_name, &new.about);
    if same && known.more == new.more {
        return Ok(());
    }
    let changed = Changed { profile: true, ..Changed::new(a.from, Change::Profile) };
    a.append(w, CHANGED, &changed, Some(&Words { note: None, ..new })).map(drop)
}

fn answer_yes(a: &Arrived<'_>, w: &mut Writer<'_>) -> Result<(), Failure> {
    let me = w.reader().me()?;
    let mine = profile_of(&w.reader(), &me).map_err(failed)?;
    let unfit = || Failure::Refused(Refusal::Full);
    let body = Body::Accept(Accept {
        display_name: mine.display_name.parse().map_err(|_| unfit())?,
        about: mine.about.parse().map_err(|_| unfit())?,
        time_ms: a.by.now_ms,
        more: More::new(),
    });
    let thread = conversation_of(&a.me, &a.from);
    let about = About::entry(me.profile);
    post(w, Post { to: a.from, thread, capability: "contacts", about }, &body).map_err(failed)
}
