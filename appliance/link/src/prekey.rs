//! Pre-keys: the rotating X25519 keys that envelopes are sealed to. The public part is signed by
//! the twin key, with an expiry; the secret part is wiped on drop and never printed.

use crate::{
    chain::Person,
    codec,
    ids::{PreKeyId, TwinId},
    keys::{NoRandomness, Signature, SigningKey},
};
use hpke::{Deserializable, HpkeError, Kem as _, Serializable, kem::X25519HkdfSha256};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// A pre-key with its secret.
#[derive(Clone)]
pub struct PreKey {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl PreKey {
    /// Makes one from the system's randomness.
    ///
    /// # Errors
    /// `NoRandomness` when the system gives none.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| NoRandomness)?;
        // Any 32 bytes are an X25519 secret, so the only other error cannot occur.
        Self::from_bytes(&secret).ok_or(NoRandomness)
    }

    /// The pre-key with this secret.
    #[must_use]
    pub fn from_bytes(secret: &[u8; 32]) -> Option<Self> {
        let private = <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(secret).ok()?;
        let public = X25519HkdfSha256::sk_to_pk(&private).to_bytes().into();
        Some(Self { secret: Zeroizing::new(*secret), public })
    }

    /// The secret, for the vault and nowhere else.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.secret.clone()
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> PreKeyId {
        PreKeyId::of(&self.public)
    }

    /// The public part for others, valid until `expires_ms` (Unix time in milliseconds).
    #[must_use]
    pub fn sign(&self, owner: &TwinId, expires_ms: i64, by: &SigningKey) -> SignedPreKey {
        let signature = by.sign(PURPOSE, &transcript(owner, &self.public, expires_ms));
        SignedPreKey { public: self.public, expires_ms, signature }
    }

    pub(crate) fn private(&self) -> Result<<X25519HkdfSha256 as hpke::Kem>::PrivateKey, HpkeError> {
        Deserializable::from_bytes(self.secret.as_slice())
    }
}

impl fmt::Debug for PreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreKey({:?}, ..)", self.id())
    }
}

/// The public part of a pre-key, as others hold it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SignedPreKey {
    public: [u8; 32],
    expires_ms: i64,
    signature: Signature,
}

impl SignedPreKey {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> PreKeyId {
        PreKeyId::of(&self.public)
    }

    /// When its owner stops promising to open what is sealed to it (Unix time, milliseconds).
    #[must_use]
    pub const fn expires_ms(&self) -> i64 {
        self.expires_ms
    }

    /// Whether this person made it.
    ///
    /// # Errors
    /// `Forged` when their current key did not sign it.
    pub fn check(&self, owner: &Person) -> Result<(), PreKeyError> {
        let signed = transcript(&owner.id, &self.public, self.expires_ms);
        if owner.key.verify(PURPOSE, &signed, &self.signature) {
            Ok(())
        } else {
            Err(PreKeyError::Forged)
        }
    }

    /// Bytes for the vault.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The pre-key that `to_bytes` wrote.
    ///
    /// # Errors
    /// `Malformed` when the bytes are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PreKeyError> {
        codec::decode(bytes).ok_or(PreKeyError::Malformed)
    }

    pub(crate) const fn public(&self) -> &[u8; 32] {
        &self.public
    }
}

/// Why a public pre-key is not to be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PreKeyError {
    /// Not signed by the person's current key.
    #[error("the pre-key is not signed by its owner")]
    Forged,
    /// Not the bytes of a signed pre-key.
    #[error("the pre-key has not the form of one")]
    Malformed,
}

fn transcript(owner: &TwinId, public: &[u8; 32], expires_ms: i64) -> Vec<u8> {
    codec::encode(&(owner, public, expires_ms))
}

const PURPOSE: &str = "hometwin 2026-11 pre-key signature";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chain, Keys};

    #[test]
    fn only_its_owner_can_have_made_it() {
        let (ann, bob) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let person = Chain::begin(&ann).check().unwrap();
        let other = Chain::begin(&bob).check().unwrap();
        let secret = PreKey::generate().unwrap();
        let public = secret.sign(&person.id, 1000, &ann.twin);
        assert_eq!(public.check(&person), Ok(()));
        assert_eq!(public.check(&other), Err(PreKeyError::Forged));
        let longer = SignedPreKey { expires_ms: 1001, ..public };
        assert_eq!(longer.check(&person), Err(PreKeyError::Forged));
        assert_eq!(SignedPreKey::from_bytes(&public.to_bytes()), Ok(public));
        assert_eq!(PreKey::from_bytes(&secret.to_bytes()).unwrap().id(), public.id());
        assert!(!format!("{secret:?}").contains(&format!("{:?}", secret.to_bytes())));
    }
}
