//! `files` 1: folders and files. Bytes are sent first, in as many steps as it takes, and then put
//! into a folder by one write; they are read from the link of a version.
//!
//! Sending is in the terms of the IETF draft "Resumable Uploads for HTTP": `POST
//! /api/files/1/uploads` with `Upload-Length` and `Upload-Complete: ?0` answers 201 and a
//! `Location`, whose last part is the upload's id; `PATCH` there with `Content-Type:
//! application/partial-upload`, `Upload-Offset` and `Upload-Complete` adds bytes, checked against
//! `Content-Digest: sha-256=:..:` where that is sent; `HEAD` says the `Upload-Offset` to go on from;
//! `DELETE` gives it up. `Upload-Limit` says how much at a time, and for how long it is kept.

mod name;
mod preview;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use name::{FileName, MediaType};
pub use preview::Preview;

use crate::wire::{Cursor, ItemId, Limit, Rev, TimeMs, UploadId, WriteId};

/// A file or a folder.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Item {
    /// Its id.
    pub item: ItemId,
    /// What it is.
    pub kind: ItemKind,
    /// The folder that it is in; absent for the topmost that the caller sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<ItemId>,
    /// Its name; absent when that was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The bytes of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What is in a file, as whoever sent it says: never to be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Where an experience reads a file's bytes, within its own address; absent when its content
    /// was erased. Another version has another link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Where an experience reads a small picture of it, if whoever sent it made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// The version of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Since when it is there.
    pub made_ms: TimeMs,
    /// When its content last changed.
    pub changed_ms: TimeMs,
    /// When it was put into the trash; what is in a folder goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trashed_ms: Option<TimeMs>,
    /// Revision.
    pub rev: Rev,
}

/// What an item is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// Bytes, with their versions.
    File,
    /// Holds others.
    Folder,
}

/// What a file held at some time.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Version {
    /// Its number: larger than that of every earlier one.
    pub version: u64,
    /// Its bytes.
    pub size: u64,
    /// What it is, as whoever sent it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Where its bytes are read; absent when they were erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Since when.
    pub made_ms: TimeMs,
}

/// What is in a folder: folders first, by name, in the order of their characters; or the trash,
/// newest first. Problems: `not_found`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The folder; the topmost one unless given. For an experience that is the folder it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<ItemId>,
    /// The trash instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trash: bool,
    /// Where to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}

/// One item as it is. Problems: `not_found`, also when the experience was given no folder.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// Which; the topmost folder unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
}

/// Make a folder. Problems: `not_found`, `file_exists`, `too_deep`, `id_taken`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MakeFolder {
    /// Names this write and becomes the id of the folder.
    pub id: WriteId,
    /// In which folder; the topmost one unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<ItemId>,
    /// Its name: nothing else in there may have it.
    pub name: FileName,
}

/// Put what was sent into a folder. Problems: `not_found`, `file_exists`, `no_upload` when it is not
/// complete or was given up, `id_taken`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    /// Names this write and becomes the id of the file.
    pub id: WriteId,
    /// In which folder; the topmost one unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<ItemId>,
    /// Its name: nothing else in there may have it.
    pub name: FileName,
    /// The bytes, completely sent.
    pub upload: UploadId,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// A small picture of it, made by the browser that sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
}

/// Give a file another content. What it had stays as a version; the 50 newest are kept.
/// Problems: `not_found`, `no_upload`, `conflict`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// Names this write.
    pub id: WriteId,
    /// The file.
    pub item: ItemId,
    /// The bytes, completely sent.
    pub upload: UploadId,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// A small picture of it, made by the browser that sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// Only if it still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
}

/// Give an item another name, another folder or both. Problems: `not_found`, `file_exists`,
/// `into_itself`, `too_deep`, `conflict`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// Names this write.
    pub id: WriteId,
    /// Which.
    pub item: ItemId,
    /// Where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<ItemId>,
    /// Its new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<FileName>,
    /// Only if it still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
}

/// Put an item into the trash, take it back from there, or delete it for good with all that is in
/// it; only what is in the trash can be deleted. Taken back it may get another name, if its own was
/// given away, and lies on top, if its folder is gone. Problems: `not_found`, `conflict`,
/// `not_in_trash`, `too_many`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Choose {
    /// Names this write.
    pub id: WriteId,
    /// Which.
    pub item: ItemId,
    /// Only if it still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
}

/// What a file held, newest first; the first one is what it holds now. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// The file.
    pub item: ItemId,
    /// Where to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}

/// Give a file the content that it had once, as a new version. Problems: `not_found`, `conflict`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreVersion {
    /// Names this write.
    pub id: WriteId,
    /// The file.
    pub item: ItemId,
    /// Which version.
    pub version: u64,
    /// Only if the file still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
}

/// What to hear about: what is in one folder, or the trash.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The folder; the topmost one unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<ItemId>,
    /// The trash instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trash: bool,
}

/// What happened there.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// An item is there, like this.
    Item {
        /// How it is.
        item: Item,
    },
    /// An item is not there, or not any more.
    Removed {
        /// Which.
        item: ItemId,
    },
}
