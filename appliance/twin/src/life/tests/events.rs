//! What is told while it happens, and what was missed.

use serde_json::{Value, json};

use super::{check, check_one, heard, id, shell, silent, until};
use crate::life::Delta;

#[test]
fn a_message_is_told_to_both() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        until(async || !two.ann.life.busy()).await;
        let mut ann = two.ann.follow(&shell(), "chat", json!({"conversation": talk}));
        let mut bob = two.bob.follow(&shell(), "chat", json!({}));
        let sent = two.ann.say(&talk, "live").await;
        let event = heard(&mut ann).await;
        assert_eq!(
            (&event["type"], &event["message"]["text"]),
            (&json!("message"), &json!("live"))
        );
        let event = heard(&mut bob).await;
        assert_eq!(event["message"]["message"], sent["message"]);
        let event = heard(&mut bob).await;
        assert_eq!(
            (&event["type"], &event["conversation"]["unread"]),
            (&json!("conversation"), &json!(1))
        );
        // Delivery is no entry of the journal and is told all the same.
        loop {
            if heard(&mut ann).await["message"]["state"] == "delivered" {
                break;
            }
        }
        let read = json!({"id": id(), "conversation": talk, "up_to": sent["message"]});
        two.bob.ask("chat", "read", read).await;
        loop {
            if heard(&mut ann).await["message"]["state"] == "read" {
                break;
            }
        }
    });
}

#[test]
fn what_was_missed_is_replayed_and_too_much_is_not() {
    check_one(|ann| async move {
        let at = ann.ask("chat", "messages", json!({"conversation": "self"})).await["at"].as_u64();
        let message = ann.say("self", "1").await["message"].clone();
        ann.ask("chat", "edit", json!({"id": id(), "message": message, "text": "2"})).await;
        let mut missed = ann.life.subscribe(&shell(), "chat", 1, json!({}), at).unwrap();
        let Some(Delta::Event { at, event }) = missed.next().await else { panic!("nothing told") };
        // Two entries about one message are one event, as it is now.
        assert_eq!((at, &event["message"]["text"]), (4, &json!("2")));
        assert_eq!(heard(&mut missed).await["type"], "conversation");
        assert!(silent(&mut missed).await);
        for _ in 0..32 {
            let send = |_| capability::wire::Call {
                capability: "chat".parse().unwrap(),
                major: 1,
                method: "send".parse().unwrap(),
                body: json!({"id": id(), "conversation": "self", "text": "x"}),
            };
            ann.life.batch(&shell(), (0..32).map(send).collect()).await.unwrap();
        }
        let mut old = ann.life.subscribe(&shell(), "chat", 1, json!({}), Some(4)).unwrap();
        assert!(matches!(old.next().await, Some(Delta::Resync)));
        assert!(old.next().await.is_none());
        let mut future = ann.life.subscribe(&shell(), "chat", 1, json!({}), Some(99_999)).unwrap();
        assert!(matches!(future.next().await, Some(Delta::Resync)));
    });
}

#[test]
fn contacts_and_history_are_told() {
    check(|two| async move {
        let mut contacts = two.bob.follow(&shell(), "contacts", json!({}));
        let mut history = two.bob.follow(&shell(), "history", json!({}));
        let card = two.bob.ask("identity", "card", json!({})).await["link"].clone();
        two.ann.ask("contacts", "request", json!({"id": id(), "card": card, "note": "hi"})).await;
        let contact = heard(&mut contacts).await["contact"].clone();
        assert_eq!(contact["state"], "asks");
        let yes = json!({"id": id(), "contact": contact["contact"]});
        two.bob.ask("contacts", "accept", yes).await;
        assert_eq!(heard(&mut contacts).await["contact"]["state"], "accepted");
        let item = heard(&mut history).await["item"].clone();
        assert_eq!(item["line"], "history.contact.asked");
        assert_eq!(item["args"], json!({"display_name": "Ann", "name": "Ann", "note": "hi"}));
        heard(&mut history).await;
        let contact = two.bob.contact().await["contact"].clone();
        two.bob.ask("contacts", "remove", json!({"id": id(), "contact": contact})).await;
        assert_eq!(heard(&mut contacts).await, json!({"type": "removed", "contact": contact}));
    });
}

#[test]
fn undone_and_erased_entries_are_told_again() {
    check_one(|ann| async move {
        let message = ann.say("self", "a").await["message"].clone();
        ann.ask("chat", "edit", json!({"id": id(), "message": message, "text": "b"})).await;
        let mut history = ann.follow(&shell(), "history", json!({}));
        let mut chat = ann.follow(&shell(), "chat", json!({}));
        let undone = ann.undo("chat.edited").await.unwrap();
        let event = heard(&mut history).await;
        assert_eq!(event["item"]["undone_by"], undone["seq"]);
        assert_eq!(heard(&mut history).await["item"]["seq"], undone["seq"]);
        assert_eq!(heard(&mut chat).await["message"]["text"], "a");
        heard(&mut chat).await;
        ann.ask("history", "erase", json!({"id": id(), "seqs": [undone["seq"]]})).await;
        assert_eq!(heard(&mut history).await["item"]["erased"], true);
        assert_eq!(heard(&mut history).await["item"]["line"], "history.store.erase");
        let event = heard(&mut chat).await;
        assert_eq!(
            (&event["message"]["erased"], event["message"].get("text")),
            (&json!(true), None)
        );
    });
}

#[test]
fn unknown_topics_are_refused() {
    check_one(|ann| async move {
        let refused = |capability: &str, major, topic: Value| {
            ann.life.subscribe(&shell(), capability, major, topic, None).err().unwrap().code
        };
        assert_eq!(refused("chat", 2, json!({})), "unknown_method");
        assert_eq!(refused("weather", 1, json!({})), "unknown_method");
        assert_eq!(refused("chat", 1, json!({"later": 1})), "malformed");
        assert_eq!(refused("chat", 1, json!({"conversation": "0".repeat(32)})), "not_found");
    });
}
