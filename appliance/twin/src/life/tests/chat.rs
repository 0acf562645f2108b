//! Writing, editing, deleting, reading; alone and with another person.

use capability::wire;
use serde_json::{Value, json};

use super::{check, check_one, id, shell, until};

#[test]
fn a_note_to_oneself_needs_nobody() {
    check_one(|ann| async move {
        let first = ann.say("self", "milk").await;
        assert_eq!(first.get("state"), None);
        let second = json!({"id": id(), "conversation": "self", "text": "bread",
            "reply_to": first["message"]});
        let second = ann.ask("chat", "send", second).await;
        assert_eq!(second["reply_to"], first["message"]);
        assert_eq!(ann.texts("self").await, ["bread", "milk"]);
        let page = ann.ask("chat", "conversations", json!({})).await;
        assert_eq!(page["items"][0]["unread"], 0);
        assert_eq!(page["items"][0]["last"]["text"], "bread");
    });
}

#[test]
fn a_resent_write_changes_nothing() {
    check_one(|ann| async move {
        let send = json!({"id": id(), "conversation": "self", "text": "once"});
        let first = ann.ask("chat", "send", send.clone()).await;
        assert_eq!(ann.ask("chat", "send", send.clone()).await, first);
        assert_eq!(ann.texts("self").await, ["once"]);
        let mut other = send;
        other["text"] = "twice".into();
        assert_eq!(ann.fails("chat", "send", other).await, "id_taken");
    });
}

#[test]
fn pages_have_everything_once_and_in_order() {
    check_one(|ann| async move {
        for n in 0..25 {
            ann.say("self", &n.to_string()).await;
        }
        let (mut seen, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let body = json!({"conversation": "self", "limit": 10, "cursor": cursor});
            let page = ann.ask("chat", "messages", body).await;
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|one| one["text"].as_str().unwrap().to_owned()));
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        let wanted: Vec<String> = (0..25).rev().map(|n| n.to_string()).collect();
        assert_eq!(seen, wanted);
        let foreign = json!({"conversation": "self", "cursor": "AAAA"});
        assert_eq!(ann.fails("chat", "messages", foreign).await, "bad_cursor");
        let too_many = json!({"conversation": "self", "limit": 201});
        assert_eq!(ann.fails("chat", "messages", too_many).await, "malformed");
    });
}

#[test]
fn bad_requests_are_refused_by_field() {
    check_one(|ann| async move {
        for body in [
            json!({}),
            json!({"id": "x", "conversation": "self", "text": "a"}),
            json!({"id": id(), "conversation": "self", "text": ""}),
            json!({"id": id(), "conversation": "self", "text": "x".repeat(8001)}),
            json!({"id": id(), "conversation": "self", "text": "a", "later": 1}),
            json!([]),
        ] {
            let fault = ann.call(&shell(), "chat", "send", body).await.unwrap_err();
            assert_eq!((fault.code, fault.fields.len()), ("malformed", 1));
        }
        let nowhere = json!({"id": id(), "conversation": "0".repeat(32), "text": "a"});
        assert_eq!(ann.fails("chat", "send", nowhere).await, "not_found");
        let nothing = json!({"id": id(), "conversation": "self", "text": "a", "reply_to": id()});
        assert_eq!(ann.fails("chat", "send", nothing).await, "not_found");
        assert_eq!(ann.fails("chat", "shout", json!({})).await, "unknown_method");
        assert_eq!(ann.fails("identity", "pair", json!({})).await, "unknown_method");
        let newer = ann.life.call(&shell(), "chat", 2, "messages", b"{}").await;
        assert_eq!(newer.unwrap_err().code, "unknown_method");
        assert_eq!(ann.texts("self").await, [""; 0]);
    });
}

#[test]
fn a_batch_happens_together_or_not_at_all() {
    check_one(|ann| async move {
        let message = id();
        let call = |method: &str, body: Value| wire::Call {
            capability: "chat".parse().unwrap(),
            major: 1,
            method: method.parse().unwrap(),
            body,
        };
        let send = call("send", json!({"id": message, "conversation": "self", "text": "a"}));
        let edit = call("edit", json!({"id": id(), "message": message, "text": "b"}));
        let bad = call("edit", json!({"id": id(), "message": id(), "text": "c"}));
        let fault = ann.life.batch(&shell(), vec![send.clone(), edit.clone(), bad]).await;
        let fault = fault.unwrap_err();
        assert_eq!((fault.code, fault.call), ("not_found", Some(2)));
        assert_eq!(ann.texts("self").await, [""; 0]);
        let look = call("messages", json!({"conversation": "self"}));
        let answers = ann.life.batch(&shell(), vec![send, edit, look]).await.unwrap();
        let page: Value = serde_json::from_slice(&answers[2]).unwrap();
        assert_eq!(page["items"][0]["text"], "b");
        assert_eq!(ann.life.batch(&shell(), Vec::new()).await.unwrap_err().code, "too_many");
    });
}

#[test]
fn two_people_talk() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        assert_eq!(two.bob.talk_id().await, talk);
        let hello = two.ann.say(&talk, "hello").await;
        assert_eq!(hello["state"], "queued");
        two.bob.until_texts(&talk, &["hello"]).await;
        let heard = two.bob.newest(&talk).await;
        assert_eq!((&heard["message"], &heard["time_ms"]), (&hello["message"], &hello["time_ms"]));
        assert_eq!(
            (&heard["author"]["name"], &heard["author"]["me"]),
            (&json!("Ann"), &json!(false))
        );
        until(async || two.ann.newest(&talk).await["state"] == "delivered").await;
        assert_eq!(two.bob.talk().await["unread"], 1);
        let answer = json!({"id": id(), "conversation": talk, "text": "hi",
            "reply_to": hello["message"]});
        two.bob.ask("chat", "send", answer).await;
        two.ann.until_texts(&talk, &["hi", "hello"]).await;
        assert_eq!(two.ann.newest(&talk).await["reply_to"], hello["message"]);
    });
}

#[test]
fn edits_and_deletions_reach_the_other() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let message = two.ann.say(&talk, "helo").await;
        let edit = json!({"id": id(), "message": message["message"], "text": "hello",
            "if_rev": message["rev"]});
        let edited = two.ann.ask("chat", "edit", edit).await;
        assert!(edited["edited_ms"].is_i64());
        two.bob.until_texts(&talk, &["hello"]).await;
        let late = json!({"id": id(), "message": message["message"], "text": "x",
            "if_rev": message["rev"]});
        let fault = two.ann.call(&shell(), "chat", "edit", late).await.unwrap_err();
        assert_eq!((fault.code, fault.rev), ("conflict", edited["rev"].as_u64()));
        let delete = json!({"id": id(), "message": message["message"]});
        assert_eq!(two.ann.ask("chat", "delete", delete).await["deleted"], true);
        until(async || two.bob.newest(&talk).await["deleted"] == true).await;
        assert_eq!(two.bob.newest(&talk).await.get("text"), None);
        assert_eq!(two.bob.talk().await["unread"], 0);
        let again = json!({"id": id(), "message": message["message"], "text": "x"});
        assert_eq!(two.ann.fails("chat", "edit", again).await, "deleted");
    });
}

#[test]
fn only_the_author_edits_and_deletes() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let message = two.ann.say(&talk, "mine").await;
        two.bob.until_texts(&talk, &["mine"]).await;
        let edit = json!({"id": id(), "message": message["message"], "text": "yours"});
        assert_eq!(two.bob.fails("chat", "edit", edit).await, "not_author");
        let delete = json!({"id": id(), "message": message["message"]});
        assert_eq!(two.bob.fails("chat", "delete", delete).await, "not_author");
        assert_eq!(two.bob.texts(&talk).await, ["mine"]);
    });
}

#[test]
fn reading_is_told_and_counted() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        for text in ["1", "2", "3"] {
            two.ann.say(&talk, text).await;
        }
        two.bob.until_texts(&talk, &["3", "2", "1"]).await;
        assert_eq!(two.bob.talk().await["unread"], 3);
        let page = two.bob.ask("chat", "messages", json!({"conversation": talk})).await;
        let second = &page["items"][1];
        let read = json!({"id": id(), "conversation": talk, "up_to": second["message"],
            "author": second["author"]["id"]});
        two.bob.ask("chat", "read", read).await;
        assert_eq!(two.bob.talk().await["unread"], 1);
        until(async || two.ann.talk().await["read_up_to_by_other"] == second["message"]).await;
        let page = two.ann.ask("chat", "messages", json!({"conversation": talk})).await;
        let states: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|m| &m["state"]).collect();
        assert_eq!(states[1..], ["read", "read"]);
        // Going back is no reading.
        let first = page["items"][2]["message"].clone();
        let back = json!({"id": id(), "conversation": talk, "up_to": first});
        two.bob.ask("chat", "read", back).await;
        assert_eq!(two.bob.talk().await["unread"], 1);
    });
}

#[test]
fn what_was_said_while_apart_arrives_in_order() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.part();
        for text in ["1", "2", "3"] {
            two.ann.say(&talk, text).await;
        }
        until(async || two.ann.life.due_ms().is_some()).await;
        assert_eq!(two.ann.newest(&talk).await["state"], "queued");
        two.online.set(true);
        two.bob.say(&talk, "there?").await;
        until(async || two.bob.texts(&talk).await.len() == 4).await;
        until(async || two.ann.texts(&talk).await == two.bob.texts(&talk).await).await;
    });
}

#[test]
fn pages_and_batches_of_long_texts_have_an_end() {
    check_one(|ann| async move {
        let text = "\u{1f600}".repeat(8000);
        for _ in 0..40 {
            ann.say("self", &text).await;
        }
        let (mut seen, mut cursor, mut pages) = (0, Value::Null, 0);
        loop {
            let body = json!({"conversation": "self", "limit": 200, "cursor": cursor});
            let page = ann.ask("chat", "messages", body).await;
            assert!(page.to_string().len() < 2 << 20);
            seen += page["items"].as_array().unwrap().len();
            pages += 1;
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!((seen, pages), (40, 2));
        let read = |_| wire::Call {
            capability: "chat".parse().unwrap(),
            major: 1,
            method: "messages".parse().unwrap(),
            body: json!({"conversation": "self", "limit": 200}),
        };
        let all = ann.life.batch(&shell(), (0..32).map(read).collect()).await;
        assert_eq!(all.unwrap_err().code, "too_large");
        let some = ann.life.batch(&shell(), (0..4).map(read).collect()).await;
        assert_eq!(some.unwrap().len(), 4);
    });
}
