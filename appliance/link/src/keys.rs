//! Signing keys (Ed25519). A signature is always over a hash made for one named purpose, so it
//! cannot be moved to another. Secrets are wiped on drop and never printed.

use crate::codec;
use ed25519_dalek::{Signer, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// The system gave no random bytes, so no key was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// The two secrets of a person: the twin key that signs from day to day, and the recovery key
/// that outranks it. The recovery key belongs elsewhere once the person has written it down.
pub struct Keys {
    /// Signs envelopes, pre-keys, cards and ordinary operations.
    pub twin: SigningKey,
    /// Signs nothing but recoveries.
    pub recovery: SigningKey,
}

impl Keys {
    /// Makes both keys from the system's randomness.
    ///
    /// # Errors
    /// `NoRandomness` when the system gives none.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self { twin: SigningKey::generate()?, recovery: SigningKey::generate()? })
    }

    /// Both secrets, for the vault and nowhere else.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 64]> {
        let mut bytes = Zeroizing::new([0; 64]);
        bytes[..32].copy_from_slice(self.twin.0.as_bytes());
        bytes[32..].copy_from_slice(self.recovery.0.as_bytes());
        bytes
    }

    /// The keys that `to_bytes` wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let (mut twin, mut recovery) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        twin.copy_from_slice(&bytes[..32]);
        recovery.copy_from_slice(&bytes[32..]);
        Self { twin: SigningKey::from_bytes(&twin), recovery: SigningKey::from_bytes(&recovery) }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// One secret signing key.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Makes a key from the system's randomness.
    ///
    /// # Errors
    /// `NoRandomness` when the system gives none.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| NoRandomness)?;
        Ok(Self::from_bytes(&secret))
    }

    /// The key with these secret bytes.
    #[must_use]
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(secret))
    }

    /// The secret, for the vault and nowhere else.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs bytes for one purpose, a fixed text that names what is being signed.
    #[must_use]
    pub fn sign(&self, purpose: &str, bytes: &[u8]) -> Signature {
        let mut hash = codec::hash(purpose, bytes);
        let signature = Signature::from_bytes(self.0.sign(&hash).to_bytes());
        hash.zeroize();
        signature
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// The public half of a signing key.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key with these bytes; whether they are a key at all shows when it verifies.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this key signed these bytes for this purpose. Weak keys verify nothing.
    #[must_use]
    pub fn verify(&self, purpose: &str, bytes: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.to_bytes());
        VerifyingKey::from_bytes(&self.0)
            .and_then(|key| key.verify_strict(&codec::hash(purpose, bytes), &signature))
            .is_ok()
    }
}

/// An Ed25519 signature, kept as its two halves because serde knows arrays up to 32.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Signature([u8; 32], [u8; 32]);

impl Signature {
    /// The signature with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&bytes[..32]);
        s.copy_from_slice(&bytes[32..]);
        Self(r, s)
    }

    /// The 64 bytes of the signature.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.0);
        bytes[32..].copy_from_slice(&self.1);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_bytes_purpose_and_key_only() {
        let (a, b) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let signature = a.sign("one", b"text");
        assert!(a.public().verify("one", b"text", &signature));
        assert!(!a.public().verify("two", b"text", &signature));
        assert!(!a.public().verify("one", b"test", &signature));
        assert!(!b.public().verify("one", b"text", &signature));
        assert!(!PublicKey::from_bytes([0; 32]).verify("one", b"text", &signature));
    }

    #[test]
    fn keys_survive_the_vault_and_are_not_printed() {
        let keys = Keys::generate().unwrap();
        let again = Keys::from_bytes(&keys.to_bytes());
        assert_eq!(keys.twin.public(), again.twin.public());
        assert_eq!(keys.recovery.public(), again.recovery.public());
        assert_eq!(format!("{keys:?} {:?}", keys.twin), "Keys(..) SigningKey(..)");
    }
}
