//! The manifest: what a bundle brings, for whom, until when, and the hash of every piece of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Version};

/// What a bundle says of itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Manifest {
    /// Of this manifest; a reader that doesn't know it refuses.
    pub format: u16,
    /// Which recipe it was made from.
    pub flavour: String,
    /// For which processors.
    pub arch: String,
    /// The version of the system in it.
    pub version: Version,
    /// The oldest version that may be updated to it.
    pub from: Version,
    /// Until when it may be used, in seconds since 1970.
    pub expires: u64,
    /// How often a computer starts it before it goes back, unless it proved itself.
    pub tries: u8,
    /// The root of the hash tree, by which the kernel verifies and the first program finds it.
    pub root_hash: [u8; 32],
    /// The file system.
    pub system: Pieces,
    /// Its hash tree.
    pub hashes: Pieces,
    /// The kernel with all that it starts with.
    pub kernel: Pieces,
}

/// Where a bundle is going to be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Here {
    /// The running system's recipe.
    pub flavour: String,
    /// The running system's processor.
    pub arch: String,
    /// The running system's version.
    pub version: Version,
    /// Seconds since 1970.
    pub now: u64,
}

impl Here {
    /// What a mirror's file is called that has the head of the newest bundle for this kind of system.
    #[must_use]
    pub fn newest(&self) -> String {
        newest(&self.flavour, &self.arch)
    }
}

fn newest(flavour: &str, arch: &str) -> String {
    format!("{flavour}_{arch}.newest")
}

/// One of the three parts, in their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// The file system.
    System,
    /// Its hash tree.
    Hashes,
    /// The kernel.
    Kernel,
}

impl Part {
    /// All, as they follow each other.
    pub const ALL: [Self; 3] = [Self::System, Self::Hashes, Self::Kernel];

    const fn most_bytes(self) -> u64 {
        match self {
            Self::System => 1 << 30,
            Self::Hashes => 16 << 20,
            Self::Kernel => 128 << 20,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "system",
            Self::Hashes => "hash tree",
            Self::Kernel => "kernel",
        })
    }
}

/// A part, as pieces of [`PIECE`] bytes of which the last may be shorter.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pieces {
    /// Bytes of all.
    pub length: u64,
    /// BLAKE3 of each.
    pub hashes: Vec<[u8; 32]>,
}

/// One piece of a part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Piece {
    /// Bytes from the part's start.
    pub at: u64,
    /// How many.
    pub length: usize,
    hash: [u8; 32],
}

impl Piece {
    /// Whether these are its bytes.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length && blake3::hash(bytes) == self.hash
    }
}

impl Pieces {
    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = Piece> + '_ {
        (0_u64..).zip(&self.hashes).map(|(number, hash)| {
            let at = number.saturating_mul(PIECE as u64);
            let left = self.length.saturating_sub(at);
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
            Piece { at, length, hash: *hash }
        })
    }
}

impl Manifest {
    /// One of its parts.
    #[must_use]
    pub fn part(&self, part: Part) -> &Pieces {
        match part {
            Part::System => &self.system,
            Part::Hashes => &self.hashes,
            Part::Kernel => &self.kernel,
        }
    }

    /// What all parts have.
    #[must_use]
    pub fn length(&self) -> u64 {
        Part::ALL.iter().map(|part| self.part(*part).length).sum()
    }

    /// What its bundle is called on a mirror.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}_{}_{}.bundle", self.flavour, self.arch, self.version)
    }

    /// As [`Here::newest`].
    #[must_use]
    pub fn newest(&self) -> String {
        newest(&self.flavour, &self.arch)
    }

    /// Whether it may be used here and now.
    ///
    /// # Errors
    /// If not: the first reason.
    pub fn may_be_used(&self, here: &Here) -> Result<(), Error> {
        if (self.flavour.as_str(), self.arch.as_str()) != (&here.flavour, &here.arch) {
            let (flavour, arch) = (self.flavour.clone(), self.arch.clone());
            return Err(Error::OtherKind { flavour, arch });
        }
        if self.version <= here.version {
            return Err(Error::NotNewer { version: self.version, here: here.version });
        }
        if here.version < self.from {
            return Err(Error::NeedsNewer { from: self.from });
        }
        if self.expires <= here.now {
            return Err(Error::Expired { until: self.expires });
        }
        Ok(())
    }

    /// Whether it makes sense, whoever signed it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |what| Err(Error::Wrong(what));
        if self.format != FORMAT {
            return wrong("its format is newer than this system");
        }
        for name in [&self.flavour, &self.arch] {
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if name.is_empty() || name.len() > 32 || !name.chars().all(letters) {
                return wrong("a name is none");
            }
        }
        if !self.version.is_short() || !self.from.is_short() {
            return wrong("a version is none");
        }
        if !(1..=9).contains(&self.tries) {
            return wrong("it has to be tried once to nine times");
        }
        for part in Part::ALL {
            let pieces = self.part(part);
            let count = u64::try_from(pieces.hashes.len()).unwrap_or(u64::MAX);
            if pieces.length == 0 || pieces.length > part.most_bytes() {
                return wrong("a part is empty or too large");
            }
            if count != pieces.length.div_ceil(PIECE as u64) {
                return wrong("a part has too few or too many hashes");
            }
        }
        Ok(())
    }
}

/// Bytes of a piece.
pub const PIECE: usize = 1 << 20;
pub(crate) const FORMAT: u16 = 1;
