//! Who tells of a commit: the courier where there is one, with everything at once.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use store::{Error, ReadAll as _, Store};

use crate::notes::{add, entry, open};

/// Counts how often a task is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn write(store: &Store, title: &'static str) -> impl Future<Output = Result<u64, Error>> + use<> {
    let store = store.clone();
    async move { store.write(move |w| w.append(entry("note.add", title, None))).await }
}

/// Waits without a runtime until `ready` says so.
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if ready() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("waited in vain for {what}");
}

#[test]
fn nobody_is_woken_but_the_courier_and_it_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut courier = Box::pin(store.courier());
    let mut writes = [Box::pin(write(&store, "a")), Box::pin(write(&store, "b"))];
    let (of_courier, of_writes) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    let wakers = (Waker::from(of_courier.clone()), Waker::from(of_writes.clone()));
    let (mut for_courier, mut for_writes) =
        (Context::from_waker(&wakers.0), Context::from_waker(&wakers.1));
    assert!(courier.as_mut().poll(&mut for_courier).is_pending());
    for write in &mut writes {
        assert!(write.as_mut().poll(&mut for_writes).is_pending());
    }
    until("both to be durable", || {
        let durable = store.read(|r| r.head()).unwrap().seq == 2;
        durable && of_courier.0.load(Ordering::SeqCst) > 0
    });
    assert_eq!(of_courier.0.load(Ordering::SeqCst), 1);
    assert_eq!((of_writes.0.load(Ordering::SeqCst), store.head().seq), (0, 0));
    until("the courier to tell it", || {
        assert!(courier.as_mut().poll(&mut for_courier).is_pending());
        store.head().seq == 2
    });
    assert_eq!(of_writes.0.load(Ordering::SeqCst), 2);
    for (write, seq) in writes.iter_mut().zip(1..) {
        let Poll::Ready(Ok(found)) = write.as_mut().poll(&mut for_writes) else { panic!() };
        assert_eq!(found, seq);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn without_one_or_with_one_that_is_gone_it_is_told_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    write(&store, "a").await.unwrap();
    drop(store.courier());
    write(&store, "b").await.unwrap();
    // A thread that blocks can't be told by itself.
    let _courier = store.courier();
    assert_eq!(add(&store, "c", "x"), 3);
    assert_eq!(store.head().seq, 3);
}

#[test]
fn what_is_told_late_does_not_turn_the_end_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut courier = Box::pin(store.courier());
    let mut first = Box::pin(write(&store, "a"));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    until("the first commit", || store.read(|r| r.head()).unwrap().seq == 1);
    // Told at once, before the courier has told of the first.
    assert_eq!(add(&store, "b", "x"), 2);
    until("the first answer", || {
        assert!(courier.as_mut().poll(&mut context).is_pending());
        first.as_mut().poll(&mut context).is_ready()
    });
    assert_eq!((store.head().seq, *store.watch().borrow()), (2, 2));
}

#[tokio::test(flavor = "current_thread")]
async fn what_comes_afterwards_comes_when_it_is_durable_and_not_for_what_failed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let tell = |name: &'static str, fails: bool| {
        let (told, store) = (told.clone(), store.clone());
        async move {
            let seen = store.clone();
            let change = move |w: &mut store::Writer<'_>| {
                let seq = w.append(entry("note.add", name, None))?;
                w.afterwards(move || {
                    let _ = told.send((name, seen.head().seq));
                });
                if fails { Err(Error::NoEntry { seq }) } else { Ok(seq) }
            };
            store.write(change).await
        }
    };
    let (first, failed, last) = tokio::join!(tell("a", false), tell("b", true), tell("c", false));
    assert_eq!((first.unwrap(), last.unwrap()), (1, 2));
    failed.unwrap_err();
    drop(told);
    for name in ["a", "c"] {
        let (heard, head) = heard.recv().await.unwrap();
        assert_eq!(heard, name);
        assert!(head >= 1);
    }
    assert!(heard.try_recv().is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn the_courier_ends_with_the_store_and_keeps_nothing_open() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let courier = store.courier();
    let mut pending = Box::pin(write(&store, "a"));
    let waker = Waker::noop();
    assert!(pending.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    until("the commit", || store.read(|r| r.head()).unwrap().seq == 1);
    drop(pending);
    drop(store);
    // The folder is free although nobody has told of the last commit.
    drop(open(folder.path()));
    courier.await;
}
