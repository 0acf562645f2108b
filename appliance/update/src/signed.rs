//! Bytes with signatures: read only after a signature was found good.
//!
//! A signature is over a hash made for one named purpose, so it can't be moved to another.

use std::io::{self, Read};

use crate::{Error, PublicKey, SecretKey, codec};

/// What is signed, as it was signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Signed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) signatures: Vec<(PublicKey, [u8; 64])>,
}

impl Signed {
    pub(crate) fn new(purpose: &str, value: &impl serde::Serialize, keys: &[&SecretKey]) -> Self {
        let bytes = codec::encode(value);
        let hash = hash(purpose, &bytes);
        let signatures = keys.iter().map(|key| (key.public(), key.sign(&hash))).collect();
        Self { bytes, signatures }
    }

    /// Whether one of these keys has signed it.
    pub(crate) fn is_signed_by(&self, purpose: &str, keys: &[PublicKey]) -> bool {
        let hash = hash(purpose, &self.bytes);
        self.signatures
            .iter()
            .any(|(key, signature)| keys.contains(key) && key.holds(&hash, signature))
    }

    /// Length, bytes, count, signatures.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 5 + self.signatures.len() * 96);
        out.extend(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(&self.bytes);
        out.push(u8::try_from(self.signatures.len()).unwrap_or(u8::MAX));
        for (key, signature) in &self.signatures {
            out.extend(key.0);
            out.extend(signature);
        }
        out
    }

    /// Reads one from a stream, and nothing behind it.
    pub(crate) fn read(from: &mut impl Read) -> Result<Self, Error> {
        let length = u32::from_le_bytes(take(from)?);
        if length > LONGEST {
            return Err(Error::NoBundle);
        }
        let mut bytes = Vec::new();
        from.take(length.into()).read_to_end(&mut bytes)?;
        if bytes.len() != usize::try_from(length).unwrap_or(usize::MAX) {
            return Err(Error::NoBundle);
        }
        let [count] = take(from)?;
        if count > MOST_SIGNATURES {
            return Err(Error::NoBundle);
        }
        let mut signatures = Vec::new();
        for _ in 0..count {
            signatures.push((PublicKey(take(from)?), take(from)?));
        }
        Ok(Self { bytes, signatures })
    }
}

/// So many bytes, or it's no bundle.
pub(crate) fn take<const N: usize>(from: &mut impl Read) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    match from.read_exact(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Error::NoBundle),
        Err(error) => Err(error.into()),
    }
}

fn hash(purpose: &str, bytes: &[u8]) -> [u8; 32] {
    blake3::Hasher::new_derive_key(purpose).update(bytes).finalize().into()
}

/// A manifest of the largest parts is far below.
const LONGEST: u32 = 128 << 10;
const MOST_SIGNATURES: u8 = 8;
