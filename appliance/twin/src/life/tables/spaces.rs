//! Rows of spaces and of the records in them. Of contents they hold only short values of fields, to
//! find and sort records by; the fold takes them out again when they are erased.
//!
//! | table | key | row |
//! |---|---|---|
//! | `space` | space | [`Space`] |
//! | `space_active` | last activity, space | nothing |
//! | `space_member` | space, person | [`Member`] |
//! | `space_chain` | twin id | the operations of somebody in a space, contact or not |
//! | `space_op` | space, author, number | the entry that holds it |
//! | `space_mark` | space, author | up to which number nothing is missing |
//! | `space_said` | space, author, message, whether it changes it, number | [`Talk`] |
//! | `space_type` | space, type | how many records are there |
//! | `record` | space, type, record | [`Record`] |
//! | `record_change` | space, type, record, author, number | [`Changed`] |
//! | `record_at` | space, type, index, values, record | nothing |
//! | `record_type` | type | [`Type`] |

use std::collections::BTreeMap;

use capability::spaces::latest::Clock;
use link::TwinId;
use serde::{Deserialize, Serialize};
use store::Error;

use super::{Id16, Rows, sortable};

pub(crate) const SPACE: &str = "space";
pub(crate) const SPACE_ACTIVE: &str = "space_active";
pub(crate) const SPACE_MEMBER: &str = "space_member";
pub(crate) const SPACE_CHAIN: &str = "space_chain";
pub(crate) const SPACE_OP: &str = "space_op";
pub(crate) const SPACE_MARK: &str = "space_mark";
pub(crate) const SPACE_SAID: &str = "space_said";
pub(crate) const SPACE_TYPE: &str = "space_type";
pub(crate) const RECORD: &str = "record";
pub(crate) const RECORD_CHANGE: &str = "record_change";
pub(crate) const RECORD_AT: &str = "record_at";
pub(crate) const RECORD_TYPE: &str = "record_type";

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Space {
    /// Who made it, and what its id is made from.
    pub(crate) owner: TwinId,
    pub(crate) seed: Id16,
    /// Of the roster, and the entry that holds it.
    pub(crate) version: u64,
    pub(crate) roster: u64,
    pub(crate) standing: Standing,
    /// The entry that holds the words of the invitation.
    pub(crate) invited: Option<u64>,
    pub(crate) archived: bool,
    pub(crate) since_ms: i64,
    pub(crate) active_ms: i64,
    pub(crate) rev: u64,
    /// The latest of all clocks in it.
    pub(crate) clock: Clock,
}

/// How our person stands to a space.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    Invited,
    Left,
    Member,
    Removed,
}

/// Somebody in a space, the owner too.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Member {
    pub(crate) role: Role,
    /// Of who may not write, or not yet again: up to here what they wrote before counts.
    pub(crate) upto: Option<u64>,
    /// They have said yes.
    pub(crate) joined: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Editor,
    None,
    Owner,
    Viewer,
}

impl Member {
    pub(crate) fn writes(&self) -> bool {
        matches!(self.role, Role::Owner | Role::Editor)
    }

    /// Up to which number what they wrote counts. Who writes on may have come further; who was asked
    /// in anew does so once they have said yes.
    pub(crate) fn counts_to(&self) -> u64 {
        let all = self.writes() && (self.joined || self.upto.is_none());
        if all { u64::MAX } else { self.upto.unwrap_or_default() }
    }

    /// Whether what is new goes to them.
    pub(crate) fn hears(&self) -> bool {
        self.joined && self.role != Role::None
    }
}

/// The place of a change among all changes in its space: the later wins.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Stamp {
    pub(crate) clock: Clock,
    pub(crate) author: TwinId,
    pub(crate) number: u64,
}

/// A record, as all changes to it together have made it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Record {
    /// The first change that put something into it; `None`: it was only removed so far.
    pub(crate) made: Option<Stamp>,
    /// The entry with which it came here.
    pub(crate) came: u64,
    pub(crate) changed: Stamp,
    pub(crate) gone: Option<(Stamp, bool)>,
    pub(crate) rev: u64,
    pub(crate) fields: BTreeMap<String, Field>,
}

impl Record {
    /// Whether it is there to be seen.
    pub(crate) fn is_there(&self) -> bool {
        self.made.is_some() && !self.gone.is_some_and(|(_, gone)| gone)
    }
}

/// One change of a record, whether it counts or not: what counts can be put together from these
/// again when the roster says otherwise.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Changed {
    pub(crate) clock: Clock,
    /// The entry that holds it.
    pub(crate) seq: u64,
    /// It removed the record or brought it back; else it put these fields into it.
    pub(crate) gone: Option<bool>,
    /// Of each field whether it was taken away, and its value as in [`Field`].
    pub(crate) fields: BTreeMap<String, (bool, Option<Key>)>,
}

/// One thing that was said about a message, whether it counts or not: what counts can be put together
/// from these again when the roster says otherwise.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Talk {
    pub(crate) time_ms: i64,
    /// The entry that holds it.
    pub(crate) seq: u64,
    /// It deletes the message; else it says it or gives it another text.
    pub(crate) deletes: bool,
    pub(crate) reply_to: Option<Id16>,
}

/// The last value of a field.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Field {
    pub(crate) stamp: Stamp,
    /// The entry that holds it.
    pub(crate) seq: u64,
    /// It was taken away.
    pub(crate) null: bool,
    /// The value, if it is short and not erased.
    pub(crate) key: Option<Key>,
}

/// A value to find and sort by.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum Key {
    Bool(bool),
    Int(i64),
    /// Its first bytes.
    Text(String),
}

impl Key {
    /// Of a value that can be one.
    pub(crate) fn of(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::Bool(value) => Some(Self::Bool(*value)),
            serde_json::Value::Number(value) => value.as_i64().map(Self::Int),
            serde_json::Value::String(text) => {
                Some(Self::Text(text[..text.floor_char_boundary(KEY_TEXT)].to_owned()))
            }
            serde_json::Value::Null
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => None,
        }
    }
}

/// Bytes of a text that it is found and sorted by.
pub(crate) const KEY_TEXT: usize = 48;

/// A type that was defined here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Type {
    /// The entry that has it.
    pub(crate) seq: u64,
    pub(crate) indexes: Vec<Vec<String>>,
}

/// Reading spaces and records.
pub(crate) trait SpaceRows: Rows {
    fn space(&self, id: Id16) -> Result<Option<Space>, Error> {
        self.row(SPACE, &id.0)
    }

    fn member(&self, space: Id16, person: &TwinId) -> Result<Option<Member>, Error> {
        self.row(SPACE_MEMBER, &of_person(space, person))
    }

    fn op(&self, space: Id16, author: &TwinId, number: u64) -> Result<Option<u64>, Error> {
        Ok(number_of(self.get(SPACE_OP, &op_key(space, author, number))?))
    }

    /// Up to which of somebody's changes nothing is missing.
    fn mark(&self, space: Id16, author: &TwinId) -> Result<u64, Error> {
        Ok(number_of(self.get(SPACE_MARK, &of_person(space, author))?).unwrap_or_default())
    }

    fn record(&self, space: Id16, kind: &str, id: Id16) -> Result<Option<Record>, Error> {
        self.row(RECORD, &record_key(space, kind, id))
    }

    /// The fields of each index of a type, besides the order in which records were made.
    fn indexes(&self, kind: &str) -> Result<Vec<Vec<String>>, Error> {
        if let Some(row) = self.row::<Type>(RECORD_TYPE, kind.as_bytes())? {
            return Ok(row.indexes);
        }
        let known = capability::records::latest::well_known().get(kind);
        let names = |index: &Vec<capability::wire::FieldName>| {
            index.iter().map(|field| field.as_str().to_owned()).collect()
        };
        Ok(known.map(|one| one.indexes.iter().map(names).collect()).unwrap_or_default())
    }
}

impl<T: Rows> SpaceRows for T {}

fn number_of(row: Option<Vec<u8>>) -> Option<u64> {
    row.and_then(|row| row.try_into().ok()).map(u64::from_be_bytes)
}

/// Key of a person in a space.
pub(crate) fn of_person(space: Id16, person: &TwinId) -> Vec<u8> {
    [&space.0[..], person.as_bytes()].concat()
}

pub(crate) fn op_key(space: Id16, author: &TwinId, number: u64) -> Vec<u8> {
    [&of_person(space, author)[..], &number.to_be_bytes()].concat()
}

/// Key of something that was said about a message, in [`SPACE_SAID`].
pub(crate) fn said_key(
    space: Id16,
    author: &TwinId,
    message: Id16,
    changes: bool,
    number: u64,
) -> Vec<u8> {
    let message = [&of_person(space, author)[..], &message.0, &[u8::from(changes)]].concat();
    [&message[..], &number.to_be_bytes()].concat()
}

/// The message and the number in a key of [`SPACE_SAID`].
pub(crate) fn said_of(key: &[u8]) -> Option<(Id16, u64)> {
    let (rest, number) = key.split_last_chunk()?;
    let (_, rest) = rest.split_last()?;
    rest.last_chunk().map(|message| (Id16(*message), u64::from_be_bytes(*number)))
}

/// Key of a space in [`SPACE_ACTIVE`].
pub(crate) fn space_active(active_ms: i64, space: Id16) -> Vec<u8> {
    [&sortable(active_ms)[..], &space.0].concat()
}

/// What the keys of all records of a type in a space begin with. A type name has no zero byte.
pub(crate) fn of_type(space: Id16, kind: &str) -> Vec<u8> {
    [&space.0[..], kind.as_bytes(), &[0]].concat()
}

pub(crate) fn record_key(space: Id16, kind: &str, id: Id16) -> Vec<u8> {
    [&of_type(space, kind)[..], &id.0].concat()
}

/// Key of a change of the record with this key.
pub(crate) fn change_key(record: &[u8], author: &TwinId, number: u64) -> Vec<u8> {
    [record, author.as_bytes(), &number.to_be_bytes()].concat()
}

/// Where a record stands in each index of its type. The first is the order of making.
pub(crate) fn places(
    space: Id16,
    kind: &str,
    indexes: &[Vec<String>],
    id: Id16,
    record: &Record,
) -> Vec<Vec<u8>> {
    let Some(made) = record.made.filter(|_| record.is_there()) else { return Vec::new() };
    let start = of_type(space, kind);
    let tick = made.clock.tick.to_be_bytes();
    let time = sortable(made.clock.time_ms);
    let first = [&start[..], &[0], &time, &tick, made.author.as_bytes(), &id.0].concat();
    let mut all = vec![first];
    for (fields, number) in indexes.iter().zip(1_u8..) {
        let mut key = [&start[..], &[number]].concat();
        for field in fields {
            push_key(&mut key, record.fields.get(field).and_then(|field| field.key.as_ref()));
        }
        key.extend_from_slice(&id.0);
        all.push(key);
    }
    all
}

/// Adds a value so that keys sort as values do: none, no, yes, numbers, texts.
pub(crate) fn push_key(to: &mut Vec<u8>, key: Option<&Key>) {
    match key {
        None => to.push(0),
        Some(Key::Bool(value)) => to.push(1 + u8::from(*value)),
        Some(Key::Int(value)) => {
            to.push(3);
            to.extend_from_slice(&sortable(*value));
        }
        Some(Key::Text(text)) => {
            to.push(4);
            // Zero and one end the text; a zero that is in it goes on with another byte.
            for byte in text.bytes() {
                to.push(byte);
                if byte == 0 {
                    to.push(255);
                }
            }
            to.extend_from_slice(&[0, 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_values_do() {
        let text = |text: &str| Some(Key::Text(text.to_owned()));
        let keys = [
            None,
            Some(Key::Bool(false)),
            Some(Key::Bool(true)),
            Some(Key::Int(i64::MIN)),
            Some(Key::Int(-1)),
            Some(Key::Int(7)),
            text(""),
            text("a"),
            text("a\0"),
            text("a\0b"),
            text("a b"),
            text("ab"),
        ];
        let bytes = keys.iter().map(|key| {
            let mut bytes = Vec::new();
            push_key(&mut bytes, key.as_ref());
            // What follows must not change the order.
            bytes.extend_from_slice(&[7; 16]);
            bytes
        });
        assert!(bytes.collect::<Vec<_>>().is_sorted());
    }

    #[test]
    fn a_long_text_counts_with_its_start() {
        let long = serde_json::Value::String("é".repeat(100));
        assert_eq!(Key::of(&long), Some(Key::Text("é".repeat(24))));
    }
}
