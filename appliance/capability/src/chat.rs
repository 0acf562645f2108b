//! `chat`: conversations between two people and of spaces, and the notebook with oneself.
//!
//! Versions, oldest first:
//! * [`v1`]: first draft.
//!
//! Nothing here says how a twin does it.

pub mod v1;

pub use v1 as latest;
