//! `identity.genesis`, `identity.operation`, `identity.profile`: the beginning, changes of keys
//! and what the person says about themselves. Secrets are never in an entry.

use link::TwinId;
use serde::{Deserialize, Serialize};
use store::{Entry, FoldError, ReadTables as _, Tables};

use super::{Kind, Line, Undo, content, shape, short};
use crate::life::tables::{
    self, ACTIVE, CHAIN, CONVERSATION, Id16, ME, ME_KEY, Me, Rows as _, put,
};

pub(crate) const GENESIS: &str = "identity.genesis";
pub(crate) const OPERATION: &str = "identity.operation";
pub(crate) const PROFILE: &str = "identity.profile";

pub(super) const KINDS: &[Kind] = &[
    Kind { name: GENESIS, fold: genesis, line: |_, _| line("identity.genesis") },
    Kind { name: OPERATION, fold: operation, line: |_, _| line("identity.operation") },
    Kind { name: PROFILE, fold: profile, line: profile_line },
];

/// The first entry of a twin.
#[derive(Deserialize, Serialize)]
pub(crate) struct Genesis {
    pub(crate) id: TwinId,
    /// The chain of one operation, base64.
    pub(crate) chain: String,
    /// The conversation with oneself.
    pub(crate) notebook: Id16,
}

/// The chain grew.
#[derive(Deserialize, Serialize)]
pub(crate) struct Operation {
    /// The whole chain, base64.
    pub(crate) chain: String,
}

/// The profile changed.
#[derive(Deserialize, Serialize)]
pub(crate) struct Profile {
    /// The entry that holds the profile of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

/// Content of [`Profile`], and of a contact's profile.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct About {
    pub(crate) display_name: String,
    #[serde(default)]
    pub(crate) about: String,
}

fn genesis(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Genesis { id, chain, notebook } = shape(entry)?;
    if t.get(ME, ME_KEY)?.is_some() {
        return Err(FoldError::refused("the twin has begun already"));
    }
    put(t, ME, ME_KEY, &Me { id, notebook, profile: 0 })?;
    t.put(CHAIN, id.as_bytes(), &super::contact::chain_bytes(&chain)?)?;
    begin(t, notebook, id, true, entry.time_ms)
}

/// Begins a conversation that does not exist yet.
pub(super) fn begin(
    t: &mut Tables<'_>,
    id: Id16,
    with: TwinId,
    notebook: bool,
    active_ms: i64,
) -> Result<(), FoldError> {
    let row = tables::Conversation { notebook, ..tables::Conversation::new(with, active_ms) };
    t.put(ACTIVE, &tables::active(active_ms, id), b"")?;
    Ok(put(t, CONVERSATION, &id.0, &row)?)
}

fn operation(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let me = t.me()?;
    let Operation { chain } = shape(entry)?;
    Ok(t.put(CHAIN, me.id.as_bytes(), &super::contact::chain_bytes(&chain)?)?)
}

fn profile(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let mut me = t.me()?;
    me.profile = entry.seq;
    Ok(put(t, ME, ME_KEY, &me)?)
}

#[expect(clippy::unnecessary_wraps, reason = "the type that lines have")]
fn line(key: &str) -> Option<Line> {
    Some(Line { key: key.to_owned(), ..Line::default() })
}

fn profile_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    let Profile { previous, .. } = shape(entry).ok()?;
    let mut line = line("identity.profile")?;
    if let Some(About { display_name, .. }) = content(bytes) {
        line.args.insert("display_name".to_owned(), short(&display_name));
    }
    line.undo = if previous.is_some() { Undo::Local } else { Undo::None };
    Some(line)
}
