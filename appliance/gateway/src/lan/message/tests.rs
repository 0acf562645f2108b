//! Messages as bytes: what others send, what is said, and what is neither.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

fn fact(name: &str, what: What) -> Fact {
    Fact { name: name.to_owned(), what, ttl: 120 }
}

#[test]
fn a_question_as_a_phone_sends_it() {
    // "Ann-Hometwin.local", A and AAAA, the second for the asker alone, the name not repeated.
    let mut bytes = vec![0, 7, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 12];
    bytes.extend(b"Ann-Hometwin");
    bytes.extend(b"\x05local\x00\x00\x01\x00\x01\xc0\x0c\x00\x1c\x80\x01");
    let heard = read(&bytes).unwrap();
    let name = "ann-hometwin.local".to_owned();
    let asked = |kind, alone| Asked { name: name.clone(), kind, alone };
    assert_eq!(heard.questions, [asked(Kind::V4, false), asked(Kind::V6, true)]);
    assert_eq!((heard.id, heard.answers), (7, false));
}

#[test]
fn what_is_said_is_read_as_it_was_meant() {
    let facts = [
        fact("hometwin.local", What::Address([192, 0, 2, 7].into())),
        fact("hometwin.local", What::Address("fd00::7".parse().unwrap())),
        fact("hometwin.local", What::Only(vec![Kind::V4, Kind::V6])),
        fact("_hometwin._tcp.local", What::Pointer("h._hometwin._tcp.local".into())),
        fact("h._hometwin._tcp.local", What::Service { host: "hometwin.local".into(), port: 443 }),
        fact("h._hometwin._tcp.local", What::Text),
    ];
    let bytes = say(&facts, &[], None);
    let heard = read(&bytes).unwrap();
    assert!(heard.answers && heard.questions.is_empty());
    let addresses: Vec<_> = heard.said.iter().filter_map(|claim| claim.address).collect();
    assert_eq!(addresses, [IpAddr::from([192, 0, 2, 7]), "fd00::7".parse().unwrap()]);
    assert_eq!(heard.said.len(), 5, "what is not there is no claim");
    // The bit that tells caches to forget what others said; a pointer is everybody's.
    let packet = Packet::parse(&bytes).unwrap();
    let flush: Vec<_> = packet.answers.iter().map(|record| record.cache_flush).collect();
    assert_eq!(flush, [true, true, true, false, true, true]);
    let bits = packet.answers.iter().find_map(|record| {
        let RData::NSEC(nsec) = &record.rdata else { return None };
        Some(nsec.type_bit_maps[0].bitmap.to_vec())
    });
    assert_eq!(bits, Some(vec![0x40, 0, 0, 0x08]), "A and AAAA");
    let probed = read(&probe(&["hometwin.local"], &facts[..1])).unwrap();
    assert_eq!(probed.wanted.len(), 1);
    assert_eq!(probed.questions[0].kind, Kind::Any);
}

#[test]
fn a_plain_answer_repeats_number_and_question() {
    let asked = [Asked { name: "hometwin.local".into(), kind: Kind::V4, alone: false }];
    let facts = [fact("hometwin.local", What::Address([192, 0, 2, 7].into()))];
    let bytes = say(&facts, &[], Some(&Legacy { id: 99, questions: &asked }));
    let heard = read(&bytes).unwrap();
    assert_eq!((heard.id, heard.questions.len(), heard.said.len()), (99, 1, 1));
    assert!(!Packet::parse(&bytes).unwrap().answers[0].cache_flush);
}

#[test]
fn a_message_that_claims_much_sets_nothing_aside() {
    let mut bytes = vec![0; 12];
    bytes[6] = 0xff;
    assert_eq!(read(&bytes), None);
    assert_eq!(read(&bytes[..11]), None);
    bytes[6] = 0;
    assert_eq!(read(&bytes), Some(Heard::default()));
    // A name that points at itself.
    let around = b"\0\0\0\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01";
    assert_eq!(read(around), None);
}

#[test]
fn the_corpus_does_no_harm() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/lan");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert!(files.len() >= 12, "the corpus is there");
    for file in files {
        let _ = read(&std::fs::read(file.unwrap().path()).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_are_a_message_or_nothing(mut bytes in proptest::collection::vec(0_u8.., 0..300)) {
        let _ = read(&bytes);
        // The same with counts that fit.
        for at in 4..bytes.len().min(12) {
            bytes[at] = if at % 2 == 1 { bytes[at] % 4 } else { 0 };
        }
        let _ = read(&bytes);
    }

    #[test]
    fn damaged_messages_do_no_harm(at in 0_usize..200, byte in 0_u8.., cut in 0_usize..200) {
        let facts = [
            fact("hometwin.local", What::Address([192, 0, 2, 7].into())),
            fact("h._hometwin._tcp.local", What::Service { host: "hometwin.local".into(), port: 443 }),
            fact("hometwin.local", What::Only(vec![Kind::V4])),
        ];
        let mut bytes = say(&facts, &facts, None);
        if let Some(one) = bytes.get_mut(at) {
            *one = byte;
        }
        bytes.truncate(cut.max(1));
        let _ = read(&bytes);
    }
}
