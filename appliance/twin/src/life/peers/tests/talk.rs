//! What is said arrives once and in order; pre-keys, versions and strangers.

use super::*;

#[test]
fn what_is_said_arrives_in_order_and_answers_come_back() {
    run(async {
        let (ann, a, bob, b) = friends().await;
        let (to_bob, to_ann) = (pump(&a, &b), pump(&b, &a));
        let texts: Vec<String> = (0..200).map(|n| format!("message {n}")).collect();
        for text in &texts {
            say(&a, bob.id(), text.as_bytes()).await;
        }
        say(&a, bob.id(), b"ping").await;
        until("an answer", || noted(&a, "test.said") == ["pong"]).await;
        until("all delivered", || empty(&a) && empty(&b)).await;
        assert_eq!(noted(&b, "test.said")[..200], texts);
        let delivered: Vec<String> = texts.iter().map(|t| format!("{t} Committed")).collect();
        assert_eq!(noted(&a, "test.delivered")[..200], delivered);
        until("quiet", || !a.busy() && !b.busy()).await;
        assert_eq!((a.due_ms(), ann.id() == bob.id()), (None, false));
        to_bob.abort();
        to_ann.abort();
    });
}

#[test]
fn someone_away_is_tried_again_after_pauses_that_survive_a_restart() {
    run(async {
        let (ann, a, bob, b) = friends().await;
        let tries = Rc::new(Cell::new(0));
        let (counted, peers) = (tries.clone(), a.clone());
        let pumping = spawn_local(async move {
            let open = |_| {
                counted.set(counted.get() + 1);
                async { Err(handover::Reason::NotHere) }
            };
            peers.pump(open).await;
        });
        say(&a, bob.id(), b"hello").await;
        until("two tries", || tries.get() == 2).await;
        until("not busy while away", || !a.busy() && a.due_ms().is_some()).await;
        let due = a.due_ms();
        assert!(due.is_some_and(|due| due > now_ms() - 1000), "{due:?}");
        pumping.abort();
        drop((pumping.await, a));
        let a = ann.start().await;
        assert_eq!(a.due_ms(), due);
        // Bob speaks, so he is there: no pause any more.
        let (to_bob, to_ann) = (pump(&a, &b), pump(&b, &a));
        say(&b, ann.id(), b"I am back").await;
        until("delivered", || noted(&b, "test.said") == ["hello"] && empty(&a)).await;
        assert_eq!(a.due_ms(), None);
        // And none that a restart would bring back.
        until("no row left", || {
            a.0.store.read(|r| r.vault_prefix(&vault::all(vault::AWAY))).unwrap().is_empty()
        })
        .await;
        to_bob.abort();
        to_ann.abort();
    });
}

#[test]
fn a_full_disk_keeps_the_old_pre_key() {
    run(async {
        let ann = Home::new(1);
        let options = Options { map_size: 1 << 20, map_limit: 1 << 20, ..Options::default() };
        let store = Store::open(ann.folder.path(), options, Box::new(NoTables)).unwrap();
        let first = PreKeys::open(&store, 1).await.unwrap();
        let fill = |n: u32, size| {
            store
                .write(move |w| w.vault_put(&[&n.to_be_bytes()[..], b"z"].concat(), &vec![7; size]))
        };
        let mut n = u32::MAX / 2;
        for size in [3000, 20, 20, 20] {
            let full: store::Error = loop {
                match fill(n, size).await {
                    Ok(()) => n += 1,
                    Err(error) => break error,
                }
            };
            assert!(matches!(full, store::Error::Full { .. }), "{full:?}");
        }
        let later = PreKeys::open(&store, pre_keys::FRESH_MS + 1).await.unwrap();
        assert_eq!(later.secrets()[0].id(), first.secrets()[0].id());
    });
}

#[test]
fn a_pre_key_that_is_gone_is_replaced_by_the_one_the_receiver_names() {
    run(async {
        let (ann, a, bob, b) = friends().await;
        let old = b.pre_key();
        drop(b);
        let b = bob.start_at(|| now_ms() + pre_keys::FRESH_MS + pre_keys::KEPT_MS).await;
        assert_ne!(b.pre_key(), old);
        let pumping = pump(&a, &b);
        for n in 0..100 {
            say(&a, bob.id(), format!("{n}").as_bytes()).await;
        }
        until("all delivered", || empty(&a)).await;
        let all: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(noted(&b, "test.said"), all);
        let known = a.0.store.read(|r| known::load(r, &bob.id())).unwrap().unwrap();
        assert_eq!(known.pre_key, b.pre_key());
        assert_ne!(ann.id(), bob.id());
        pumping.abort();
    });
}

#[test]
fn pre_keys_are_kept_a_month_and_then_gone() {
    run(async {
        let ann = Home::new(1);
        let store = open_store(ann.folder.path()).await;
        let at = |days: i64| days * 24 * 60 * 60 * 1000 + 1;
        let first = PreKeys::open(&store, at(0)).await.unwrap();
        let ids = |keys: &PreKeys| -> Vec<_> { keys.secrets().iter().map(PreKey::id).collect() };
        assert!(!first.is_due(at(6)) && first.is_due(at(7)));
        let second = first.clone().refreshed(&store, at(8)).await.unwrap();
        assert_eq!(ids(&second).len(), 2);
        assert_eq!(ids(&second)[1], ids(&first)[0]);
        // A restart knows the same; a clock set back changes nothing.
        for time in [at(8), at(1)] {
            assert_eq!(ids(&PreKeys::open(&store, time).await.unwrap()), ids(&second));
        }
        let later = second.clone().refreshed(&store, at(37)).await.unwrap();
        assert_eq!(ids(&later).len(), 2);
        assert!(!ids(&later).contains(&ids(&first)[0]));
        let again = PreKeys::open(&store, at(37)).await.unwrap();
        assert_eq!(ids(&again), ids(&later));
    });
}

#[test]
fn what_needs_an_update_is_held_and_takes_effect_after_it() {
    run(async {
        let (ann, a, bob, b) = friends().await;
        let pumping = pump(&a, &b);
        let newer = |text: &[u8]| Letter { major: 2, ..letter(bob.id(), text) };
        say(&a, bob.id(), b"one").await;
        say_as(&a, newer(b"two")).await;
        say_as(&a, newer(b"erased unread")).await;
        say(&a, bob.id(), b"three").await;
        until("all answered", || empty(&a)).await;
        assert_eq!(noted(&b, "test.said"), ["one", "three"]);
        assert_eq!(noted(&b, "test.held"), ["two", "erased unread"]);
        let mut delivered = noted(&a, "test.delivered");
        delivered.sort();
        let expected = ["erased unread Held", "one Committed", "three Committed", "two Held"];
        assert_eq!(delivered, expected);
        pumping.abort();
        drop(pumping.await);

        let held = b.0.store.read(|r| r.entries(1, 100, Direction::Forward)).unwrap();
        let held: Vec<u64> = held.iter().filter(|e| e.kind == "test.held").map(|e| e.seq).collect();
        let erase = b.0.store.write(move |w| w.erase(&held[1..], 0, Actor::System));
        erase.await.unwrap();
        drop(b);
        bob.apply.major.store(2, Ordering::Relaxed);
        let b = bob.start().await;
        assert_eq!(noted(&b, "test.said"), ["one", "three", "two"]);
        drop(b);
        let b = bob.start().await;
        assert_eq!(noted(&b, "test.said"), ["one", "three", "two"]);
        assert_ne!(ann.id(), bob.id());
    });
}

#[test]
fn a_stranger_may_ask_and_nothing_else_until_they_are_a_contact() {
    run(async {
        let (ann, bob) = (Home::new(1), Home::new(2));
        let (a, b) = (ann.start().await, bob.start().await);
        let card = bob.card(&b);
        a.0.store.write(move |w| meet(w, &card)).await.unwrap();
        let (to_bob, to_ann) = (pump(&a, &b), pump(&b, &a));
        say(&a, bob.id(), b"hello").await;
        say(&a, bob.id(), b"may I?").await;
        say(&a, bob.id(), b"are you there").await;
        until("all answered", || empty(&a)).await;
        assert_eq!(noted(&b, "test.said"), ["may I?"]);
        let failed = "Failed(NotContact)";
        let expected = [
            format!("hello {failed}"),
            "may I? Committed".into(),
            format!("are you there {failed}"),
        ];
        let mut delivered = noted(&a, "test.delivered");
        delivered.sort_by_key(|d| expected.iter().position(|e| e == d));
        assert_eq!(delivered, expected);

        // Bob says yes: he can answer Ann without her card, and she repeats what had failed.
        let id = ann.id();
        b.0.store.write(move |w| settle(w, &id)).await.unwrap();
        bob.knows(&ann);
        ann.knows(&bob);
        say(&b, ann.id(), b"yes").await;
        until("an answer", || noted(&a, "test.said") == ["yes"]).await;
        let id = bob.id();
        let again = a.0.store.write(move |w| retry(w, &id)).await.unwrap();
        assert_eq!(again, 2);
        a.wake();
        until("all answered", || empty(&a)).await;
        assert_eq!(noted(&b, "test.said"), ["may I?", "hello", "are you there"]);
        to_bob.abort();
        to_ann.abort();
    });
}

#[test]
fn an_old_introduction_that_is_repeated_brings_back_nothing() {
    run(async {
        let (ann, a, bob, b) = friends().await;
        let to_ann = a.pre_key();
        let introduced = |chain: &Chain, days: i64, key: &SigningKey| Introduction {
            chain: chain.clone(),
            pre_key: PreKey::from_bytes(&[days as u8; 32]).unwrap().sign(&bob.id(), days, key),
        };
        let secret = |n| SigningKey::from_bytes(&[n; 32]);
        let rotated = bob.chain.rotate(secret(50).public(), &bob.keys.twin).unwrap();
        let thief = bob.chain.rotate(secret(60).public(), &bob.keys.twin).unwrap();
        let far = i64::MAX / 2;
        let steps = [
            // Introduction, signer, taken, what is known afterwards.
            (introduced(&bob.chain, far, &bob.keys.twin), &bob.keys.twin, true, true),
            (introduced(&bob.chain, 5, &bob.keys.twin), &bob.keys.twin, true, false),
            (introduced(&rotated, 6, &secret(50)), &secret(50), true, true),
            (introduced(&bob.chain, far + 1, &bob.keys.twin), &bob.keys.twin, false, false),
            (introduced(&thief, far + 2, &secret(60)), &secret(60), false, false),
            (introduced(&rotated, 9, &secret(50)), &secret(50), true, true),
        ];
        let mut known = None;
        for (n, (introduction, key, taken, kept)) in steps.into_iter().enumerate() {
            let (mut link, far) = UnixStream::pair().unwrap();
            let served = a.clone();
            let serving = spawn_local(async move { served.serve(far, 1).await });
            let inner = Inner {
                from: bob.id(),
                to: ann.id(),
                thread: [0; 16],
                epoch: 1,
                counter: 10 + n as u64,
                after: 0,
                capability: "chat".into(),
                major: 1,
                introduction: Some(introduction.clone()),
                body: format!("{n}").into_bytes(),
            };
            let bytes = seal(&inner, &to_ann, key).unwrap().bytes;
            link.write_all(&Frame::Envelope(bytes).to_bytes().unwrap()).await.unwrap();
            link.write_all(&Frame::Bye.to_bytes().unwrap()).await.unwrap();
            assert_eq!(serving.await.unwrap(), taken, "step {n}");
            known = if kept { Some(introduction) } else { known };
            let now = a.0.store.read(|r| known::load(r, &bob.id())).unwrap();
            assert_eq!(now, known, "step {n}");
        }
        assert_eq!(noted(&a, "test.said"), ["0", "1", "2", "5"]);
        drop(b);
    });
}

#[test]
fn the_outbox_takes_only_what_an_envelope_can_hold_and_forgets_on_demand() {
    run(async {
        let (ann, a, bob, _b) = friends().await;
        let put = |letter| a.0.store.write(move |w| enqueue(w, letter));
        let to_bob = || letter(bob.id(), b"x");
        let bad = [
            letter(ann.id(), b"to oneself"),
            Letter { about: Some(vec![0; 256]), ..to_bob() },
            Letter { body: vec![0; link::MAX_BODY + 1], ..to_bob() },
            Letter { capability: "Chat!".into(), ..to_bob() },
        ];
        for letter in bad {
            assert!(matches!(put(letter).await, Err(OutboxError::Form)));
        }
        assert!(empty(&a));
        put(to_bob()).await.unwrap();
        assert!(!empty(&a));
        let id = bob.id();
        a.0.store.write(move |w| forget(w, &id)).await.unwrap();
        assert!(empty(&a));
        assert_eq!(a.0.store.read(|r| outbox::waiting(r, &id, 0, 9)).unwrap().len(), 0);
        // Numbers are never used twice.
        put(to_bob()).await.unwrap();
        let waiting = a.0.store.read(|r| outbox::waiting(r, &id, 0, 9)).unwrap();
        assert_eq!(waiting[0].inner.counter, 2);

        let fresh = Home::new(9);
        let store = open_store(fresh.folder.path()).await;
        let unopened = store.write(move |w| enqueue(w, letter(id, b"x"))).await;
        assert!(matches!(unopened, Err(OutboxError::NotOpen)));
    });
}

#[test]
fn what_is_sent_ahead_says_what_is_still_owed() {
    run(async {
        let (ann, a, bob, b) = friends().await;
        for text in ["one", "two", "three"] {
            say(&a, bob.id(), text.as_bytes()).await;
        }
        let (pumping, mut far) = pump_by_hand(&a).await;
        let secrets = b.0.pre_keys.borrow().secrets();
        for (counter, introduced) in [(1, true), (2, false), (3, false)] {
            let frame = far.recv().await.unwrap();
            let Some(Frame::Envelope(bytes)) = frame else { panic!("{frame:?}") };
            let opened = link::open(&bytes, &secrets).unwrap();
            let inner = opened.claimed();
            assert_eq!((inner.counter, inner.after), (counter, counter - 1));
            assert_eq!(inner.introduction.is_some(), introduced);
            if counter == 2 {
                // Only this one is answered: it leaves the outbox, the others stay.
                far.send(&Frame::Committed(vec![opened.receipt().committed()])).await.unwrap();
            }
        }
        let owed = |counter| {
            let left = a.0.store.read(|r| outbox::waiting(r, &bob.id(), 0, 9)).unwrap();
            left.iter().map(|l| l.inner.counter).collect::<Vec<_>>() == counter
        };
        until("one fewer", || owed(vec![1, 3])).await;
        assert!(a.busy() && ann.id() != bob.id());
        pumping.abort();
    });
}
