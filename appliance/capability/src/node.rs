//! `node`: the node's own twin: setting up a node.
//!
//! Versions, oldest first:
//! * [`v1`]: first draft.
//!
//! Nothing here says how a twin does it.

pub mod v1;

pub use v1 as latest;
