//! Promise: a twin that crashes is started again, and one that crashes for ever hurts nobody else.
//!
//! Crashes are made by `kill -9` and by broken data, as reality makes them.

use std::fs;
use std::time::{Duration, Instant};

use hw_tests::{Node, Options, Pair, Person, Result, fresh_id, until};
use serde_json::json;

#[test]
fn a_killed_twin_answers_the_next_call() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    let note = json!({ "id": fresh_id(), "conversation": "self", "text": "kept" });
    ann.call("chat", "send", note).unwrap();
    node.awake("ann").unwrap().expect("it was just used").kill().unwrap();
    let page = ann.call("chat", "messages", json!({ "conversation": "self" })).unwrap();
    assert_eq!(page["items"][0]["text"], "kept");
}

#[test]
fn a_crash_loop_is_reported_and_others_go_on() {
    let mut node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let pair = Pair::introduce(&node).unwrap();
    let stranger = Person::stranger(&pair.ann.origin()).unwrap();
    // Kills it as soon as it is there, until the executor has seen enough.
    let begin = Instant::now();
    let mut told = None;
    while told.is_none() && begin.elapsed() < Duration::from_secs(60) {
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| stranger.get("/", &[]));
            while !asking.is_finished() {
                if let Ok(Some(twin)) = node.awake("ann") {
                    twin.kill().unwrap();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            if let Ok(Ok(answer)) = asking.join()
                && answer.status == 503
            {
                told = Some(answer);
            }
        });
        let asked = Instant::now();
        pair.bob.call("identity", "me", json!({})).unwrap();
        assert!(asked.elapsed() < Duration::from_secs(5), "Bob had to wait for Ann's crashes");
    }
    let told = told.expect("nobody was told about the crash loop");
    assert!(!told.text().is_empty());
    assert_eq!(node.event("crashing").unwrap()["name"], "ann");

    // Left alone, it comes back by itself, with everything.
    until("the twin to come back", Duration::from_secs(90), || {
        pair.ann.call("identity", "me", json!({}))?;
        Ok(Some(()))
    })
    .unwrap();
    let id = pair.send(&pair.bob, "welcome back").unwrap();
    pair.wait(&pair.ann, "a message after the crashes", |m| m["message"] == id.as_str()).unwrap();
}

#[test]
fn a_killed_twin_comes_back_without_being_asked() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let pair = Pair::introduce(&node).unwrap();
    pair.send(&pair.ann, "before").unwrap();
    let killed = node.awake("ann").unwrap().unwrap();
    killed.kill().unwrap();
    until("the twin's next process", Duration::from_secs(30), || {
        Ok(node.awake("ann")?.filter(|next| next.pid() != killed.pid()))
    })
    .unwrap();
}

#[test]
fn broken_data_stops_one_twin_and_is_left_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let port = hw_tests::free_port().unwrap();
    let options = Options::default().data(data.path()).port(port);
    let people = vec!["ann".to_owned(), "bob".to_owned()];
    let mut node = Node::start(&Options { people, ..options.clone() }).unwrap();
    let pair = Pair::introduce(&node).unwrap();
    let folder = node.twin("ann").unwrap()["folder"].as_str().unwrap().to_owned();
    node.stop().unwrap();
    drop(node);

    let file = largest_file(&format!("{folder}/life")).unwrap();
    let whole = fs::read(&file).unwrap();
    let broken = vec![0x5a; whole.len().min(64 * 1024)];
    fs::write(&file, &broken).unwrap();
    let node = Node::start(&options).unwrap();
    pair.bob.call("identity", "me", json!({})).unwrap();
    let refused = pair.ann.call("identity", "me", json!({})).unwrap_err();
    assert_eq!(refused.code(), "broken", "no clear answer: {refused}");
    pair.bob.call("identity", "me", json!({})).unwrap();
    assert_eq!(fs::read(&file).unwrap(), broken, "a broken file was touched");
    assert!(node.log().contains(&folder), "the log doesn't name what is broken");
    drop(node);

    // Put back, it works again: nothing else was harmed.
    fs::write(&file, &whole).unwrap();
    let node = Node::start(&options).unwrap();
    until("the repaired twin", Duration::from_secs(60), || {
        pair.ann.call("identity", "me", json!({}))?;
        Ok(Some(()))
    })
    .unwrap();
    drop(node);
}

#[test]
fn a_killed_gateway_is_replaced() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let pair = Pair::introduce(&node).unwrap();
    for round in 0..3 {
        node.gateway().unwrap().kill().unwrap();
        let id = until("a send through a new gateway", Duration::from_secs(30), || {
            Ok(Some(pair.send(&pair.ann, &format!("round {round}"))?))
        })
        .unwrap();
        pair.wait(&pair.bob, "what went through a new gateway", |m| m["message"] == id.as_str())
            .unwrap();
    }
}

#[test]
fn a_stuck_twin_is_replaced() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    let stuck = node.awake("ann").unwrap().expect("it was just used");
    stuck.signal(rustix::process::Signal::STOP);
    // The gateway waits ten seconds for a twin to take a connection.
    let me = answered(&ann).unwrap();
    assert_eq!(me["name"], "ann");
    assert!(!stuck.alive());
}

/// The journal, whatever it's called.
fn largest_file(folder: &str) -> Result<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.len(), entry.path()));
    }
    let largest = files.into_iter().max();
    Ok(largest.ok_or_else(|| format!("nothing in {folder}"))?.1)
}

fn answered(person: &Person) -> Result<serde_json::Value> {
    until("an answer", Duration::from_secs(60), || {
        Ok(Some(person.call("identity", "me", json!({}))?))
    })
}
