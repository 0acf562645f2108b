//! Replays the committed corpus, and keeps it in step with the format: `HOMETWIN_WRITE=1` writes
//! the well-formed seeds anew. It never deletes what a fuzzer found.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::{About, Error, Here, Part, Version, make};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/bundle"))
}

fn small() -> Vec<u8> {
    let about = About {
        flavour: "headless".to_owned(),
        arch: "x86_64".to_owned(),
        version: Version(1, 2, 3),
        from: Version(1, 0, 0),
        expires: 2_000_000_000,
        tries: 3,
        root_hash: [7; 32],
    };
    let [root, update] = [1, 2].map(|n| SecretKey::from_bytes(&[n; 32]));
    let first = trusted().statement().sign(&[&root]);
    let second = Statement { number: 2, ..trusted().statement().clone() }.sign(&[&root]);
    let mut parts = [b"system", b"hashes", b"kernel"].map(Cursor::new);
    let mut out = Vec::new();
    make(&about, &mut parts, &[first, second], &update, &mut out).unwrap();
    out
}

#[test]
fn the_corpus_does_no_harm() {
    if std::env::var_os("HOMETWIN_WRITE").is_some() {
        fs::create_dir_all(folder()).unwrap();
        let [root, bundle] = [1, 2].map(|n| SecretKey::from_bytes(&[n; 32]));
        fs::write(folder().join("small"), small()).unwrap();
        fs::write(folder().join("statement"), trusted().statement().sign(&[&root])).unwrap();
        let half = small();
        fs::write(folder().join("cut-off"), &half[..half.len() / 2]).unwrap();
        fs::write(folder().join("unsigned"), trusted().statement().sign(&[&bundle])).unwrap();
    }
    let files = fs::read_dir(folder()).unwrap();
    let read = |file: fs::DirEntry| bundle(&fs::read(file.path()).unwrap());
    assert!(files.map(|file| read(file.unwrap())).count() >= 4, "the corpus is there");
}

#[test]
fn a_bundle_of_an_earlier_build_is_still_understood() {
    let bytes = fs::read(folder().join("small")).unwrap();
    let contents = Bundle::read(&mut bytes.as_slice()).unwrap().verify(&trusted()).unwrap();
    contents.check(&mut Cursor::new(&bytes), |_| ()).unwrap();
    let here = Here {
        flavour: "headless".to_owned(),
        arch: "x86_64".to_owned(),
        version: Version(1, 0, 0),
        now: 1_900_000_000,
    };
    contents.manifest.may_be_used(&here).unwrap();
    let mut kernel = Vec::new();
    let take = |_, piece: &[u8]| {
        kernel.extend_from_slice(piece);
        Ok(())
    };
    contents.read(Part::Kernel, &mut Cursor::new(&bytes), take).unwrap();
    assert_eq!(kernel, b"kernel");
}

proptest! {
    #[test]
    fn any_changed_bit_is_noticed(at: prop::sample::Index, bit in 0..8_u8) {
        let mut bytes = small();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let used = || -> Result<(), Error> {
            let contents = Bundle::read(&mut bytes.as_slice())?.verify(&trusted())?;
            contents.check(&mut Cursor::new(&bytes), |_| ())
        };
        prop_assert!(used().is_err(), "bit {bit} of byte {at}");
    }

    #[test]
    fn any_cut_is_noticed(at: prop::sample::Index, more in prop::collection::vec(any::<u8>(), 0..9)) {
        let mut bytes = small();
        let whole = bytes.clone();
        bytes.truncate(at.index(bytes.len() + 1));
        bytes.extend(more);
        let used = || -> Result<(), Error> {
            let contents = Bundle::read(&mut bytes.as_slice())?.verify(&trusted())?;
            contents.check(&mut Cursor::new(&bytes), |_| ())
        };
        prop_assert_eq!(used().is_ok(), bytes == whole);
    }

    #[test]
    fn any_bytes_are_a_bundle_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0..40_usize) {
        bundle(&bytes);
        let mut headed = small();
        headed.truncate(start);
        headed.extend(bytes);
        bundle(&headed);
    }
}
