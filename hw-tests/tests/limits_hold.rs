//! Promise: nobody can use up what the others need. Over its share a twin says so, keeps what it has,
//! and goes on as soon as there is room.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

use std::path::Path;
use std::time::Duration;

use hw_tests::{Fault, Node, Options, Pair, Person, fresh_id};
use serde_json::{Value, json};

/// Settings of this text in a folder of their own.
fn settings(data: &Path, text: &str) -> Options {
    std::fs::write(data.join("node.toml"), text).unwrap();
    Options::people(&[]).data(data).port(hw_tests::free_port().unwrap())
}

fn note(person: &Person, text: &str) -> Result<Value, Fault> {
    let id = fresh_id();
    person.call("chat", "send", json!({ "id": id, "conversation": "self", "text": text }))
}

/// Writes until the twin says that it is full.
fn fill(person: &Person) -> Value {
    let text = "all that there is to say ".repeat(160);
    for _ in 0..5000 {
        match note(person, &text) {
            Ok(_) => {}
            Err(Fault::Problem { status: 507, document, .. }) => return document,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the twin is never full");
}

/// Erases everything that was written, but for the newest.
fn erase_all_but(person: &Person, newest: usize) {
    let (mut seqs, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut wish = json!({ "limit": 200 });
        if !cursor.is_null() {
            wish["cursor"] = cursor;
        }
        let page = person.call("history", "list", wish).unwrap();
        let items = page["items"].as_array().unwrap();
        let texts = items.iter().filter(|item| item["kind"] == "chat.message");
        seqs.extend(texts.filter_map(|item| item["seq"].as_u64()));
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert!(seqs.len() > newest, "{seqs:?}");
    for some in seqs[newest..].chunks(100) {
        person.call("history", "erase", json!({ "id": fresh_id(), "seqs": some })).unwrap();
    }
}

fn problems(list: &Value) -> Vec<(String, String, String)> {
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let all = list["items"].as_array().into_iter().flatten();
    all.map(|one| (text(one, "problem"), text(one, "about"), text(one, "weight"))).collect()
}

/// How pressing it is that room is short, for the person and for the owner.
fn shortage(node: &Node, person: &Person) -> (Option<String>, bool) {
    let own = problems(&person.call("health", "list", json!({})).unwrap());
    let own = own.into_iter().find(|(problem, ..)| problem == "quota_near");
    let list = node.verb(&["node", "health"]).unwrap().json();
    let told = problems(&list).into_iter().any(|(problem, about, _)| {
        (problem.as_str(), about.as_str()) == ("twin_quota_near", person.name.as_str())
    });
    (own.map(|(.., weight)| weight), told)
}

#[test]
fn a_full_twin_says_so_and_goes_on_when_something_is_erased() {
    let data = tempfile::tempdir().unwrap();
    let options = settings(data.path(), "[twin]\ndisk_mib = 1\n");
    let people = vec!["ann".to_owned(), "bob".to_owned()];
    let node = Node::start(&Options { people, ..options }).unwrap();
    let pair = Pair::introduce(&node).unwrap();
    assert_eq!(shortage(&node, &pair.ann), (None, false));

    let full = fill(&pair.ann);
    assert_eq!((&full["code"], &full["retry"]), (&json!("full_twin"), &json!("no")));
    let body = json!({ "id": fresh_id(), "conversation": "self", "text": "x" });
    let german = pair.ann.call_as("chat", "send", &[("accept-language", "de")], &body);
    let Err(Fault::Problem { document: german, .. }) = german else { panic!("{german:?}") };
    for part in ["title", "detail", "what_to_do"] {
        let (english, german) = (full[part].as_str().unwrap(), german[part].as_str().unwrap());
        assert!(!english.is_empty() && !german.is_empty() && english != german, "{part}");
    }
    assert_eq!(shortage(&node, &pair.ann), (Some("now".to_owned()), true));
    pair.ann.call("history", "list", json!({})).expect("reading goes on");
    note(&pair.bob, "my twin is not full").unwrap();

    // What comes meanwhile waits with its sender, and is no failure to them.
    let waiting = pair.send(&pair.bob, "wait for me").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let queued = |message: &Value| message["message"] == waiting.as_str();
    let message = pair.wait(&pair.bob, "what was sent", queued).unwrap();
    assert_eq!(message["state"], "queued", "{message}");

    erase_all_but(&pair.ann, 9);
    note(&pair.ann, "saved again").unwrap();
    assert_eq!(shortage(&node, &pair.ann), (None, false));
    // Ann's word reaches Bob's twin, which then tries again at once.
    pair.send(&pair.ann, "I have room again").unwrap();
    pair.wait(&pair.ann, "what had waited", |m| m["message"] == waiting.as_str()).unwrap();
    assert_eq!(node.verb(&["twin", "verify", "ann"]).unwrap().code, 0);
}

#[test]
fn less_room_than_is_taken_loses_nothing_and_more_room_helps() {
    let data = tempfile::tempdir().unwrap();
    let options = settings(data.path(), "[twin]\ndisk_mib = 2\n");
    let people = vec!["ann".to_owned()];
    let mut node = Node::start(&Options { people, ..options.clone() }).unwrap();
    let ann = node.pair("ann").unwrap();
    let first = note(&ann, "the first of all").unwrap()["message"].clone();
    fill(&ann);
    let restart = |node: &mut Node, mib: u32| {
        node.stop().unwrap();
        let text = format!("[twin]\ndisk_mib = {mib}\n");
        std::fs::write(data.path().join("node.toml"), text).unwrap();
        *node = Node::start(&options).unwrap();
    };
    restart(&mut node, 1);
    assert_eq!(note(&ann, "x").unwrap_err().code(), "full_twin");
    let delete = json!({ "id": fresh_id(), "message": first });
    ann.call("chat", "delete", delete).expect("deleting needs no room");
    restart(&mut node, 4);
    note(&ann, "there is room").unwrap();
    restart(&mut node, 1);
    assert_eq!(note(&ann, "x").unwrap_err().code(), "full_twin");
    erase_all_but(&ann, 20);
    note(&ann, "there is room again").unwrap();
    assert_eq!(node.verb(&["twin", "verify", "ann"]).unwrap().code, 0);
}
