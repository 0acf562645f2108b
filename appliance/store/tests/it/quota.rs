//! A store takes no more room than it may, and whatever is over is still there to be read and erased.
use std::fs;

use store::{Error, Options, ReadAll as _, Room, Space, Store, maintain_at};

use crate::notes::{Notes, Seal, entry, erase, options, text_of};

const QUOTA: u64 = 1 << 20;

fn open_within(folder: &std::path::Path, quota: u64) -> Store {
    let options = Options { quota: Some(quota), ..options() };
    Store::open(folder, options, Box::new(Notes { version: 1 })).unwrap()
}

fn try_add(store: &Store, number: u64) -> Result<u64, Error> {
    let new = entry("note.add", &format!("n{number}"), Some(&"x".repeat(3000)));
    store.write_blocking(move |w| {
        w.check_room()?;
        w.append(new)
    })
}

/// Adds until there is no room.
fn fill(store: &Store) -> u64 {
    let mut added = store.head().seq;
    loop {
        match try_add(store, added + 1) {
            Ok(seq) => added = seq,
            Err(Error::Full { space: Space::Quota }) => return added,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_full_store_is_read_and_erased_and_then_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_within(folder.path(), QUOTA);
    let room = store.watch_room();
    let full = fill(&store);
    assert_eq!(*room.borrow(), Room::Full);
    let used = store.usage().unwrap().used();
    assert!((QUOTA..QUOTA + 100_000).contains(&used), "{used} of {QUOTA}");
    assert_eq!(text_of(&store, "n1").unwrap().len(), 3000);
    // What keeps the store in order goes on.
    store.write_blocking(|w| w.vault_put(b"counter", b"1")).unwrap();
    let some: Vec<u64> = (1..=full / 2).collect();
    erase(&store, &some).unwrap();
    assert!(store.usage().unwrap().used() < QUOTA * 3 / 4);
    assert_eq!(*room.borrow(), Room::Enough);
    let again = fill(&store);
    assert!(again > full + full / 4, "{full} at first, {again} then");
    // What was freed is used again: the file does not go on growing.
    let length = fs::metadata(folder.path().join("store.mdb")).unwrap().len();
    assert!(length < QUOTA + QUOTA / 4, "{length} bytes");
    store.verify(&Seal(1)).unwrap();
}

#[test]
fn a_quota_below_what_is_there_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_within(folder.path(), 8 * QUOTA);
    let full = fill(&store);
    drop(store);
    let store = open_within(folder.path(), QUOTA);
    assert!(matches!(try_add(&store, 0), Err(Error::Full { space: Space::Quota })));
    assert_eq!(text_of(&store, &format!("n{full}")).unwrap().len(), 3000);
    store.read(|r| r.content(full)).unwrap().unwrap();
    for some in (1..full - 9).collect::<Vec<_>>().chunks(100) {
        erase(&store, some).unwrap();
    }
    try_add(&store, full + 1).unwrap();
    drop(store);
    // What is free is given back.
    maintain_at(folder.path(), Some(QUOTA), 0).unwrap().unwrap();
    let store = open_within(folder.path(), QUOTA);
    assert!(store.usage().unwrap().length < QUOTA);
    store.verify(&Seal(1)).unwrap();
}

#[test]
fn a_file_over_its_quota_is_compacted_earlier() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_within(folder.path(), 5 << 20);
    let full = fill(&store);
    erase(&store, &(1..=full / 3).collect::<Vec<_>>()).unwrap();
    drop(store);
    assert_eq!(maintain_at(folder.path(), Some(8 << 20), 0).unwrap(), None);
    let done = maintain_at(folder.path(), Some(4 << 20), 0).unwrap().unwrap();
    assert!(done.after < 4 << 20, "{done:?}");
    assert_eq!(maintain_at(folder.path(), Some(1 << 20), 0).unwrap(), None, "nothing to gain");
}

#[test]
fn room_is_little_from_nine_tenths_on() {
    let all = [(899, Room::Enough), (900, Room::Little), (999, Room::Little), (1000, Room::Full)];
    for (used, room) in all {
        assert_eq!(Room::of(used, Some(1000)), room, "{used}");
    }
    assert_eq!(Room::of(u64::MAX, None), Room::Enough);
    assert_eq!(Room::of(0, Some(0)), Room::Full);
}
