//! Promise: two people of one node exchange cards and talk, live, and each can take things back.
//!
//! Two clients as the shell would be; every assertion is about what a person sees.

use hw_tests::{Node, Options, Pair, Person, Result, conversation_texts, fresh_id};
use serde_json::{Value, json};

fn talking() -> Result<(Node, Pair)> {
    let node = Node::start(&Options::people(&["ann", "bob"]))?;
    let pair = Pair::introduce(&node)?;
    Ok((node, pair))
}

fn history(person: &Person, wish: Value) -> Result<Vec<Value>> {
    let page = person.call("history", "list", wish)?;
    Ok(page["items"].as_array().cloned().unwrap_or_default())
}

#[test]
fn a_card_makes_a_contact_only_when_both_want_it() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let (ann, bob) = (node.pair("ann").unwrap(), node.pair("bob").unwrap());
    let card = bob.call("identity", "card", json!({})).unwrap();
    assert!(card["svg"].as_str().unwrap().contains("<svg"));
    let asked = json!({ "id": fresh_id(), "card": card["link"] });
    ann.call("contacts", "request", asked).unwrap();
    let contacts = ann.call("contacts", "list", json!({})).unwrap();
    assert_eq!(contacts["items"][0]["state"], "asked", "{contacts}");

    for broken in ["hometwin:", "hometwin:AAAA", "https://else.where/", "ann", "\u{202e}"] {
        let asked = json!({ "id": fresh_id(), "card": broken });
        let refused = ann.call("contacts", "request", asked).unwrap_err();
        assert!(!refused.code().is_empty(), "{broken}: {refused}");
    }
    let own = ann.call("identity", "card", json!({})).unwrap();
    let asked = json!({ "id": fresh_id(), "card": own["link"] });
    assert!(ann.call("contacts", "request", asked).is_err(), "asked oneself");
}

#[test]
fn both_see_each_message_live_and_once() {
    let (_node, pair) = talking().unwrap();
    let (mut at_ann, mut at_bob) = (pair.ann.events().unwrap(), pair.bob.events().unwrap());
    let topic = json!({ "conversation": pair.conversation });
    at_ann.subscribe(1, "chat", &topic, None).unwrap();
    at_bob.subscribe(7, "chat", &topic, None).unwrap();
    // A subscription has no receipt: a contact's event proves that the socket is read.
    std::thread::sleep(std::time::Duration::from_millis(300));

    let hello = pair.send(&pair.ann, "hello Bob").unwrap();
    let seen = at_bob
        .wait("of Ann's message", |e| e["event"]["message"]["message"] == hello.as_str())
        .unwrap();
    assert_eq!(seen["sub"], 7);
    assert_eq!(seen["event"]["message"]["text"], "hello Bob");
    assert_eq!(seen["event"]["message"]["author"]["me"], false);
    at_ann
        .wait("of its delivery", |e| {
            e["event"]["message"]["message"] == hello.as_str()
                && e["event"]["message"]["state"] == "delivered"
        })
        .unwrap();

    let reply = fresh_id();
    let body = json!({
        "id": reply, "conversation": pair.conversation, "text": "hello Ann", "reply_to": hello
    });
    pair.bob.call("chat", "send", body.clone()).unwrap();
    pair.bob.call("chat", "send", body).unwrap(); // The answer was lost: the same call again.
    let seen = at_ann
        .wait("of Bob's reply", |e| e["event"]["message"]["message"] == reply.as_str())
        .unwrap();
    assert_eq!(seen["event"]["message"]["reply_to"], hello.as_str());
    for person in [&pair.ann, &pair.bob] {
        let texts = conversation_texts(person, &pair.conversation).unwrap();
        let expected = [(hello.clone(), "hello Bob".into()), (reply.clone(), "hello Ann".into())];
        assert_eq!(texts, expected, "at {}", person.name);
    }
}

#[test]
fn only_the_author_edits_and_deletes() {
    let (_node, pair) = talking().unwrap();
    let id = pair.send(&pair.ann, "frist").unwrap();
    pair.wait(&pair.bob, "Ann's message", |m| m["message"] == id.as_str()).unwrap();

    let by_bob = json!({ "id": fresh_id(), "message": id, "text": "mine now" });
    pair.bob.call("chat", "edit", by_bob).unwrap_err();
    pair.bob.call("chat", "delete", json!({ "id": fresh_id(), "message": id })).unwrap_err();

    let edit = json!({ "id": fresh_id(), "message": id, "text": "first" });
    pair.ann.call("chat", "edit", edit).unwrap();
    let edited = pair.wait(&pair.bob, "the edit", |m| m["text"] == "first").unwrap();
    assert!(edited["edited_ms"].is_i64(), "{edited}");

    let old = json!({ "id": fresh_id(), "message": id, "text": "late", "if_rev": 0 });
    assert_eq!(pair.ann.call("chat", "edit", old).unwrap_err().code(), "conflict");

    pair.ann.call("chat", "delete", json!({ "id": fresh_id(), "message": id })).unwrap();
    let deleted = pair.wait(&pair.bob, "the deletion", |m| m["deleted"] == true).unwrap();
    assert!(deleted["text"].is_null(), "{deleted}");
    let after = json!({ "id": fresh_id(), "message": id, "text": "back" });
    pair.ann.call("chat", "edit", after).unwrap_err();
}

#[test]
fn reading_is_told_to_the_author() {
    let (_node, pair) = talking().unwrap();
    let id = pair.send(&pair.ann, "seen?").unwrap();
    pair.wait(&pair.bob, "Ann's message", |m| m["message"] == id.as_str()).unwrap();
    let unread = |person: &Person| {
        let all = person.call("chat", "conversations", json!({})).unwrap();
        let items = all["items"].as_array().unwrap().clone();
        items.into_iter().find(|c| c["conversation"] == pair.conversation.as_str()).unwrap()
    };
    assert_eq!(unread(&pair.bob)["unread"], 1);
    let read = json!({ "id": fresh_id(), "conversation": pair.conversation, "up_to": id });
    pair.bob.call("chat", "read", read).unwrap();
    assert_eq!(unread(&pair.bob)["unread"], 0);
    pair.wait(&pair.ann, "the read marker", |m| m["state"] == "read").unwrap();
}

#[test]
fn history_finds_and_undoes() {
    let (_node, pair) = talking().unwrap();
    let id = pair.send(&pair.ann, "the quick brown fox").unwrap();
    pair.wait(&pair.bob, "Ann's message", |m| m["message"] == id.as_str()).unwrap();
    let found = history(&pair.bob, json!({ "text": "brown" })).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(history(&pair.bob, json!({ "text": "purple" })).unwrap().is_empty());

    let contacts = pair.bob.call("contacts", "list", json!({})).unwrap();
    let ann = contacts["items"][0]["contact"].clone();
    let petname = json!({ "id": fresh_id(), "contact": ann, "petname": "Annie" });
    pair.bob.call("contacts", "rename", petname).unwrap();
    let latest = history(&pair.bob, json!({ "limit": 1 })).unwrap().remove(0);
    assert_eq!(latest["undo"], "local", "{latest}");
    let undo = json!({ "id": fresh_id(), "seq": latest["seq"] });
    pair.bob.call("history", "undo", undo.clone()).unwrap();
    pair.bob.call("history", "undo", undo).unwrap();
    let contacts = pair.bob.call("contacts", "list", json!({})).unwrap();
    assert!(contacts["items"][0]["petname"].is_null(), "{contacts}");
    let all = history(&pair.bob, json!({})).unwrap();
    let renamed = all.iter().find(|item| item["seq"] == latest["seq"]).unwrap();
    assert!(renamed["undone_by"].is_u64(), "{renamed}");
}

#[test]
fn what_was_sent_can_be_asked_back() {
    let (_node, pair) = talking().unwrap();
    let id = pair.send(&pair.ann, "not meant for you").unwrap();
    pair.wait(&pair.bob, "Ann's message", |m| m["message"] == id.as_str()).unwrap();
    let sent = history(&pair.ann, json!({ "text": "not meant" })).unwrap().remove(0);
    assert_eq!(sent["undo"], "ask_peer", "{sent}");
    let undo = json!({ "id": fresh_id(), "seq": sent["seq"] });
    let undone = pair.ann.call("history", "undo", undo).unwrap();
    assert_eq!(undone["asked_peer"], true, "{undone}");
    pair.wait(&pair.bob, "the message taken back", |m| m["deleted"] == true).unwrap();
}

#[test]
fn what_is_erased_is_gone_and_the_journal_still_verifies() {
    let (node, pair) = talking().unwrap();
    let id = pair.send(&pair.ann, "a secret that goes").unwrap();
    pair.wait(&pair.bob, "Ann's message", |m| m["message"] == id.as_str()).unwrap();
    let entry = history(&pair.bob, json!({ "text": "secret" })).unwrap().remove(0);
    let erase = json!({ "id": fresh_id(), "seqs": [entry["seq"]] });
    let erased = pair.bob.call("history", "erase", erase).unwrap();
    assert!(erased["complete_by_ms"].is_i64(), "{erased}");
    assert!(history(&pair.bob, json!({ "text": "secret" })).unwrap().is_empty());
    let texts = conversation_texts(&pair.bob, &pair.conversation).unwrap();
    assert!(texts.iter().all(|(_, text)| !text.contains("secret")), "{texts:?}");
    let verified = node.verb(&["twin", "verify", "bob"]).unwrap();
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn a_blocked_person_is_not_heard_and_not_told() {
    let (_node, pair) = talking().unwrap();
    let contacts = pair.bob.call("contacts", "list", json!({})).unwrap();
    let block = json!({ "id": fresh_id(), "contact": contacts["items"][0]["contact"] });
    pair.bob.call("contacts", "block", block).unwrap();
    pair.send(&pair.ann, "can you hear me").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let texts = conversation_texts(&pair.bob, &pair.conversation).unwrap();
    assert!(texts.is_empty(), "{texts:?}");
    let seen = pair.ann.call("contacts", "list", json!({})).unwrap();
    assert_eq!(seen["items"][0]["state"], "accepted", "{seen}");
    let page = json!({ "conversation": pair.conversation });
    let mine = pair.ann.call("chat", "messages", page).unwrap();
    assert_eq!(mine["items"][0]["state"], "delivered", "as if it were not read: {mine}");
}

#[test]
fn strangers_can_not_write() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let (ann, bob) = (node.pair("ann").unwrap(), node.pair("bob").unwrap());
    let card = bob.call("identity", "card", json!({})).unwrap();
    let asked = json!({ "id": fresh_id(), "card": card["link"], "note": "hi" });
    ann.call("contacts", "request", asked).unwrap();
    let invented = json!({ "id": fresh_id(), "conversation": fresh_id(), "text": "spam" });
    ann.call("chat", "send", invented).unwrap_err();
    let all = bob.call("chat", "conversations", json!({})).unwrap();
    let others = all["items"].as_array().unwrap().iter().filter(|c| c["with"]["me"] != true);
    assert_eq!(others.count(), 0, "{all}");
}

#[test]
fn a_batch_is_done_whole_or_not_at_all() {
    let (_node, pair) = talking().unwrap();
    let call = |text: &str, conversation: &str| {
        let body = json!({ "id": fresh_id(), "conversation": conversation, "text": text });
        json!({ "capability": "chat", "major": 1, "method": "send", "body": body })
    };
    let good = json!({ "calls": [call("one", "self"), call("two", "self")] });
    let answer = pair.ann.post("/api/batch", &[], &good).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["results"].as_array().map(Vec::len), Some(2));
    let bad = json!({ "calls": [call("three", "self"), call("four", &fresh_id())] });
    let answer = pair.ann.post("/api/batch", &[], &bad).unwrap();
    assert_ne!(answer.status, 200, "{}", answer.text());
    let notes: Vec<String> =
        conversation_texts(&pair.ann, "self").unwrap().into_iter().map(|m| m.1).collect();
    assert_eq!(notes, ["one", "two"]);
}

#[test]
fn a_subscription_goes_on_from_a_known_state() {
    let (_node, pair) = talking().unwrap();
    let page = json!({ "conversation": pair.conversation });
    let page = pair.bob.call("chat", "messages", page).unwrap();
    let id = pair.send(&pair.ann, "while you were away").unwrap();
    pair.wait(&pair.bob, "Ann's message", |m| m["message"] == id.as_str()).unwrap();
    let mut events = pair.bob.events().unwrap();
    let topic = json!({ "conversation": pair.conversation });
    events.subscribe(1, "chat", &topic, page["at"].as_u64()).unwrap();
    events.wait("that was missed", |e| e["event"]["message"]["message"] == id.as_str()).unwrap();
}
