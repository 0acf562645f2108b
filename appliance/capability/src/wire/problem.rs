//! Problem documents (RFC 9457): what went wrong, for the program (`code`), for the person
//! (sentences) and for a retry. It never carries what was in the request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A call that was not done, as `application/problem+json`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Problem {
    /// `urn:hometwin:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened, in a few words, in the person's language.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in a sentence, in the person's language.
    pub detail: String,
    /// For programs: stable, such as `conflict` or `not_found`.
    pub code: String,
    /// What the person can do, in a sentence, in their language.
    pub what_to_do: String,
    /// Whether the same call can succeed when sent again.
    pub retry: Retry,
    /// The fields that were not understood or not allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldProblem>,
    /// With `conflict`: the revision that the thing has now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<u64>,
    /// In a batch: which call it was, counted from 0. None of the others was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u16>,
}

impl Problem {
    /// The `type` of a problem with this code.
    #[must_use]
    pub fn urn(code: &str) -> String {
        format!("urn:hometwin:problem:{code}")
    }
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct FieldProblem {
    /// Where in the request, as a path such as `calls[2].body.text`.
    pub field: String,
    /// What is wrong with it; in English, for the author of the program.
    pub detail: String,
}

/// Whether it helps to send a call again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Not unchanged.
    No,
    /// In a while.
    Later,
    /// At once, after reading the thing again.
    Now,
}
