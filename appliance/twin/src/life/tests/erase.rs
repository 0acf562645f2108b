//! Erasing reaches what still waits or was refused: no byte of it stays, and all else goes on.

use serde_json::{Value, json};
use store::{Direction, ReadAll as _, ReadTables as _, Reader};

use super::*;
use crate::life::tables;

const TABLES: [&str; 11] = [
    tables::ME,
    tables::CHAIN,
    tables::CONTACT,
    tables::CONVERSATION,
    tables::ACTIVE,
    tables::MESSAGE,
    tables::MESSAGE_AT,
    tables::UNREAD,
    tables::GRANT,
    tables::UNDONE,
    tables::HELD,
];

/// Everything that can be read in the environment of a life, one after the other.
fn everything(one: &One) -> Vec<u8> {
    let read = |r: &Reader<'_>| {
        let mut all = Vec::new();
        let mut keep = |rows: Vec<(Vec<u8>, Vec<u8>)>| {
            rows.into_iter().for_each(|(key, value)| all.extend([key, value].concat()));
        };
        keep(r.vault_prefix(b"")?);
        for table in TABLES {
            keep(r.prefix(table, b"", usize::MAX, Direction::Forward)?);
        }
        for entry in r.entries(1, 10_000, Direction::Forward)? {
            let content = r.content(entry.seq)?.unwrap_or_default();
            keep(vec![(entry.shape, content)]);
        }
        Ok::<_, store::Error>(all)
    };
    one.life.0.store.read(read).unwrap()
}

fn knows(one: &One, text: &str) -> bool {
    everything(one).windows(text.len()).any(|part| part == text.as_bytes())
}

/// Erases the newest entry of a kind that has this text.
async fn erase(one: &One, text: &str) {
    assert!(knows(one, text), "there is nothing to erase");
    let found = one.history(json!({"text": text})).await;
    let seqs: Vec<&Value> = found.iter().map(|item| &item["seq"]).collect();
    assert!(!seqs.is_empty());
    one.ask("history", "erase", json!({"id": id(), "seqs": seqs})).await;
    assert!(!knows(one, text), "a byte of {text:?} is left");
}

/// What is shown of one's own messages, oldest first: text and state.
async fn states(one: &One, talk: &str) -> Vec<(Value, Value)> {
    let page = one.ask("chat", "messages", json!({"conversation": talk})).await;
    let items = page["items"].as_array().unwrap();
    items.iter().rev().map(|item| (item["text"].clone(), item["state"].clone())).collect()
}

#[test]
fn a_message_that_waits_is_withdrawn_and_the_others_arrive() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.part();
        let mut written = Vec::new();
        for text in ["first", "embarrassing", "third", "draft with a slip"] {
            written.push(two.ann.say(&talk, text).await["message"].clone());
        }
        let edit = json!({"id": id(), "message": written[3], "text": "mortifying"});
        two.ann.ask("chat", "edit", edit).await;
        let edit = json!({"id": id(), "message": written[3], "text": "fourth"});
        two.ann.ask("chat", "edit", edit).await;
        erase(&two.ann, "embarrassing").await;
        erase(&two.ann, "mortifying").await;
        let shown = states(&two.ann, &talk).await;
        assert_eq!(shown[1], (Value::Null, json!("withdrawn")));
        assert_eq!((&shown[0].1, &shown[2].1), (&json!("queued"), &json!("queued")));
        two.online.set(true);
        two.bob.until_texts(&talk, &["fourth", "third", "first"]).await;
        until(async || !two.ann.life.busy() && two.ann.life.due_ms().is_none()).await;
        let shown = states(&two.ann, &talk).await;
        assert_eq!(shown[1], (Value::Null, json!("withdrawn")));
        let arrived = shown.iter().filter(|(_, state)| state == "delivered").count();
        assert_eq!(arrived, 3, "{shown:?}");
        assert!(!knows(&two.bob, "embarrassing") && !knows(&two.bob, "mortifying"));
        // Nothing was refused, and the numbers go on.
        assert_eq!(two.bob.life.counts().unwrap(), Default::default());
        two.ann.say(&talk, "fifth").await;
        two.bob.until_texts(&talk, &["fifth", "fourth", "third", "first"]).await;
    });
}

#[test]
fn the_first_and_the_only_one_that_waits_can_be_withdrawn() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.part();
        two.ann.say(&talk, "only this").await;
        erase(&two.ann, "only this").await;
        assert_eq!(two.ann.life.due_ms(), None, "nothing waits any more");
        two.online.set(true);
        two.ann.say(&talk, "after it").await;
        two.bob.until_texts(&talk, &["after it"]).await;
    });
}

#[test]
fn a_refused_message_keeps_its_place_only() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let ann = two.ann.life.id().to_string();
        two.bob.ask("contacts", "remove", json!({"id": id(), "contact": ann})).await;
        for text in ["regretted", "meant"] {
            two.ann.say(&talk, text).await;
        }
        let refused =
            async || states(&two.ann, &talk).await.iter().all(|(_, state)| state == "refused");
        until(refused).await;
        erase(&two.ann, "regretted").await;
        assert_eq!(states(&two.ann, &talk).await[0], (Value::Null, json!("refused")));
        // They become contacts again: only what is left is tried again.
        let card = two.ann.ask("identity", "card", json!({})).await["link"].clone();
        two.bob.ask("contacts", "request", json!({"id": id(), "card": card})).await;
        two.bob.until_texts(&talk, &["meant"]).await;
        assert!(!knows(&two.bob, "regretted"));
    });
}

#[test]
fn a_request_goes_without_its_words_and_a_profile_does_not_go() {
    check(|two| async move {
        two.part();
        let profile = json!({"id": id(), "display_name": "Ann Onymous", "about": "who I was"});
        two.ann.ask("identity", "set_profile", profile).await;
        let card = two.bob.ask("identity", "card", json!({})).await["link"].clone();
        let request = json!({"id": id(), "card": card, "note": "too many words"});
        two.ann.ask("contacts", "request", request).await;
        erase(&two.ann, "too many words").await;
        erase(&two.ann, "Ann Onymous").await;
        two.online.set(true);
        two.bob.until_contact("asks").await;
        let asks = two.bob.contact().await;
        assert_eq!(asks.get("note"), None);
        let short = two.ann.life.id().to_string()[..8].to_owned();
        assert_eq!((&asks["display_name"], asks.get("about")), (&json!(short), None));
        assert!(!knows(&two.bob, "who I was"));
        let ann = two.ann.life.id().to_string();
        two.bob.ask("contacts", "accept", json!({"id": id(), "contact": ann})).await;
        two.ann.until_contact("accepted").await;
        two.part();
        let profile = json!({"id": id(), "display_name": "Anna Conda", "about": ""});
        two.ann.ask("identity", "set_profile", profile).await;
        erase(&two.ann, "Anna Conda").await;
        assert_eq!(two.ann.life.due_ms(), None);
    });
}

#[test]
fn what_is_kept_for_an_update_is_erased_too() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let letter = peers::Letter {
            to: two.bob.life.id(),
            thread: api::conversation_of(&two.ann.life.id(), &two.bob.life.id()).0,
            capability: "chat".to_owned(),
            major: 9,
            body: br#"{"type":"hologram","shows":"a family secret"}"#.to_vec(),
            about: None,
        };
        let put = move |w: &mut store::Writer<'_>| {
            peers::enqueue(w, letter).map_err(|_| store::Error::Closed)
        };
        two.ann.life.0.store.write(put).await.unwrap();
        two.ann.life.0.peers.wake();
        until(async || two.bob.newest(&talk).await["needs_update"] == true).await;
        erase(&two.bob, "a family secret").await;
    });
}
