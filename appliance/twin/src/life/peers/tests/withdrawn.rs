//! Letters that are taken back before they are known to have arrived: neither what the receiver
//! said about them nor what comes behind them is lost.

use super::*;

async fn withdraw(peers: &Peers, body: &'static [u8]) -> Vec<Vec<u8>> {
    let write = peers.0.store.write(move |w| {
        revise(w, |_, letter| {
            Ok::<_, store::Error>((letter.body == body).then_some(Instead::Nothing))
        })
    });
    write.await.unwrap()
}

#[test]
fn one_that_had_arrived_all_the_same_is_reported() {
    run(async {
        let (_ann, a, bob, b) = friends().await;
        for text in ["one", "two"] {
            say(&a, bob.id(), text.as_bytes()).await;
        }
        let (pumping, mut far) = pump_by_hand(&a).await;
        let secrets = b.0.pre_keys.borrow().secrets();
        let mut proofs = Vec::new();
        for _ in 0..2 {
            let frame = far.recv().await.unwrap();
            let Some(Frame::Envelope(bytes)) = frame else { panic!("{frame:?}") };
            proofs.push(link::open(&bytes, &secrets).unwrap().receipt().committed());
        }
        // Sent and not answered.
        assert_eq!(withdraw(&a, b"one").await, [b"one".to_vec()]);
        far.send(&Frame::Committed(proofs)).await.unwrap();
        until("both", || noted(&a, "test.delivered").len() == 2).await;
        assert_eq!(noted(&a, "test.delivered"), ["one Committed", "two Committed"]);
        assert!(empty(&a));
        assert_eq!(a.counts().unwrap(), BTreeMap::new());
        pumping.abort();
    });
}

#[test]
fn any_may_be_missing_and_the_rest_takes_effect_in_order() {
    run(async {
        let texts: [&'static [u8]; 6] = [b"0", b"1", b"2", b"3", b"4", b"5"];
        let (_ann, a, bob, b) = friends().await;
        let mut wanted = Vec::new();
        for missing in 0..64_u8 {
            for text in texts {
                say(&a, bob.id(), text).await;
            }
            for (n, text) in texts.into_iter().enumerate() {
                if missing & 1 << n == 0 {
                    wanted.push(String::from_utf8(text.to_vec()).unwrap());
                } else {
                    withdraw(&a, text).await;
                }
            }
            let pumping = pump(&a, &b);
            until("delivered", || empty(&a)).await;
            pumping.abort();
            drop(pumping.await);
        }
        assert_eq!(noted(&b, "test.said"), wanted);
        assert_eq!(b.counts().unwrap(), BTreeMap::new(), "nothing was refused");
    });
}

#[test]
fn a_letter_that_says_something_else_keeps_its_number() {
    run(async {
        let (_ann, a, bob, b) = friends().await;
        for text in ["one", "two"] {
            say(&a, bob.id(), text.as_bytes()).await;
        }
        let write = a.0.store.write(|w| {
            revise(w, |_, letter| {
                let other = Instead::Body([letter.body, b"!"].concat());
                Ok::<_, store::Error>((letter.body == b"one").then_some(other))
            })
        });
        assert_eq!(write.await.unwrap(), Vec::<Vec<u8>>::new());
        let pumping = pump(&a, &b);
        until("delivered", || empty(&a)).await;
        assert_eq!(noted(&b, "test.said"), ["one!", "two"]);
        assert_eq!(noted(&a, "test.delivered"), ["one Committed", "two Committed"]);
        pumping.abort();
    });
}
