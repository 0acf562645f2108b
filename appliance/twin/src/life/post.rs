//! Puts what a capability says to another twin into the outbox, in the write that it belongs to.
//! It never sends anything itself.

use link::TwinId;
use serde::Serialize;
use store::Writer;

use super::{
    Fault,
    api::{QUEUED, names},
    peers::{self, Letter},
    tables::{Id16, written},
};

/// Whom something is said to, and about what.
pub(crate) struct Post {
    pub(crate) to: TwinId,
    /// The conversation.
    pub(crate) thread: Id16,
    pub(crate) capability: &'static str,
    /// A message whose delivery the person can see.
    pub(crate) message: Option<Id16>,
}

/// Says it as soon as the other twin can be reached.
pub(crate) fn post(w: &mut Writer<'_>, post: &Post, body: &impl Serialize) -> Result<(), Fault> {
    let Post { to, thread, capability, message } = *post;
    if let Some(message) = message {
        w.vault_put(&names::sent(message), QUEUED)?;
    }
    let letter = Letter {
        to,
        thread: thread.0,
        capability: capability.to_owned(),
        major: 1,
        body: written(body)?,
        about: message.map(|message| message.0.to_vec()),
    };
    peers::enqueue(w, letter).map_err(|error| Fault::inside(&error.to_string()))
}
