//! What twins say to each other in `spaces` 1. What counts is signed by its author as a text, and
//! that text is kept and passed on unchanged, with whatever a newer twin has put into it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    chat::v1::MessageText,
    wire::{MessageId, More, RecordId, SpaceId, TimeMs, TwinId, TypeName},
};

/// A text and whose it is.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Signed {
    /// Who signed it.
    pub by: TwinId,
    /// What they say: an `Op` or a `Roster` as JSON.
    pub text: String,
    /// Their signature over the text, base64.
    pub sig: String,
}

/// Who is in a space and what it is called. Only whoever made the space signs one, and the highest
/// version counts.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Roster {
    /// The space.
    pub space: SpaceId,
    /// From this and who signed it the id of the space is made, so nobody else can sign for it.
    pub seed: SpaceId,
    /// Rises by one with every change.
    pub version: u64,
    /// The name.
    pub name: String,
    /// Everybody but the owner who is or was in it.
    pub members: Vec<RosterMember>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Somebody else than the owner.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct RosterMember {
    /// Who.
    pub person: TwinId,
    /// As what.
    pub role: RosterRole,
    /// Of who may not write, or was asked in anew and has not said yes yet: up to here what they wrote
    /// before counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<u64>,
    /// Their operations, base64: they say what the person signs with.
    pub chain: String,
    /// What they call themselves, as the owner knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a member is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RosterRole {
    /// Reads and writes.
    Editor,
    /// Reads.
    Viewer,
    /// In it no more.
    None,
}

/// One change of what is in a space, by one of its members.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Op {
    /// The space.
    pub space: SpaceId,
    /// Which of its author's changes in this space: 1, 2, 3 and so on.
    pub number: u64,
    /// When, after everything that its author knew of.
    pub clock: Clock,
    /// What changes.
    #[serde(flatten)]
    pub act: Act,
}

/// A time that is later than all that was seen before it: of two with the same milliseconds the one
/// with more ticks.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct Clock {
    /// The author's clock, or that of somebody whose change they had seen.
    pub time_ms: TimeMs,
    /// Tells apart what was made in the same millisecond.
    pub tick: u32,
}

/// What changes. What isn't one of these is of a later version: it is kept and has no effect.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum Act {
    /// Fields of a record get values; `null` takes one away.
    Put {
        /// The type.
        #[serde(rename = "type")]
        #[schemars(rename = "type")]
        kind: TypeName,
        /// The record.
        record: RecordId,
        /// The values.
        fields: Map<String, Value>,
    },
    /// A record is removed, or comes back.
    Remove {
        /// The type.
        #[serde(rename = "type")]
        #[schemars(rename = "type")]
        kind: TypeName,
        /// The record.
        record: RecordId,
        /// Whether it is gone.
        gone: bool,
    },
    /// Something is said in the space's conversation. Its clock has a time of its own, later than
    /// all that its author had seen, so messages sort by it.
    Say {
        /// The id of the message; together with the author it is unique.
        message: MessageId,
        /// The words.
        text: MessageText,
        /// The message that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<MessageId>,
    },
    /// A message of the same author has another text.
    Edit {
        /// The message.
        message: MessageId,
        /// The words.
        text: MessageText,
    },
    /// A message of the same author is deleted.
    Delete {
        /// The message.
        message: MessageId,
    },
    /// Its author has erased what it said before it was sent.
    Void,
    /// Of a later version.
    #[serde(other)]
    Other,
}

/// Between twins: come into this space.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "SayInvite")]
pub struct Invite {
    /// Who is in it, the receiver as well.
    pub roster: Signed,
    /// How to reach the others: an introduction of each, base64.
    pub people: Vec<String>,
    /// Words that go with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: the sender is in the space from now on.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "SayJoin")]
pub struct Join {
    /// Says that they may be.
    pub roster: Signed,
    /// Answers somebody who came later: the sender is in it already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answer: bool,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: the sender said no, or has left.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "SayBye")]
pub struct Bye {
    /// The space.
    pub space: SpaceId,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: who is in a space has changed.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "SayRoster")]
pub struct RosterSaid {
    /// Who is in it now.
    pub roster: Signed,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: what has changed in a space.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "SayOps")]
pub struct Ops {
    /// The space.
    pub space: SpaceId,
    /// The changes: the sender's own, or of others.
    pub ops: Vec<Signed>,
    /// Whether it answers `have`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answer: bool,
    /// There is more: ask again with these marks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<BTreeMap<TwinId, u64>>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: tell what the sender doesn't have.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "SayHave")]
pub struct Have {
    /// The space.
    pub space: SpaceId,
    /// Whose changes; everybody's if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<TwinId>,
    /// Up to which number the sender has them.
    pub marks: BTreeMap<TwinId, u64>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: everything `spaces` says, told apart by `type`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Body {
    /// An invitation.
    Invite(Invite),
    /// Somebody has come.
    Join(Join),
    /// Somebody has gone.
    Bye(Bye),
    /// Who is in it.
    Roster(RosterSaid),
    /// Changes.
    Ops(Ops),
    /// A question for changes.
    Have(Have),
}
