//! `identity` 1: profile, card, sessions. It never carries a key or a token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{Line, More, PersonId, Rev, SessionId, Text, TimeMs, WriteId};

/// A display name: one line of 1 to 80 characters.
pub type DisplayName = Line<1, 80>;
/// What a person says about themselves: up to 500 characters.
pub type About = Text<0, 500>;

/// The person whose twin this is.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Me {
    /// Their id; for an experience a private one.
    pub id: PersonId,
    /// The twin's name on its node, such as `ann`. Not for experiences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How they want to be called.
    pub display_name: String,
    /// What they say about themselves. Not for experiences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Revision of the profile.
    pub rev: Rev,
}

/// Change the profile. Accepted contacts are told.
/// Problems: `conflict` when `if_rev` is not the profile's revision.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SetProfile {
    /// Names this write.
    pub id: WriteId,
    /// Only if the profile still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
    /// The new display name.
    pub display_name: DisplayName,
    /// The new text about oneself.
    pub about: About,
}

/// What one gives to others so that they can ask to be a contact.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Card {
    /// The card as a link.
    pub link: String,
    /// The same as a QR code, a complete SVG image.
    pub svg: String,
}

/// A browser that is signed in.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Session {
    /// Its public id.
    pub session: SessionId,
    /// Whether it is the one that asks.
    pub this: bool,
    /// What kind of device it said it is; may be empty.
    pub device: String,
    /// Since when.
    pub since_ms: TimeMs,
    /// Last use, to the hour.
    pub last_used_ms: TimeMs,
}

/// All browsers that are signed in.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Sessions {
    /// The newest first.
    pub sessions: Vec<Session>,
}

/// Sign out one browser. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EndSession {
    /// Names this write.
    pub id: WriteId,
    /// The session.
    pub session: SessionId,
}

/// Sign this browser in with a one-time code. Needs no session; sets the cookie.
/// Problems: `bad_code`, `too_often`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The code.
    pub code: Line<8, 128>,
}

/// The browser is signed in.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Paired {
    /// Where to go now: a path at the same origin.
    pub next: String,
}

/// Between twins: how the sender wants to be shown.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Profile {
    /// Their display name.
    pub display_name: DisplayName,
    /// What they say about themselves.
    pub about: About,
    /// The sender's clock.
    pub time_ms: TimeMs,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: everything `identity` says, told apart by `type`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Body {
    /// The profile changed.
    Profile(Profile),
}
