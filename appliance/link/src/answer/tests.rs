//! An answer holds for one envelope, one reason and one receiver, and nobody else can make it.

use super::*;
use crate::{Chain, Inner, Keys, PreKey, Sealed, open, seal};
use proptest::prelude::*;

struct Both {
    ann: Keys,
    bob: Keys,
    bob_is: Person,
    pre_key: PreKey,
}

fn keys(n: u8) -> Keys {
    Keys { twin: SigningKey::from_bytes(&[n; 32]), recovery: SigningKey::from_bytes(&[n + 1; 32]) }
}

impl Both {
    fn new() -> Self {
        let (ann, bob) = (keys(1), keys(5));
        let bob_is = Chain::begin(&bob).check().unwrap();
        Self { ann, bob, bob_is, pre_key: PreKey::from_bytes(&[9; 32]).unwrap() }
    }

    fn public(&self) -> SignedPreKey {
        self.pre_key.sign(&self.bob_is.id, 1000, &self.bob.twin)
    }

    fn sealed(&self) -> Sealed {
        let inner = Inner {
            from: Chain::begin(&self.ann).check().unwrap().id,
            to: self.bob_is.id,
            thread: [7; 16],
            epoch: 1,
            counter: 1,
            after: 0,
            capability: "chat".into(),
            major: 1,
            introduction: None,
            body: b"hello".to_vec(),
        };
        seal(&inner, &self.public(), &self.ann.twin).unwrap()
    }

    /// Whether the sender believes it.
    fn believes(&self, refused: &Refused, sealed: &Sealed) -> bool {
        refused.holds(&sealed.receipt, || Some(self.bob_is.clone()))
    }

    fn secrets(&self) -> Vec<PreKey> {
        vec![self.pre_key.clone()]
    }
}

#[test]
fn the_receiver_is_believed_whether_it_could_open_or_not() {
    let both = Both::new();
    let sealed = both.sealed();
    let receipt = open(&sealed.bytes, &both.secrets()).unwrap().receipt();
    assert_eq!(receipt, sealed.receipt);
    for (reason, expected) in [(Refusal::Gap, Some(3)), (Refusal::NotContact, None)] {
        let refused = Refused::unlocked(&receipt, reason, expected);
        assert_eq!((refused.reason(), refused.expected()), (reason, expected));
        // The known key is not even asked for.
        assert!(refused.holds(&sealed.receipt, || unreachable!()));
    }
    let no = open(&sealed.bytes, &[]).unwrap_err();
    assert_eq!((no.reason, no.receipt), (Refusal::UnknownPreKey, None));
    let (me, key) = (&both.bob_is.id, &both.bob.twin);
    let digest = Digest::of(&sealed.bytes);
    let refused = Refused::locked(digest, no.reason, Some(both.public()), me, key);
    assert!(both.believes(&refused, &sealed));
    assert!(!refused.holds(&sealed.receipt, || None), "a receiver of whom nothing is known");
}

#[test]
fn what_was_changed_on_its_way_can_be_refused_but_that_refuses_nothing_else() {
    let both = Both::new();
    let sealed = both.sealed();
    let mut changed = sealed.bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    let no = open(&changed, &both.secrets()).unwrap_err();
    assert_eq!(no.reason, Refusal::Forged);
    // Its keys are those of the original: what is refused has to be in the proof.
    let refused = Refused::unlocked(&no.receipt.unwrap(), no.reason, None);
    assert!(!both.believes(&refused, &sealed));
    let moved = Refused { digest: sealed.receipt.digest, ..refused };
    assert!(!both.believes(&moved, &sealed));
}

#[test]
fn nobody_else_can_refuse() {
    let both = Both::new();
    let (sealed, other) = (both.sealed(), both.sealed());
    let (digest, eve) = (sealed.receipt.digest, SigningKey::from_bytes(&[77; 32]));
    let me = both.bob_is.id;
    let by_eve = Refused::locked(digest, Refusal::NotContact, None, &me, &eve);
    assert!(!both.believes(&by_eve, &sealed));
    // Of another envelope of the same two, and for another receiver with the same key.
    let of_other = Refused::unlocked(&other.receipt, Refusal::NotContact, None);
    assert!(!both.believes(&of_other, &sealed));
    assert!(!both.believes(&Refused { digest, ..of_other }, &sealed));
    let not_me = TwinId::from_bytes([3; 32]);
    let elsewhere = Refused::locked(digest, Refusal::NotContact, None, &not_me, &both.bob.twin);
    assert!(!both.believes(&elsewhere, &sealed));
    // What says received does not say refused.
    for proof in [sealed.receipt.committed, sealed.receipt.held] {
        let evidence = Evidence::Shared(proof);
        let refused = Refused::unlocked(&sealed.receipt, Refusal::Full, None);
        assert!(!both.believes(&Refused { evidence, ..refused }, &sealed));
    }
}

#[test]
fn a_receipt_shows_no_secret() {
    let receipt = Both::new().sealed().receipt;
    let shown = format!("{receipt:?}");
    assert!(shown.starts_with("Receipt(Digest(") && shown.ends_with(", ..)"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_part_of_a_refusal_is_proven(
        number in 1..=11_u16, other in 1..=12_u16, expected in any::<Option<u64>>(),
        flip in any::<prop::sample::Index>(), bit in 0..8_u8, signed in any::<bool>(),
    ) {
        let both = Both::new();
        let sealed = both.sealed();
        let reason = Refusal::from_number(number);
        let good = if signed {
            let (me, key) = (&both.bob_is.id, &both.bob.twin);
            Refused::locked(sealed.receipt.digest, reason, Some(both.public()), me, key)
        } else {
            Refused::unlocked(&sealed.receipt, reason, expected)
        };
        prop_assert!(both.believes(&good, &sealed));
        if other != number {
            let changed = Refused { reason: Refusal::from_number(other), ..good };
            prop_assert!(!both.believes(&changed, &sealed));
        }
        let next = good.expected.map_or(Some(1), |_| None);
        let changed = Refused { expected: next, ..good };
        prop_assert!(!both.believes(&changed, &sealed));
        let pre_key = good.pre_key.map_or_else(|| Some(both.public()), |_| None);
        let changed = Refused { pre_key, ..good };
        prop_assert!(!both.believes(&changed, &sealed));
        // On the wire: no flipped bit makes another refusal that is believed.
        let mut bytes = codec::encode(&good);
        let at = flip.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Some(changed) = codec::decode::<Refused>(&bytes) {
            prop_assert!(!both.believes(&changed, &sealed), "byte {at}");
        }
    }
}
