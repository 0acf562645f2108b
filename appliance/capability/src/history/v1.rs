//! `history` 1. It never shows keys, sessions or what a machine did for itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{Cursor, Limit, Line, TimeMs, TwinId, Word, WriteId};

/// What happened, newest first.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Where to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// How many. A filter reads a bounded stretch at a time: a page can be short, even empty,
    /// and still have a cursor.
    #[serde(default)]
    pub limit: Limit,
    /// Only these kinds, such as `chat.message`; `chat.` takes all that begin so. Read markers
    /// (`chat.read`) are left out unless they are asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub kinds: Option<Vec<Word>>,
    /// Only what has to do with this contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<TwinId>,
    /// Only what has these words in its content, upper or lower case alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Line<1, 200>>,
}

/// One thing that happened.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Item {
    /// Number of the journal entry.
    pub seq: u64,
    /// When.
    pub time_ms: TimeMs,
    /// Who did it.
    pub actor: Actor,
    /// The kind, such as `chat.message`.
    pub kind: String,
    /// Names the sentence in which to say it, such as `history.chat.message`.
    pub line: String,
    /// What to fill into the sentence.
    pub args: BTreeMap<String, String>,
    /// The contact it has to do with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<TwinId>,
    /// Whether and how it can be undone.
    pub undo: Undo,
    /// The entry that undid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<u64>,
    /// Its content was erased.
    pub erased: bool,
    /// Whether it has content that can be erased.
    pub erasable: bool,
}

/// Who did something.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Actor {
    /// Another person.
    Contact {
        /// Their twin id.
        contact: TwinId,
        /// What they are called here.
        name: String,
    },
    /// Oneself, in a browser.
    Device {
        /// The public id of its session.
        device: String,
    },
    /// Oneself, through an experience.
    Experience {
        /// Its name.
        name: String,
    },
    /// The twin itself.
    System,
}

/// How something can be undone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Here, and the other person's twin is asked to do the same; what they saw they saw.
    AskPeer,
    /// Here, completely.
    Local,
    /// Not at all.
    None,
}

/// Undo one thing.
/// Problems: `not_found`; `cannot_undo` for a kind that has no undo or was undone already;
/// `built_upon` when something later stands on it (the problem's `rev` names that entry).
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UndoRequest")]
pub struct UndoIt {
    /// Names this write.
    pub id: WriteId,
    /// The journal entry.
    pub seq: u64,
}

/// It was undone.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Undone {
    /// The journal entry of the undoing.
    pub seq: u64,
    /// Whether another twin was asked to do the same.
    pub asked_peer: bool,
}

/// Erase the content of things for good. That they happened stays in the history.
/// Problems: `not_found` when an entry does not exist; `nothing_to_erase` when none of them has
/// content. Entries without content are passed over.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// Names this write.
    pub id: WriteId,
    /// The journal entries.
    #[schemars(length(min = 1, max = 200))]
    pub seqs: Vec<u64>,
}

/// The content can't be read any more.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Erased {
    /// How many entries had content.
    pub erased: u64,
    /// When the last copy of it on this node is overwritten.
    pub complete_by_ms: TimeMs,
}

/// What to hear about: everything.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {}

/// What happened.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// Something new in the history, or an entry that was undone or erased since.
    Entry {
        /// How it is now.
        item: Item,
    },
}
