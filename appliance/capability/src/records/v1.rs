//! `records` 1: typed records in spaces. A write names some fields and leaves the others as they are;
//! of two people who change the same field the later one wins, field by field.

mod definition;
mod well_known;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use definition::{
    Definition, FIELDS_MAX, Field, FieldKind, INDEX_FIELDS_MAX, INDEXES_MAX, Shape,
};
pub use well_known::well_known;

use crate::{
    chat::v1::Person,
    wire::{Cursor, FieldName, Limit, RecordId, Rev, SpaceId, TimeMs, TypeName, WriteId},
};

/// A record.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Item")]
pub struct Record {
    /// Its id, made by whoever made the record.
    pub record: RecordId,
    /// The space that it is in.
    pub space: SpaceId,
    /// Its type.
    #[serde(rename = "type")]
    #[schemars(rename = "type")]
    pub kind: TypeName,
    /// What it holds, also what its type doesn't name.
    pub fields: Map<String, Value>,
    /// Fields whose value was erased here, for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<String>,
    /// It was removed. Putting something into it doesn't bring it back, `restore` does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// Who made it.
    pub made_by: Person,
    /// When, by their clock.
    pub made_ms: TimeMs,
    /// Who changed it last.
    pub changed_by: Person,
    /// When, by their clock.
    pub changed_ms: TimeMs,
    /// Revision: of this twin, others have their own.
    pub rev: Rev,
}

/// The types that are known: the well-known ones and those that were defined.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Types {
    /// By name.
    pub items: Vec<Definition>,
}

/// Define a type, or add fields and indexes to one. An experience defines types of its own name
/// only: `<experience>/<name>@<major>`. Problems: `not_yours`; `bad_type` when it isn't possible, or
/// not compatible with what was defined before.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Define {
    /// Names this write.
    pub id: WriteId,
    /// The type.
    pub definition: Definition,
}

/// Records of one type in a space, in the order in which they were made, or by an index. Removed
/// ones are left out. Problems: `not_found`; `bad_type` when there is no such index.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The space.
    pub space: SpaceId,
    /// The type.
    #[serde(rename = "type")]
    #[schemars(rename = "type")]
    pub kind: TypeName,
    /// The fields of an index of the type. Records without a value come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub by: Vec<FieldName>,
    /// Only records that have these values in the first fields of the index; `null`: no value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub equals: Vec<Value>,
    /// The last ones first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backward: bool,
    /// Where to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}

/// One record. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The space.
    pub space: SpaceId,
    /// The type.
    #[serde(rename = "type")]
    #[schemars(rename = "type")]
    pub kind: TypeName,
    /// The record.
    pub record: RecordId,
}

/// Make a record, or change fields of one. Fields that are not named stay; `null` takes one away.
/// Problems: `not_found`; `conflict`; `only_see` for who may only look at the space; `bad_record`
/// when a field isn't what its type says; `id_taken`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    /// Names this write. Of a new record it becomes the id.
    pub id: WriteId,
    /// The space.
    pub space: SpaceId,
    /// The type.
    #[serde(rename = "type")]
    #[schemars(rename = "type")]
    pub kind: TypeName,
    /// The record that is changed; a new one without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
    /// Its new values.
    pub fields: Map<String, Value>,
    /// Only if it still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
}

/// Remove a record, or bring it back. Problems: as for `put`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Choose {
    /// Names this write.
    pub id: WriteId,
    /// The space.
    pub space: SpaceId,
    /// The type.
    #[serde(rename = "type")]
    #[schemars(rename = "type")]
    pub kind: TypeName,
    /// The record.
    pub record: RecordId,
    /// Only if it still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
}

/// All records of a space as a text to read and edit, type by type: pages of it, to be put together.
/// Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The space.
    pub space: SpaceId,
    /// Where to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// How many records.
    #[serde(default)]
    pub limit: Limit,
}

/// A part of the text.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Exported {
    /// The part, of whole lines.
    pub text: String,
    /// Where the next part starts; absent with the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

/// Do what a text says: `record` gives one other values, `new` makes one, `remove` removes one. What
/// it doesn't name stays. All of it is done, or nothing. Problems: `not_found`; `only_see`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// Names this write.
    pub id: WriteId,
    /// The space.
    pub space: SpaceId,
    /// The text.
    pub text: String,
    /// Only look what it would do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
}

/// What a text does.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Imported {
    /// It was done.
    pub done: bool,
    /// Records that are new.
    pub added: u64,
    /// Records with other values.
    pub changed: u64,
    /// Records that are removed.
    pub removed: u64,
    /// Why nothing was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<Mistake>,
}

/// A mistake in a text.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Mistake {
    /// The line, the first being 1.
    pub line: u64,
    /// What is wrong in it.
    pub wrong: Wrong,
    /// The field that it is about, or nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
}

/// What can be wrong in a line.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// The id of a record isn't one.
    BadId,
    /// It is neither a field nor `record`, `new` or `remove`.
    BadLine,
    /// A field can't have this name.
    BadName,
    /// The name of a type isn't one.
    BadType,
    /// The value isn't what the type says, or is missing.
    BadValue,
    /// Somebody changed the record since the text was made.
    Changed,
    /// What is removed has no fields.
    FieldOfRemoved,
    /// The record has this field already.
    FieldTwice,
    /// A field of no record.
    NoRecord,
    /// The text doesn't begin as one of these does.
    NotOurs,
    /// The record has more than one can hold.
    TooLong,
    /// More records change than can at a time.
    TooMany,
    /// The record comes twice.
    Twice,
    /// There is no such record, or it was removed.
    Unknown,
    /// The type isn't known here.
    UnknownType,
}

/// What to hear about: the records of one type in a space, all or those that a query would give.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The space.
    pub space: SpaceId,
    /// The type.
    #[serde(rename = "type")]
    #[schemars(rename = "type")]
    pub kind: TypeName,
    /// As in the query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<FieldName>,
    /// As in the query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equals: Vec<Value>,
}

/// What happened to records.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// A record is new or has changed.
    Record {
        /// How it is.
        record: Box<Record>,
    },
    /// A record was removed, or is none of those that are followed any more.
    Removed {
        /// Which.
        record: RecordId,
    },
}
