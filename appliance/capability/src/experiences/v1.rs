//! `experiences` 1: what is installed, opening it in a frame, and grants. A grant is made by
//! choosing a thing; there is no request that asks for "everything" but the person can choose it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{GrantId, TimeMs, TypeName, Word, WriteId};

/// What is installed.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Installed {
    /// By name.
    pub items: Vec<Experience>,
}

/// An installed experience.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Experience {
    /// Its name: also its address, `/x/<name>`.
    pub name: Word,
    /// Its version, for people.
    pub version: String,
    /// What it is called, by language tag.
    pub title: BTreeMap<String, String>,
    /// The kinds of things it works with, such as `conversation`.
    pub wants: Vec<Word>,
    /// What it may use.
    pub grants: Vec<Grant>,
}

/// Open an experience in a frame. Problems: `not_found`, `too_many` (frames of this session).
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Its name.
    pub name: Word,
}

/// A frame is ready to be shown.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Opened {
    /// The unguessable id of the frame.
    pub frame: String,
    /// What the shell sends as `Experience` header with its calls. Not for the experience itself.
    pub token: String,
    /// The address to load.
    pub url: String,
}

/// The frame is gone. Closing it again is no problem.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// The frame.
    pub frame: String,
}

/// List grants, newest first.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ListGrants {
    /// Only of this experience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experience: Option<Word>,
}

/// All grants that hold.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Grants {
    /// The newest first.
    pub items: Vec<Grant>,
    /// The state of the twin that this shows.
    pub at: u64,
}

/// What an experience may use, and how.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Grant {
    /// Its id.
    pub grant: GrantId,
    /// Who may.
    pub experience: Word,
    /// What kind of thing.
    pub kind: ThingKind,
    /// Which: its id, or `all`.
    pub thing: Thing,
    /// What the person sees of the thing: the name of the other in a conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Of a space: the types of records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeName>,
    /// What may be done with it.
    pub verbs: Vec<Verb>,
    /// How much of its past may be seen.
    pub from: From,
    /// Since when.
    pub since_ms: TimeMs,
    /// Last use, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_ms: Option<TimeMs>,
}

/// A kind of thing that can be chosen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThingKind {
    /// A conversation.
    Conversation,
    /// A folder with all that is in it.
    Folder,
    /// A space: its records of some types.
    Space,
}

/// The id of a thing, or `all`.
pub type Thing = Word;

/// What may be done with a thing.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Read what is in it.
    See,
    /// Put something new into it.
    Add,
    /// Change or delete what the person themselves put there.
    Change,
}

/// How much of the past of a thing may be seen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// All of it.
    History,
    /// Only what comes after the grant was given.
    Now,
}

/// Give an experience a thing that the person chose. Only the shell can.
/// Problems: `not_found` when there is no such thing.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrantRequest")]
pub struct Give {
    /// Names this write and becomes the id of the grant.
    pub id: WriteId,
    /// To whom.
    pub experience: Word,
    /// What kind of thing.
    pub kind: ThingKind,
    /// Which: its id, or `all`.
    pub thing: Thing,
    /// Of a space: the types of records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub types: Vec<TypeName>,
    /// What may be done with it; `see` is always part of it.
    #[schemars(length(min = 1, max = 3))]
    pub verbs: Vec<Verb>,
    /// How much of its past may be seen.
    pub from: From,
}

/// Take a grant back, at once. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Names this write.
    pub id: WriteId,
    /// The grant.
    pub grant: GrantId,
}

/// What to hear about: all grants.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {}

/// What happened to the grants.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// A grant was given.
    Grant {
        /// How it is.
        grant: Grant,
    },
    /// A grant was taken back.
    Revoked {
        /// Which.
        grant: GrantId,
    },
}
