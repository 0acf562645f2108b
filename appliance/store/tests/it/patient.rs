//! Changes that may wait for another one's commit: shared, never late, never lost by closing.
use std::path::Path;
use std::time::{Duration, Instant};

use store::{Error, ReadAll as _, Store};

use crate::notes::{add, entry, open};
use crate::raw;

const LONG: Duration = Duration::from_secs(600);

/// Commits so far; only while the store is closed.
fn commits(folder: &Path) -> usize {
    raw::open(&folder.join("store.mdb")).info().last_txn_id
}

fn value(store: &Store) -> Option<Vec<u8>> {
    store.read(|r| r.vault_get(b"key")).unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn they_share_the_commit_of_the_next_change_and_come_before_it() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let before = commits(folder.path());
    let store = open(folder.path());
    let patient = |n: u8| store.write_within(LONG, move |w| w.vault_put(b"key", &[n]));
    let next = store.write(|w| {
        let seen = w.vault_get(b"key")?;
        w.append(entry("note.add", "a", None))?;
        Ok::<_, Error>(seen)
    });
    let (first, second, seen) = tokio::join!(patient(1), patient(2), next);
    first.unwrap();
    second.unwrap();
    assert_eq!(seen.unwrap(), Some(vec![2]));
    drop(store);
    assert_eq!(commits(folder.path()), before + 1);
}

#[tokio::test(flavor = "current_thread")]
async fn alone_they_are_made_when_their_time_is_over_all_in_one() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let before = commits(folder.path());
    let store = open(folder.path());
    let (short, begin) = (Duration::from_millis(200), Instant::now());
    let patient = |wait, n: u8| store.write_within(wait, move |w| w.vault_put(b"key", &[n]));
    // The shortest wait counts for all.
    let (first, second) = tokio::join!(patient(LONG, 1), patient(short, 2));
    first.unwrap();
    second.unwrap();
    assert!((short..LONG).contains(&begin.elapsed()));
    assert_eq!(value(&store), Some(vec![2]));
    drop(store);
    assert_eq!(commits(folder.path()), before + 1);
}

#[tokio::test(flavor = "current_thread")]
async fn closing_the_store_makes_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let patient = store.write_within(LONG, |w| w.vault_put(b"key", b"kept"));
    tokio::select! {
        biased;
        _ = patient => panic!("nothing else was written, and it has time"),
        () = async {} => {}
    }
    assert_eq!(value(&store), None);
    drop(store);
    assert_eq!(value(&open(folder.path())).as_deref(), Some(b"kept".as_slice()));
}

#[tokio::test(flavor = "current_thread")]
async fn one_that_fails_takes_no_other_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let failing = store.write_within(LONG, |w| {
        w.vault_put(b"key", b"gone")?;
        Err::<(), _>(Error::NoEntry { seq: 4711 })
    });
    let next = store.write(|w| w.append(entry("note.add", "a", Some("x"))));
    let (failed, next) = tokio::join!(failing, next);
    assert!(matches!(failed, Err(Error::NoEntry { seq: 4711 })));
    assert_eq!(next.unwrap(), 1);
    assert_eq!(value(&store), None);
    assert_eq!(add(&store, "b", "y"), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn a_failing_change_of_another_takes_none_of_them_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let put = |key: &'static [u8], value: &'static [u8]| {
        store.write_within(LONG, move |w| w.vault_put(key, value))
    };
    let (first, second) = (put(b"key", b"first"), put(b"other", b"second"));
    // Fails by itself, between them and what comes after.
    let broken = store.write_within(LONG, |w| {
        w.vault_put(b"key", b"broken")?;
        Err::<(), _>(Error::NoEntry { seq: 1 })
    });
    let failing = store.write(|w| {
        assert_eq!(w.vault_get(b"key")?.as_deref(), Some(b"first".as_slice()));
        w.vault_put(b"other", b"gone")?;
        w.append(entry("note.add", "gone", None))?;
        Err::<(), _>(Error::NoEntry { seq: 2 })
    });
    let last = store.write(|w| {
        let seen = w.vault_get(b"other")?;
        w.append(entry("note.add", "a", None))?;
        Ok::<_, Error>(seen)
    });
    let (first, second, broken, failing, last) = tokio::join!(first, second, broken, failing, last);
    first.unwrap();
    second.unwrap();
    assert!(matches!(broken, Err(Error::NoEntry { seq: 1 })));
    assert!(matches!(failing, Err(Error::NoEntry { seq: 2 })));
    assert_eq!(last.unwrap().as_deref(), Some(b"second".as_slice()));
    drop(store);
    let store = open(folder.path());
    assert_eq!(value(&store).as_deref(), Some(b"first".as_slice()));
    assert_eq!(store.head().seq, 1);
}
