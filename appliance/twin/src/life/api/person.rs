//! What people are called, and the id of the conversation with somebody. Names are content: an
//! erased one is replaced by the start of the twin id.

use link::TwinId;
use store::{ReadAll as _, Reader};

use crate::life::{
    Fault,
    kinds::{contact, content, identity::About},
    tables::{Id16, Me, Rows as _},
};

/// The conversation of two people (or of one with themselves): the same on both sides.
pub(crate) fn conversation_of(a: &TwinId, b: &TwinId) -> Id16 {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let mut hasher = blake3::Hasher::new();
    hasher.update(first.as_bytes()).update(second.as_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    Id16(id)
}

/// What a person is called here, or the start of their id; with `petnames` what one calls them
/// comes first.
pub(crate) fn name_of(
    r: &Reader<'_>,
    me: &Me,
    id: &TwinId,
    petnames: bool,
) -> Result<String, Fault> {
    Ok(known_name(r, me, id, petnames)?.unwrap_or_else(|| short_id(id)))
}

/// What a person is called here, if that is known.
pub(crate) fn known_name(
    r: &Reader<'_>,
    me: &Me,
    id: &TwinId,
    petnames: bool,
) -> Result<Option<String>, Fault> {
    if *id == me.id {
        let profile: Option<About> = content(r.content(me.profile)?.as_deref());
        return Ok(profile.map(|profile| profile.display_name));
    }
    let contact = r.contact(id)?;
    let petname = contact.as_ref().and_then(|contact| contact.petname).filter(|_| petnames);
    if let Some(words) = words(r, petname)?
        && let Some(petname) = words.petname
    {
        return Ok(Some(petname));
    }
    let profile = match contact {
        Some(contact) => Some(contact.profile),
        None => r.conversation(conversation_of(&me.id, id))?.and_then(|row| row.name),
    };
    Ok(words(r, profile)?.and_then(|words| words.display_name))
}

/// What the person says about themselves.
pub(crate) fn profile(r: &Reader<'_>, me: &Me) -> Result<About, Fault> {
    let profile = content(r.content(me.profile)?.as_deref());
    let nameless = || About { display_name: short_id(&me.id), about: String::new() };
    Ok(profile.unwrap_or_else(nameless))
}

/// The words of an entry about a contact, if they are still there.
pub(crate) fn words(r: &Reader<'_>, seq: Option<u64>) -> Result<Option<contact::Words>, Fault> {
    let Some(seq) = seq else { return Ok(None) };
    Ok(content(r.content(seq)?.as_deref()))
}

fn short_id(id: &TwinId) -> String {
    short(&id.to_string())
}

/// As much of an id as stands for a name that is not known.
pub(crate) fn short(id: &str) -> String {
    id.chars().take(8).collect()
}
