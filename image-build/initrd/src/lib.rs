//! What the first program and whoever builds its image have to agree on: the formats between them.
//!
//! The program itself is in `main.rs`; nothing here mounts, loads or waits.

pub mod hash;
pub mod loader;
pub mod modules;
pub mod superblock;
