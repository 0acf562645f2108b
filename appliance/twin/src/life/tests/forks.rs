//! Somebody else uses a contact's keys: our person is told, can take note of it, and is not told
//! again and again.

use link::{Chain, Frame, Inner, Introduction, Keys, PreKey, SigningKey, seal};
use serde_json::{Value, json};
use store::{ReadAll as _, ReadTables as _};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::life::tables::{CHAIN, Rows as _};

/// Ann's keys, as a thief has them.
fn stolen(ann: &One) -> (Keys, Chain) {
    let read = |r: &store::Reader<'_>| {
        let keys = r.vault_get(api::names::KEYS)?.unwrap();
        let chain = r.get(CHAIN, r.me()?.id.as_bytes())?.unwrap();
        Ok::<_, store::Error>((keys, chain))
    };
    let (keys, chain) = ann.life.0.store.read(read).unwrap();
    let keys = keys.as_slice().try_into().map(Keys::from_bytes).unwrap();
    (keys, Chain::from_bytes(&chain).unwrap())
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

/// Says something to Bob in the name of whoever has this chain and key; waits until it is answered.
async fn shows(bob: &One, chain: &Chain, by: &SigningKey, counter: u64) {
    let from = chain.check().unwrap().id;
    let pre_key = PreKey::from_bytes(&[9; 32]).unwrap().sign(&from, i64::MAX - 9, by);
    let inner = Inner {
        from,
        to: bob.life.id(),
        thread: api::conversation_of(&from, &bob.life.id()).0,
        epoch: 7,
        counter,
        after: 0,
        capability: "chat".to_owned(),
        major: 1,
        introduction: Some(Introduction { chain: chain.clone(), pre_key }),
        body: json!({"type": "say", "message": id(), "text": "send money", "time_ms": 5})
            .to_string()
            .into_bytes(),
    };
    let sealed = seal(&inner, &bob.life.0.peers.pre_key(), by).unwrap();
    let (mut near, far) = UnixStream::pair().unwrap();
    let life = bob.life.clone();
    let serving = tokio::task::spawn_local(async move { life.serve_link(far, Number(1)).await });
    near.write_all(&Frame::Envelope(sealed.bytes).to_bytes().unwrap()).await.unwrap();
    assert!(near.read(&mut [0; 2000]).await.unwrap() > 0);
    drop(near);
    serving.await.unwrap();
}

async fn lines(bob: &One) -> Vec<Value> {
    let all = bob.history(json!({"kinds": ["contact.changed"]})).await;
    let fork = |line: &Value| line.as_str().unwrap().contains("fork");
    all.into_iter().map(|item| item["line"].clone()).filter(fork).collect()
}

#[test]
fn a_double_is_shown_until_it_is_taken_note_of() {
    check(|two| async move {
        two.meet().await;
        let (keys, chain) = stolen(&two.ann);
        let mut heard_of = two.bob.follow(&shell(), "contacts", json!({}));
        let rotated = chain.rotate(key(50).public(), &keys.twin).unwrap();
        let thief = chain.rotate(key(60).public(), &keys.twin).unwrap();
        shows(&two.bob, &rotated, &key(50), 1).await;
        assert_eq!(two.bob.contact().await.get("double"), None, "a new key is no double");
        while heard(&mut heard_of).await["contact"]["double"] != Value::Null {}

        // The second chain is refused, and yet it tells something.
        for counter in 2..6 {
            shows(&two.bob, &thief, &key(60), counter).await;
        }
        let event = heard(&mut heard_of).await;
        assert_eq!(event["contact"]["double"]["recovered"], false);
        assert!(silent(&mut heard_of).await, "said once");
        assert_eq!(two.bob.contact().await["double"], event["contact"]["double"]);
        assert_eq!(lines(&two.bob).await, ["history.contact.forked"]);
        let talk = two.bob.talk_id().await;
        assert_eq!(two.bob.texts(&talk).await, ["send money"], "only what the known key signed");

        let ann = two.ann.life.id().to_string();
        let choose = || json!({"id": id(), "contact": ann});
        let contact = two.bob.ask("contacts", "acknowledge", choose()).await;
        assert_eq!(contact.get("double"), None);
        two.bob.ask("contacts", "acknowledge", choose()).await;
        let seen = ["history.contact.fork_seen", "history.contact.forked"];
        assert_eq!(lines(&two.bob).await, seen);
        shows(&two.bob, &thief, &key(60), 7).await;
        let other = chain.rotate(key(61).public(), &keys.twin).unwrap();
        shows(&two.bob, &other, &key(61), 8).await;
        assert_eq!(lines(&two.bob).await, seen, "nothing new today");

        // She takes herself back: that is news at once.
        let recovered = rotated.clone();
        let recovered = recovered.recover(key(70).public(), key(71).public(), &keys.recovery);
        shows(&two.bob, &recovered.unwrap(), &key(70), 9).await;
        assert_eq!(two.bob.contact().await.get("double"), None, "it continues the known one");
        shows(&two.bob, &thief, &key(60), 10).await;
        assert_eq!(two.bob.contact().await["double"]["recovered"], true);
        assert_eq!(lines(&two.bob).await[0], "history.contact.fork_recovered");
    });
}

#[test]
fn a_recovery_that_replaces_a_thiefs_chain_is_told() {
    check(|two| async move {
        two.meet().await;
        let (keys, chain) = stolen(&two.ann);
        let thief = chain.rotate(key(60).public(), &keys.twin).unwrap();
        shows(&two.bob, &thief, &key(60), 1).await;
        let recovered = chain.recover(key(70).public(), key(71).public(), &keys.recovery).unwrap();
        shows(&two.bob, &recovered, &key(70), 2).await;
        assert_eq!(two.bob.contact().await["double"]["recovered"], true);
        // From now on only the recovered key speaks for her.
        shows(&two.bob, &thief, &key(60), 3).await;
        shows(&two.bob, &recovered, &key(70), 4).await;
        let talk = two.bob.talk_id().await;
        assert_eq!(two.bob.texts(&talk).await.len(), 3);
        assert_eq!(lines(&two.bob).await, ["history.contact.fork_recovered"]);
    });
}
