//! An introduction: who the sender of an envelope is and what to seal an answer to. It rides
//! inside the first envelope of a link, so that a new key reaches everybody it concerns and nobody
//! in between learns who talks.

use crate::{
    chain::{Chain, ChainError, Person},
    codec,
    prekey::{PreKeyError, SignedPreKey},
};
use serde::{Deserialize, Serialize};

/// A chain and the pre-key that goes with it. Foreign ones say nothing until `check`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Introduction {
    /// Who it is.
    pub chain: Chain,
    /// What to seal to.
    pub pre_key: SignedPreKey,
}

impl Introduction {
    /// Says who it introduces, when chain and pre-key hold.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Result<Person, IntroductionError> {
        let person = self.chain.check()?;
        self.pre_key.check(&person)?;
        Ok(person)
    }

    /// Bytes for the vault.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// What `to_bytes` wrote; `None` when the bytes are something else. Not checked.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        codec::decode(bytes)
    }
}

/// What is wrong with an introduction.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IntroductionError {
    /// The chain does not hold.
    #[error("the chain of the introduction does not hold")]
    Chain(#[from] ChainError),
    /// The pre-key does not hold.
    #[error("the pre-key of the introduction does not hold")]
    PreKey(#[from] PreKeyError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keys, PreKey};

    #[test]
    fn a_pre_key_of_another_introduces_nobody() {
        let (ann, bob) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let chain = Chain::begin(&ann);
        let id = chain.check().unwrap().id;
        let secret = PreKey::generate().unwrap();
        let good = Introduction { chain, pre_key: secret.sign(&id, 9, &ann.twin) };
        assert_eq!(good.check().unwrap().id, id);
        assert_eq!(Introduction::from_bytes(&good.to_bytes()), Some(good.clone()));
        let bad = Introduction { pre_key: secret.sign(&id, 9, &bob.twin), ..good };
        assert_eq!(bad.check(), Err(IntroductionError::PreKey(PreKeyError::Forged)));
    }
}
