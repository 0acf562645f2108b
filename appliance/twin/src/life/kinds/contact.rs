//! `contact.changed`: asking, answering, blocking, naming and forgetting people. The chain stays
//! in the shape, because what the person signed must be checkable for ever.

use data_encoding::BASE64URL_NOPAD;
use link::TwinId;
use serde::{Deserialize, Serialize};
use store::{Entry, FoldError, Tables};

use super::{Kind, Line, Undo, content, identity, shape, short};
use crate::life::tables::{
    CHAIN, CONTACT, CONVERSATION, Contact, Forked, Id16, Rows as _, Standing, put,
};

pub(crate) const CHANGED: &str = "contact.changed";

pub(super) const KINDS: &[Kind] = &[Kind { name: CHANGED, fold, line }];

/// Something about a contact changed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Changed {
    pub(crate) contact: TwinId,
    pub(crate) change: Change,
    /// Their whole chain, base64, when it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chain: Option<String>,
    /// The conversation that begins with acceptance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation: Option<Id16>,
    /// Whether the content has what they call themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) profile: bool,
    /// Whether the content has the words of a request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) note: bool,
    /// With [`Change::Renamed`]: whether the content has a name, or the name is taken away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) petname: bool,
    /// With [`Change::Renamed`]: the entry that holds the name of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<u64>,
    /// With [`Change::Forked`]: how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fork: Option<Fork>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

/// Two chains of one person that disagree.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Fork {
    /// Head of the chain that does not count, hexadecimal.
    pub(crate) refused: String,
    /// The first operation in which they differ.
    pub(crate) at: u32,
    /// Whether the chain that counts holds a recovery since then.
    pub(crate) recovered: bool,
}

/// What changed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// Both said yes.
    Accepted,
    /// They ask.
    Asked,
    Blocked,
    /// Their chain grew.
    Chain,
    /// We said no.
    Denied,
    /// Their request made room for others.
    Displaced,
    /// Two chains of theirs disagree.
    Forked,
    /// Our person has taken note of that.
    ForkSeen,
    /// What they say about themselves.
    Profile,
    Removed,
    Renamed,
    /// We ask.
    Requested,
    Unblocked,
    /// Our no was taken back.
    Undenied,
}

/// Content of [`Changed`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Words {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) petname: Option<String>,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub(crate) more: serde_json::Map<String, serde_json::Value>,
}

impl Changed {
    pub(crate) fn new(contact: TwinId, change: Change) -> Self {
        Self {
            contact,
            change,
            chain: None,
            conversation: None,
            profile: false,
            note: false,
            petname: false,
            previous: None,
            fork: None,
            undoes: None,
        }
    }
}

/// The bytes of a chain in a shape.
pub(super) fn chain_bytes(text: &str) -> Result<Vec<u8>, FoldError> {
    BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| FoldError::refused("its chain is not base64"))
}

/// A chain for a shape.
pub(crate) fn chain_text(chain: &link::Chain) -> String {
    BASE64URL_NOPAD.encode(&chain.to_bytes())
}

fn fold(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let changed: Changed = shape(entry)?;
    let id = changed.contact;
    if let Some(chain) = &changed.chain {
        t.put(CHAIN, id.as_bytes(), &chain_bytes(chain)?)?;
    }
    if matches!(changed.change, Change::Displaced | Change::Removed) {
        return remove(t, &id);
    }
    let known = t.contact(&id)?;
    let Some(mut row) = known.or_else(|| stranger(changed.change)) else {
        return Err(FoldError::refused("nothing is known of this contact"));
    };
    if changed.profile {
        row.profile = entry.seq;
    }
    if changed.note {
        row.note = Some(entry.seq);
    }
    let before = row.standing;
    stand(&mut row, &changed, entry.seq);
    if row.standing != before || row.rev == 0 {
        row.since_ms = entry.time_ms;
    }
    row.rev = entry.seq;
    if let Some(conversation) = changed.conversation {
        row.conversation = Some(conversation);
        if t.conversation(conversation)?.is_none() {
            identity::begin(t, conversation, id, false, entry.time_ms)?;
        }
    }
    Ok(put(t, CONTACT, id.as_bytes(), &row)?)
}

/// The conversation stays and remembers the name.
fn remove(t: &mut Tables<'_>, id: &TwinId) -> Result<(), FoldError> {
    let Some(contact) = t.contact(id)? else { return Ok(()) };
    t.delete(CONTACT, id.as_bytes())?;
    t.delete(CHAIN, id.as_bytes())?;
    if let Some(at) = contact.conversation
        && let Some(mut row) = t.conversation(at)?
    {
        row.name = Some(contact.profile);
        put(t, CONVERSATION, &at.0, &row)?;
    }
    Ok(())
}

/// The first row of a person who asks or is asked.
fn stranger(change: Change) -> Option<Contact> {
    let standing = match change {
        Change::Asked => Standing::Asks,
        Change::Requested => Standing::Asked,
        Change::Accepted
        | Change::Blocked
        | Change::Chain
        | Change::Denied
        | Change::Displaced
        | Change::Forked
        | Change::ForkSeen
        | Change::Profile
        | Change::Removed
        | Change::Renamed
        | Change::Unblocked
        | Change::Undenied => return None,
    };
    Some(Contact {
        standing,
        since_ms: 0,
        rev: 0,
        profile: 0,
        note: None,
        petname: None,
        before_block: None,
        conversation: None,
        fork: None,
    })
}

fn stand(row: &mut Contact, changed: &Changed, seq: u64) {
    match changed.change {
        Change::Accepted => row.standing = Standing::Accepted,
        Change::Asked | Change::Undenied => row.standing = Standing::Asks,
        Change::Blocked => {
            row.before_block.get_or_insert(row.standing);
            row.standing = Standing::Blocked;
        }
        Change::Denied => row.standing = Standing::Denied,
        Change::Forked => row.fork = Some(Forked { seq, seen: false }),
        Change::ForkSeen => row.fork = row.fork.map(|fork| Forked { seen: true, ..fork }),
        Change::Renamed => row.petname = changed.petname.then_some(seq),
        Change::Requested => row.standing = Standing::Asked,
        Change::Unblocked => {
            row.standing = row.before_block.take().unwrap_or(Standing::Denied);
        }
        Change::Chain | Change::Displaced | Change::Profile | Change::Removed => {}
    }
}

fn line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    let changed: Changed = shape(entry).ok()?;
    let words: Words = content(bytes).unwrap_or_default();
    let change = serde_json::to_value(changed.change).ok()?;
    let mut key = format!("contact.{}", change.as_str()?);
    if changed.change == Change::Renamed && !changed.petname {
        key = "contact.unnamed".to_owned();
    }
    if changed.fork.is_some_and(|fork| fork.recovered) {
        key = "contact.fork_recovered".to_owned();
    }
    let undo = match changed.change {
        Change::Blocked | Change::Denied | Change::Renamed | Change::Unblocked => Undo::Local,
        Change::Accepted
        | Change::Asked
        | Change::Chain
        | Change::Displaced
        | Change::Forked
        | Change::ForkSeen
        | Change::Profile
        | Change::Removed
        | Change::Requested
        | Change::Undenied => Undo::None,
    };
    let mut line = Line { key, contact: Some(changed.contact), undo, ..Line::default() };
    let said =
        [("display_name", words.display_name), ("note", words.note), ("petname", words.petname)];
    for (name, text) in said {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            line.args.insert(name.to_owned(), short(&text));
        }
    }
    Some(line)
}
