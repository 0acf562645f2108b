//! A card: what one person hands another so that their twins can talk. It travels as text, in a
//! link or a code to scan. Only a card whose chain, pre-key and own signature hold becomes a
//! `Card`. A name on a card is the bearer's word for themselves and proves nothing.

use crate::{
    chain::{Chain, ChainError, Person},
    codec,
    keys::{Signature, SigningKey},
    prekey::{PreKeyError, SignedPreKey},
};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

/// A valid card.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Card {
    body: Body,
    signature: Signature,
    person: Person,
}

impl Card {
    /// Makes the card of a person. `origin` says where their twin is served, e.g.
    /// `https://ann.example` (empty: nowhere that others could reach).
    ///
    /// # Errors
    /// When the parts do not belong together or are too long.
    pub fn new(
        chain: Chain,
        pre_key: SignedPreKey,
        name: &str,
        origin: &str,
        by: &SigningKey,
    ) -> Result<Self, CardError> {
        let body = Body { chain, pre_key, name: name.to_owned(), origin: origin.to_owned() };
        let signature = by.sign(PURPOSE, &codec::encode(&body));
        Self::checked(body, signature)
    }

    /// Who the bearer is.
    #[must_use]
    pub const fn person(&self) -> &Person {
        &self.person
    }

    /// The chain that says so.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.body.chain
    }

    /// The pre-key to seal the first envelope to.
    #[must_use]
    pub const fn pre_key(&self) -> &SignedPreKey {
        &self.body.pre_key
    }

    /// What the bearer calls themselves.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.body.name
    }

    /// Where the bearer's twin says it is served; may be empty.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.body.origin
    }

    /// The card as text: `hometwin:` and base64url.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{SCHEME}{}", BASE64URL_NOPAD.encode(&self.to_bytes()))
    }

    /// The card as a link to the bearer's own twin, in the fragment, which browsers do not send.
    /// `None` when it says no origin.
    #[must_use]
    pub fn to_link(&self) -> Option<String> {
        let origin = self.origin();
        (!origin.is_empty())
            .then(|| format!("{}/#{}", origin.trim_end_matches('/'), self.to_text()))
    }

    /// Reads a card from its text, or from a web link that carries one in its fragment.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_text(text: &str) -> Result<Self, CardError> {
        let text = text.trim();
        if text.len() > MAX_TEXT {
            return Err(CardError::TooLarge);
        }
        let web = text.starts_with("https://") || text.starts_with("http://");
        let card = match text.split_once('#') {
            Some((_, fragment)) if web => fragment,
            Some(_) => return Err(CardError::NotACard),
            None => text,
        };
        let encoded = card.strip_prefix(SCHEME).ok_or(CardError::NotACard)?;
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| CardError::Malformed)?;
        Self::from_bytes(&bytes)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(codec::encode(&(&self.body, &self.signature)));
        bytes
    }

    /// Reads a card from its bytes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        if bytes.len() > MAX_CARD {
            return Err(CardError::TooLarge);
        }
        let (version, rest) = bytes.split_first().ok_or(CardError::Malformed)?;
        if *version != VERSION {
            return Err(CardError::Version(*version));
        }
        let (body, signature) = codec::decode(rest).ok_or(CardError::Malformed)?;
        Self::checked(body, signature)
    }

    fn checked(body: Body, signature: Signature) -> Result<Self, CardError> {
        if !plain_text(&body.name) || body.name.len() > MAX_NAME {
            return Err(CardError::Name);
        }
        if !plain_origin(&body.origin) || body.origin.len() > MAX_ORIGIN {
            return Err(CardError::Origin);
        }
        let person = body.chain.check()?;
        body.pre_key.check(&person)?;
        if !person.key.verify(PURPOSE, &codec::encode(&body), &signature) {
            return Err(CardError::Forged);
        }
        let card = Self { body, signature, person };
        if card.to_bytes().len() > MAX_CARD { Err(CardError::TooLarge) } else { Ok(card) }
    }
}

/// What is wrong with a card.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CardError {
    /// Its chain does not hold.
    #[error("the card's chain does not hold")]
    Chain(#[from] ChainError),
    /// Not signed by the person it names.
    #[error("the card is not signed by the person it names")]
    Forged,
    /// Damaged: part of it may be missing.
    #[error("the card is damaged")]
    Malformed,
    /// The name is too long or holds control characters.
    #[error("the name on the card cannot be shown")]
    Name,
    /// No card at all.
    #[error("this text holds no card")]
    NotACard,
    /// The origin is too long or no web origin.
    #[error("the address on the card is none")]
    Origin,
    /// Its pre-key does not hold.
    #[error("the card's pre-key does not hold")]
    PreKey(#[from] PreKeyError),
    /// Beyond the size limit.
    #[error("the card is larger than {MAX_CARD} bytes")]
    TooLarge,
    /// Made by a later version.
    #[error("the card has the unknown version {0}")]
    Version(u8),
}

impl CardError {
    /// A stable code for counting and for problem documents.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Chain(_) => "chain",
            Self::Forged => "forged",
            Self::Malformed => "malformed",
            Self::Name => "name",
            Self::NotACard => "not-a-card",
            Self::Origin => "origin",
            Self::PreKey(_) => "pre-key",
            Self::TooLarge => "too-large",
            Self::Version(_) => "version",
        }
    }
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Body {
    chain: Chain,
    pre_key: SignedPreKey,
    name: String,
    origin: String,
}

/// Nothing that could move other text about: no control and no direction characters.
fn plain_text(text: &str) -> bool {
    !text.chars().any(|c| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

fn plain_origin(origin: &str) -> bool {
    origin.is_empty()
        || ["https://", "http://"].iter().filter_map(|p| origin.strip_prefix(p)).any(|host| {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b))
        })
}

/// Bytes of one card. A usual one has 400.
pub const MAX_CARD: usize = 8 * 1024;
/// Bytes of the name.
pub const MAX_NAME: usize = 128;
/// Bytes of the origin.
pub const MAX_ORIGIN: usize = 300;
/// A largest card in base64url, in a link.
const MAX_TEXT: usize = 12 * 1024;

const SCHEME: &str = "hometwin:";
const VERSION: u8 = 1;
const PURPOSE: &str = "hometwin 2026-11 card signature";

#[cfg(test)]
mod tests;
