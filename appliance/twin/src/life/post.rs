//! Puts what a capability says to another twin into the outbox, in the write that it belongs to, and
//! takes out of it what was erased. It never sends anything itself.

use link::TwinId;
use serde::Serialize;
use store::{Reader, Writer};

use super::{
    Fault,
    api::{QUEUED, WITHDRAWN, names},
    peers::{self, Instead, Letter},
    tables::{Id16, written},
};

/// Whom something is said to, and about what.
pub(crate) struct Post {
    pub(crate) to: TwinId,
    /// The conversation.
    pub(crate) thread: Id16,
    pub(crate) capability: &'static str,
    pub(crate) about: About,
}

/// What a letter is about: kept beside it in the outbox.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct About {
    /// A message whose delivery the person can see.
    pub(crate) message: Option<Id16>,
    /// The entries whose content its body repeats.
    pub(crate) quotes: Vec<u64>,
    /// It was asked for by whom it is for, who could ask without end.
    pub(crate) answer: bool,
}

/// Says it as soon as the other twin can be reached.
pub(crate) fn post(w: &mut Writer<'_>, post: Post, body: &impl Serialize) -> Result<(), Fault> {
    let Post { to, thread, capability, about } = post;
    if let Some(message) = about.message {
        w.vault_put(&names::sent(message), QUEUED)?;
    }
    let letter = Letter {
        to,
        thread: thread.0,
        capability: capability.to_owned(),
        major: 1,
        body: written(body)?,
        about: about.to_bytes(),
    };
    peers::enqueue(w, letter).map_err(|error| Fault::inside(&error.to_string()))
}

/// Takes the content of these entries out of everything that waits or was refused. What can't go
/// without it does not go: its message shows that.
pub(crate) fn erased(
    w: &mut Writer<'_>,
    seqs: &[u64],
    instead: impl Fn(&Reader<'_>, &str, &[u8], &About) -> Result<Instead, Fault>,
) -> Result<(), Fault> {
    let gone = peers::revise(w, |r, letter| {
        let about = letter.about.map(About::from_bytes).unwrap_or_default();
        if !about.quotes.iter().any(|seq| seqs.contains(seq)) {
            return Ok(None);
        }
        instead(r, letter.capability, letter.body, &about).map(Some)
    })?;
    withdrawn(w, &gone)
}

/// Shows of messages that they will not go any more.
pub(crate) fn withdrawn(w: &mut Writer<'_>, about: &[Vec<u8>]) -> Result<(), Fault> {
    for about in about {
        if let Some(message) = About::from_bytes(about).message {
            w.vault_put(&names::sent(message), WITHDRAWN)?;
        }
    }
    Ok(())
}

impl About {
    /// Something that repeats the content of one entry.
    pub(crate) fn entry(seq: u64) -> Self {
        Self { quotes: vec![seq], ..Self::default() }
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        if *self == Self::default() {
            return None;
        }
        let message = self.message.as_ref().map_or(&[][..], |message| &message.0);
        let kind = if self.answer { ANSWER } else { u8::from(self.message.is_some()) };
        let mut bytes = [&[FORM, kind], message].concat();
        self.quotes.iter().for_each(|seq| bytes.extend_from_slice(&seq.to_be_bytes()));
        Some(bytes)
    }

    /// What `to_bytes` wrote, or the bare id of a message; of anything else nothing.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        if let Ok(message) = bytes.try_into() {
            return Self { message: Some(Id16(message)), ..Self::default() };
        }
        let Some((&[FORM, kind], rest)) = bytes.split_first_chunk() else {
            return Self::default();
        };
        let (message, rest) = match rest.split_first_chunk() {
            Some((message, rest)) if kind == 1 => (Some(Id16(*message)), rest),
            _ => (None, rest),
        };
        let (quotes, _) = rest.as_chunks();
        let quotes = quotes.iter().map(|seq| u64::from_be_bytes(*seq)).collect();
        Self { message, quotes, answer: kind == ANSWER }
    }

    /// How what [`About::to_bytes`] writes of an answer begins.
    pub(crate) const OF_ANSWER: [u8; 2] = [FORM, ANSWER];
}

const FORM: u8 = 1;
/// After that: 0 or 1, without or with a message, or this. Nobody sees whether an answer arrived.
const ANSWER: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_letter_is_about_comes_back_as_it_went() {
        for message in [None, Some(Id16([7; 16]))] {
            for quotes in [vec![], vec![1], vec![u64::MAX, 2]] {
                let about = About { message, quotes, ..About::default() };
                let bytes = about.to_bytes().unwrap_or_default();
                // 16 bytes are a message id as it was written first.
                assert_ne!(bytes.len(), 16);
                assert_eq!(About::from_bytes(&bytes), about);
            }
        }
        let bare = About { message: Some(Id16([9; 16])), ..About::default() };
        assert_eq!(About::from_bytes(&[9; 16]), bare);
        for odd in [&[][..], &[1], &[2, 0, 0], &[1, 1, 5]] {
            assert_eq!(About::from_bytes(odd), About::default(), "{odd:?}");
        }
    }
}
