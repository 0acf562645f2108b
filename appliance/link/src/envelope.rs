//! Envelopes: the only thing that travels between twins. Sealed (HPKE, RFC 9180) to a pre-key of
//! the receiver; inside, signed by the sender over everything it says. Who sent it shows only
//! inside. The body is opaque here: its meaning and its versions are the twin's affair.
//!
//! Wire form: suite (2 bytes, big endian), pre-key id (8), HPKE encapsulated key (32), ciphertext.
//! The plaintext is the canonical `(Inner, Signature)` and zeros up to a multiple of `PAD`.

use crate::{
    answer::Receipt,
    chain::Person,
    codec,
    ids::{Digest, PreKeyId, TwinId},
    introduction::Introduction,
    keys::{Signature, SigningKey},
    prekey::{PreKey, SignedPreKey},
    refusal::Refusal,
};
use hpke::{
    Deserializable, HpkeError, OpModeR, OpModeS, Serializable,
    aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305},
    kdf::HkdfSha256,
    kem::X25519HkdfSha256,
    rand_core::{TryCryptoRng, TryRng},
};
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, fmt};
use zeroize::{Zeroize, Zeroizing};

/// What an envelope says.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Inner {
    /// The sender.
    pub from: TwinId,
    /// The receiver.
    pub to: TwinId,
    /// The conversation or space it belongs to.
    pub thread: [u8; 16],
    /// The sender's epoch, which rises with every restore.
    pub epoch: u32,
    /// Its number from this sender to this receiver in this epoch, from 1.
    pub counter: u64,
    /// Number of the youngest older one still unacknowledged; 0: none. See `Marks::judge`.
    pub after: u64,
    /// The capability that understands the body, e.g. `chat`.
    pub capability: String,
    /// The major version of that capability.
    pub major: u16,
    /// Who the sender is; in the first envelope of a link.
    pub introduction: Option<Introduction>,
    /// The body, opaque here.
    #[serde(with = "codec::block")]
    pub body: Vec<u8>,
}

impl Inner {
    /// Bytes for the vault of the sender (an outbox keeps what it has to seal again) or of a
    /// receiver that cannot read the body yet.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// What `to_bytes` wrote; `None` when the bytes are something else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        codec::decode(bytes)
    }
}

/// Never prints the body.
impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, epoch, counter, capability, major, .. } = self;
        write!(f, "Inner({from} -> {to}, {epoch}.{counter}, {capability}/{major}, ..)")
    }
}

/// A sealed envelope and what its sender can recognise answers by.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The envelope.
    pub bytes: Vec<u8>,
    /// What the receiver can answer.
    pub receipt: Receipt,
}

/// Signs what an envelope says and seals it to a pre-key of the receiver, who is `inner.to`.
///
/// # Errors
/// When it is too large, the capability is no plain word, the pre-key is no key, or the system
/// gives no random bytes.
pub fn seal(inner: &Inner, to: &SignedPreKey, by: &SigningKey) -> Result<Sealed, SealError> {
    if inner.body.len() > MAX_BODY {
        return Err(SealError::TooLarge);
    }
    if !is_plain_word(&inner.capability) {
        return Err(SealError::Capability);
    }
    let header = Header { suite: SUITE, pre_key: to.id() };
    let signature = by.sign(PURPOSE, &codec::encode(&(&header, inner)));
    let mut plain = Zeroizing::new(codec::encode(&(inner, &signature)));
    let padded = plain.len().next_multiple_of(PAD);
    plain.resize(padded, 0);

    let public = <Kem as hpke::Kem>::PublicKey::from_bytes(to.public())?;
    let mut random = Random::new()?;
    let (key, mut context): (_, AeadCtxS<ChaCha20Poly1305, HkdfSha256, Kem>) =
        hpke::setup_sender_with_rng(&OpModeS::Base, &public, INFO, &mut random)?;
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend_from_slice(&key.to_bytes());
    let cipher = context.seal(&plain, &header.to_bytes())?;
    bytes.extend_from_slice(&cipher);
    let receipt = Receipt::new(Digest::of(&bytes), |label, out| context.export(label, out))?;
    Ok(Sealed { bytes, receipt })
}

/// Opens an envelope with one of our pre-keys. What it says counts only after `Opened::check`.
///
/// # Errors
/// `TooLarge`, `Malformed`, `UnknownPreKey`, or `Forged` when it was changed on its way.
pub fn open(bytes: &[u8], pre_keys: &[PreKey]) -> Result<Opened, NotOpened> {
    if bytes.len() > MAX_ENVELOPE {
        return Err(Refusal::TooLarge.into());
    }
    let (header, key, cipher) = Header::split(bytes).ok_or(Refusal::Malformed)?;
    if header.suite != SUITE {
        return Err(Refusal::Malformed.into());
    }
    let pre_key =
        pre_keys.iter().find(|k| k.id() == header.pre_key).ok_or(Refusal::UnknownPreKey)?;
    let unlocked = unlock(key, pre_key).and_then(|context| {
        let export = |label: &[u8], out: &mut [u8]| context.export(label, out);
        let receipt = Receipt::new(Digest::of(bytes), export)?;
        Ok((context, receipt))
    });
    let (mut context, receipt) = unlocked.map_err(|_| Refusal::Forged)?;
    let no = |reason| NotOpened { reason, receipt: Some(receipt) };
    let plain = context.open(cipher, &header.to_bytes()).map_err(|_| no(Refusal::Forged))?;
    let plain = Zeroizing::new(plain);
    let (inner, signature) = read(&plain).ok_or(no(Refusal::Malformed))?;
    Ok(Opened { inner, signature, header, receipt })
}

/// Reads the plaintext, which is to have the one form that there is.
fn read(plain: &[u8]) -> Option<(Inner, Signature)> {
    let ((inner, signature), rest) = codec::decode_start::<(Inner, Signature)>(plain)?;
    let used = plain.len() - rest.len();
    if rest.iter().any(|b| *b != 0) || used.next_multiple_of(PAD) != plain.len() {
        return None;
    }
    (inner.body.len() <= MAX_BODY && is_plain_word(&inner.capability)).then_some((inner, signature))
}

/// Why nothing was opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotOpened {
    /// Why.
    pub reason: Refusal,
    /// What to answer with, when it was at least sealed to a pre-key of ours.
    pub receipt: Option<Receipt>,
}

impl From<Refusal> for NotOpened {
    fn from(reason: Refusal) -> Self {
        Self { reason, receipt: None }
    }
}

/// An envelope that was opened and whose sender is not yet proven.
#[derive(Clone, Debug)]
pub struct Opened {
    inner: Inner,
    signature: Signature,
    header: Header,
    receipt: Receipt,
}

impl Opened {
    /// What it claims to say and to come from: only for finding the sender's chain.
    #[must_use]
    pub const fn claimed(&self) -> &Inner {
        &self.inner
    }

    /// Gives what it says if this person said it to this twin.
    ///
    /// # Errors
    /// `NotForMe` or `Forged`.
    pub fn check(&self, sender: &Person, me: &TwinId) -> Result<&Inner, Refusal> {
        if self.inner.to != *me {
            return Err(Refusal::NotForMe);
        }
        let signed = codec::encode(&(&self.header, &self.inner));
        if self.inner.from != sender.id || !sender.key.verify(PURPOSE, &signed, &self.signature) {
            return Err(Refusal::Forged);
        }
        Ok(&self.inner)
    }

    /// What to answer with.
    #[must_use]
    pub const fn receipt(&self) -> Receipt {
        self.receipt
    }
}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The capability is not a short plain word.
    #[error("the capability of the envelope is no plain word")]
    Capability,
    /// The receiver's pre-key is no key.
    #[error("the receiver's pre-key is no key")]
    PreKey,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random,
    /// The body is too large.
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
}

impl From<HpkeError> for SealError {
    fn from(_: HpkeError) -> Self {
        Self::PreKey
    }
}

type Kem = X25519HkdfSha256;
type Receiving = AeadCtxR<ChaCha20Poly1305, HkdfSha256, Kem>;

/// The part in the clear; authenticated with the ciphertext and by the signature.
#[derive(Clone, Copy, Debug, Serialize)]
struct Header {
    suite: u16,
    pre_key: PreKeyId,
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..2].copy_from_slice(&self.suite.to_be_bytes());
        bytes[2..].copy_from_slice(self.pre_key.as_bytes());
        bytes
    }

    fn split(bytes: &[u8]) -> Option<(Self, &[u8; KEY], &[u8])> {
        let (suite, rest) = bytes.split_first_chunk::<2>()?;
        let (id, rest) = rest.split_first_chunk::<8>()?;
        let (key, cipher) = rest.split_first_chunk::<KEY>()?;
        let suite = u16::from_be_bytes(*suite);
        Some((Self { suite, pre_key: PreKeyId::from_bytes(*id) }, key, cipher))
    }
}

/// What the one it is sealed to can make of it, before its content is looked at.
fn unlock(key: &[u8; KEY], pre_key: &PreKey) -> Result<Receiving, HpkeError> {
    let key = <Kem as hpke::Kem>::EncappedKey::from_bytes(key)?;
    hpke::setup_receiver(&OpModeR::Base, &pre_key.private()?, &key, INFO)
}

/// Whether an envelope can name this capability: 1 to 64 lower-case letters, digits, `-`, `.`, `/`.
#[must_use]
pub fn is_plain_word(word: &str) -> bool {
    (1..=64).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-./".contains(&b))
}

/// Randomness for one seal: a seed from the system, stretched. HPKE wants a source that cannot
/// fail, and the system's can; so the failure is met once, before.
struct Random(blake3::OutputReader);

impl Random {
    fn new() -> Result<Self, SealError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| SealError::Random)?;
        let stretched = blake3::Hasher::new_keyed(&seed).finalize_xof();
        seed.zeroize();
        Ok(Self(stretched))
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Random {}

/// HPKE base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305; Ed25519 inside.
pub const SUITE: u16 = 1;
/// Bytes of one body.
pub const MAX_BODY: usize = 768 * 1024;
/// Bytes of one sealed envelope: a largest body and what surrounds it.
pub const MAX_ENVELOPE: usize = MAX_BODY + 1024;

/// Sizes are rounded up to this, so that the wire shows less about short texts.
const PAD: usize = 128;
const KEY: usize = 32;
const HEADER: usize = 10;
const INFO: &[u8] = b"hometwin 2026-11 envelope";
const PURPOSE: &str = "hometwin 2026-11 envelope signature";

#[cfg(test)]
mod tests;
