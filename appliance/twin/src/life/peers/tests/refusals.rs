//! What must not be taken is refused, takes back everything it did, and is counted by reason.

use super::*;
use link::{Decoder, Digest, Introduction, Proof, Refused, Sealed};

/// A twin without any manners: seals what it likes and sends it when it likes.
struct Stranger {
    home: Home,
    stream: UnixStream,
    decoder: Decoder,
}

impl Stranger {
    fn new(home: Home, to: &Peers) -> Self {
        Self::from(1, home, to)
    }

    fn from(source: u64, home: Home, to: &Peers) -> Self {
        let (stream, far) = UnixStream::pair().unwrap();
        let to = to.clone();
        spawn_local(async move { to.serve(far, source).await });
        Self { home, stream, decoder: Decoder::default() }
    }

    fn says(&self, to: TwinId, counter: u64, body: &[u8]) -> Inner {
        let pre_key = PreKey::from_bytes(&[9; 32]).unwrap();
        let pre_key = pre_key.sign(&self.home.id(), 1, &self.home.keys.twin);
        Inner {
            from: self.home.id(),
            to,
            thread: [0; 16],
            epoch: 1,
            counter,
            after: counter.saturating_sub(1),
            capability: "chat".into(),
            major: 1,
            introduction: Some(Introduction { chain: self.home.chain.clone(), pre_key }),
            body: body.to_vec(),
        }
    }

    async fn send(&mut self, frame: &Frame) {
        self.stream.write_all(&frame.to_bytes().unwrap()).await.unwrap();
    }

    async fn answer(&mut self) -> Option<Frame> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(frame) = self.decoder.pop().unwrap() {
                return Some(frame);
            }
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.decoder.push(&buffer[..n]).unwrap(),
            }
        }
    }

    /// Sends and gives what came back: `Ok` with the proof or the reason.
    async fn try_to(&mut self, bytes: Vec<u8>) -> Result<Vec<Proof>, (Refusal, Option<u64>)> {
        let wanted = Digest::of(&bytes);
        self.send(&Frame::Envelope(bytes)).await;
        match self.answer().await.unwrap() {
            Frame::Committed(proofs) => Ok(proofs),
            Frame::Refused(refused) if refused.digest() == wanted => {
                Err((refused.reason(), refused.expected()))
            }
            odd @ (Frame::Refused(_) | Frame::Envelope(_) | Frame::Held(_) | Frame::Bye) => {
                panic!("an odd answer: {odd:?}")
            }
        }
    }
}

#[test]
fn forged_replayed_reordered_resealed_and_foreign_envelopes() {
    run(async {
        let (ann, bob, eve) = (Home::new(1), Home::new(2), Home::new(3));
        bob.knows(&ann);
        let b = bob.start().await;
        let (to_bob, ann_key) = (b.pre_key(), ann.keys.twin.clone());
        let other = PreKey::from_bytes(&[8; 32]).unwrap().sign(&bob.id(), 1, &bob.keys.twin);
        let mut link = Stranger::new(ann, &b);
        let plain = |text: &[u8], n| link.says(bob.id(), n, text);
        let seal_by = |inner: &Inner, key| seal(inner, &to_bob, key).unwrap();

        let first = seal_by(&plain(b"one", 1), &ann_key);
        let second = seal_by(&plain(b"two", 2), &ann_key);
        let third = seal_by(&plain(b"three", 3), &ann_key).bytes;
        let in_her_name = seal_by(&plain(b"forged", 3), &eve.keys.twin).bytes;
        let unintroduced = seal_by(
            &Inner { from: eve.id(), introduction: None, ..plain(b"x", 1) },
            &eve.keys.twin,
        );
        let her_chain =
            seal_by(&Inner { from: eve.id(), ..plain(b"borrowed chain", 3) }, &eve.keys.twin).bytes;
        let for_eve = seal_by(&Inner { to: eve.id(), ..plain(b"resealed", 3) }, &ann_key).bytes;
        let restored = seal_by(&Inner { epoch: 2, ..plain(b"restored", 1) }, &ann_key).bytes;
        let old_epoch = seal_by(&plain(b"late", 3), &ann_key).bytes;
        let wrong_key = seal(&plain(b"x", 3), &other, &ann_key).unwrap().bytes;
        let not_mine = seal_by(&plain(b"not mine", 3), &ann_key).bytes;
        let mut changed = third.clone();
        *changed.last_mut().unwrap() ^= 1;

        let steps = [
            ("reordered", second.bytes.clone(), Err((Refusal::Gap, Some(1)))),
            ("first", first.bytes.clone(), Ok(vec![first.receipt.committed()])),
            ("replayed", first.bytes.clone(), Ok(vec![first.receipt.committed()])),
            ("second", second.bytes, Ok(vec![second.receipt.committed()])),
            ("changed on its way", changed, Err((Refusal::Forged, None))),
            ("signed by another", in_her_name, Err((Refusal::Forged, None))),
            ("with a borrowed chain", her_chain, Err((Refusal::Forged, None))),
            ("by nobody", unintroduced.bytes, Err((Refusal::UnknownSender, None))),
            ("for another", for_eve, Err((Refusal::NotForMe, None))),
            ("to no pre-key of ours", wrong_key, Err((Refusal::UnknownPreKey, None))),
            ("edited by another", not_mine, Err((Refusal::NotAuthor, None))),
            ("no envelope", vec![1, 2, 3], Err((Refusal::Malformed, None))),
        ];
        for (name, bytes, expected) in steps {
            assert_eq!(link.try_to(bytes).await, expected, "{name}");
        }
        assert!(link.try_to(restored).await.is_ok());
        assert_eq!(link.try_to(old_epoch).await, Err((Refusal::OldEpoch, None)));
        assert_eq!(noted(&b, "test.said"), ["one", "two", "restored"]);

        link.send(&Frame::Bye).await;
        assert_eq!(link.answer().await, None);
        let counted = b.counts().unwrap();
        let one = ["gap", "malformed", "not-author", "not-for-me", "old-epoch"];
        let one = one.into_iter().chain(["unknown-pre-key", "unknown-sender"]);
        let mut expected: BTreeMap<String, u64> =
            one.map(|code| (format!("refused.{code}"), 1)).collect();
        expected.extend([("refused.forged".into(), 3), ("repeated.envelope".into(), 1)]);
        assert_eq!(counted, expected);
    });
}

/// Somebody new asks over a link from this source.
async fn ask(b: &Peers, source: u64, n: u64) -> (TwinId, Result<(), Refusal>) {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&n.to_be_bytes());
    secret[8..16].copy_from_slice(&source.to_be_bytes());
    let recovery = SigningKey::from_bytes(&[1; 32]);
    let keys = Keys { twin: SigningKey::from_bytes(&secret), recovery };
    let home = Home { chain: Chain::begin(&keys), keys, ..Home::new(5) };
    let mut link = Stranger::from(source, home, b);
    let asks = link.says(b.0.me.id, 1, b"may I?");
    let sealed = seal(&asks, &b.pre_key(), &link.home.keys.twin).unwrap();
    let taken = link.try_to(sealed.bytes).await;
    (link.home.id(), taken.map(drop).map_err(|(reason, _)| reason))
}

#[test]
fn one_source_fills_its_own_places_for_strangers_only() {
    run(async {
        let bob = Home::new(2);
        let b = bob.start().await;
        let (mut taken, mut full) = (0, 0);
        for n in 0..known::STRANGERS_OF_ONE as u64 + 5 {
            match ask(&b, 1, n).await.1 {
                Ok(()) => taken += 1,
                Err(Refusal::Full) => full += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((taken, full), (known::STRANGERS_OF_ONE, 5));
        assert_eq!(ask(&b, 2, 0).await.1, Ok(()), "somebody else is not shut out");
        // Our person decides about one: there is room again.
        let (settled, _) = ask(&b, 1, 0).await;
        b.0.store.write(move |w| settle(w, &settled)).await.unwrap();
        assert_eq!(ask(&b, 1, 99).await.1, Ok(()));
        assert_eq!(noted(&b, "test.displaced"), [""; 0]);
    });
}

#[test]
fn when_all_places_are_taken_the_greediest_makes_room() {
    run(async {
        let bob = Home::new(2);
        let b = bob.start().await;
        let (mut first, mut all) = (Vec::new(), 0);
        for source in 1..=10 {
            for n in 0..known::STRANGERS_OF_ONE as u64 {
                let (id, taken) = ask(&b, source, n).await;
                assert_eq!(taken, Ok(()));
                if n == 0 {
                    first.push(id);
                    sleep(Duration::from_millis(2)).await;
                }
                all += 1;
            }
        }
        assert_eq!(all, known::STRANGERS);
        let places = || b.0.store.read(|r| r.vault_prefix(&vault::all(vault::STRANGER))).unwrap();
        // From elsewhere: taken, each instead of somebody's of the ten.
        for n in 0..5 {
            assert_eq!(ask(&b, 99, n).await.1, Ok(()));
            assert_eq!(places().len(), known::STRANGERS);
        }
        let gone = noted(&b, "test.displaced");
        assert_eq!(gone.len(), 5, "and our person is told of each");
        assert!(gone.iter().all(|id| first.iter().any(|one| one.to_string() == *id)));
        for id in &gone {
            let id: TwinId = id.parse().unwrap();
            for kind in [vault::KNOWN, vault::STRANGER, vault::MARK] {
                assert_eq!(b.0.store.read(|r| r.vault_get(&vault::of(kind, &id))).unwrap(), None);
            }
        }
        // Nobody who has as much as others takes from them.
        for n in 5..40 {
            let _ = ask(&b, 99, n).await;
        }
        let of_99 = places().iter().filter(|(_, row)| row[..8] == 99_u64.to_be_bytes()).count();
        assert!((17..=19).contains(&of_99), "{of_99}");
    });
}

#[test]
fn a_flood_of_rubbish_ends_the_link_and_costs_one_write() {
    run(async {
        let (ann, bob) = (Home::new(1), Home::new(2));
        let b = bob.start().await;
        let mut link = Stranger::new(ann, &b);
        let mut refused = 0;
        for _ in 0..1000 {
            let rubbish = Frame::Envelope(vec![9; 50]).to_bytes().unwrap();
            if link.stream.write_all(&rubbish).await.is_err() {
                break;
            }
            match link.answer().await {
                Some(Frame::Refused(no)) if no.reason() == Refusal::Malformed => refused += 1,
                None => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(refused, 64);
        until("counted", || {
            b.counts().unwrap().get("refused.malformed").copied().unwrap_or_default() == 64
        })
        .await;
        assert_eq!(b.0.store.head().seq, 0);
        assert!(!b.busy());
    });
}

/// A pump whose links all lead to a carrier that swallows everything and answers for the receiver.
fn carried_off(from: &Peers, lies: impl Fn(&[u8]) -> Vec<Vec<u8>> + 'static) -> JoinHandle<()> {
    let (from, lies) = (from.clone(), Rc::new(lies));
    spawn_local(async move {
        let open = |_| {
            let lies = lies.clone();
            async move {
                let (near, mut far) = UnixStream::pair().unwrap();
                spawn_local(async move {
                    let (mut decoder, mut buffer) = (Decoder::default(), vec![0; 65536]);
                    while let Ok(n @ 1..) = far.read(&mut buffer).await {
                        decoder.push(&buffer[..n]).unwrap();
                        while let Some(Frame::Envelope(bytes)) = decoder.pop().unwrap() {
                            for lie in lies(&bytes) {
                                far.write_all(&lie).await.unwrap();
                            }
                        }
                    }
                });
                Ok(near)
            }
        };
        from.pump(open).await;
    })
}

#[test]
fn nobody_between_can_say_received() {
    run(async {
        let (ann, a, bob, b) = friends().await;
        let pumping = carried_off(&a, |bytes| {
            let guess = link_proof(Digest::of(bytes));
            let lies = [Frame::Committed(vec![guess]), Frame::Held(vec![guess])];
            lies.map(|lie| lie.to_bytes().unwrap()).into()
        });
        say(&a, bob.id(), b"hello").await;
        sleep(Duration::from_millis(300)).await;
        assert!(!empty(&a));
        assert_eq!(noted(&a, "test.delivered"), [""; 0]);
        pumping.abort();
        drop(pumping.await);
        let pumping = pump(&a, &b);
        until("delivered", || empty(&a)).await;
        assert_eq!(noted(&b, "test.said"), ["hello"]);
        assert_ne!(ann.id(), bob.id());
        pumping.abort();
    });
}

/// A refusal of something else, as if it were of this envelope.
fn moved(refused: Refused, to: Digest) -> Vec<u8> {
    let mut bytes = Frame::Refused(refused).to_bytes().unwrap();
    assert_eq!(&bytes[5..21], refused.digest().as_bytes());
    bytes[5..21].copy_from_slice(to.as_bytes());
    bytes
}

#[test]
fn nobody_between_can_say_refused() {
    run(async {
        let (ann, a, bob, b) = friends().await;
        let (eve, id) = (SigningKey::from_bytes(&[66; 32]), bob.id());
        // What a carrier has: a talk of its own with the receiver, and keys of its own.
        let own = own_letter(&b, &eve);
        let honest = Refused::locked(
            Digest::of(b"no envelope"),
            Refusal::Malformed,
            None,
            &id,
            &bob.keys.twin,
        );
        let pre_key = PreKey::from_bytes(&[13; 32]).unwrap().sign(&id, i64::MAX, &eve);
        let pumping = carried_off(&a, move |bytes| {
            let digest = Digest::of(bytes);
            let mut lies = Vec::new();
            for reason in Refusal::ALL {
                lies.push(moved(Refused::unlocked(&own.receipt, reason, Some(1)), digest));
                let signed = Refused::locked(digest, reason, Some(pre_key), &id, &eve);
                lies.push(Frame::Refused(signed).to_bytes().unwrap());
            }
            lies.push(moved(honest, digest));
            lies
        });
        let known = a.0.store.read(|r| known::load(r, &id)).unwrap();
        say(&a, bob.id(), b"hello").await;
        sleep(Duration::from_millis(300)).await;
        let waiting = a.0.store.read(|r| outbox::waiting(r, &id, 0, 9)).unwrap();
        assert_eq!(waiting.len(), 1, "it still waits");
        assert_eq!(noted(&a, "test.delivered"), [""; 0]);
        let parked = a.0.store.read(|r| r.vault_prefix(&vault::all(vault::PARKED))).unwrap();
        assert_eq!(parked, []);
        assert_eq!(a.0.store.read(|r| known::load(r, &id)).unwrap(), known, "no pre-key is learnt");
        until("the link is given up", || a.due_ms().is_some_and(|due| due > now_ms())).await;
        let lies = a.counts().unwrap()["unproven.answer"];
        assert_eq!(lies % 23, 0, "each lie is counted: {lies}");
        assert!(lies > 0);
        pumping.abort();
        drop(pumping.await);
        let pumping = pump(&a, &b);
        a.reached(&id);
        until("delivered", || empty(&a)).await;
        assert_eq!(noted(&b, "test.said"), ["hello"]);
        assert_eq!(noted(&a, "test.delivered"), ["hello Committed"]);
        assert_ne!(ann.id(), bob.id());
        pumping.abort();
    });
}

/// Something that a carrier sealed to the receiver itself.
fn own_letter(to: &Peers, by: &SigningKey) -> Sealed {
    let inner = Inner {
        from: TwinId::from_bytes([1; 32]),
        to: to.0.me.id,
        thread: [0; 16],
        epoch: 1,
        counter: 1,
        after: 0,
        capability: "chat".into(),
        major: 1,
        introduction: None,
        body: Vec::new(),
    };
    seal(&inner, &to.pre_key(), by).unwrap()
}

#[test]
fn a_flood_of_lies_ends_the_link() {
    run(async {
        let (_ann, a, bob, _b) = friends().await;
        let pumping = carried_off(&a, |bytes| {
            let guess = link_proof(Digest::of(bytes));
            vec![Frame::Committed(vec![guess; 100]).to_bytes().unwrap()]
        });
        say(&a, bob.id(), b"hello").await;
        // Sooner than the time that an answer may take.
        let wait = async {
            while a.due_ms().is_none_or(|due| due <= now_ms()) {
                sleep(Duration::from_millis(3)).await;
            }
        };
        timeout(Duration::from_secs(2), wait).await.expect("the link is given up");
        assert_eq!(a.counts().unwrap()["unproven.answer"], 100);
        assert!(!empty(&a));
        pumping.abort();
    });
}

/// The best guess of somebody who saw the envelope: its digest, in the form of a proof.
fn link_proof(digest: Digest) -> Proof {
    let mut frame = vec![0, 0, 0, 18, 1, 1];
    frame.extend_from_slice(digest.as_bytes());
    let mut decoder = Decoder::default();
    decoder.push(&frame).unwrap();
    match decoder.pop().unwrap() {
        Some(Frame::Committed(proofs)) => proofs[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_open_link_does_not_outlive_the_key_it_began_with() {
    run(async {
        let (ann, bob) = (Home::new(1), Home::new(2));
        bob.knows(&ann);
        let b = bob.start().await;
        let (to_bob, old, new) =
            (b.pre_key(), ann.keys.twin.clone(), SigningKey::from_bytes(&[50; 32]));
        let rotated = ann.chain.rotate(new.public(), &old).unwrap();
        let id = ann.id();
        let mut thief = Stranger::new(ann, &b);
        let first = seal(&thief.says(bob.id(), 1, b"one"), &to_bob, &old).unwrap();
        assert!(thief.try_to(first.bytes).await.is_ok());
        // On another link the person says that they have a new key.
        let home = Home { chain: rotated.clone(), ..Home::new(1) };
        let mut owner = Stranger::new(home, &b);
        let pre_key = PreKey::from_bytes(&[9; 32]).unwrap().sign(&id, 2, &new);
        let introduction = Some(Introduction { chain: rotated, pre_key });
        let second = Inner { introduction, ..owner.says(bob.id(), 2, b"two") };
        assert!(owner.try_to(seal(&second, &to_bob, &new).unwrap().bytes).await.is_ok());
        let third = Inner { introduction: None, ..thief.says(bob.id(), 3, b"stolen") };
        let third = seal(&third, &to_bob, &old).unwrap();
        assert_eq!(thief.try_to(third.bytes).await, Err((Refusal::Forged, None)));
        assert_eq!(noted(&b, "test.said"), ["one", "two"]);
    });
}

#[test]
fn an_introduction_that_comes_too_late_takes_nothing_back() {
    run(async {
        let (ann, a, bob, _b) = friends().await;
        let new = SigningKey::from_bytes(&[50; 32]);
        let pre_key = |days, key: &SigningKey| {
            PreKey::from_bytes(&[9; 32]).unwrap().sign(&bob.id(), days, key)
        };
        let far = i64::MAX / 2;
        let newer = Introduction {
            chain: bob.chain.rotate(new.public(), &bob.keys.twin).unwrap(),
            pre_key: pre_key(far, &new),
        };
        // Judged to be new while the other was being written.
        let late =
            Introduction { chain: bob.chain.clone(), pre_key: pre_key(far + 1, &bob.keys.twin) };
        let (id, wanted, apply) = (bob.id(), newer.clone(), a.0.apply.clone());
        let write = a.0.store.write(move |w| {
            known::keep(w, &*apply, &id, &newer, None)?;
            known::keep(w, &*apply, &id, &late, None)
        });
        assert!(write.await.is_ok());
        let known = a.0.store.read(|r| known::load(r, &bob.id())).unwrap().unwrap();
        assert_eq!(known, wanted);
        assert_ne!(ann.id(), bob.id());
    });
}

#[test]
fn strangers_who_say_nothing_make_room() {
    run(async {
        let (ann, a, bob, b) = friends().await;
        let idle: Vec<_> = (0..40).map(|_| Stranger::new(Home::new(5), &b)).collect();
        sleep(Duration::from_millis(20)).await;
        let pumping = pump(&a, &b);
        say(&a, bob.id(), b"let me through").await;
        let wait = async {
            while !empty(&a) {
                sleep(Duration::from_millis(3)).await;
            }
        };
        timeout(Duration::from_millis(400), wait).await.expect("the contact is served");
        assert_eq!(noted(&b, "test.said"), ["let me through"]);
        assert_ne!(ann.id(), bob.id());
        pumping.abort();
        drop(idle);
    });
}

#[test]
fn a_receiver_who_only_talks_does_not_keep_a_link() {
    run(async {
        let (_ann, a, bob, _b) = friends().await;
        let peers = a.clone();
        let pumping = spawn_local(async move {
            let open = |_| async {
                let (near, mut far) = UnixStream::pair().unwrap();
                spawn_local(async move {
                    let chatter = Frame::Committed(Vec::new()).to_bytes().unwrap();
                    while far.write_all(&chatter).await.is_ok() {
                        sleep(Duration::from_millis(50)).await;
                    }
                });
                Ok(near)
            };
            peers.pump(open).await;
        });
        say(&a, bob.id(), b"hello").await;
        let wait = async {
            while a.due_ms().is_none_or(|due| due <= now_ms()) || a.busy() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(8), wait).await.expect("the link is given up");
        pumping.abort();
    });
}

#[test]
fn a_blocked_person_is_answered_as_before() {
    run(async {
        let (ann, bob) = (Home::new(1), Home::new(2));
        bob.knows(&ann);
        let b = bob.start().await;
        let (to_bob, key, from) = (b.pre_key(), ann.keys.twin.clone(), ann.id());
        let mut link = Stranger::new(ann, &b);
        let (mut answers, mut n) = (Vec::new(), 0);
        for blocked in [false, true, false] {
            if blocked {
                bob.apply.blocked.lock().unwrap().insert(from);
            } else {
                bob.apply.blocked.lock().unwrap().clear();
            }
            let before = b.0.store.head().seq;
            for (major, ahead) in [(1, 1), (1, 3), (7, 1), (7, 0)] {
                // The next, one of later, the next, and that one again.
                let counter = n + ahead;
                let says = Inner { major, ..link.says(bob.id(), counter, b"hello") };
                let sealed = seal(&says, &to_bob, &key).unwrap();
                link.send(&Frame::Envelope(sealed.bytes)).await;
                let proofs = [sealed.receipt.committed(), sealed.receipt.held()];
                answers.push(match link.answer().await.unwrap() {
                    Frame::Committed(given) => format!("committed {}", given == proofs[..1]),
                    Frame::Held(given) => format!("held {}", given == proofs[1..]),
                    Frame::Refused(refused) => refused.reason().to_string(),
                    odd @ (Frame::Envelope(_) | Frame::Bye) => panic!("{odd:?}"),
                });
                n += u64::from(ahead == 1);
            }
            // Answered, and without any effect.
            assert_eq!(b.0.store.head().seq == before, blocked);
        }
        let as_ever = ["committed true", "gap", "held true", "held true"];
        assert_eq!(answers, [as_ever, as_ever, as_ever].concat());
        assert_eq!(noted(&b, "test.said"), ["hello", "hello"]);
        let held = b.0.store.read(|r| r.vault_prefix(&vault::all(vault::HELD))).unwrap();
        assert_eq!(held.len(), 2);
    });
}

/// A log that keeps its lines.
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);
        impl tracing::field::Visit for Line {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!(" {field}={value:?}");
            }
        }
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn the_operator_finds_the_counted_reasons_in_the_log() {
    run(async {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let _log = tracing::subscriber::set_default(Lines(lines.clone()));
        let (ann, bob) = (Home::new(1), Home::new(2));
        bob.knows(&ann);
        let b = bob.start().await;
        let (to_bob, eve) = (b.pre_key(), SigningKey::from_bytes(&[66; 32]));
        let mut link = Stranger::new(ann, &b);
        let forged = seal(&link.says(bob.id(), 1, b"send money"), &to_bob, &eve).unwrap();
        for _ in 0..3 {
            assert!(link.try_to(forged.bytes.clone()).await.is_err());
        }
        assert!(link.try_to(vec![1, 2, 3]).await.is_err());
        let said = || lines.lock().unwrap().iter().filter(|l| l.contains("not taken")).count();
        assert_eq!(said(), 0, "not one line for each");
        link.send(&Frame::Bye).await;
        assert_eq!(link.answer().await, None);
        until("a line", || said() == 1).await;
        let counts = "refused.forged 3, refused.malformed 1";
        let line = lines.lock().unwrap().iter().find(|l| l.contains("not taken")).cloned();
        let line = line.unwrap();
        assert!(line.starts_with("WARN") && line.contains(counts), "{line}");
        // What was said is in no line.
        assert!(!lines.lock().unwrap().iter().any(|line| line.contains("money")));
    });
}
