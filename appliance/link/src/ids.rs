//! Names made of bytes: twin ids, pre-key ids, envelope digests and proofs of receipt.
//! An id is a name and never a key: nothing here signs or opens anything.

use crate::codec;
use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// A person for ever: the hash of the first operation of their chain.
///
/// As text 52 letters and digits (lower-case base32, no padding); that is also its form in JSON.
/// In binary formats it is its 32 bytes.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TwinId([u8; 32]);

impl TwinId {
    /// The id that these bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TwinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for TwinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TwinId({self})")
    }
}

impl FromStr for TwinId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != TEXT_LENGTH || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(IdError::Form);
        }
        let bytes =
            BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| IdError::Form)?;
        bytes.try_into().map(Self).map_err(|_| IdError::Form)
    }
}

impl Serialize for TwinId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { self.0.serialize(to) }
    }
}

impl<'de> Deserialize<'de> for TwinId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            from.deserialize_str(Text)
        } else {
            <[u8; 32]>::deserialize(from).map(Self)
        }
    }
}

/// Why a text is not a twin id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdError {
    /// Wrong length, a foreign letter, or bits that stand for nothing.
    #[error("a twin id is 52 lower-case letters and digits")]
    Form,
}

/// Names a pre-key: the start of the hash of its public part.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct PreKeyId([u8; 8]);

impl PreKeyId {
    pub(crate) fn of(public: &[u8; 32]) -> Self {
        let mut id = [0; 8];
        id.copy_from_slice(&codec::hash("hometwin 2026-11 pre-key id", public)[..8]);
        Self(id)
    }

    /// The id that these bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

/// Names one sealed envelope on a stream: the first 16 bytes of its BLAKE3 hash. Anyone who sees
/// the envelope can make it, so it proves nothing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of a sealed envelope.
    #[must_use]
    pub fn of(envelope: &[u8]) -> Self {
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(envelope).as_bytes()[..16]);
        Self(digest)
    }

    /// The bytes of the digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Proof that an envelope was opened and what became of it. Only the one who sealed it and the one
/// who could open it can make it, so nobody in between can say *received* and lose a message.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Proof([u8; 16]);

impl Proof {
    pub(crate) const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Compares in a time that tells nothing.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(..)")
    }
}

struct Text;

impl de::Visitor<'_> for Text {
    type Value = TwinId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a twin id")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TwinId, E> {
        text.parse().map_err(E::custom)
    }
}

/// 32 bytes in base32.
const TEXT_LENGTH: usize = 52;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_the_same_id() {
        let id = TwinId::from_bytes([0xA7; 32]);
        let text = id.to_string();
        assert_eq!(text.len(), 52);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(codec::encode(&id), [0xA7; 32]);
    }

    #[test]
    fn only_the_one_spelling_is_taken() {
        let text = TwinId::from_bytes([0; 32]).to_string();
        let spare_bits = format!("{}b", &text[..51]);
        for wrong in ["", "a", &text.to_uppercase(), &spare_bits, &text[..51], &"1".repeat(52)] {
            assert_eq!(wrong.parse::<TwinId>(), Err(IdError::Form), "{wrong}");
        }
    }
}
