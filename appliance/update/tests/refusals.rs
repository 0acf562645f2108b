//! Bundles as their publisher makes them, and what is done to them: each is used or refused, with the
//! reason that is true.

use std::io::Cursor;

use update::{
    About, Bundle, Contents, Error, Here, PIECE, Part, PublicKey, SecretKey, Statement, Trust,
    Version, make,
};

const NOW: u64 = 1_800_000_000;

fn key(n: u8) -> SecretKey {
    SecretKey::from_bytes(&[n; 32])
}

fn public(numbers: &[u8]) -> Vec<PublicKey> {
    numbers.iter().map(|n| key(*n).public()).collect()
}

/// Keys 1 to 9 sign statements, 11 to 19 manifests.
fn statement(number: u32, root: u8, update: u8, signed_by: &[u8]) -> Vec<u8> {
    let keys: Vec<SecretKey> = signed_by.iter().map(|n| key(*n)).collect();
    let statement = Statement { number, root: public(&[root]), update: public(&[update]) };
    statement.sign(&keys.iter().collect::<Vec<_>>())
}

fn first() -> Vec<u8> {
    statement(1, 1, 11, &[1])
}

fn about() -> About {
    About {
        flavour: "headless".to_owned(),
        arch: "x86_64".to_owned(),
        version: Version(1, 2, 0),
        from: Version(1, 0, 0),
        expires: NOW + 1,
        tries: 3,
        root_hash: [5; 32],
    }
}

fn here() -> Here {
    let kind = |text: &str| text.to_owned();
    Here { flavour: kind("headless"), arch: kind("x86_64"), version: Version(1, 1, 9), now: NOW }
}

/// Two pieces and a bit, one whole piece, and a few bytes.
fn parts() -> [Vec<u8>; 3] {
    let many = |n: usize| (0..n).map(|at| (at / 7 % 253) as u8).collect::<Vec<_>>();
    [many(2 * PIECE + 5), many(PIECE), b"kernel".to_vec()]
}

fn bundle(about: &About, statements: &[Vec<u8>], signed_by: u8) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    make(about, &mut parts().map(Cursor::new), statements, &key(signed_by), &mut out)?;
    Ok(out)
}

fn verify(bundle: &[u8], trusted: &[u8]) -> Result<Contents, Error> {
    Bundle::read(&mut &*bundle)?.verify(&Trust::read(trusted)?)
}

fn refused(result: Result<impl Sized, Error>) -> &'static str {
    result.err().map_or("used", |error| error.name())
}

#[test]
fn what_is_made_is_read() {
    let bytes = bundle(&about(), &[first()], 11).unwrap();
    let contents = verify(&bytes, &first()).unwrap();
    contents.manifest.may_be_used(&here()).unwrap();
    let mut heard = 0;
    contents.check(&mut Cursor::new(&bytes), |done| heard = done).unwrap();
    assert_eq!(heard, contents.manifest.length());
    for (part, expected) in Part::ALL.into_iter().zip(parts()) {
        let mut read = Vec::new();
        let take = |at, piece: &[u8]| {
            assert_eq!(at, read.len() as u64);
            read.extend_from_slice(piece);
            Ok(())
        };
        contents.read(part, &mut Cursor::new(&bytes), take).unwrap();
        assert!(read == expected, "{part}");
    }
}

#[test]
fn who_may_sign_changes_with_statements() {
    let second = statement(2, 2, 12, &[1, 2]);
    let third = statement(3, 2, 13, &[2]);
    let all = [first(), second.clone(), third.clone()];
    let bytes = bundle(&about(), &all, 13).unwrap();
    // Whoever knows any of them follows to the newest.
    for known in &all {
        verify(&bytes, known).unwrap();
    }
    // What the old keys sign is worth nothing to whoever knows the new ones.
    let old = bundle(&about(), &[first()], 11).unwrap();
    verify(&old, &first()).unwrap();
    assert_eq!(refused(verify(&old, &second)), "untrusted");
    assert_eq!(refused(verify(&old, &third)), "untrusted");
    // A gap can't be followed.
    let gap = bundle(&about(), &[second, third], 13).unwrap();
    assert_eq!(refused(verify(&gap, &first())), "untrusted");
}

#[test]
fn a_statement_needs_the_one_before_and_its_own_key() {
    for (number, root, signed_by) in [(2, 2, &[2][..]), (2, 2, &[1]), (2, 2, &[3, 2]), (3, 1, &[1])]
    {
        let next = statement(number, root, 12, signed_by);
        assert_eq!(refused(bundle(&about(), &[first(), next], 12)), "untrusted", "{signed_by:?}");
    }
    assert_eq!(refused(Trust::read(&statement(1, 1, 11, &[2]))), "keys");
    assert_eq!(refused(Trust::read(&statement(0, 1, 11, &[1]))), "keys");
    let mut long = first();
    long.push(0);
    assert_eq!(refused(Trust::read(&long)), "keys");
}

#[test]
fn only_a_key_for_manifests_signs_one() {
    for signed_by in [1, 12, 99] {
        assert_eq!(refused(bundle(&about(), &[first()], signed_by)), "untrusted", "{signed_by}");
    }
}

#[test]
fn a_bundle_is_for_some_systems_and_some_time() {
    let bytes = bundle(&about(), &[first()], 11).unwrap();
    let manifest = verify(&bytes, &first()).unwrap().manifest;
    let kind = |flavour: &str, arch: &str| Here {
        flavour: flavour.to_owned(),
        arch: arch.to_owned(),
        ..here()
    };
    for (here, expected) in [
        (here(), "used"),
        (kind("kiosk", "x86_64"), "other_kind"),
        (kind("headless", "aarch64"), "other_kind"),
        (Here { version: Version(1, 2, 0), ..here() }, "not_newer"),
        (Here { version: Version(2, 0, 0), ..here() }, "not_newer"),
        (Here { version: Version(0, 9, 9), ..here() }, "needs_newer"),
        (Here { now: NOW + 1, ..here() }, "expired"),
    ] {
        assert_eq!(refused(manifest.may_be_used(&here)), expected, "{here:?}");
    }
}

#[test]
fn nonsense_is_not_signed_for() {
    for wrong in [
        About { flavour: "../x".to_owned(), ..about() },
        About { arch: String::new(), ..about() },
        About { version: Version(100_000, 0, 0), ..about() },
        About { tries: 0, ..about() },
        About { tries: 10, ..about() },
    ] {
        assert_eq!(refused(bundle(&wrong, &[first()], 11)), "wrong", "{wrong:?}");
    }
    let mut parts = [Vec::new(), vec![1], vec![2]].map(Cursor::new);
    let made = make(&about(), &mut parts, &[first()], &key(11), &mut Vec::new());
    assert_eq!(refused(made), "wrong");
}

#[test]
fn parts_that_are_not_those_that_were_signed_are_refused() {
    let bytes = bundle(&about(), &[first()], 11).unwrap();
    let contents = verify(&bytes, &first()).unwrap();
    let check = |bytes: &[u8]| refused(contents.check(&mut Cursor::new(bytes), |_| ()));
    assert_eq!(check(&bytes), "used");
    assert_eq!(check(&bytes[..bytes.len() - 1]), "wrong_length");
    assert_eq!(check(&[&bytes[..], b"x"].concat()), "wrong_length");
    // Two pieces of one part, in the other order.
    let head = bytes.len() - parts().concat().len();
    let mut swapped = bytes.clone();
    let (a, b) = swapped[head..].split_at_mut(PIECE);
    a.swap_with_slice(&mut b[..PIECE]);
    assert_eq!(check(&swapped), "damaged");
    // A part of another bundle, of the same length.
    let mut other = bytes.clone();
    other[bytes.len() - 6..].copy_from_slice(b"lernek");
    assert_eq!(check(&other), "damaged");
    // The head of one with the parts of another version.
    let newer = bundle(&About { version: Version(9, 0, 0), ..about() }, &[first()], 11).unwrap();
    let mut mixed = newer[..head].to_vec();
    mixed[head - 200] ^= 1;
    mixed.extend(&bytes[head..]);
    assert_eq!(refused(verify(&mixed, &first())), "untrusted");
}

#[test]
fn what_is_no_bundle_is_said_to_be_none() {
    let bytes = bundle(&about(), &[first()], 11).unwrap();
    for cut in [0, 1, 17, 18, 19, 100] {
        assert_eq!(refused(verify(&bytes[..cut], &first())), "no_bundle", "{cut}");
    }
    // Lengths that would be read for ever.
    let mut long = b"hometwin bundle 1\n\0".to_vec();
    long.extend([0xff; 4]);
    assert_eq!(refused(verify(&long, &first())), "no_bundle");
    assert_eq!(refused(verify(b"hometwin bundle 2\n", &first())), "no_bundle");
}

#[test]
fn a_secret_is_kept_as_text_and_never_shown() {
    let key = key(3);
    let again = SecretKey::from_text(&key.to_text()).unwrap();
    assert_eq!(again.public(), key.public());
    assert_eq!(format!("{key:?}"), "SecretKey(..)");
    assert!(SecretKey::from_text("3").is_none());
    assert_eq!(key.public().to_string().parse(), Ok(key.public()));
    assert_ne!(SecretKey::generate().unwrap().public(), key.public());
}
