//! What happened, undoing it, erasing it.

use serde_json::{Value, json};

use super::{check, check_one, id, shell, until};

#[test]
fn history_lists_and_filters() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.ann.say(&talk, "Grüße aus Köln").await;
        two.ann.say("self", "notes").await;
        two.bob.until_texts(&talk, &["Grüße aus Köln"]).await;
        let all = two.ann.history(json!({})).await;
        assert!(all.is_sorted_by(|a, b| a["seq"].as_u64() > b["seq"].as_u64()));
        assert_eq!(all.last().unwrap()["line"], "history.identity.genesis");
        let said = two.ann.history(json!({"kinds": ["chat."]})).await;
        assert_eq!(said.len(), 2);
        assert_eq!((&said[1]["undo"], &said[0]["undo"]), (&json!("ask_peer"), &json!("local")));
        assert_eq!(said[1]["args"], json!({"name": "Bob", "text": "Grüße aus Köln"}));
        assert_eq!(said[1]["actor"], json!({"type": "device", "device": "s1"}));
        let found = two.ann.history(json!({"text": "GRÜSSE"})).await;
        assert_eq!(found.len(), 0);
        let found = two.ann.history(json!({"text": "grüße AUS"})).await;
        assert_eq!(found.len(), 1);
        let bob = two.ann.contact().await["contact"].clone();
        let with_bob = two.ann.history(json!({"contact": bob})).await;
        assert_eq!(with_bob.len(), 3);
        let heard = two.bob.history(json!({"kinds": ["chat.message"]})).await;
        assert_eq!(
            (&heard[0]["actor"]["name"], &heard[0]["undo"]),
            (&json!("Ann"), &json!("none"))
        );
    });
}

#[test]
fn a_long_history_has_pages() {
    check_one(|ann| async move {
        for n in 0..30 {
            ann.say("self", &n.to_string()).await;
        }
        let (mut seen, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let page = ann.ask("history", "list", json!({"limit": 7, "cursor": cursor})).await;
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|item| item["seq"].as_u64().unwrap()));
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(seen, (1..=32).rev().collect::<Vec<u64>>());
    });
}

#[test]
fn an_undone_edit_is_undone_at_both() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let message = two.ann.say(&talk, "one").await["message"].clone();
        for text in ["two", "three"] {
            let edit = json!({"id": id(), "message": message, "text": text});
            two.ann.ask("chat", "edit", edit).await;
        }
        two.bob.until_texts(&talk, &["three"]).await;
        let edits = two.ann.history(json!({"kinds": ["chat.edited"]})).await;
        let older = json!({"id": id(), "seq": edits[1]["seq"]});
        let fault = two.ann.call(&shell(), "history", "undo", older).await.unwrap_err();
        assert_eq!((fault.code, fault.rev), ("built_upon", edits[0]["seq"].as_u64()));
        let undone = two.ann.undo("chat.edited").await.unwrap();
        assert_eq!(undone["asked_peer"], true);
        two.bob.until_texts(&talk, &["two"]).await;
        assert_eq!(two.ann.texts(&talk).await, ["two"]);
        let edits = two.ann.history(json!({"kinds": ["chat.edited"]})).await;
        assert_eq!(edits[1]["undone_by"], undone["seq"]);
        // Undoing the undoing brings it back.
        two.ann.undo("chat.edited").await.unwrap();
        two.bob.until_texts(&talk, &["three"]).await;
        let edits = two.ann.history(json!({"kinds": ["chat.edited"]})).await;
        assert_eq!(edits[2].get("undone_by"), None);
    });
}

#[test]
fn a_message_can_be_taken_back_and_brought_back() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.ann.say(&talk, "oops").await;
        two.bob.until_texts(&talk, &["oops"]).await;
        two.ann.undo("chat.message").await.unwrap();
        two.bob.until_texts(&talk, &["-"]).await;
        two.ann.undo("chat.deleted").await.unwrap();
        two.bob.until_texts(&talk, &["oops"]).await;
        assert_eq!(two.ann.texts(&talk).await, ["oops"]);
        let fault = two.bob.undo("chat.message").await.unwrap_err();
        assert_eq!(fault.code, "cannot_undo");
    });
}

#[test]
fn reading_can_be_undone_here() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        for text in ["1", "2"] {
            two.ann.say(&talk, text).await;
        }
        two.bob.until_texts(&talk, &["2", "1"]).await;
        let newest = two.bob.newest(&talk).await["message"].clone();
        two.bob
            .ask("chat", "read", json!({"id": id(), "conversation": talk, "up_to": newest}))
            .await;
        assert_eq!(two.bob.talk().await["unread"], 0);
        two.bob.undo("chat.read").await.unwrap();
        assert_eq!(two.bob.talk().await["unread"], 2);
        assert!(two.bob.history(json!({})).await.iter().all(|item| item["kind"] != "chat.read"));
    });
}

#[test]
fn erased_text_is_gone_everywhere() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let send = json!({"id": id(), "conversation": talk, "text": "a secret"});
        let message = two.ann.ask("chat", "send", send.clone()).await["message"].clone();
        two.bob.until_texts(&talk, &["a secret"]).await;
        let entry = two.ann.history(json!({"kinds": ["chat.message"]})).await[0].clone();
        assert_eq!(entry["erasable"], true);
        let erase = json!({"id": id(), "seqs": [entry["seq"]]});
        let erased = two.ann.ask("history", "erase", erase.clone()).await;
        assert_eq!(erased["erased"], 1);
        assert!(erased["complete_by_ms"].as_i64() > entry["time_ms"].as_i64());
        let newest = two.ann.newest(&talk).await;
        assert_eq!((&newest["erased"], newest.get("text")), (&json!(true), None));
        assert_eq!(two.ann.history(json!({"text": "secret"})).await, Vec::<Value>::new());
        let entry = two.ann.history(json!({"kinds": ["chat.message"]})).await[0].clone();
        assert_eq!((&entry["erased"], &entry["erasable"]), (&json!(true), &json!(false)));
        // Neither the kept answer nor an undo brings it back.
        assert_eq!(two.ann.fails("chat", "send", send).await, "id_taken");
        two.ann.ask("chat", "edit", json!({"id": id(), "message": message, "text": "new"})).await;
        assert_eq!(two.ann.undo("chat.edited").await.unwrap_err().code, "cannot_undo");
        let again = json!({"id": id(), "seqs": [entry["seq"]]});
        assert_eq!(two.ann.fails("history", "erase", again).await, "nothing_to_erase");
        let nothing = json!({"id": id(), "seqs": [100_000]});
        assert_eq!(two.ann.fails("history", "erase", nothing).await, "not_found");
        assert_eq!(two.ann.ask("history", "erase", erase).await["erased"], 1);
        until(async || two.bob.texts(&talk).await == ["new"]).await;
    });
}

#[test]
fn what_has_no_undo_says_so() {
    check(|two| async move {
        two.meet().await;
        for item in two.ann.history(json!({})).await {
            let undo = json!({"id": id(), "seq": item["seq"]});
            assert_eq!(item["undo"], "none", "{}", item["kind"]);
            assert_eq!(two.ann.fails("history", "undo", undo).await, "cannot_undo");
        }
    });
}
