//! A store that differs: it stops being written, keeps everything, says so, and goes on only after a
//! check that finds nothing.
use std::fs;
use std::path::Path;

use store::{Error, Part, Store, VerifyError, kept_copies, maintain, maintain_at, stopped};

use crate::notes::{Seal, add, entry, erase, open, open_version, text_of};
use crate::raw;

fn refused(store: &Store) -> String {
    let new = entry("note.add", "late", Some("x"));
    let error = store.write_blocking(move |w| w.append(new)).unwrap_err();
    let Error::Stopped { found } = error else { panic!("{error:?}") };
    found
}

/// A store with ten notes, and a fault planted by `plant`.
fn planted(folder: &Path, plant: impl FnOnce(&raw::Raw, &mut heed::RwTxn<'_>)) {
    let store = open(folder);
    for n in 0..10 {
        add(&store, &format!("n{n}"), "some words");
    }
    store.checkpoint(&Seal(1)).unwrap();
    drop(store);
    raw::change(folder, plant);
}

fn other_row(raw: &raw::Raw, txn: &mut heed::RwTxn<'_>) {
    raw.tables
        .put(txn, b"note\0n3", b"{\"text\":\"lies\",\"text_seq\":4,\"edits\":0,\"removed\":false}")
        .unwrap();
}

#[test]
fn other_tables_stop_the_writing_and_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    planted(folder.path(), other_row);
    let store = open(folder.path());
    assert_eq!(store.stopped(), None, "a short look does not find it");
    assert!(matches!(store.verify(&Seal(1)), Err(VerifyError::Difference(_))));
    assert_eq!(store.stopped().unwrap().part, Part::Tables);
    assert!(refused(&store).contains("note"));
    assert!(matches!(store.checkpoint(&Seal(1)), Err(Error::Stopped { .. })));
    assert_eq!(text_of(&store, "n3").as_deref(), Some("lies"), "it can still be read");
    drop(store);

    // It holds over a restart, and nothing makes the file anew meanwhile.
    let file = folder.path().join("store.mdb");
    let before = fs::read(&file).unwrap();
    assert!(matches!(maintain(folder.path(), None), Err(Error::Stopped { .. })));
    assert_eq!(stopped(folder.path()).unwrap().unwrap().part, Part::Tables);
    let store = open(folder.path());
    refused(&store);
    assert!(fs::read(&file).unwrap() == before, "the data file was changed");

    let verified = store.rebuild_tables(&Seal(1)).unwrap();
    assert_eq!((verified.entries, verified.checkpoints), (10, 1));
    assert_eq!(text_of(&store, "n3").as_deref(), Some("some words"));
    assert_eq!((store.stopped(), stopped(folder.path()).unwrap()), (None, None));
    add(&store, "after", "x");
    let kept = kept_copies(folder.path()).unwrap();
    assert_eq!(kept.len(), 1);
    assert!(fs::read(&kept[0]).unwrap() == before, "what was there is not kept");
    // Once more is only a check.
    store.rebuild_tables(&Seal(1)).unwrap();
    assert_eq!(kept_copies(folder.path()).unwrap(), kept);

    // The copy has what is erased later: it goes when the erase is made complete.
    erase(&store, &[3]).unwrap();
    drop(store);
    maintain_at(folder.path(), None, i64::MAX).unwrap().unwrap();
    assert_eq!(kept_copies(folder.path()).unwrap().len(), 0);
    open(folder.path()).verify(&Seal(1)).unwrap();
}

#[test]
fn a_checkpoint_over_wrong_tables_is_settled_too() {
    let folder = tempfile::tempdir().unwrap();
    planted(folder.path(), other_row);
    let store = open(folder.path());
    // Signed without knowing better.
    add(&store, "more", "x");
    store.checkpoint(&Seal(1)).unwrap();
    store.verify(&Seal(1)).unwrap_err();
    store.rebuild_tables(&Seal(1)).unwrap();
    add(&store, "after", "x");
    store.verify(&Seal(1)).unwrap();
}

#[test]
fn a_killed_repair_is_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    planted(folder.path(), other_row);
    let store = open(folder.path());
    store.verify(&Seal(1)).unwrap_err();
    drop(store);
    // As a kill right after the tables were cleared leaves it, and a half copy.
    raw::change(folder.path(), |raw, txn| {
        raw.tables.clear(txn).unwrap();
        raw.meta.delete(txn, b"fold").unwrap();
        raw.meta.put(txn, b"rebuild", &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    });
    fs::write(folder.path().join("store.copying"), "half").unwrap();
    let store = open(folder.path());
    refused(&store);
    store.rebuild_tables(&Seal(1)).unwrap();
    add(&store, "after", "x");
    assert!(!folder.path().join("store.copying").exists());
}

#[test]
fn a_broken_journal_is_found_at_once_and_never_rebuilt_over() {
    type Plant = fn(&raw::Raw, &mut heed::RwTxn<'_>);
    let plants: [(Plant, Part); 3] = [
        (|raw, txn| assert!(raw.journal.delete(txn, &4_u64.to_be_bytes()).unwrap()), Part::Journal),
        (
            |raw, txn| {
                let row = raw.journal.get(txn, &9_u64.to_be_bytes()).unwrap().unwrap().to_vec();
                let changed: Vec<u8> =
                    row.iter().map(|byte| if *byte == b'p' { b'q' } else { *byte }).collect();
                raw.journal.put(txn, &9_u64.to_be_bytes(), &changed).unwrap();
            },
            Part::Journal,
        ),
        // The end is gone as a whole: only what was signed tells.
        (
            |raw, txn| {
                for seq in [9_u64, 10] {
                    raw.journal.delete(txn, &seq.to_be_bytes()).unwrap();
                }
            },
            Part::Checkpoint,
        ),
    ];
    for (plant, part) in plants {
        let folder = tempfile::tempdir().unwrap();
        planted(folder.path(), plant);
        let store = open(folder.path());
        assert_eq!(store.stopped().unwrap().part, part);
        refused(&store);
        let file = folder.path().join("store.mdb");
        let before = fs::read(&file).unwrap();
        assert!(matches!(store.rebuild_tables(&Seal(1)), Err(VerifyError::Difference(_))));
        refused(&store);
        drop(store);
        assert!(fs::read(&file).unwrap() == before, "the data file was changed");
        assert_eq!(kept_copies(folder.path()).unwrap().len(), 0);
        // A newer fold can't make tables of it either, and does not try.
        let newer = Store::open(
            folder.path(),
            crate::notes::options(),
            Box::new(crate::notes::Notes { version: 2 }),
        );
        if part == Part::Journal {
            assert!(matches!(newer, Err(Error::Damaged { .. })));
        }
    }
}

#[test]
fn nothing_is_signed_over_a_broken_chain() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..100 {
        add(&store, &format!("n{n}"), "x");
    }
    drop(store);
    raw::change(folder.path(), |raw, txn| {
        let row = raw.journal.get(txn, &20_u64.to_be_bytes()).unwrap().unwrap().to_vec();
        let changed: Vec<u8> =
            row.iter().map(|byte| if *byte == b'p' { b'q' } else { *byte }).collect();
        raw.journal.put(txn, &20_u64.to_be_bytes(), &changed).unwrap();
    });
    let store = open(folder.path());
    assert_eq!(store.stopped(), None, "too far back for the short look");
    assert!(matches!(store.checkpoint(&Seal(1)), Err(Error::Stopped { .. })));
    assert_eq!(store.stopped().unwrap().part, Part::Journal);
    refused(&store);
}

#[test]
fn put_right_from_outside_a_check_lets_it_go_on() {
    let folder = tempfile::tempdir().unwrap();
    planted(folder.path(), |_, _| {});
    let file = folder.path().join("store.mdb");
    let good = fs::read(&file).unwrap();
    raw::change(folder.path(), |raw, txn| {
        let mut row = raw.journal.get(txn, &3_u64.to_be_bytes()).unwrap().unwrap().to_vec();
        // The last byte of the content.
        *row.last_mut().unwrap() ^= 1;
        raw.journal.put(txn, &3_u64.to_be_bytes(), &row).unwrap();
    });
    let store = open(folder.path());
    store.verify(&Seal(1)).unwrap_err();
    assert_eq!(store.stopped().unwrap().part, Part::Content);
    drop(store);
    fs::write(&file, good).unwrap();
    let store = open(folder.path());
    refused(&store);
    store.verify(&Seal(1)).unwrap();
    add(&store, "after", "x");
}

#[test]
fn an_unreadable_mark_is_a_mark() {
    let folder = tempfile::tempdir().unwrap();
    planted(folder.path(), |_, _| {});
    fs::write(folder.path().join("store.stopped"), "{").unwrap();
    let store = open(folder.path());
    refused(&store);
    store.verify(&Seal(1)).unwrap();
    add(&store, "after", "x");
}

#[test]
fn what_only_a_newer_release_reads_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    add(&open(folder.path()), "a", "x");
    raw::change(folder.path(), |raw, txn| {
        raw.journal.put(txn, &2_u64.to_be_bytes(), &[3, 0, 0, 0, 3, 1, 2, 3]).unwrap();
    });
    let store = open(folder.path());
    store.verify(&Seal(1)).unwrap_err();
    assert_eq!(store.stopped(), None);
    drop(store);
    let store = open_version(folder.path(), 1);
    assert_eq!(store.stopped(), None);
}
