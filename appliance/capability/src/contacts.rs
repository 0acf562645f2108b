//! `contacts`: people one knows: asking, accepting, blocking, petnames.
//!
//! Versions, oldest first:
//! * [`v1`]: first draft.
//!
//! Nothing here says how a twin does it.

pub mod v1;

pub use v1 as latest;
