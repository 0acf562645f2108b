//! Replays the committed corpus, and keeps it in step with the formats: `HOMETWIN_WRITE=1` writes
//! the well-formed seeds anew. It never deletes what a fuzzer found.

use super::*;
use crate::*;
use std::{fs, path::PathBuf};

#[test]
fn the_corpus_does_no_harm() {
    for (name, target) in TARGETS {
        let mut files = 0;
        for file in fs::read_dir(folder(name)).unwrap() {
            target(&fs::read(file.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files >= 3, "corpus/{name} has {files} files");
    }
}

#[test]
fn the_well_formed_seeds_are_still_understood() {
    if std::env::var_os("HOMETWIN_WRITE").is_some() {
        write_seeds();
    }
    let seed = |target: &str, name: &str| fs::read(folder(target).join(name)).unwrap();
    let text = String::from_utf8(seed("card", "text")).unwrap();
    let card = Card::from_text(&text).unwrap();
    assert_eq!(card.to_bytes(), seed("card", "bytes"));
    assert_eq!(
        Card::from_text(&String::from_utf8(seed("card", "link")).unwrap()),
        Ok(card.clone())
    );
    let chain = Chain::from_bytes(&seed("chain", "four-operations")).unwrap();
    assert_eq!(chain.check().unwrap().length, 4);
    // An envelope sealed by an earlier build must open in every later one.
    let opened = open(&seed("envelope", "sealed"), &[PreKey::from_bytes(&[3; 32]).unwrap()]);
    let opened = opened.unwrap();
    let inner = opened.check(card.person(), &card.person().id).unwrap();
    assert_eq!(inner.body, b"{\"text\":\"hello\"}");
    assert_eq!(frames(&[&seed("frame", "every-kind")]).0.len(), 6);
}

type Target = (&'static str, fn(&[u8]));
const TARGETS: [Target; 4] =
    [("card", card), ("chain", chain), ("envelope", envelope), ("frame", frame)];

fn write_seeds() {
    let write = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(folder(target)).unwrap();
        fs::write(folder(target).join(name), bytes).unwrap();
    };
    let key = |n| SigningKey::from_bytes(&[n; 32]);
    let keys = Keys { twin: key(1), recovery: key(2) };
    let chain = Chain::begin(&keys);
    let id = chain.check().unwrap().id;
    let pre_key = PreKey::from_bytes(&[3; 32]).unwrap().sign(&id, 2_000_000_000_000, &keys.twin);
    let origin = "https://ann.example";
    let card = Card::new(chain.clone(), pre_key, "Ann", origin, &keys.twin).unwrap();
    write("card", "text", card.to_text().as_bytes());
    write("card", "link", card.to_link().unwrap().as_bytes());
    write("card", "bytes", &card.to_bytes());
    write("card", "cut", &card.to_bytes()[..200]);

    let longer = chain.rotate(key(4).public(), &keys.twin).unwrap();
    let delegate = Delegate { key: key(9).public(), purpose: "zone".into(), until_ms: 5 };
    let longer = longer.delegate(delegate, &key(4)).unwrap();
    let longer = longer.recover(key(5).public(), key(6).public(), &keys.recovery).unwrap();
    write("chain", "genesis", &chain.to_bytes());
    write("chain", "four-operations", &longer.to_bytes());
    write("chain", "long-count", &[0xff, 0xff, 0xff, 0xff, 0x0f, 0]);

    let inner = Inner {
        from: id,
        to: id,
        thread: [7; 16],
        epoch: 1,
        counter: 1,
        after: 0,
        capability: "chat".into(),
        major: 1,
        introduction: Some(Introduction { chain: chain.clone(), pre_key }),
        body: b"{\"text\":\"hello\"}".to_vec(),
    };
    let sealed = seal(&inner, &pre_key, &keys.twin).unwrap();
    write("envelope", "sealed", &sealed.bytes);
    write("envelope", "cut", &sealed.bytes[..60]);
    write("envelope", "other-suite", &[&[0, 9], &sealed.bytes[2..]].concat());

    let receipt = sealed.receipt;
    let reason = Refusal::UnknownPreKey;
    let locked = Refused::locked(receipt.digest(), reason, Some(pre_key), &id, &keys.twin);
    let every = [
        Frame::Envelope(sealed.bytes.clone()),
        Frame::Committed(vec![receipt.committed()]),
        Frame::Held(vec![receipt.held()]),
        Frame::Refused(locked),
        Frame::Refused(Refused::unlocked(&receipt, Refusal::Gap, Some(1))),
        Frame::Bye,
    ];
    let stream: Vec<u8> = every.iter().flat_map(|f| f.to_bytes().unwrap()).collect();
    write("frame", "every-kind", &stream);
    write("frame", "cut", &stream[..stream.len() - 2]);
    write("frame", "huge-length", &[0xff, 0xff, 0xff, 0xff, 0]);
}

fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", target].iter().collect()
}
