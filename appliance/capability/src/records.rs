//! `records`: typed things in a space, such as tasks, notes and events.
//!
//! Versions, oldest first:
//! * [`v1`]: first draft.
//!
//! Nothing here says how a twin does it.

pub mod v1;

pub use v1 as latest;
