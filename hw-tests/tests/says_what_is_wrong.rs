//! Promise: what is wrong is said in words, to whom it concerns and to nobody else, with a repair that
//! works; data that contradict themselves are kept and not written any more.
//!
//! Every problem is made for real: bytes changed on the disk, a disk that is full, a clock that was
//! ahead, processes that are killed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

#[path = "says_what_is_wrong/data.rs"]
mod data;
#[path = "says_what_is_wrong/node.rs"]
mod node;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hw_tests::{Node, Options, Person, Spoken, fresh_id, skip, until};
use serde_json::{Value, json};

fn note(person: &Person, text: &str) -> Result<Value, hw_tests::Fault> {
    let id = fresh_id();
    person.call("chat", "send", json!({ "id": id, "conversation": "self", "text": text }))
}

/// The items of a list of problems, by name and what they are about.
fn items(list: &Value) -> Vec<(String, String)> {
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let all = list["items"].as_array().into_iter().flatten();
    all.map(|item| (text(item, "problem"), text(item, "about"))).collect()
}

fn item(list: &Value, problem: &str) -> Option<Value> {
    let all = list["items"].as_array().into_iter().flatten();
    all.into_iter().find(|item| item["problem"] == problem).cloned()
}

fn own(person: &Person, problem: &str) -> Option<Value> {
    item(&person.call("health", "list", json!({})).unwrap(), problem)
}

fn offers(item: &Value) -> Vec<&str> {
    let all = item["repairs"].as_array().into_iter().flatten();
    all.filter_map(|offer| offer["repair"].as_str()).collect()
}

fn repair(person: &Person, problem: &str, repair: &str) -> Value {
    let body = json!({ "id": fresh_id(), "problem": problem, "repair": repair });
    person.call("health", "repair", body).unwrap()
}

fn of_node(node: &Node) -> (Spoken, Value) {
    let said = node.verb(&["node", "health"]).unwrap();
    let list = said.json();
    assert!(list["items"].is_array(), "{said:?}");
    (said, list)
}

fn asleep(node: &Node, name: &str) {
    until("a twin's sleep", Duration::from_secs(30), || {
        Ok(node.awake(name)?.is_none().then_some(()))
    })
    .unwrap();
}

#[test]
fn each_sees_what_is_theirs_and_may_put_it_off() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let (ann, bob) = (node.pair("ann").unwrap(), node.pair("bob").unwrap());
    let (said, list) = of_node(&node);
    assert_eq!(said.code, 0, "something is wrong with a fresh node: {list}");

    // The first twin's person owns the node; the other is told nothing of it.
    ann.call("node", "health", json!({})).unwrap();
    for method in ["health", "repair"] {
        let body = match method {
            "repair" => json!({ "id": fresh_id(), "problem": "disk_short", "repair": "try_again" }),
            _ => json!({}),
        };
        assert_eq!(bob.call("node", method, body).unwrap_err().code(), "not_owner");
    }

    let one = own(&bob, "one_copy_only").expect("it is true of every twin");
    assert_eq!((&one["weight"], &one["can_wait"]), (&json!("note"), &json!(true)));
    let put_off = json!({ "id": fresh_id(), "problem": "one_copy_only" });
    bob.call("health", "put_off", put_off).unwrap();
    node.awake("bob").unwrap().unwrap().kill().unwrap();
    let one = own(&bob, "one_copy_only").unwrap();
    assert!(one["put_off_until_ms"].as_i64().is_some(), "forgotten after a restart: {one}");
    let never = json!({ "id": fresh_id(), "problem": "verify_failed" });
    assert_eq!(bob.call("health", "put_off", never).unwrap_err().code(), "not_found");
    let german = bob.call_as("health", "list", &[("accept-language", "de")], &json!({})).unwrap();
    assert_ne!(item(&german, "one_copy_only").unwrap()["title"], one["title"]);
    // No experience and nobody without a session gets any of it.
    let stranger = Person::stranger(&ann.origin()).unwrap();
    assert_eq!(stranger.call("health", "list", json!({})).unwrap_err().code(), "signed_out");
}

#[test]
fn a_tidy_up_can_be_had_at_once() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    // Long texts, erased: most of the file is free then.
    let mut seqs = Vec::new();
    for _ in 0..30 {
        for _ in 0..20 {
            note(&ann, &"x".repeat(4000)).unwrap();
        }
        let page = ann.call("history", "list", json!({ "limit": 20 })).unwrap();
        let all = page["items"].as_array().unwrap();
        seqs.extend(all.iter().filter_map(|item| item["seq"].as_u64()));
    }
    for some in seqs.chunks(100) {
        let body = json!({ "id": fresh_id(), "seqs": some });
        ann.call("history", "erase", body).unwrap();
    }
    let due = own(&ann, "compaction_due").expect("much of the file is free");
    assert_eq!(offers(&due), ["compact"]);
    let folder = node.twin("ann").unwrap()["folder"].as_str().unwrap().to_owned();
    let length = || fs::metadata(format!("{folder}/life/store.mdb")).unwrap().len();
    let (before, starts) = (length(), node.twin("ann").unwrap()["starts"].as_u64());
    assert_eq!(repair(&ann, "compaction_due", "compact")["settled"], true);
    asleep(&node, "ann");
    assert_eq!(own(&ann, "compaction_due"), None);
    assert!(length() < before / 2, "{} of {before} bytes are left", length());
    assert_ne!(node.twin("ann").unwrap()["starts"].as_u64(), starts);
    note(&ann, "all is well").unwrap();
}

/// Runs itself again where a small disk is mounted that nobody else sees.
#[test]
fn a_full_disk_is_said_and_costs_nothing() {
    const NAME: &str = "a_full_disk_is_said_and_costs_nothing";
    const FOLDER: &str = "HOMETWIN_TEST_DISK";
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        let folder = tempfile::tempdir().unwrap();
        let told = Command::new("unshare")
            .args(["--mount", "sh", "-c"])
            .arg("mount -t tmpfs -o size=40m none \"$1\" || exit 77; shift; exec \"$@\"")
            .arg("sh")
            .arg(folder.path())
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(FOLDER, folder.path())
            .output();
        match told {
            Ok(told) if told.status.success() => {}
            Ok(told) => {
                let text = String::from_utf8_lossy(&told.stderr).into_owned();
                let cannot = told.status.code() == Some(77) || text.contains("unshare");
                assert!(cannot, "{}{text}", String::from_utf8_lossy(&told.stdout));
                skip(NAME, "no small disk can be mounted by this user");
            }
            Err(error) => skip(NAME, &format!("no unshare: {error}")),
        }
        return;
    };
    let options = Options::people(&["ann"]).data(&folder.join("data"));
    let node = Node::start(&options).unwrap();
    let ann = node.pair("ann").unwrap();
    note(&ann, "there is room").unwrap();
    let (said, list) = of_node(&node);
    let short = item(&list, "disk_short").expect("40 MiB are little");
    assert_eq!((said.code, &short["weight"]), (7, &json!("now")));
    assert!(ann.call("node", "health", json!({})).is_ok_and(|l| item(&l, "disk_short").is_some()));

    let ballast = folder.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[7; 65536]).is_ok() {}
    while file.write_all(&[7; 512]).is_ok() {}
    let full = until("the disk to be full", Duration::from_secs(20), || {
        Ok(note(&ann, &"y".repeat(4000)).err())
    });
    assert_eq!(full.unwrap().code(), "full");
    let near = own(&ann, "quota_near").expect("nothing is left");
    assert_eq!(near["weight"], "now");
    until("the owner's list", Duration::from_secs(10), || {
        Ok(item(&of_node(&node).1, "twin_quota_near"))
    })
    .unwrap();
    drop(file);
    fs::remove_file(&ballast).unwrap();
    note(&ann, "room again").unwrap();
    assert_eq!(node.verb(&["twin", "verify", "ann"]).unwrap().code, 0);
}
