//! `experiences`: what is installed and what each experience may use.
//!
//! Versions, oldest first:
//! * [`v1`]: first draft.
//!
//! Nothing here says how a twin does it.

pub mod v1;

pub use v1 as latest;
