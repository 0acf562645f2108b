//! `health`: what is not as it should be with one's own twin, in words, and what can be done.
//!
//! Versions, oldest first:
//! * [`v1`]: first draft.
//!
//! The state of the box is in [`node`](crate::node), for owners.

pub mod v1;

pub use v1 as latest;
