//! What is sent with a message: files, asked for by whoever receives them and brought in pieces.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    files::v1::{FileName, MediaType, Preview},
    wire::{ItemId, MessageId, More, PersonId, UploadId, WriteId},
};

/// A file that came or goes with a message.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Attachment {
    /// Its name, as its sender has it.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// What it is, as its sender says: never to be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Where its bytes are.
    pub state: Arrival,
    /// How many bytes are here, while it comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub here: Option<u64>,
    /// Where an experience reads its bytes, once they are here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Where an experience reads a small picture of it, if its sender made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}

/// How far a file of a message has come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// It is being fetched from the other twin.
    Coming,
    /// It was deleted or erased, here or by its sender.
    Gone,
    /// All of it is here.
    Here,
    /// There is no room for it: `fetch` tries again.
    NoRoom,
    /// It is large, or there is little room: it comes when the person says so, with `fetch`.
    Waiting,
}

/// A file to send with a message: either an upload or a file that the caller sees.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// The bytes, completely sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadId>,
    /// A file in the person's folders, as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// Its name; a file's own unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<FileName>,
    /// What it is; a file's own unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// A small picture of it; a file's own unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
}

/// Fetch a file of a message that waits. Problems: `not_found`; `closed` when its sender is no
/// contact any more; `gone`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// Names this write.
    pub id: WriteId,
    /// The message.
    pub message: MessageId,
    /// Who wrote it, should two messages have the same id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonId>,
    /// Which of its files, from 0 on.
    pub number: u8,
}

/// Put a file of a message into a folder of one's own, where it stays whatever becomes of the
/// message. It gets another name, if its own is taken there. Problems: `not_found`, also when the
/// caller may put nothing there; `gone` when its bytes aren't here.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Names this write and becomes the id of the file.
    pub id: WriteId,
    /// The message.
    pub message: MessageId,
    /// Who wrote it, should two messages have the same id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonId>,
    /// Which of its files, from 0 on.
    pub number: u8,
    /// In which folder; the topmost one unless given. For an experience that is the folder it was
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<ItemId>,
}

/// Between twins: a file of a message, as it is announced.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Announced {
    /// Its name.
    pub name: FileName,
    /// Its bytes.
    pub size: u64,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// A small picture of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: the receiver of a message wants the bytes of one of its files.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Want {
    /// The message.
    pub message: MessageId,
    /// Which of its files.
    pub number: u8,
    /// From here on.
    pub offset: u64,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: bytes that were wanted; without any, the file is gone.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Piece {
    /// The message.
    pub message: MessageId,
    /// Which of its files.
    pub number: u8,
    /// Where they belong.
    pub offset: u64,
    /// The bytes, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "base64")]
    pub bytes: Option<String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

fn base64(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "pattern": "^[A-Za-z0-9+/]*={0,2}$", "maxLength": 700_000 })
}
