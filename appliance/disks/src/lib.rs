//! The disks of a machine: which there are, who uses them, and how an image gets onto one.
//!
//! Never chooses a disk, never asks anybody and never writes to one that it wasn't given open.

pub mod extents;
pub mod find;
pub mod write;

pub use extents::Extents;
pub use find::{Disk, Disks};
pub use write::{Step, write};
