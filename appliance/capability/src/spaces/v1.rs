//! `spaces` 1: the unit of sharing. A space has members and what they put into it; every member's
//! twin keeps all of it. Whoever made it says who is in it.

mod envelopes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use envelopes::{
    Act, Body, Bye, Clock, Have, Invite, Join, Op, Ops, Roster, RosterMember, RosterRole,
    RosterSaid, Signed,
};

use crate::{
    chat::v1::Person,
    wire::{Cursor, Limit, Line, PersonId, Rev, SpaceId, Text, TimeMs, TwinId, TypeName, WriteId},
};

/// The name of a space.
pub type SpaceName = Line<1, 120>;
/// Words that go with an invitation.
pub type Note = Text<1, 1000>;

/// Most members of a space.
pub const MEMBERS_MAX: usize = 64;

/// A space.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Space {
    /// Its id.
    pub space: SpaceId,
    /// Its name; absent when that was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What one is in it.
    pub role: Role,
    /// How one stands to it.
    pub state: State,
    /// Who is in it, the owner first.
    pub members: Vec<Member>,
    /// The words of the invitation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Put away by the person; nobody else sees that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// The types of its records that the caller sees.
    pub types: Vec<TypeName>,
    /// Since when it is known here.
    pub since_ms: TimeMs,
    /// Revision.
    pub rev: Rev,
}

/// What somebody is in a space.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Made it: writes, names it and says who is in it.
    Owner,
    /// Reads and writes.
    Editor,
    /// Reads.
    Viewer,
    /// Is in it no more, or not at all.
    None,
}

/// How one stands to a space.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Somebody asks one in.
    Invited,
    /// One is in it.
    Member,
    /// One has left it, or said no; what came until then stays here.
    Left,
    /// One was taken out of it; what came until then stays here.
    Removed,
}

/// Somebody in a space.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Member {
    /// Who.
    pub person: Person,
    /// As what.
    pub role: Role,
    /// Whether they have said yes.
    pub joined: bool,
}

/// The spaces, those of last activity first. Those that were left or put away come only when asked for.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Also those that were left, declined or put away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Where to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}

/// One space. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The space.
    pub space: SpaceId,
}

/// Make a space.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Names this write.
    pub id: WriteId,
    /// Its name.
    pub name: SpaceName,
}

/// Give a space another name. Problems: `not_found`, `only_owner`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// Names this write.
    pub id: WriteId,
    /// The space.
    pub space: SpaceId,
    /// Its name from now on.
    pub name: SpaceName,
}

/// Put a space away, or take it out again. Only this twin knows. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Names this write.
    pub id: WriteId,
    /// The space.
    pub space: SpaceId,
    /// Whether it is put away.
    pub archived: bool,
}

/// Ask a contact into a space. Problems: `not_found`, `only_owner`, `wrong_state` when they are no
/// contact, `too_many` when it is full.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "InviteRequest")]
pub struct Ask {
    /// Names this write.
    pub id: WriteId,
    /// The space.
    pub space: SpaceId,
    /// The contact.
    pub contact: TwinId,
    /// As what: editor or viewer.
    pub role: Role,
    /// Words that go with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// Say yes or no to an invitation, or leave a space. Who made a space can't leave it.
/// Problems: `not_found`, `wrong_state`, `only_owner`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Choose {
    /// Names this write.
    pub id: WriteId,
    /// The space.
    pub space: SpaceId,
}

/// Make somebody an editor or a viewer, or take them out with the role `none`: they get nothing that
/// comes after. Problems: `not_found`, `only_owner`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SetRole {
    /// Names this write.
    pub id: WriteId,
    /// The space.
    pub space: SpaceId,
    /// Who.
    pub person: PersonId,
    /// As what.
    pub role: Role,
}

/// What to hear about: all spaces.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {}

/// What happened to the spaces.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// A space is new or has changed.
    Space {
        /// How it is.
        space: Space,
    },
}
