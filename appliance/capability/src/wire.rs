//! What all capabilities share on the wire: ids, bounded texts, pages, batches, problems and the
//! messages of the event socket. It never says what a capability does.

mod ids;
mod problem;
mod socket;
mod text;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use ids::{
    ConversationId, Cursor, FieldName, GrantId, ItemId, MessageId, PasskeyId, PersonId, RecordId,
    SessionId, SpaceId, TwinId, TypeName, UploadId, WriteId,
};
pub use problem::{FieldProblem, Problem, Retry};
pub use socket::{ClientMessage, ServerMessage, True};
pub use text::{Line, Text, Word};

/// A time: milliseconds since 1970-01-01 UTC.
pub type TimeMs = i64;

/// Number of the journal entry that last changed a thing. It only grows; send it as `if_rev` to
/// be told when somebody was faster.
pub type Rev = u64;

/// Fields of a later minor version that this one does not know: kept and passed on unchanged.
pub type More = serde_json::Map<String, Value>;

/// Most calls in one batch.
pub const BATCH_MAX: usize = 32;
/// Most bytes in the body of one call or one batch.
pub const BODY_MAX: usize = 256 * 1024;
/// Most subscriptions on one event socket.
pub const SUBSCRIPTIONS_MAX: usize = 32;
/// Most bytes in one message from a browser on the event socket.
pub const SOCKET_MESSAGE_MAX: usize = 64 * 1024;
/// Most items on a page.
pub const PAGE_MAX: u16 = 200;
/// Items on a page unless asked otherwise.
pub const PAGE_USUAL: u16 = 50;
/// Most bytes of unknown fields that are kept from one envelope.
pub const MORE_BYTES_MAX: usize = 64 * 1024;

/// How many items a page shall hold: 1 to 200, 50 unless given.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Limit(u16);

impl Limit {
    /// A limit; larger ones become [`PAGE_MAX`] and 0 becomes 1.
    #[must_use]
    pub fn new(items: u16) -> Self {
        Self(items.clamp(1, PAGE_MAX))
    }

    /// The number of items.
    #[must_use]
    pub fn items(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(PAGE_USUAL)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let items = u16::deserialize(from)?;
        if (1..=PAGE_MAX).contains(&items) {
            Ok(Self(items))
        } else {
            Err(serde::de::Error::custom(format!("a limit is 1 to {PAGE_MAX}, not {items}")))
        }
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_USUAL
        })
    }
}

/// One page of a list.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// The items, in the order that the method promises.
    pub items: Vec<T>,
    /// Where the next page starts; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// The state of the twin that this page shows: subscribe from here and nothing is missed.
    pub at: u64,
}

/// The answer to a write that has nothing more to say.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Done {
    /// Number of the journal entry that the write made, or of the newest one if it changed nothing.
    pub at: u64,
}

/// A request without any parameters.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// One call within a batch.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Name of the capability, such as `chat`.
    pub capability: Word,
    /// Its major version.
    pub major: u32,
    /// The method, such as `send`.
    pub method: Word,
    /// The method's request.
    pub body: Value,
}

/// The body of `POST /api/batch`: at most 32 calls that happen together or not at all. Only
/// methods of the twin's own data can be in it; a read within a batch sees the writes before it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The calls, done in this order.
    #[schemars(length(min = 1, max = 32))]
    pub calls: Vec<Call>,
}

/// The answer to a batch in which every call succeeded.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct BatchResults {
    /// One response per call, in their order.
    pub results: Vec<Value>,
}
