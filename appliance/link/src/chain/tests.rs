//! Chains: every honest prefix is valid, every change is refused, recovery outranks rotation.

use super::*;
use proptest::prelude::*;

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn keys(twin: u8, recovery: u8) -> Keys {
    Keys { twin: key(twin), recovery: key(recovery) }
}

fn delegate(purpose: &str, until_ms: i64) -> Delegate {
    Delegate { key: key(200).public(), purpose: purpose.into(), until_ms }
}

/// An honest chain: each number picks an operation, keys are numbered upward from 10.
fn grown(picks: &[u8]) -> (Chain, SigningKey, SigningKey) {
    let (mut twin, mut recovery) = (key(1), key(2));
    let mut chain = Chain::begin(&keys(1, 2));
    let mut fresh = 10;
    for pick in picks {
        let (a, b) = (key(fresh), key(fresh + 1));
        fresh += 2;
        match pick % 3 {
            0 => {
                chain = chain.rotate(a.public(), &twin).unwrap();
                twin = a;
            }
            1 => {
                chain = chain.recover(a.public(), b.public(), &recovery).unwrap();
                (twin, recovery) = (a, b);
            }
            _ => chain = chain.delegate(delegate("zone", fresh.into()), &twin).unwrap(),
        }
    }
    (chain, twin, recovery)
}

#[test]
fn a_thousand_years_of_keys_keep_one_id() {
    let (chain, twin, recovery) = grown(&[0, 2, 1, 0, 2]);
    let person = chain.check().unwrap();
    assert_eq!(person.id, Chain::begin(&keys(1, 2)).check().unwrap().id);
    assert_eq!((person.key, person.recovery), (twin.public(), recovery.public()));
    assert_eq!((person.length, person.delegates.len()), (6, 1));
}

#[test]
fn recovery_ends_delegations_and_naming_again_replaces() {
    let (chain, twin, recovery) = grown(&[]);
    let chain = chain.delegate(delegate("zone", 1), &twin).unwrap();
    let chain = chain.delegate(delegate("zone", 2), &twin).unwrap();
    assert_eq!(chain.check().unwrap().delegates, [delegate("zone", 2)]);
    let chain = chain.recover(key(3).public(), key(4).public(), &recovery).unwrap();
    assert_eq!(chain.check().unwrap().delegates, []);
}

#[test]
fn refused() {
    let (chain, twin, recovery) = grown(&[]);
    let new = key(9).public();
    let long = (1..MAX_OPERATIONS)
        .fold(chain.clone(), |c, _| c.delegate(delegate("x", 1), &twin).unwrap());
    let reordered = {
        let longer = chain.rotate(new, &twin).unwrap();
        Chain(vec![longer.0[1].clone(), longer.0[0].clone()])
    };
    let twice = Chain(vec![chain.0[0].clone(), chain.0[0].clone()]);
    let second = {
        let head = chain.check().unwrap().head;
        let act = Act::Genesis { key: new, recovery: key(8).public() };
        Chain(vec![chain.0[0].clone(), Operation::sign(head, act, &twin)])
    };
    let cases = [
        (chain.rotate(new, &recovery), ChainError::Unsigned(1)),
        (chain.rotate(new, &key(9)), ChainError::Unsigned(1)),
        (chain.recover(new, key(8).public(), &twin), ChainError::Unsigned(1)),
        (chain.recover(new, new, &recovery), ChainError::SameKey(1)),
        (chain.rotate(recovery.public(), &twin), ChainError::SameKey(1)),
        (chain.delegate(delegate("", 1), &twin), ChainError::Purpose(1)),
        (chain.delegate(delegate("Zone!", 1), &twin), ChainError::Purpose(1)),
        (long.rotate(new, &twin), ChainError::TooLong),
        (Chain(vec![]).rotate(new, &twin), ChainError::NoGenesis),
        (reordered.check().map(|_| chain.clone()), ChainError::NoGenesis),
        (twice.check().map(|_| chain.clone()), ChainError::Broken(1)),
        (second.check().map(|_| chain.clone()), ChainError::SecondGenesis(1)),
        (Chain::begin(&keys(1, 1)).check().map(|_| chain.clone()), ChainError::SameKey(0)),
    ];
    for (i, (got, want)) in cases.into_iter().enumerate() {
        assert_eq!(got, Err(want), "case {i}");
    }
    assert!(long.to_bytes().len() < MAX_BYTES);
    assert_eq!(Chain::from_bytes(&long.to_bytes()), Ok(long));
}

#[test]
fn a_thief_of_the_twin_key_loses_to_one_recovery() {
    let (start, twin, recovery) = grown(&[]);
    let mut thief = start.rotate(key(50).public(), &twin).unwrap();
    for n in 51..70 {
        thief = thief.rotate(key(n).public(), &key(n - 1)).unwrap();
    }
    let owner = start.rotate(key(30).public(), &twin).unwrap();
    let owner = owner.recover(key(31).public(), key(32).public(), &recovery).unwrap();
    for (known, offered) in [(&thief, &owner), (&owner, &thief)] {
        let choice = Chain::choose(known, offered).unwrap();
        assert_eq!(choice.chain, &owner);
        assert_eq!(choice.person.key, key(31).public());
        let refused = thief.check().unwrap().head;
        assert_eq!(choice.fork, Some(Fork { at: 1, refused, recovered: true }));
    }
}

#[test]
fn of_two_equal_branches_the_known_one_stays_and_the_fork_shows() {
    let (start, twin, recovery) = grown(&[]);
    let a = start.rotate(key(30).public(), &twin).unwrap();
    let b = start.rotate(key(40).public(), &twin).unwrap();
    let b = b.rotate(key(41).public(), &key(40)).unwrap();
    let choice = Chain::choose(&a, &b).unwrap();
    assert_eq!(choice.chain, &a);
    assert!(choice.fork.is_some_and(|f| !f.recovered && f.at == 1));
    let c = start.recover(key(60).public(), key(61).public(), &recovery).unwrap();
    let d = start.recover(key(62).public(), key(63).public(), &recovery).unwrap();
    let choice = Chain::choose(&c, &d).unwrap();
    assert_eq!(choice.chain, &c);
    assert!(choice.fork.is_some_and(|f| f.recovered));
    let other = Chain::begin(&keys(5, 6));
    assert_eq!(Chain::choose(&a, &other), Err(ChainError::OtherPerson));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_prefix_is_valid_and_chosen_over(picks in prop::collection::vec(0_u8..3, 0..10)) {
        let (chain, ..) = grown(&picks);
        for length in 1..=chain.0.len() {
            let prefix = Chain(chain.0[..length].to_vec());
            prop_assert_eq!(prefix.check().unwrap().length as usize, length);
            for (known, offered) in [(&prefix, &chain), (&chain, &prefix)] {
                let choice = Chain::choose(known, offered).unwrap();
                prop_assert_eq!(choice.chain, &chain);
                prop_assert_eq!(choice.fork, None);
            }
        }
        prop_assert_eq!(Chain::from_bytes(&chain.to_bytes()), Ok(chain));
    }

    #[test]
    fn every_tampering_is_refused(
        picks in prop::collection::vec(0_u8..3, 0..6),
        place in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let (chain, ..) = grown(&picks);
        let mut bytes = chain.to_bytes();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let told = Chain::from_bytes(&bytes).and_then(|c| c.check());
        prop_assert!(told.is_err(), "byte {} bit {} made {:?}", at, bit, told);
    }

    #[test]
    fn leaving_out_or_swapping_operations_is_refused(
        picks in prop::collection::vec(0_u8..3, 2..8),
        a in any::<prop::sample::Index>(),
        b in any::<prop::sample::Index>(),
    ) {
        let (chain, ..) = grown(&picks);
        let (a, b) = (a.index(chain.0.len()), b.index(chain.0.len()));
        let mut swapped = chain.clone();
        swapped.0.swap(a, b);
        prop_assert_eq!(swapped.check().is_ok(), a == b);
        let mut shorter = chain.clone();
        shorter.0.remove(a);
        prop_assert_eq!(shorter.check().is_ok(), a + 1 == chain.0.len());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        crate::fuzz::chain(&bytes);
    }
}
