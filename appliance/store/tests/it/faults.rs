//! Full disks and maps, damaged and foreign files, folders that are taken or read-only: a clear
//! error each, and nothing damaged.
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::{
    Door, Error, Options, ReadAll as _, Space, Store, VerifyError, maintain, verify_folder,
};

use crate::notes::{Notes, Seal, add, entry, open, open_version, text_of};
use crate::{again, raw};

fn try_open(folder: &Path) -> Result<Store, Error> {
    Store::open(folder, Options::default(), Box::new(Notes { version: 1 }))
}

fn try_add(store: &Store, id: u32, size: usize) -> Result<u64, Error> {
    let new = entry("note.add", &format!("n{id:06}"), Some(&"x".repeat(size)));
    store.write_blocking(move |w| w.append(new))
}

/// Opening in every way fails with `wanted` and leaves the file as it is.
fn refused(folder: &Path, wanted: impl Fn(&Error) -> bool) {
    let file = folder.join("store.mdb");
    let before = fs::read(&file).unwrap();
    let check = |error: Error| assert!(wanted(&error), "{error:?}");
    check(try_open(folder).err().unwrap());
    check(maintain(folder, None).unwrap_err());
    match verify_folder(folder, Box::new(Notes { version: 1 }), &Seal(1)).unwrap_err() {
        VerifyError::Store(error) => check(error),
        VerifyError::Difference(difference) => panic!("{difference}"),
    }
    assert!(fs::read(&file).unwrap() == before, "the file was changed");
}

#[test]
fn a_full_disk_is_said_and_costs_nothing() {
    const NAME: &str = "faults::a_full_disk_is_said_and_costs_nothing";
    let Some(folder) = again::folder() else {
        let folder = tempfile::tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size=3m none {}", folder.path().display());
        again::run_mounted(NAME, folder.path(), &mount);
        return;
    };
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let twin = folder.join("twin");
    let store = try_open(&twin).unwrap();
    let mut stored = 0;
    let error = loop {
        match try_add(&store, stored, 20_000) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Full { space: Space::Disk }), "{error:?}");
    assert!(stored > 5);
    assert_eq!(store.head().seq, u64::from(stored));
    assert_eq!(text_of(&store, "n000003").unwrap().len(), 20_000);
    let error = store.verify(&Seal(1)).unwrap_err();
    assert!(matches!(error, VerifyError::Store(Error::Full { .. })), "{error:?}");
    // A second store does not fit, says so and leaves nothing that looks like one.
    fs::write(folder.join("rest"), vec![0; 3 << 20]).unwrap_err();
    let other = folder.join("other");
    assert!(matches!(try_open(&other), Err(Error::Full { space: Space::Disk })));
    assert!(matches!(Door::open(&other), Err(Error::Full { space: Space::Disk })));
    assert!(!other.join("store.mdb").exists() && !other.join("door.mdb").exists());
    // With room again the same handle goes on.
    fs::remove_file(folder.join("rest")).unwrap();
    fs::remove_file(&ballast).unwrap();
    try_add(&store, stored, 20_000).unwrap();
    drop(store);
    let store = try_open(&twin).unwrap();
    assert_eq!(store.head().seq, u64::from(stored) + 1);
    drop(store);
    again::done();
}

#[test]
fn a_full_map_is_said_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { map_size: 1 << 20, map_limit: 1 << 20, ..Options::default() };
    let store = Store::open(folder.path(), options, Box::new(Notes { version: 1 })).unwrap();
    let mut stored = 0;
    let error = loop {
        match try_add(&store, stored, 20_000) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Full { space: Space::Map }), "{error:?}");
    assert!(stored > 5);
    assert_eq!(store.head().seq, u64::from(stored));
    assert_eq!(text_of(&store, "n000003").unwrap().len(), 20_000);
    drop(store);
    // A larger map has room again.
    let store = open(folder.path());
    try_add(&store, stored, 20_000).unwrap();
    store.verify(&Seal(1)).unwrap();
}

#[test]
fn the_map_grows_under_readers() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { map_size: 1 << 20, map_limit: 64 << 20, ..Options::default() };
    let store = Store::open(folder.path(), options, Box::new(Notes { version: 1 })).unwrap();
    add(&store, "first", "text");
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (store, stop) = (store.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(text_of(&store, "first").as_deref(), Some("text"));
                }
            })
        })
        .collect();
    for n in 0..150 {
        try_add(&store, n, 20_000).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    assert!(fs::metadata(folder.path().join("store.mdb")).unwrap().len() > 2 << 20);
}

#[test]
fn the_map_grows_for_a_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..40 {
        try_add(&store, n, 20_000).unwrap();
    }
    drop(store);
    // No more than the file has now: the rebuilt rows do not fit beside the old ones.
    let tight = |map_limit| {
        let options = Options { map_size: 1 << 16, map_limit, ..Options::default() };
        Store::open(folder.path(), options, Box::new(Notes { version: 2 }))
    };
    assert!(matches!(tight(1 << 16), Err(Error::Full { space: Space::Map })));
    let store = tight(64 << 20).unwrap();
    assert_eq!(text_of(&store, "n000039").unwrap().len(), 20_000);
    store.verify(&Seal(1)).unwrap();
}

#[test]
fn a_small_address_space_is_made_do_with() {
    const NAME: &str = "faults::a_small_address_space_is_made_do_with";
    let Some(folder) = again::folder() else {
        let folder = tempfile::tempdir().unwrap();
        again::run(NAME, folder.path(), "env", "ulimit -v 1500000; exec \"$@\"");
        return;
    };
    let store = try_open(&folder).unwrap();
    add(&store, "a", "x");
    store.verify(&Seal(1)).unwrap();
    drop(store);
    drop(Door::open(&folder).unwrap());
    again::done();
}

#[test]
fn a_file_cut_short_is_refused_before_it_is_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..20 {
        try_add(&store, n, 20_000).unwrap();
    }
    drop(store);
    let file = folder.path().join("store.mdb");
    let whole = fs::metadata(&file).unwrap().len();
    for length in [whole - 4096, whole - 4097, whole / 2, 8192, 8191, 4096, 100, 0] {
        fs::File::options().write(true).open(&file).unwrap().set_len(length).unwrap();
        refused(folder.path(), |e| {
            let in_header = (1..152).contains(&length) && matches!(e, Error::Damaged { .. });
            in_header
                || matches!(e, Error::Truncated { length: found, wanted, .. }
                    if *found == length && *wanted > length)
        });
    }
}

#[test]
fn a_sound_file_shorter_than_its_last_page_number_is_not_refused() {
    // The list of free pages: within a row, and in pages of its own.
    for (size, commits) in [(100_000, 20), (1 << 20, 20), (8 << 20, 60)] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        for n in 0..commits {
            add(&store, &format!("n{n}"), "x");
        }
        // Pages taken at the end of the file and given up in the same transaction are never
        // written.
        store
            .write_blocking(move |w| {
                w.vault_put(b"large", &vec![7; size])?;
                w.vault_delete(b"large")
            })
            .unwrap();
        drop(store);
        let file = folder.path().join("store.mdb");
        let pages = raw::open(&file).info().last_page_number as u64 + 1;
        let length = fs::metadata(&file).unwrap().len();
        assert!(length < pages * 4096, "no such file was made: {length} bytes, {pages} pages");
        let store = open(folder.path());
        assert_eq!(store.head().seq, commits);
        store.verify(&Seal(1)).unwrap();
        drop(store);
        // Really cut, it is refused again.
        fs::File::options().write(true).open(&file).unwrap().set_len(length - 4096 * 4).unwrap();
        refused(folder.path(), |e| matches!(e, Error::Truncated { .. }));
    }
}

#[test]
fn a_damaged_header_is_not_taken_for_anothers_file() {
    let folder = tempfile::tempdir().unwrap();
    add(&open(folder.path()), "a", "x");
    let file = folder.path().join("store.mdb");
    let whole = fs::read(&file).unwrap();
    let broken = |from: usize, to: usize, with: u8| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(with);
        fs::write(&file, bytes).unwrap();
        refused(folder.path(), |e| matches!(e, Error::Damaged { .. }));
    };
    // The first header, the second, both as a lost write leaves them, and single fields.
    broken(0, 4096, 7);
    broken(4096, 8192, 7);
    broken(0, 8192, 0);
    broken(4096 + 16, 4096 + 20, 1);
    broken(40, 44, 0xff);
    fs::write(&file, &whole).unwrap();
    raw::change(folder.path(), |raw, txn| assert!(raw.meta.delete(txn, b"format").unwrap()));
    refused(folder.path(), |e| matches!(e, Error::Damaged { .. }));
}

#[test]
fn a_foreign_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.mdb");
    fs::write(&file, "not a data file at all, but long enough to be looked at ".repeat(200))
        .unwrap();
    refused(folder.path(), |e| matches!(e, Error::Foreign { .. }));
    fs::remove_file(&file).unwrap();
    // Another program's LMDB file, and one with our names but another owner.
    raw::change(folder.path(), |_, _| {});
    refused(folder.path(), |e| matches!(e, Error::Foreign { .. }));
    fs::remove_file(&file).unwrap();
    drop(open(folder.path()));
    raw::change(folder.path(), |raw, txn| {
        raw.meta.put(txn, b"format", b"hometwin door\0\0\0\0\x01").unwrap();
    });
    refused(folder.path(), |e| matches!(e, Error::Foreign { .. }));
}

#[test]
fn what_a_newer_release_wrote_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    add(&open(folder.path()), "a", "x");
    raw::change(folder.path(), |raw, txn| {
        raw.journal.put(txn, &2_u64.to_be_bytes(), &[3, 0, 0, 0, 3, 1, 2, 3]).unwrap();
    });
    let store = open(folder.path());
    let error = store.read(|r| r.entry(2)).unwrap_err();
    assert!(matches!(error, Error::NewerEntry { seq: 2, format: 3 }));
    let error = store.verify(&Seal(1)).unwrap_err();
    assert!(matches!(error, VerifyError::Difference(store::Difference::Unreadable { seq: 2, .. })));
    drop(store);
    // A fold that would rebuild cannot; the tables stay for the one that made them.
    let rebuilt = Store::open(folder.path(), Options::default(), Box::new(Notes { version: 2 }));
    assert!(matches!(rebuilt, Err(Error::NewerEntry { seq: 2, .. })));
    assert_eq!(text_of(&open(folder.path()), "a").as_deref(), Some("x"));
    raw::change(folder.path(), |raw, txn| {
        raw.meta.put(txn, b"format", b"hometwin store\0\0\0\0\x03").unwrap();
    });
    refused(folder.path(), |e| matches!(e, Error::NewerFormat { found: 3, known: 2, .. }));
    raw::change(folder.path(), |raw, txn| {
        raw.meta.put(txn, b"format", b"hometwin store\0\0\0\0\x01").unwrap();
    });
    refused(folder.path(), |e| matches!(e, Error::OlderFormat { found: 1, .. }));
}

#[test]
fn a_missing_file_is_told_from_a_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { create: false, ..Options::default() };
    for folder in [folder.path().to_owned(), folder.path().join("none")] {
        let opened = Store::open(&folder, options.clone(), Box::new(Notes { version: 1 }));
        assert!(matches!(opened, Err(Error::Missing { .. })));
        let verified = verify_folder(&folder, Box::new(Notes { version: 1 }), &Seal(1));
        assert!(matches!(verified, Err(VerifyError::Store(Error::Missing { .. }))));
        assert!(!folder.join("store.mdb").exists());
    }
}

#[test]
fn a_read_only_folder_is_said() {
    const NAME: &str = "faults::a_read_only_folder_is_said";
    let Some(folder) = again::folder() else {
        let folder = tempfile::tempdir().unwrap();
        add(&open(folder.path()), "a", "x");
        let path = folder.path().display();
        let mount = format!("mount --bind {path} {path}; mount -o remount,ro,bind {path}");
        again::run_mounted(NAME, folder.path(), &mount);
        add(&open(folder.path()), "b", "y");
        return;
    };
    refused(&folder, |e| matches!(e, Error::ReadOnly { .. }));
    assert!(matches!(Door::open(&folder), Err(Error::ReadOnly { .. })));
    assert!(matches!(try_open(&folder.join("sub")), Err(Error::ReadOnly { .. })));
    again::done();
}

#[test]
fn a_second_opener_is_refused() {
    const NAME: &str = "faults::a_second_opener_is_refused";
    if let Some(folder) = again::folder() {
        refused(&folder, |e| matches!(e, Error::Busy { .. }));
        assert!(matches!(Door::open(&folder), Err(Error::Busy { .. })));
        again::done();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let door = Door::open(folder.path()).unwrap();
    add(&store, "a", "x");
    refused(folder.path(), |e| matches!(e, Error::Busy { .. }));
    again::run(NAME, folder.path(), "env", "exec \"$@\"");
    add(&store, "b", "y");
    drop((store, door));
    drop(open(folder.path()));
    Door::open(folder.path()).unwrap();
}

#[test]
fn what_a_killed_process_left_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    add(&open(folder.path()), "a", "x");
    let left = ["store.new", "store.new-lock", "store.check", "store.check-lock"];
    for name in left {
        fs::write(folder.path().join(name), "half").unwrap();
    }
    let store = open(folder.path());
    assert_eq!(text_of(&store, "a").as_deref(), Some("x"));
    for name in left {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
    store.verify(&Seal(1)).unwrap();
    assert!(!folder.path().join("store.check").exists());
}

#[test]
fn an_interrupted_rebuild_is_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..10 {
        add(&store, &format!("n{n}"), "some words");
    }
    drop(store);
    // As a kill right after the tables were cleared leaves it.
    raw::change(folder.path(), |raw, txn| {
        raw.tables.clear(txn).unwrap();
        raw.meta.delete(txn, b"fold").unwrap();
        raw.meta.put(txn, b"rebuild", &[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    });
    let store = open_version(folder.path(), 7);
    assert_eq!(text_of(&store, "n9").as_deref(), Some("some words"));
    assert!(store.verify(&Seal(1)).unwrap().rows.is_some());
}
