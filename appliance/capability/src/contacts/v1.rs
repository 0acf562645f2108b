//! `contacts` 1. It never tells a person that they were denied or blocked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    identity::v1::{About, DisplayName},
    wire::{Cursor, Limit, Line, More, Rev, Text, TimeMs, TwinId, WriteId},
};

/// A name that one gives to another person, for oneself: up to 80 characters; empty takes it away.
pub type Petname = Line<0, 80>;
/// A few words with a request: up to 280 characters.
pub type Note = Text<0, 280>;

/// A person one knows or is being asked by.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Contact {
    /// Their twin id.
    pub contact: TwinId,
    /// What one calls them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub petname: Option<String>,
    /// What they call themselves.
    pub display_name: String,
    /// What they say about themselves.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// How things stand.
    pub state: ContactState,
    /// The words that came with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The conversation with them, once accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<crate::wire::ConversationId>,
    /// Somebody else has used their keys; until `acknowledge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub double: Option<Double>,
    /// Since when it stands so.
    pub since_ms: TimeMs,
    /// Revision.
    pub rev: Rev,
}

/// Two different histories of a contact's keys were seen, so somebody else holds, or held, one of
/// them. What is said in their name may be somebody else's.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Double {
    /// When it was noticed.
    pub since_ms: TimeMs,
    /// Whether they have taken their identity back since, with their recovery key. Otherwise the
    /// keys that were known first count, whoever holds them.
    pub recovered: bool,
}

/// How things stand with a contact.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// Both have said yes.
    Accepted,
    /// We asked and wait for an answer.
    Asked,
    /// They ask and wait for ours.
    Asks,
    /// Nothing from them is kept or shown, and nothing is sent to them. They are not told: what they
    /// say is acknowledged and lost.
    Blocked,
    /// We said no; they are not told.
    Denied,
}

/// The contacts by name: requests that wait for us first.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Where to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}

/// Ask a person to be a contact. If they asked already, this accepts.
/// Problems: `bad_card`, `own_card`, `already` (accepted or blocked).
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Names this write.
    pub id: WriteId,
    /// Their card: a link or the text of one.
    pub card: Line<1, 8000>,
    /// A few words for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// Names a contact to be accepted, denied, blocked, unblocked or removed, or whose `double` was
/// taken note of.
/// Problems: `not_found`; `wrong_state` when that cannot be done with how things stand.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Choose {
    /// Names this write.
    pub id: WriteId,
    /// The contact.
    pub contact: TwinId,
    /// Only if the contact still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
}

/// Call a contact something else; only oneself sees it.
/// Problems: `not_found`, `conflict`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// Names this write.
    pub id: WriteId,
    /// The contact.
    pub contact: TwinId,
    /// The name; empty takes it away.
    pub petname: Petname,
    /// Only if the contact still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
}

/// What to hear about: all contacts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {}

/// What happened to the contacts.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// A contact is new or changed.
    Contact {
        /// How it is now.
        contact: Contact,
    },
    /// A contact is gone.
    Removed {
        /// Which.
        contact: TwinId,
    },
}

/// Between twins: may I be your contact? The sender's chain and pre-key come with the link.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Ask {
    /// What the sender calls themselves.
    pub display_name: DisplayName,
    /// What they say about themselves.
    #[serde(default = "no_about")]
    pub about: About,
    /// A few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// The sender's clock.
    pub time_ms: TimeMs,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: yes, we are contacts.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Accept {
    /// What the sender calls themselves.
    pub display_name: DisplayName,
    /// What they say about themselves.
    #[serde(default = "no_about")]
    pub about: About,
    /// The sender's clock.
    pub time_ms: TimeMs,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: everything `contacts` says, told apart by `type`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Body {
    /// A request.
    Ask(Ask),
    /// The answer yes.
    Accept(Accept),
}

fn no_about() -> About {
    About::default()
}
