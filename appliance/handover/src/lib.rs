//! The one currency inside the box: connected descriptors with a small header, over Unix
//! sequenced-packet sockets.
//!
//! Every process of a node is started by the executor with one [`Channel`] as its standard input;
//! all else it ever holds (listeners, connections, channels to others) arrives over it. The headers
//! in [`headers`] are *lockstep*: both ends come from the same program file, so they carry no
//! version, yet a reader never trusts a writer: sizes, counts and forms are checked.
//!
//! This crate never opens an INET socket, reads a file or starts a process.

mod channel;
mod connection;
mod fetch;
pub mod fuzz;
mod headers;
mod health;
mod pace;
mod place;
mod rate;
mod steward;
mod work;

pub use channel::{Channel, Error, MAX_DESCRIPTORS, MAX_HEADER};
pub use connection::{Connection, Fixed, NAMERS_MAX, NoConnection};
pub use fetch::*;
pub use headers::*;
pub use health::*;
pub use pace::Pace;
pub use place::{Place, name_in};
pub use rate::{Bucket, Rate, network};
pub use steward::*;
pub use work::*;
