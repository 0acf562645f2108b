//! The operation chain: how a twin id keeps its meaning while keys come and go. Each operation is
//! signed by the key that the ones before it entitle; a recovery outranks any rotation. It never
//! decides silently: two chains that disagree are reported as a fork.

use crate::{
    codec,
    ids::TwinId,
    keys::{Keys, PublicKey, Signature, SigningKey},
};
use serde::{Deserialize, Serialize};

/// What an operation does.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Act {
    /// Begins a person. The twin id is the hash of these two keys.
    Genesis {
        /// The first twin key; signs this operation.
        key: PublicKey,
        /// The first recovery key.
        recovery: PublicKey,
    },
    /// Replaces the twin key; signed by the one replaced.
    Rotate {
        /// The new twin key.
        key: PublicKey,
    },
    /// Replaces both keys and ends every delegation; signed by the recovery key.
    Recover {
        /// The new twin key.
        key: PublicKey,
        /// The new recovery key.
        recovery: PublicKey,
    },
    /// Lets another key act for one purpose; signed by the twin key.
    Delegate(Delegate),
}

/// A key that may act for the person in one purpose until a time. The same key and purpose named
/// again replaces the earlier; a time in the past ends it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Delegate {
    /// The key that may act.
    pub key: PublicKey,
    /// What for, e.g. `zone`: up to 32 lower-case letters, digits and `-`.
    pub purpose: String,
    /// Until when (Unix time in milliseconds).
    pub until_ms: i64,
}

/// One signed step of a chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Operation {
    previous: [u8; 32],
    act: Act,
    signature: Signature,
}

impl Operation {
    /// What it does.
    #[must_use]
    pub const fn act(&self) -> &Act {
        &self.act
    }

    /// The hash by which the next operation names it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        codec::hash(HASH, &codec::encode(&(&self.previous, &self.act)))
    }

    fn sign(previous: [u8; 32], act: Act, by: &SigningKey) -> Self {
        let signature = by.sign(SIGNATURE, &codec::encode(&(&previous, &act)));
        Self { previous, act, signature }
    }

    fn signed_by(&self, key: &PublicKey) -> bool {
        key.verify(SIGNATURE, &codec::encode(&(&self.previous, &self.act)), &self.signature)
    }
}

/// Who a valid chain says somebody is now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person {
    /// Their id, the same for ever.
    pub id: TwinId,
    /// Their current twin key.
    pub key: PublicKey,
    /// Their current recovery key.
    pub recovery: PublicKey,
    /// Keys that act for them.
    pub delegates: Vec<Delegate>,
    /// Hash of the last operation.
    pub head: [u8; 32],
    /// Number of operations.
    pub length: u32,
}

/// A person's operations from the first to the last. Foreign chains say nothing until `check`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Chain(Vec<Operation>);

impl Chain {
    /// Begins a person with these keys.
    #[must_use]
    pub fn begin(keys: &Keys) -> Self {
        let act = Act::Genesis { key: keys.twin.public(), recovery: keys.recovery.public() };
        Self(vec![Operation::sign([0; 32], act, &keys.twin)])
    }

    /// Adds an operation that replaces the twin key.
    ///
    /// # Errors
    /// As `check` of the longer chain: this one is invalid or full, or `by` is not the current key.
    pub fn rotate(&self, key: PublicKey, by: &SigningKey) -> Result<Self, ChainError> {
        self.extended(Act::Rotate { key }, by)
    }

    /// Adds an operation that replaces both keys by word of the recovery key.
    ///
    /// # Errors
    /// As for `rotate`; `by` must be the current recovery key.
    pub fn recover(
        &self,
        key: PublicKey,
        recovery: PublicKey,
        by: &SigningKey,
    ) -> Result<Self, ChainError> {
        self.extended(Act::Recover { key, recovery }, by)
    }

    /// Adds an operation that lets another key act for one purpose.
    ///
    /// # Errors
    /// As for `rotate`; `Purpose` when the purpose is not a short plain word.
    pub fn delegate(&self, delegate: Delegate, by: &SigningKey) -> Result<Self, ChainError> {
        self.extended(Act::Delegate(delegate), by)
    }

    /// Follows the chain from its first operation and says who it makes of somebody.
    ///
    /// # Errors
    /// The first rule that is broken, and where.
    pub fn check(&self) -> Result<Person, ChainError> {
        if self.0.len() > MAX_OPERATIONS {
            return Err(ChainError::TooLong);
        }
        let (first, rest) = self.0.split_first().ok_or(ChainError::NoGenesis)?;
        let mut person = begun(first)?;
        for operation in rest {
            step(&mut person, operation)?;
        }
        Ok(person)
    }

    /// Chooses between what is known of a person and what is offered. The known chain stays,
    /// unless the offered one continues it, or holds a recovery where the known one, since they
    /// parted, has none: a thief of the twin key can make any number of rotations, but not that.
    ///
    /// # Errors
    /// When either chain is invalid, or they are of two persons.
    pub fn choose<'a>(known: &'a Self, offered: &'a Self) -> Result<Choice<'a>, ChainError> {
        let (ours, theirs) = (known.check()?, offered.check()?);
        if ours.id != theirs.id {
            return Err(ChainError::OtherPerson);
        }
        let common =
            known.0.iter().zip(&offered.0).take_while(|(a, b)| a.hash() == b.hash()).count();
        let (mine, other) = (&known.0[common..], &offered.0[common..]);
        let take = mine.is_empty() || (recovers(other) && !recovers(mine));
        let fork = (!mine.is_empty() && !other.is_empty()).then(|| Fork {
            at: u32::try_from(common).unwrap_or(u32::MAX),
            refused: if take { ours.head } else { theirs.head },
            recovered: recovers(if take { other } else { mine }),
        });
        let (chain, person) = if take { (offered, theirs) } else { (known, ours) };
        Ok(Choice { chain, person, fork })
    }

    /// The operations, first to last.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.0
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads the canonical bytes of a chain; it still has to be checked.
    ///
    /// # Errors
    /// `Malformed` when they are anything else, `TooLong` beyond the limit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ChainError> {
        if bytes.len() > MAX_BYTES {
            return Err(ChainError::TooLong);
        }
        let chain: Self = codec::decode(bytes).ok_or(ChainError::Malformed)?;
        if chain.0.len() > MAX_OPERATIONS { Err(ChainError::TooLong) } else { Ok(chain) }
    }

    fn extended(&self, act: Act, by: &SigningKey) -> Result<Self, ChainError> {
        let head = self.check()?.head;
        let mut longer = self.clone();
        longer.0.push(Operation::sign(head, act, by));
        longer.check()?;
        Ok(longer)
    }
}

/// Which of two chains counts, and whether they disagreed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice<'a> {
    /// The chain that counts.
    pub chain: &'a Chain,
    /// Who it says they are.
    pub person: Person,
    /// Set when neither chain continues the other.
    pub fork: Option<Fork>,
}

/// Two chains of one person that disagree: somebody else holds, or held, one of their keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fork {
    /// The first operation in which they differ.
    pub at: u32,
    /// Head of the chain that does not count.
    pub refused: [u8; 32],
    /// Whether the chain that counts holds a recovery since then.
    pub recovered: bool,
}

/// What is wrong with a chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// An operation does not name the one before it.
    #[error("operation {0} does not follow the one before it")]
    Broken(u32),
    /// Not the canonical bytes of a chain.
    #[error("the chain has not the form of one")]
    Malformed,
    /// It does not begin with a genesis.
    #[error("the chain does not begin with a genesis")]
    NoGenesis,
    /// The chains belong to two persons.
    #[error("the chains are of two persons")]
    OtherPerson,
    /// A delegation for something that is not a short plain word.
    #[error("operation {0} delegates for no plain purpose")]
    Purpose(u32),
    /// Twin key and recovery key are the same.
    #[error("operation {0} makes the twin key and the recovery key the same")]
    SameKey(u32),
    /// A second genesis.
    #[error("operation {0} is a second genesis")]
    SecondGenesis(u32),
    /// Too many operations or bytes.
    #[error("the chain is longer than {MAX_OPERATIONS} operations")]
    TooLong,
    /// Not signed by the key that the chain entitles to it.
    #[error("operation {0} is not signed by the key that may")]
    Unsigned(u32),
}

impl ChainError {
    /// A stable code for counting.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Broken(_) => "broken",
            Self::Malformed => "malformed",
            Self::NoGenesis => "no-genesis",
            Self::OtherPerson => "other-person",
            Self::Purpose(_) => "purpose",
            Self::SameKey(_) => "same-key",
            Self::SecondGenesis(_) => "second-genesis",
            Self::TooLong => "too-long",
            Self::Unsigned(_) => "unsigned",
        }
    }
}

fn begun(first: &Operation) -> Result<Person, ChainError> {
    let Act::Genesis { key, recovery } = &first.act else {
        return Err(ChainError::NoGenesis);
    };
    if first.previous != [0; 32] {
        return Err(ChainError::Broken(0));
    }
    if key == recovery {
        return Err(ChainError::SameKey(0));
    }
    if !first.signed_by(key) {
        return Err(ChainError::Unsigned(0));
    }
    Ok(Person {
        id: TwinId::from_bytes(codec::hash(ID, &codec::encode(&(key, recovery)))),
        key: *key,
        recovery: *recovery,
        delegates: Vec::new(),
        head: first.hash(),
        length: 1,
    })
}

fn step(person: &mut Person, operation: &Operation) -> Result<(), ChainError> {
    let at = person.length;
    if operation.previous != person.head {
        return Err(ChainError::Broken(at));
    }
    let entitled = match &operation.act {
        Act::Genesis { .. } => return Err(ChainError::SecondGenesis(at)),
        Act::Recover { .. } => person.recovery,
        Act::Rotate { .. } | Act::Delegate(_) => person.key,
    };
    if !operation.signed_by(&entitled) {
        return Err(ChainError::Unsigned(at));
    }
    match &operation.act {
        Act::Genesis { .. } => {}
        Act::Rotate { key } => person.key = *key,
        Act::Recover { key, recovery } => {
            (person.key, person.recovery) = (*key, *recovery);
            person.delegates.clear();
        }
        Act::Delegate(delegate) => {
            if !plain(&delegate.purpose) {
                return Err(ChainError::Purpose(at));
            }
            person.delegates.retain(|d| d.key != delegate.key || d.purpose != delegate.purpose);
            person.delegates.push(delegate.clone());
        }
    }
    if person.key == person.recovery {
        return Err(ChainError::SameKey(at));
    }
    person.head = operation.hash();
    person.length += 1;
    Ok(())
}

fn recovers(operations: &[Operation]) -> bool {
    operations.iter().any(|o| matches!(o.act, Act::Recover { .. }))
}

fn plain(purpose: &str) -> bool {
    (1..=32).contains(&purpose.len())
        && purpose.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Operations in one chain. A person rotates a few times in a life; the limit is against floods.
pub const MAX_OPERATIONS: usize = 64;
/// More than `MAX_OPERATIONS` of the longest operation (about 180 bytes).
const MAX_BYTES: usize = 16 * 1024;

const ID: &str = "hometwin 2026-11 twin id";
const HASH: &str = "hometwin 2026-11 operation hash";
const SIGNATURE: &str = "hometwin 2026-11 operation signature";

#[cfg(test)]
mod tests;
