//! The disks of a machine: which there are, who uses them, how an image gets onto one, and where the
//! machine keeps its data.
//!
//! Never chooses a disk for an image, and never says a word to anybody itself.

pub mod data;
pub mod extents;
pub mod find;
pub mod install;
pub mod recovery;
pub mod write;

pub use extents::Extents;
pub use find::{Disk, Disks};
pub use recovery::RecoveryKey;
pub use write::{Step, write};
