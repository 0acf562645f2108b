//! Appending, reading, rolling back, grouping and being told.
use std::sync::mpsc;

use store::{
    Actor, CONTENT_LIMIT, Direction, Error, Head, ReadAll as _, ReadTables as _, SHAPE_LIMIT, Store,
};

use crate::notes::{add, entry, erase, open, open_version, text_of};

#[test]
fn an_appended_entry_is_there_after_a_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(store.head(), Head::default());
    assert_eq!(add(&store, "a", "hello world"), 1);
    assert_eq!(add(&store, "b", "other"), 2);
    let head = store.head();
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.head(), head);
    assert_eq!(text_of(&store, "a").as_deref(), Some("hello world"));
    let (first, second) =
        store.read(|r| Ok::<_, Error>((r.entry(1)?.unwrap(), r.entry(2)?.unwrap()))).unwrap();
    assert_eq!((first.seq, first.prev_hash), (1, [0; 32]));
    assert_ne!(second.prev_hash, [0; 32]);
    assert_eq!(first.actor, Actor::Device("phone".to_owned()));
    let content = store.read(|r| r.content(2)).unwrap();
    assert_eq!(content.as_deref(), Some(b"other".as_slice()));
}

#[test]
fn pages_run_both_ways_and_meet() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for id in ["a1", "a2", "a3", "b1", "b2"] {
        add(&store, id, "x");
    }
    let keys = |rows: Vec<store::Row>| -> Vec<String> {
        rows.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect()
    };
    store
        .read(|r| {
            use Direction::{Backward, Forward};
            assert_eq!(keys(r.prefix("note", b"a", 9, Forward)?), ["a1", "a2", "a3"]);
            assert_eq!(keys(r.prefix("note", b"a", 2, Backward)?), ["a3", "a2"]);
            assert_eq!(keys(r.page("note", b"a", Some(b"a2"), 9, Backward)?), ["a1"]);
            assert_eq!(keys(r.page("note", b"a", Some(b"a2"), 9, Forward)?), ["a2", "a3"]);
            assert_eq!(keys(r.page("note", b"b", Some(b"a2"), 9, Forward)?), ["b1", "b2"]);
            assert_eq!(keys(r.page("note", b"b", Some(b"a2"), 9, Backward)?), [""; 0]);
            assert_eq!(keys(r.range("note", b"a3", 2, Forward)?), ["a3", "b1"]);
            assert_eq!(keys(r.range("note", b"b1", 2, Backward)?), ["a3", "a2"]);
            assert_eq!(keys(r.prefix("none", b"", 2, Backward)?), [""; 0]);
            let seqs = |entries: Vec<store::Entry>| -> Vec<u64> {
                entries.iter().map(|entry| entry.seq).collect()
            };
            assert_eq!(seqs(r.entries(u64::MAX, 2, Backward)?), [5, 4]);
            assert_eq!(seqs(r.entries(4, 9, Backward)?), [3, 2, 1]);
            assert_eq!(seqs(r.entries(0, 2, Forward)?), [1, 2]);
            Ok::<_, Error>(())
        })
        .unwrap();
}

#[test]
fn a_failing_change_is_rolled_back_alone_in_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    // The first change holds the writer until the others are queued, so that they are one group.
    let (go, wait) = mpsc::channel::<()>();
    let held = {
        let store = store.clone();
        std::thread::spawn(move || {
            store.write_blocking(move |w| {
                wait.recv().unwrap();
                w.append(entry("note.add", "held", Some("x")))
            })
        })
    };
    std::thread::sleep(std::time::Duration::from_millis(50));
    let jobs: Vec<_> = (0..9)
        .map(|n: u32| {
            let store = store.clone();
            std::thread::spawn(move || {
                store.write_blocking(move |w| {
                    let id = format!("n{n}");
                    w.vault_put(id.as_bytes(), b"v")?;
                    let seq = w.append(entry("note.add", &id, Some("x")))?;
                    match n % 4 {
                        1 => Err(Error::NoEntry { seq: 4711 }),
                        2 => panic!("planted"),
                        3 => {
                            w.append(entry("note.refused", &id, None)).unwrap_err();
                            Ok(seq)
                        }
                        _ => Ok(seq),
                    }
                })
            })
        })
        .collect();
    std::thread::sleep(std::time::Duration::from_millis(50));
    go.send(()).unwrap();
    assert_eq!(held.join().unwrap().unwrap(), 1);
    for (n, job) in jobs.into_iter().enumerate() {
        let result = job.join().unwrap();
        match n % 4 {
            0 => drop(result.unwrap()),
            1 => assert!(matches!(result, Err(Error::NoEntry { seq: 4711 }))),
            2 => assert!(matches!(result, Err(Error::Panicked { what }) if what == "planted")),
            _ => assert!(matches!(result, Err(Error::Spoiled))),
        }
        let there = n % 4 == 0;
        let id = format!("n{n}");
        assert_eq!(text_of(&store, &id).is_some(), there, "{id}");
        assert_eq!(store.read(|r| r.vault_get(id.as_bytes())).unwrap().is_some(), there);
    }
    assert_eq!(store.head().seq, 4);
    assert_eq!(add(&store, "after", "x"), 5);
}

#[test]
fn a_single_panicking_change_leaves_the_store_usable() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let result: Result<u64, Error> = store.write_blocking(|w| {
        w.append(entry("note.add", "a", Some("x")))?;
        panic!("planted")
    });
    assert!(matches!(result, Err(Error::Panicked { .. })));
    assert_eq!(text_of(&store, "a"), None);
    assert_eq!(add(&store, "b", "y"), 1);
}

#[test]
fn limits_and_bad_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let append = |new: store::NewEntry| store.write_blocking(move |w| w.append(new));
    let mut large = entry("note.add", "a", Some(""));
    large.content = Some(vec![0; CONTENT_LIMIT + 1]);
    assert!(matches!(append(large.clone()), Err(Error::TooLarge { .. })));
    large.content = Some(vec![b'x'; CONTENT_LIMIT]);
    assert_eq!(append(large.clone()).unwrap(), 1);
    large.shape = vec![0; SHAPE_LIMIT + 1];
    assert!(matches!(append(large), Err(Error::TooLarge { .. })));
    for kind in ["", "store.erase", "store.else"] {
        assert!(matches!(append(entry(kind, "a", None)), Err(Error::BadKind { .. })));
    }
    let bad = |table: &'static str, key: Vec<u8>| {
        assert!(matches!(store.read(|r| r.get(table, &key)), Err(Error::BadKey { .. })));
    };
    bad("", vec![1]);
    bad("a\0b", vec![1]);
    bad("a", vec![1; 511]);
    for key in [vec![], vec![1; 512]] {
        let put = store.write_blocking(move |w| w.vault_put(&key, b""));
        assert!(matches!(put, Err(Error::BadKey { .. })));
    }
    assert!(matches!(erase(&store, &[7]), Err(Error::NoEntry { seq: 7 })));
    assert!(matches!(erase(&store, &[]), Err(Error::NothingToErase { .. })));
}

#[test]
fn a_write_inside_a_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let inner = store.clone();
    let result: Result<u64, Error> = store
        .write_blocking(move |_| inner.write_blocking(|w| w.append(entry("note.add", "a", None))));
    assert!(matches!(result, Err(Error::Nested)));
}

#[test]
fn another_fold_version_rebuilds_the_same_tables() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..50 {
        add(&store, &format!("n{}", n % 7), "some words here");
    }
    erase(&store, &[3, 50]).unwrap();
    let dump = |store: &Store| {
        ["note", "word", "count"]
            .map(|table| store.read(|r| r.prefix(table, b"", 1000, Direction::Forward)).unwrap())
    };
    let before = dump(&store);
    drop(store);
    assert_eq!(dump(&open_version(folder.path(), 2)), before);
}

#[tokio::test(flavor = "current_thread")]
async fn writes_work_from_a_single_threaded_runtime_and_are_announced() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut watch = store.watch();
    assert_eq!(*watch.borrow_and_update(), 0);
    let writes = (0..20).map(|n: u32| {
        let store = store.clone();
        async move { store.write(move |w| w.append(entry("note.add", &n.to_string(), None))).await }
    });
    let local = tokio::task::LocalSet::new();
    let tasks: Vec<_> = writes.map(|write| local.spawn_local(write)).collect();
    let seqs = local
        .run_until(async {
            let mut seqs = Vec::new();
            for task in tasks {
                seqs.push(task.await.unwrap().unwrap());
            }
            seqs
        })
        .await;
    assert_eq!(seqs, (1..=20).collect::<Vec<_>>());
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow_and_update(), 20);
    store.write(|w| w.vault_put(b"k", b"v")).await.unwrap();
    assert!(!watch.has_changed().unwrap(), "the vault is not history");
}
