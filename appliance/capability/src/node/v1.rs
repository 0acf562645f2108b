//! `node` 1. On the node's own twin: setting up a fresh node. On an owner's twin: how the box is
//! (`health` and `repair`, with the types of [`health`](crate::health); others get `not_owner`). It
//! never reaches a person's data: of a twin it says at most that it has a problem of some kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::Line;

/// Make the first person's twin on a fresh node. Needs the one-time code from the node's console;
/// without it nothing is offered to anyone.
/// Problems: `bad_code`, `too_often`, `bad_name`, `name_taken`, `claimed`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The one-time code.
    pub code: Line<8, 128>,
    /// The name of the new twin: 1 to 32 letters a-z, digits and `-`.
    pub name: Line<1, 32>,
}

/// The twin exists.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Claimed {
    /// The address of the new twin's pairing page, with a code in its fragment.
    pub next: String,
}
