//! What a receiver answers to one envelope, and what makes the sender believe it. A receiver who
//! could unlock the envelope shows that by what only its two ends know; one who could not signs.
//! Nobody in between can make an answer, turn one into another, or move it to another envelope.

use crate::{
    chain::Person,
    codec,
    ids::{Digest, Proof, TwinId},
    keys::{Signature, SigningKey},
    prekey::SignedPreKey,
    refusal::Refusal,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the two ends of one envelope know, and nobody else: from it every answer is made.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Receipt {
    digest: Digest,
    committed: Proof,
    held: Proof,
    refusing: [u8; 32],
}

impl Receipt {
    /// `export` draws secrets for a label from what the envelope was sealed with.
    pub(crate) fn new<E>(
        digest: Digest,
        export: impl Fn(&[u8], &mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let (mut proofs, mut refusing) = ([[0; 16]; 2], [0; 32]);
        export(COMMITTED, &mut proofs[0])?;
        export(HELD, &mut proofs[1])?;
        export(REFUSING, &mut refusing)?;
        let [committed, held] = proofs.map(Proof::new);
        Ok(Self { digest, committed, held, refusing })
    }

    /// Names the envelope. Anyone who saw it can make this.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The answer once its effect is durable.
    #[must_use]
    pub const fn committed(&self) -> Proof {
        self.committed
    }

    /// The answer once it is durably kept without being understood.
    #[must_use]
    pub const fn held(&self) -> Proof {
        self.held
    }

    fn refused(&self, said: &Said<'_>) -> Proof {
        let mut hasher = blake3::Hasher::new_keyed(&self.refusing);
        let mut proof = [0; 16];
        hasher.update(&codec::encode(said)).finalize_xof().fill(&mut proof);
        Proof::new(proof)
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt({:?}, ..)", self.digest)
    }
}

/// One envelope was not taken.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refused {
    digest: Digest,
    reason: Refusal,
    expected: Option<u64>,
    pre_key: Option<SignedPreKey>,
    evidence: Evidence,
}

/// Why a refusal is to be believed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Evidence {
    /// Made with what only the two ends of the envelope know.
    Shared(Proof),
    /// Signed with the current key of the receiver.
    Signed(Signature),
}

/// Everything that evidence is about.
#[derive(Serialize)]
struct Said<'a> {
    digest: &'a Digest,
    reason: Refusal,
    expected: Option<u64>,
    pre_key: Option<&'a SignedPreKey>,
}

impl Refused {
    /// Refuses an envelope that was unlocked. With `Gap`, `expected` is the number after which to
    /// begin again.
    #[must_use]
    pub fn unlocked(receipt: &Receipt, reason: Refusal, expected: Option<u64>) -> Self {
        let digest = receipt.digest;
        let said = Said { digest: &digest, reason, expected, pre_key: None };
        let evidence = Evidence::Shared(receipt.refused(&said));
        Self { digest, reason, expected, pre_key: None, evidence }
    }

    /// Refuses bytes that could not be unlocked; with `UnknownPreKey`, `pre_key` is the one to seal
    /// to. `me` is who refuses and `by` their current twin key.
    #[must_use]
    pub fn locked(
        digest: Digest,
        reason: Refusal,
        pre_key: Option<SignedPreKey>,
        me: &TwinId,
        by: &SigningKey,
    ) -> Self {
        let said = Said { digest: &digest, reason, expected: None, pre_key: pre_key.as_ref() };
        let evidence = Evidence::Signed(by.sign(PURPOSE, &codec::encode(&(me, &said))));
        Self { digest, reason, expected: None, pre_key, evidence }
    }

    /// Which envelope; a claim until `holds`.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Why; a claim until `holds`.
    #[must_use]
    pub const fn reason(&self) -> Refusal {
        self.reason
    }

    /// With `Gap`: the number after which to begin again; a claim until `holds`.
    #[must_use]
    pub const fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// With `UnknownPreKey`: the one to seal to; a claim until `holds`.
    #[must_use]
    pub const fn pre_key(&self) -> Option<SignedPreKey> {
        self.pre_key
    }

    /// Whether the receiver of the envelope that this receipt is of said so. `receiver` is asked
    /// for only when it was signed: who they are by what is known.
    pub fn holds(&self, receipt: &Receipt, receiver: impl FnOnce() -> Option<Person>) -> bool {
        if self.digest != receipt.digest {
            return false;
        }
        let Self { digest, reason, expected, pre_key, evidence } = self;
        let (reason, expected) = (*reason, *expected);
        let said = Said { digest, reason, expected, pre_key: pre_key.as_ref() };
        match evidence {
            Evidence::Shared(proof) => receipt.refused(&said).is(proof),
            Evidence::Signed(signature) => receiver().is_some_and(|person| {
                person.key.verify(PURPOSE, &codec::encode(&(&person.id, &said)), signature)
            }),
        }
    }
}

const COMMITTED: &[u8] = b"committed";
const HELD: &[u8] = b"held";
const REFUSING: &[u8] = b"refusing";
const PURPOSE: &str = "hometwin 2026-11 refusal";

#[cfg(test)]
mod tests;
