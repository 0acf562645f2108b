//! `experiences` 1: what is installed, opening it in a frame, and grants. A grant is made by
//! choosing a thing; there is no request that asks for "everything" but the person can choose it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{GrantId, TimeMs, TwinId, TypeName, UploadId, Word, WriteId};

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
    /// The release that is used; absent for one that was given with the node's command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// Who made it: the twin that signed it; absent for what comes with the twin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
}

/// Who made an experience.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Author {
    /// The twin that signed it.
    pub twin: TwinId,
    /// What they are called here, if they are a contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it is the person themselves.
    pub me: bool,
}

/// Where a package is: an upload, or a link of a file or of a file of a message.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The bytes, completely sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadId>,
    /// A link such as an item of `files` has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What a package is and what would change with it. Nothing is installed by that.
/// Problems: `no_package`, `bad_package`, `bad_signature`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Inspect {
    /// Where it is.
    pub source: Source,
}

/// A package that is whole and signed.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Inspected {
    /// Its name.
    pub name: Word,
    /// Its version.
    pub version: String,
    /// What it is called, by language tag.
    pub title: BTreeMap<String, String>,
    /// The kinds of things that it works with.
    pub wants: Vec<Word>,
    /// The capabilities that it uses.
    pub uses: Vec<String>,
    /// The types of records that it reads or writes.
    pub types: Vec<String>,
    /// Who made it.
    pub author: Author,
    /// The hash that names this release for ever.
    pub hash: String,
    /// The version that is used now, if it is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<String>,
    /// Of what it wants and uses, what the installed version did not.
    pub new: Vec<String>,
    /// What the installed version wanted and used, and this one does not.
    pub dropped: Vec<String>,
}

/// Install a package. What it may see is chosen when it asks. Installing what is used already
/// changes nothing. Problems: `no_package`, `bad_package`, `bad_signature`, `other_author`,
/// `older_version`, `same_version`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// Where it is.
    pub source: Source,
    /// The hash that was shown: another package is not installed.
    pub hash: String,
}

/// The releases of an experience that are kept, newest first. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ListReleases {
    /// Its name.
    pub name: Word,
}

/// Releases.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Releases {
    /// The newest first.
    pub items: Vec<Release>,
}

/// A release that is kept.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Release {
    /// Its number.
    pub release: u64,
    /// Its version.
    pub version: String,
    /// Whether it is the one in use.
    pub used: bool,
    /// When it was installed.
    pub since_ms: TimeMs,
}

/// Use another release that is kept; grants stay as they are. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    /// Names this write.
    pub id: WriteId,
    /// The experience.
    pub name: Word,
    /// The release.
    pub release: u64,
}

/// Remove an experience with all its releases; what it may use ends. What was made with it is the
/// person's and stays. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Names this write.
    pub id: WriteId,
    /// The experience.
    pub name: Word,
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
