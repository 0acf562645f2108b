//! What twins say to each other in `chat` 1. Unknown fields are kept; nothing here is ever
//! refused for being newer than the reader.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Announced, Caption, MessageText, Piece, Want};
use crate::wire::{MessageId, More, TimeMs, TwinId};

/// Between twins: a message.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Say {
    /// Its id.
    pub message: MessageId,
    /// The text.
    pub text: Caption,
    /// The author's clock.
    pub time_ms: TimeMs,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Files that can be wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Announced>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: the author changed a message. The newest `time_ms` wins.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "SayEdit")]
pub struct Edit {
    /// The message.
    pub message: MessageId,
    /// Its new text.
    pub text: MessageText,
    /// The author's clock.
    pub time_ms: TimeMs,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: the author deleted a message.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "SayDelete")]
pub struct Delete {
    /// The message.
    pub message: MessageId,
    /// The author's clock.
    pub time_ms: TimeMs,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: the sender has read the conversation up to this message.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "SayRead")]
pub struct Read {
    /// The message.
    pub up_to: MessageId,
    /// Its author.
    pub author: TwinId,
    /// The sender's clock.
    pub time_ms: TimeMs,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: everything `chat` says, told apart by `type`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Body {
    /// A message.
    Say(Say),
    /// A changed message.
    Edit(Edit),
    /// A deleted message.
    Delete(Delete),
    /// A read marker.
    Read(Read),
    /// Somebody wants a file of a message.
    Want(Want),
    /// Some of it.
    Piece(Piece),
}
