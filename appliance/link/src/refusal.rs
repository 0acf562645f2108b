//! Why an envelope was not taken, as a closed list with stable codes, so that refusals can be
//! counted and spoken about between twins of different versions.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Why an envelope was refused. A repeated one is no refusal: it is acknowledged again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Refusal {
    /// Damaged, or not signed by the person it names.
    Forged,
    /// The receiver has no room for it now; later may do.
    Full,
    /// An older one is missing.
    Gap,
    /// Not in the one form an envelope has, or of a suite this version cannot open.
    Malformed,
    /// The sender may not change what it wants to change.
    NotAuthor,
    /// The sender is known and is not a contact.
    NotContact,
    /// Meant for another twin or sealed anew by someone else.
    NotForMe,
    /// From before the sender's last restore.
    OldEpoch,
    /// A reason of a later version, by its number.
    Other(u16),
    /// Bigger than the limit.
    TooLarge,
    /// Sealed to a pre-key this twin no longer has, or never had.
    UnknownPreKey,
    /// A sender of whom nothing is known.
    UnknownSender,
}

impl Refusal {
    /// Every reason that this version gives.
    pub const ALL: [Self; 11] = [
        Self::Forged,
        Self::Full,
        Self::Gap,
        Self::Malformed,
        Self::NotAuthor,
        Self::NotContact,
        Self::NotForMe,
        Self::OldEpoch,
        Self::TooLarge,
        Self::UnknownPreKey,
        Self::UnknownSender,
    ];

    /// The stable name under which it is counted.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Full => "full",
            Self::Gap => "gap",
            Self::Malformed => "malformed",
            Self::NotAuthor => "not-author",
            Self::NotContact => "not-contact",
            Self::NotForMe => "not-for-me",
            Self::OldEpoch => "old-epoch",
            Self::Other(_) => "other",
            Self::TooLarge => "too-large",
            Self::UnknownPreKey => "unknown-pre-key",
            Self::UnknownSender => "unknown-sender",
        }
    }

    /// The number on the wire. Numbers are never given to another reason.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Forged => 1,
            Self::NotForMe => 2,
            Self::UnknownPreKey => 3,
            Self::UnknownSender => 4,
            Self::NotContact => 5,
            Self::NotAuthor => 6,
            Self::Gap => 7,
            Self::OldEpoch => 8,
            Self::Malformed => 9,
            Self::TooLarge => 10,
            Self::Full => 11,
            Self::Other(number) => number,
        }
    }

    /// The reason with this number.
    #[must_use]
    pub fn from_number(number: u16) -> Self {
        Self::ALL.into_iter().find(|r| r.number() == number).unwrap_or(Self::Other(number))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for Refusal {}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.number().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Refusal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u16::deserialize(from).map(Self::from_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_numbers_are_one_to_one() {
        for (i, a) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(Refusal::from_number(a.number()), a);
            for b in &Refusal::ALL[i + 1..] {
                assert_ne!((a.number(), a.code()), (b.number(), b.code()));
                assert_ne!(a.number(), b.number());
                assert_ne!(a.code(), b.code());
            }
        }
        assert_eq!(Refusal::from_number(900), Refusal::Other(900));
    }
}
