//! The published, versioned interfaces of a twin: what an experience, a browser or another twin
//! may say to it and what it answers.
//!
//! Types only: nothing here does I/O, reads a clock or knows how a twin keeps its data. Each
//! capability is a module that lists its versions; `latest` is the newest of them and the only
//! one that a twin implements. A version is never edited after its first release.
//!
//! To add a field that old readers may ignore, edit the newest version and look at the change of
//! its document. To add a major: copy `v1.rs` to `v2.rs`, point `latest` at it, write
//! `From<v1::Request> for v2::Request` for each request and add it to [`interfaces::all`].

pub mod chat;
pub mod contacts;
pub mod documents;
pub mod experiences;
pub mod files;
pub mod health;
pub mod history;
pub mod identity;
pub mod interfaces;
pub mod manifest;
pub mod node;
pub mod records;
pub mod spaces;
pub mod typescript;
pub mod wire;

pub use interfaces::{Envelope, Interface, Method};
pub use wire::Problem;
