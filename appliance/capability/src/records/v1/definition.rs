//! What records of a type look like: the part of JSON Schema that a twin understands, and the
//! orders in which records can be asked for. A schema checks what is written here; what comes from
//! other twins is kept as it is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{FieldName, Line, TypeName};

/// Most indexes of a type.
pub const INDEXES_MAX: usize = 8;
/// Most fields of an index.
pub const INDEX_FIELDS_MAX: usize = 3;
/// Most fields of a record.
pub const FIELDS_MAX: usize = 64;

/// A type of records. A major never changes what it means: fields can be added to it, never taken
/// away or given another type.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name.
    #[serde(rename = "type")]
    #[schemars(rename = "type")]
    pub kind: TypeName,
    /// The fields of its records.
    pub schema: Shape,
    /// What records can be found and sorted by: up to 8 lists of up to 3 fields each, named by their
    /// place. Texts count with their first 48 bytes; numbers with a fraction, lists and objects don't
    /// count.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub indexes: Vec<Vec<FieldName>>,
}

/// The fields of an object. What it doesn't name may be there as well: a newer experience has put it
/// there, and it is kept.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Line<1, 200>>,
    /// Its fields.
    pub properties: BTreeMap<FieldName, Field>,
    /// Fields that a new record must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<FieldName>,
}

/// What a field holds.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Field {
    /// What kind of value.
    #[serde(rename = "type")]
    #[schemars(rename = "type")]
    pub kind: FieldKind,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Line<1, 200>>,
    /// The texts that it can be.
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    #[schemars(rename = "enum")]
    pub one_of: Vec<String>,
    /// Fewest characters of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// Most characters of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<i64>,
    /// Largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<i64>,
    /// What a list holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Self>>,
    /// Most items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u32>,
    /// The text is the id of a record of this type in the same space.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schemars(rename = "ref")]
    pub reference: Option<TypeName>,
}

/// A kind of value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A list.
    Array,
    /// Yes or no.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Anything with fields of its own.
    Object,
    /// A text.
    String,
}
