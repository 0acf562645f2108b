//! What the executor asks of the *fetcher*, which alone speaks with a web server, and its answers.
//!
//! It is given the address, and the file to write to, open; it names nothing of the machine.

use serde::{Deserialize, Serialize};

use crate::Progress;

/// From the executor to the fetcher: one, and the conversation ends when it is answered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ToFetcher {
    /// Look which system is there.
    Look {
        /// Where.
        mirror: Mirror,
    },
    /// Bring its bundle, if it may be used here. +fd the file, open to read and to write, with what
    /// came of it earlier.
    Bring {
        /// Where.
        mirror: Mirror,
    },
}

/// A folder on a web server.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mirror {
    /// Begins with `https://`; [`MIRROR_MAX`] bytes at most.
    pub address: String,
    /// In PEM: the only certificate that is believed, or that vouches for the server's; without one
    /// those are believed that browsers believe. [`CERTIFICATE_MAX`] bytes at most.
    pub certificate: Option<String>,
}

/// From the fetcher to the executor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum FromFetcher {
    /// This is there.
    There(There),
    /// How far it is; more answers follow.
    Progress(Progress),
    /// It is in the file, whole, and it is what was signed.
    Brought {
        /// Its version.
        version: String,
    },
    /// It won't be used, or can't be had.
    Refused {
        /// The reason's name in message files.
        why: String,
        /// The reason, for an operator.
        text: String,
    },
}

/// The newest system on a mirror.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct There {
    /// Its version.
    pub version: String,
    /// The version that runs here.
    pub here: String,
    /// Whether it is newer than that.
    pub newer: bool,
    /// How large its bundle is.
    pub bytes: u64,
}

/// The longest address of a mirror, in bytes.
pub const MIRROR_MAX: usize = 400;
/// The longest certificate of a mirror, in bytes.
pub const CERTIFICATE_MAX: usize = 3000;
