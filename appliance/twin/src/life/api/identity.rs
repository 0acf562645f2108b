//! `identity`: who the person is, to themselves and to their contacts.

use capability::{
    identity::latest::{Body, Card as WireCard, Me, Profile, SetProfile},
    wire::{More, Nothing},
};
use link::Card;
use qrcode::{EcLevel, QrCode, render::svg, types::QrError};
use store::{ReadAll as _, ReadTables as _, Writer};

use super::{Context, View, contacts, person};
use crate::life::{
    Fault,
    kinds::{
        append, content,
        identity::{About, PROFILE, Profile as ProfileShape},
    },
    post::{About as Letter, Post, post},
    tables::{self, CHAIN, Rows as _},
};

pub(super) fn me(c: &Context, view: &View<'_>, _: Nothing) -> Result<Me, Fault> {
    let profile = person::profile(&view.r, &view.me)?;
    let (whole, person) = (view.whole(), view.person(&view.me.id)?);
    Ok(Me {
        id: person.id,
        name: whole.then(|| c.shared.name()),
        display_name: person.name,
        about: whole.then_some(profile.about),
        rev: if whole { view.me.profile } else { 0 },
    })
}

pub(super) fn set_profile(c: &Context, w: &mut Writer<'_>, q: SetProfile) -> Result<Me, Fault> {
    let me = w.reader().me()?;
    if q.if_rev.is_some_and(|rev| rev != me.profile) {
        return Err(Fault::conflict().at(me.profile));
    }
    let about = About { display_name: q.display_name.into_string(), about: q.about.into_string() };
    put_profile(c, w, &me, &about, None)?;
    self::me(c, &c.view(w.reader())?, Nothing {})
}

/// Puts the profile of before back.
pub(super) fn undo(
    c: &Context,
    w: &mut Writer<'_>,
    seq: u64,
    done: &ProfileShape,
) -> Result<u64, Fault> {
    let me = w.reader().me()?;
    if me.profile != seq {
        return Err(Fault::built_upon().at(me.profile));
    }
    let previous = done.previous.ok_or_else(Fault::cannot_undo)?;
    let about: Option<About> = content(w.content(previous)?.as_deref());
    put_profile(c, w, &me, &about.ok_or_else(Fault::cannot_undo)?, Some(seq))
}

fn put_profile(
    c: &Context,
    w: &mut Writer<'_>,
    me: &tables::Me,
    about: &About,
    undoes: Option<u64>,
) -> Result<u64, Fault> {
    let shape = ProfileShape { previous: Some(me.profile), undoes };
    let seq = append(w, &c.by(), PROFILE, &shape, Some(about))?;
    let (display_name, about) = contacts::introduction(c, w)?;
    let profile = Profile { display_name, about, time_ms: c.now_ms, more: More::new() };
    let body = Body::Profile(profile);
    for to in contacts::accepted(w)? {
        let thread = person::conversation_of(&me.id, &to);
        let about = Letter::entry(seq);
        post(w, Post { to, thread, capability: "identity", about }, &body)?;
    }
    Ok(seq)
}

pub(super) fn card(c: &Context, view: &View<'_>, _: Nothing) -> Result<WireCard, Fault> {
    let inside = |what: &str| Fault::inside(what);
    let pre_key = c.pre_key.ok_or_else(|| inside("a card was asked for without a pre-key"))?;
    let chain = view.r.get(CHAIN, view.me.id.as_bytes())?;
    let chain = chain.ok_or_else(|| inside("the own chain is lost"))?;
    let chain = link::Chain::from_bytes(&chain).map_err(|_| inside("the own chain is broken"))?;
    let name = person::profile(&view.r, &view.me)?.display_name;
    let name = within(&name, link::MAX_NAME);
    let card = Card::new(chain, pre_key, name, &c.shared.origin(), &c.shared.key)
        .map_err(|error| inside(&error.to_string()))?;
    let link = card.to_link().unwrap_or_else(|| card.to_text());
    let svg = picture(&link).map_err(|error| inside(&error.to_string()))?;
    Ok(WireCard { link, svg })
}

/// A link as a QR code, a complete SVG image.
pub(crate) fn picture(link: &str) -> Result<String, QrError> {
    let code = QrCode::with_error_correction_level(link, EcLevel::L)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}

/// As much of a text as fits into so many bytes.
fn within(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
