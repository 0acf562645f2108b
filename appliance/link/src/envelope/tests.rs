//! Envelopes: they come back as they went, and everything changed, moved or forged is refused.

use super::*;
use crate::{Chain, Keys};
use proptest::prelude::*;

struct Twin {
    keys: Keys,
    person: Person,
    pre_key: PreKey,
}

impl Twin {
    fn new(n: u8) -> Self {
        let keys = Keys {
            twin: SigningKey::from_bytes(&[n; 32]),
            recovery: SigningKey::from_bytes(&[n + 100; 32]),
        };
        let person = Chain::begin(&keys).check().unwrap();
        Self { keys, person, pre_key: PreKey::from_bytes(&[n + 50; 32]).unwrap() }
    }

    fn public(&self) -> SignedPreKey {
        self.pre_key.sign(&self.person.id, 1_000, &self.keys.twin)
    }

    fn says(&self, to: &Self, body: &[u8]) -> Inner {
        Inner {
            from: self.person.id,
            to: to.person.id,
            thread: [7; 16],
            epoch: 1,
            counter: 9,
            after: 8,
            capability: "chat".into(),
            major: 1,
            introduction: None,
            body: body.to_vec(),
        }
    }

    fn opens(&self, bytes: &[u8], from: &Self) -> Result<Inner, Refusal> {
        let opened = open(bytes, std::slice::from_ref(&self.pre_key)).map_err(|no| no.reason)?;
        opened.check(&from.person, &self.person.id).cloned()
    }
}

#[test]
fn both_ends_and_nobody_else_know_the_proofs() {
    let (ann, bob) = (Twin::new(1), Twin::new(2));
    let inner = ann.says(&bob, b"hello");
    let a = seal(&inner, &bob.public(), &ann.keys.twin).unwrap();
    let b = seal(&inner, &bob.public(), &ann.keys.twin).unwrap();
    let opened = open(&a.bytes, &[ann.pre_key.clone(), bob.pre_key.clone()]).unwrap();
    assert_eq!(opened.receipt(), a.receipt);
    assert_eq!(a.receipt.digest(), Digest::of(&a.bytes));
    assert_ne!(a.receipt.committed(), a.receipt.held());
    assert_ne!(a.bytes, b.bytes);
    assert_ne!(a.receipt.committed(), b.receipt.committed());
    assert_eq!(Inner::from_bytes(&inner.to_bytes()), Some(inner));
}

#[test]
fn forged_moved_and_resealed_ones_are_refused() {
    let (ann, bob, eve) = (Twin::new(1), Twin::new(2), Twin::new(3));
    let inner = ann.says(&bob, b"hello");
    // Eve signs in Ann's name.
    let forged = seal(&inner, &bob.public(), &eve.keys.twin).unwrap();
    assert_eq!(bob.opens(&forged.bytes, &ann), Err(Refusal::Forged));
    // Eve sends her own as Ann's: the chain she is looked up by is Ann's.
    let own = seal(&eve.says(&bob, b"hello"), &bob.public(), &eve.keys.twin).unwrap();
    assert_eq!(bob.opens(&own.bytes, &ann), Err(Refusal::Forged));
    // To Eve it is sealed wrongly; Ann cannot open it either.
    let good = seal(&inner, &bob.public(), &ann.keys.twin).unwrap();
    assert_eq!(eve.opens(&good.bytes, &ann), Err(Refusal::UnknownPreKey));
    // Bob seals what Ann told him anew, to Eve: with Ann's old signature, or in her name.
    let opened = open(&good.bytes, std::slice::from_ref(&bob.pre_key)).unwrap();
    let moved = resealed(&opened.inner, &opened.signature, &eve.public());
    assert_eq!(eve.opens(&moved, &ann), Err(Refusal::NotForMe));
    let renamed = Inner { to: eve.person.id, ..opened.inner.clone() };
    let moved = resealed(&renamed, &opened.signature, &eve.public());
    assert_eq!(eve.opens(&moved, &ann), Err(Refusal::Forged));
    // Even to another pre-key of the same receiver the signature does not move.
    let newer = PreKey::from_bytes(&[77; 32]).unwrap();
    let public = newer.sign(&bob.person.id, 1, &bob.keys.twin);
    let moved = resealed(&opened.inner, &opened.signature, &public);
    let told = open(&moved, &[newer]).unwrap();
    assert_eq!(told.check(&ann.person, &bob.person.id), Err(Refusal::Forged));
}

#[test]
fn every_field_is_signed() {
    let (ann, bob) = (Twin::new(1), Twin::new(2));
    let introduction = Introduction { chain: Chain::begin(&ann.keys), pre_key: ann.public() };
    let inner = Inner { introduction: Some(introduction), ..ann.says(&bob, b"hello") };
    let good = seal(&inner, &bob.public(), &ann.keys.twin).unwrap();
    let signature = open(&good.bytes, std::slice::from_ref(&bob.pre_key)).unwrap().signature;
    let changes: [fn(&mut Inner); 8] = [
        |i| i.thread[0] ^= 1,
        |i| i.epoch += 1,
        |i| i.counter += 1,
        |i| i.after -= 1,
        |i| i.capability.push('x'),
        |i| i.major += 1,
        |i| i.introduction = None,
        |i| i.body[0] ^= 1,
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut changed = inner.clone();
        change(&mut changed);
        let bytes = resealed(&changed, &signature, &bob.public());
        assert_eq!(bob.opens(&bytes, &ann), Err(Refusal::Forged), "change {n}");
    }
    assert_eq!(bob.opens(&resealed(&inner, &signature, &bob.public()), &ann), Ok(inner));
}

#[test]
fn limits_and_forms() {
    let (ann, bob) = (Twin::new(1), Twin::new(2));
    let seal_body = |size| seal(&ann.says(&bob, &vec![1; size]), &bob.public(), &ann.keys.twin);
    let largest = seal_body(MAX_BODY).unwrap();
    assert!(largest.bytes.len() <= MAX_ENVELOPE);
    assert_eq!(bob.opens(&largest.bytes, &ann).unwrap().body.len(), MAX_BODY);
    assert_eq!(seal_body(MAX_BODY + 1).err(), Some(SealError::TooLarge));
    assert_eq!(open(&vec![0; MAX_ENVELOPE + 1], &[]).unwrap_err().reason, Refusal::TooLarge);
    assert_eq!(open(&[], &[]).unwrap_err().reason, Refusal::Malformed);
    let odd = Inner { capability: "Chat \n".into(), ..ann.says(&bob, b"x") };
    assert_eq!(seal(&odd, &bob.public(), &ann.keys.twin).err(), Some(SealError::Capability));
    let (short, long) = (seal_body(1).unwrap(), seal_body(40).unwrap());
    assert_eq!(short.bytes.len() % PAD, long.bytes.len() % PAD);
    assert!(!format!("{:?}", ann.says(&bob, b"secret")).contains("115, 101"));
}

#[test]
fn padding_hides_nothing_but_length() {
    let (ann, bob) = (Twin::new(1), Twin::new(2));
    let inner = ann.says(&bob, b"hello");
    let header = Header { suite: SUITE, pre_key: bob.public().id() };
    let signature = ann.keys.twin.sign(PURPOSE, &codec::encode(&(&header, &inner)));
    let mut plain = codec::encode(&(&inner, &signature));
    plain.resize(plain.len().next_multiple_of(PAD), 0);
    *plain.last_mut().unwrap() = 1;
    assert_eq!(bob.opens(&raw(&plain, &bob.public()), &ann), Err(Refusal::Malformed));
    *plain.last_mut().unwrap() = 0;
    assert_eq!(bob.opens(&raw(&plain, &bob.public()), &ann), Ok(inner));
    plain.resize(plain.len() + PAD, 0);
    assert_eq!(bob.opens(&raw(&plain, &bob.public()), &ann), Err(Refusal::Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn round_trip(
        body in prop::collection::vec(any::<u8>(), 0..2000),
        counter in any::<u64>(), after in any::<u64>(), epoch in any::<u32>(), major in any::<u16>(),
        thread in any::<[u8; 16]>(), capability in "[a-z0-9./-]{1,64}",
    ) {
        let (ann, bob) = (Twin::new(1), Twin::new(2));
        let (from, to) = (ann.person.id, bob.person.id);
        let introduction = Introduction { chain: Chain::begin(&ann.keys), pre_key: ann.public() };
        let introduction = (counter % 2 == 0).then_some(introduction);
        let inner = Inner {
            from, to, thread, epoch, counter, after, capability, major, introduction, body,
        };
        let sealed = seal(&inner, &bob.public(), &ann.keys.twin).unwrap();
        prop_assert_eq!(bob.opens(&sealed.bytes, &ann), Ok(inner));
    }

    #[test]
    fn no_flipped_bit_goes_unseen(places in prop::collection::vec(any::<prop::sample::Index>(), 20), bit in 0_u8..8) {
        let (ann, bob) = (Twin::new(1), Twin::new(2));
        let good = seal(&ann.says(&bob, b"hello"), &bob.public(), &ann.keys.twin).unwrap().bytes;
        for place in places {
            let mut bytes = good.clone();
            let at = place.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(bob.opens(&bytes, &ann).is_err(), "byte {}", at);
            prop_assert!(bob.opens(&good[..at], &ann).is_err(), "cut at {}", at);
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        crate::fuzz::envelope(&bytes);
    }
}

/// What a dishonest holder of a signed text could make of it.
fn resealed(inner: &Inner, signature: &Signature, to: &SignedPreKey) -> Vec<u8> {
    let mut plain = codec::encode(&(inner, signature));
    plain.resize(plain.len().next_multiple_of(PAD), 0);
    raw(&plain, to)
}

fn raw(plain: &[u8], to: &SignedPreKey) -> Vec<u8> {
    let header = Header { suite: SUITE, pre_key: to.id() };
    let public = <Kem as hpke::Kem>::PublicKey::from_bytes(to.public()).unwrap();
    let mut random = Random::new().unwrap();
    let (key, mut context): (_, AeadCtxS<ChaCha20Poly1305, HkdfSha256, Kem>) =
        hpke::setup_sender_with_rng(&OpModeS::Base, &public, INFO, &mut random).unwrap();
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend_from_slice(&key.to_bytes());
    bytes.extend(context.seal(plain, &header.to_bytes()).unwrap());
    bytes
}
