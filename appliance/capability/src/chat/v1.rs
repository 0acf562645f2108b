//! `chat` 1: text, reply, edit and delete by the author, read markers; the requests and answers.
//! What twins say to each other is in `envelopes`. Nothing here is shown in the order of arrival.

mod attachments;
mod envelopes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use attachments::{Announced, Arrival, Attach, Attachment, Fetch, Keep, Piece, Want};
pub use envelopes::{Body, Delete as SayDelete, Edit as SayEdit, Read as SayRead, Say};

use crate::wire::{
    ConversationId, Cursor, Limit, MessageId, More, PersonId, Rev, Text, TimeMs, WriteId,
};

/// The text of a message: 1 to 8000 characters, not only white space.
pub type MessageText = Text<1, 8000>;
/// The text of a message that has files with it: it may be empty.
pub type Caption = Text<0, 8000>;
/// Most files of one message.
pub const ATTACHMENTS_MAX: usize = 4;

/// A person in a conversation.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Person {
    /// Their id, as this caller may know it.
    pub id: PersonId,
    /// What they are called here.
    pub name: String,
    /// Whether it is oneself.
    pub me: bool,
}

/// A conversation.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Conversation {
    /// Its id.
    pub conversation: ConversationId,
    /// The other person; oneself for the notebook; in place of a person the space, by its name.
    pub with: Person,
    /// In a space: who else is in it. Absent between two people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Person>>,
    /// The newest message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Message>,
    /// How many messages of others are unread.
    pub unread: u64,
    /// The newest message that the other has read. In a space nobody tells what they have read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_up_to_by_other: Option<MessageId>,
    /// Whether something can be sent now: false once the contact was blocked or removed, or when one
    /// is in the space no more or only to look.
    pub open: bool,
    /// Time of the last message, or when the conversation began.
    pub active_ms: TimeMs,
}

/// A message.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Message {
    /// Its id, made by its author. Unique together with the author.
    pub message: MessageId,
    /// The conversation that it is in.
    pub conversation: ConversationId,
    /// Who wrote it.
    pub author: Person,
    /// The text; absent when deleted, erased or in need of an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When its author wrote it.
    pub time_ms: TimeMs,
    /// When its author last edited it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_ms: Option<TimeMs>,
    /// Its author deleted it.
    pub deleted: bool,
    /// Its text was erased here, for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// It was written by a newer twin: this one keeps it and shows it after its next update.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_update: bool,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// The files that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// How far one's own message to somebody else has come; not told in a space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Delivery>,
    /// Revision.
    pub rev: Rev,
    /// What a newer version said about it that this one does not know.
    #[serde(default, skip_serializing_if = "More::is_empty")]
    pub more: More,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The other twin has it safely.
    Delivered,
    /// The other twin keeps it and can show it after its next update.
    Held,
    /// It waits here until the other twin can be reached.
    Queued,
    /// The other person has read it.
    Read,
    /// The other twin did not take it.
    Refused,
    /// It was taken back here, by blocking the other or erasing its text, before it was known to
    /// have arrived.
    Withdrawn,
}

/// The conversations, last active first: the notebook, one for each person who is or was an
/// accepted contact, also before anything was said, and one for each space that several are in or in
/// which something was said, and that isn't put away. The conversation of a space has its id.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Conversations {
    /// Where to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}

/// The messages of a conversation, newest first. Order: time, author, id.
/// Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// The conversation.
    pub conversation: ConversationId,
    /// Where to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}

/// Write a message, also with files and then perhaps without a text. In a space it goes to everybody
/// who is in it, and has no files.
/// Problems: `not_found`; `no_upload`; `closed` when the other is no contact any more or one has left
/// the space; `only_see` in a space where one only looks; `no_files_there`; `id_taken` when the id
/// already names something else.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Names this write and becomes the id of the message.
    pub id: WriteId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The text; only empty with files.
    pub text: Caption,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Files to send with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = ATTACHMENTS_MAX))]
    pub attachments: Vec<Attach>,
}

/// Change the text of a message of one's own.
/// Problems: `not_found`, `not_author`, `conflict`, `deleted`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Names this write.
    pub id: WriteId,
    /// The message.
    pub message: MessageId,
    /// The new text.
    pub text: MessageText,
    /// Only if the message still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
}

/// Delete a message of one's own, here and at the others'. What they have seen they have seen.
/// Problems: `not_found`, `not_author`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// Names this write.
    pub id: WriteId,
    /// The message.
    pub message: MessageId,
}

/// Mark a conversation as read up to a message. Never goes back.
/// Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Names this write.
    pub id: WriteId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The newest message that was seen.
    pub up_to: MessageId,
    /// Who wrote that message, should two messages have the same id; the newest otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonId>,
}

/// What to hear about: one conversation, or all of them.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Only this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
}

/// What happened.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// A conversation is new, or its unread count, its last message or who can write changed.
    Conversation {
        /// How it is now.
        conversation: Conversation,
    },
    /// A message is new or changed. Put it where its time says, not where it arrived.
    Message {
        /// How it is now.
        message: Message,
    },
}
