//! `health` 1: a list of problems, each explained in the asker's language, with what can be done
//! about it at once. It never says anything about another twin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{TimeMs, Word, WriteId};

/// Everything that is not as it should be, the most pressing first.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Health {
    /// Empty when all is well.
    pub items: Vec<Item>,
}

/// One problem.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Item {
    /// Stable name of the problem, such as `verify_failed`.
    pub problem: String,
    /// Which of several, where there can be several: the name of a twin, a disk or a wall.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// How pressing it is.
    pub weight: Weight,
    /// What it is, in a few words.
    pub title: String,
    /// What happened and what it means.
    pub detail: String,
    /// What the person can do.
    pub what_to_do: String,
    /// What can be done here and now.
    pub repairs: Vec<Offer>,
    /// Whether it may be put off for a while.
    pub can_wait: bool,
    /// Until when it was put off: till then it needs no mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_off_until_ms: Option<TimeMs>,
}

/// How pressing a problem is.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Something does not work, or is in danger.
    Now,
    /// Something will not work one day.
    Soon,
    /// Worth knowing.
    Note,
}

/// Something that can be done about a problem.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Offer {
    /// Its stable name, to be sent back.
    pub repair: String,
    /// What its button says.
    pub label: String,
    /// What happens then, to be said before it is done.
    pub what_happens: String,
}

/// Do what was offered. Doing it again is harmless. Problems: `not_found` when the problem is gone
/// or this was not offered for it, `full`, `failed`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Repair {
    /// Names this write.
    pub id: WriteId,
    /// The problem.
    pub problem: Word,
    /// Which of several: `about` of the item.
    #[serde(default)]
    pub about: String,
    /// The offer.
    pub repair: Word,
}

/// What came of it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Repaired {
    /// Whether the problem is settled.
    pub settled: bool,
    /// What came of it, in a sentence.
    pub text: String,
}

/// Not now: the problem stays in the list, but needs no mark for a while.
/// Problems: `not_found` when there is no such problem or it can't wait.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PutOff {
    /// Names this write.
    pub id: WriteId,
    /// The problem.
    pub problem: Word,
}
