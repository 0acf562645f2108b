//! Who a person is and how their words travel: twin ids, keys, the operation chain, pre-keys,
//! cards, envelopes and answers to them, receive marks and the frames of a twin-to-twin stream.
//!
//! Pure functions over bytes: this crate never opens a socket or a file and never reads a clock;
//! times are arguments. Every byte that enters is foreign: its size is bounded, it is refused
//! unless it is the one canonical encoding of what it means, and no input makes it panic.

mod answer;
mod card;
mod chain;
mod codec;
mod envelope;
mod frame;
pub mod fuzz;
mod ids;
mod introduction;
mod keys;
mod marks;
mod prekey;
mod refusal;

pub use answer::{Receipt, Refused};
pub use card::{Card, CardError, MAX_CARD, MAX_NAME, MAX_ORIGIN};
pub use chain::{
    Act, Chain, ChainError, Choice, Delegate, Fork, MAX_OPERATIONS, Operation, Person,
};
pub use envelope::{
    Inner, MAX_BODY, MAX_ENVELOPE, NotOpened, Opened, SUITE, SealError, Sealed, is_plain_word,
    open, seal,
};
pub use frame::{Decoder, Frame, FrameError, MAX_BATCH, MAX_FRAME};
pub use ids::{Digest, IdError, PreKeyId, Proof, TwinId};
pub use introduction::{Introduction, IntroductionError};
pub use keys::{Keys, NoRandomness, PublicKey, Signature, SigningKey};
pub use marks::{Judgement, Marks};
pub use prekey::{PreKey, PreKeyError, SignedPreKey};
pub use refusal::Refusal;
