//! Why a bundle is refused. Each has a short name, by which message files have its sentence.

use std::io;

use crate::{Part, Version};

/// Why a bundle can't be made, or won't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A part is not what the manifest says.
    #[error("the {part} in it is damaged at {at}")]
    Damaged {
        /// Which.
        part: Part,
        /// Bytes from the part's start.
        at: u64,
    },
    /// Its time is over.
    #[error("it could be used until {until} (seconds since 1970)")]
    Expired {
        /// When it was.
        until: u64,
    },
    /// What holds it can't be read or written.
    #[error("it can't be read")]
    Io(#[from] io::Error),
    /// A key is no key, or the wrong one.
    #[error("{0}")]
    Keys(&'static str),
    /// An older system has to be updated to another one first.
    #[error("it needs version {from} or newer to be there already")]
    NeedsNewer {
        /// Which.
        from: Version,
    },
    /// No bundle.
    #[error("this is no bundle")]
    NoBundle,
    /// The system is as new already, or newer.
    #[error("it has version {version}, and {here} is here already")]
    NotNewer {
        /// Its version.
        version: Version,
        /// The version of the system that runs.
        here: Version,
    },
    /// For another kind of computer or image.
    #[error("it is for {flavour} on {arch}")]
    OtherKind {
        /// The flavour that it is for.
        flavour: String,
        /// The processor that it is for.
        arch: String,
    },
    /// Signed by nobody whom this system trusts, or changed after that.
    #[error("nobody whom this system trusts has signed it as it is")]
    Untrusted,
    /// It is longer or shorter than it says.
    #[error("it has {has} bytes, and should have {should}")]
    WrongLength {
        /// What is there.
        has: u64,
        /// What should be.
        should: u64,
    },
    /// It says things of itself that can't be.
    #[error("what it says of itself can't be: {0}")]
    Wrong(&'static str),
}

impl Error {
    /// Its name in message files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "damaged",
            Self::Expired { .. } => "expired",
            Self::Io(_) => "unreadable",
            Self::Keys(_) => "keys",
            Self::NeedsNewer { .. } => "needs_newer",
            Self::NoBundle => "no_bundle",
            Self::NotNewer { .. } => "not_newer",
            Self::OtherKind { .. } => "other_kind",
            Self::Untrusted => "untrusted",
            Self::WrongLength { .. } => "wrong_length",
            Self::Wrong(_) => "wrong",
        }
    }
}
