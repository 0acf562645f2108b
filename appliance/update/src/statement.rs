//! Statements about keys: who may sign statements, and who may sign manifests. Each but the first is
//! signed by a key of the one before, so that keys can be changed without any computer being visited.
//!
//! The first that a computer knows lies in its verified system. A key that isn't in the newest
//! statement signs nothing any more, for computers that have seen that statement.

use serde::{Deserialize, Serialize};

use crate::signed::Signed;
use crate::{Error, PublicKey, SecretKey, codec};

/// Which keys are good from now on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Statement {
    /// Counted from 1.
    pub number: u32,
    /// Keys that sign the next statement. They belong where no network is.
    pub root: Vec<PublicKey>,
    /// Keys that sign manifests.
    pub update: Vec<PublicKey>,
}

impl Statement {
    /// Signs it, as a file for the image and for bundles. It needs a root key of its own, and one of
    /// the statement before, which may be the same.
    #[must_use]
    pub fn sign(&self, keys: &[&SecretKey]) -> Vec<u8> {
        Signed::new(PURPOSE, self, keys).to_bytes()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let counts = 1..=MOST_KEYS;
        if self.number == 0
            || !counts.contains(&self.root.len())
            || !counts.contains(&self.update.len())
        {
            return Err(Error::Keys("a statement about keys needs one to eight of each"));
        }
        Ok(())
    }
}

/// Whom a system trusts: the newest statement that it could follow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trust {
    statement: Statement,
}

impl Trust {
    /// What lies in a verified system; who changed it could have changed everything.
    ///
    /// # Errors
    /// If it's no signed statement.
    pub fn read(mut file: &[u8]) -> Result<Self, Error> {
        let signed = Signed::read(&mut file)?;
        let statement: Statement =
            codec::decode(&signed.bytes).ok_or(Error::Keys("this is no statement about keys"))?;
        statement.check()?;
        if !file.is_empty() || !signed.is_signed_by(PURPOSE, &statement.root) {
            return Err(Error::Keys("this statement about keys isn't signed by its own key"));
        }
        Ok(Self { statement })
    }

    /// The newest statement.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Goes on to newer statements, one by one; those that it knows already are left out.
    pub(crate) fn follow(mut self, statements: &[Signed]) -> Result<Self, Error> {
        for signed in statements {
            let next: Statement = codec::decode(&signed.bytes).ok_or(Error::NoBundle)?;
            let by = |keys: &[PublicKey]| signed.is_signed_by(PURPOSE, keys);
            if next.check().is_err() || !by(&next.root) {
                return Err(Error::Untrusted);
            }
            if next.number <= self.statement.number {
                continue;
            }
            let follows = self.statement.number.checked_add(1) == Some(next.number);
            if !follows || !by(&self.statement.root) {
                return Err(Error::Untrusted);
            }
            self.statement = next;
        }
        Ok(self)
    }
}

const PURPOSE: &str = "hometwin 2026-11-26 statement about update keys";
const MOST_KEYS: usize = 8;
