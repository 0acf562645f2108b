//! One entry per parser of foreign bytes, for fuzzing and for replaying the committed corpus. Each
//! must return for every input, and what it accepts must encode to the same bytes again. The
//! checks inside are the point: they panic when a promise of this crate is broken.

use crate::{Card, Chain, Decoder, Digest, PreKey, Refused, open};

/// A card as text or as bytes.
pub fn card(bytes: &[u8]) {
    let told = std::str::from_utf8(bytes).ok().and_then(|text| Card::from_text(text).ok());
    if let Some(card) = told {
        assert_eq!(Card::from_text(&card.to_text()).as_ref(), Ok(&card));
    }
    if let Ok(card) = Card::from_bytes(bytes) {
        assert_eq!(card.to_bytes(), bytes);
    }
}

/// An operation chain.
pub fn chain(bytes: &[u8]) {
    if let Ok(chain) = Chain::from_bytes(bytes) {
        assert_eq!(chain.to_bytes(), bytes);
        if let Ok(person) = chain.check() {
            assert_eq!(person.length as usize, chain.operations().len());
        }
    }
}

/// A sealed envelope, to a pre-key whose secret is 32 times 3.
pub fn envelope(bytes: &[u8]) {
    let pre_keys: Vec<PreKey> = PreKey::from_bytes(&[3; 32]).into_iter().collect();
    match open(bytes, &pre_keys) {
        Ok(opened) => {
            let inner = opened.claimed();
            assert_eq!(crate::Inner::from_bytes(&inner.to_bytes()).as_ref(), Some(inner));
        }
        // Whatever it is, its refusal can be sent, and is believed for it alone.
        Err(no) => {
            if let Some(receipt) = no.receipt {
                assert_eq!(receipt.digest(), Digest::of(bytes));
                let refused = Refused::unlocked(&receipt, no.reason, None);
                assert!(refused.holds(&receipt, || None));
            }
        }
    }
}

/// A stream of frames, which must mean the same whole and cut in two.
pub fn frame(bytes: &[u8]) {
    let whole = frames(&[bytes]);
    let (a, b) = bytes.split_at(bytes.len() / 2);
    assert_eq!(whole, frames(&[a, b]));
}

fn frames(pieces: &[&[u8]]) -> (Vec<crate::Frame>, bool) {
    let (mut decoder, mut out) = (Decoder::default(), Vec::new());
    for piece in pieces {
        if decoder.push(piece).is_err() {
            return (out, false);
        }
        loop {
            match decoder.pop() {
                Ok(Some(frame)) => out.push(frame),
                Ok(None) => break,
                Err(_) => return (out, false),
            }
        }
    }
    (out, true)
}

#[cfg(test)]
mod tests;
