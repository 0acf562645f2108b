//! What travels on the event socket (`GET /events`, WebSocket, one JSON text per message). It
//! never carries requests that change anything.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Problem, Word};

/// From the browser.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "op")]
pub enum ClientMessage {
    /// Tell me what happens to a topic. At most 32 at a time.
    Subscribe {
        /// Chosen by the browser; names the subscription in what follows.
        sub: u32,
        /// Name of the capability.
        capability: Word,
        /// Its major version.
        major: u32,
        /// What to hear about; its shape is the capability's `topic`.
        topic: Value,
        /// The `at` of the page that is shown; without it only what happens from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
        /// The frame token of the experience on whose behalf it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        frame: Option<String>,
    },
    /// No more of this.
    Unsubscribe {
        /// The subscription.
        sub: u32,
    },
}

/// From the twin.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ServerMessage {
    /// Something happened.
    Event {
        /// The subscription.
        sub: u32,
        /// The state that is reached with this event.
        at: u64,
        /// The event; its shape is the capability's `event`.
        event: Value,
    },
    /// Too much happened since `at`: read the page again and subscribe from its `at`.
    Resync {
        /// The subscription; it has ended.
        sub: u32,
        /// Always `true`.
        resync: True,
    },
    /// The subscription was refused or has ended.
    Problem {
        /// The subscription.
        sub: u32,
        /// Why.
        problem: Problem,
    },
}

/// The value `true`, where no other makes sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct True;

impl Serialize for True {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(true)
    }
}

impl<'de> Deserialize<'de> for True {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if bool::deserialize(from)? {
            Ok(Self)
        } else {
            Err(serde::de::Error::custom("only `true` has a meaning here"))
        }
    }
}

impl JsonSchema for True {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "True".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": true })
    }
}
