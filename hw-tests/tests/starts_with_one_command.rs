//! Promise: one command starts it, one link asks for a name, and it stops without a trace.
//!
//! Knows nothing that a newcomer wouldn't see: standard output, pages, exit codes.

use std::fs;
use std::time::Duration;

use hw_tests::{Node, Options, Person, Process, Result, fresh_id, skip, until};
use rustix::process::Signal;
use serde_json::{Value, json};

/// The welcome link's client and code.
fn welcome(node: &mut Node) -> Result<(Person, String)> {
    let event = node.event("welcome")?;
    let url = event["url"].as_str().unwrap_or_default();
    let (place, code) = url.split_once("/pair#").ok_or_else(|| format!("no code in {event}"))?;
    Ok((Person::stranger(place)?, code.to_owned()))
}

/// Refused to start: exit code and what it said.
fn refused(options: &Options) -> Result<(i32, String)> {
    let data = options.data.clone().unwrap_or_default();
    let said = std::process::Command::new(hw_tests::program()?)
        .args(["run", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdin(std::process::Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    Ok((said.status.code().unwrap_or(-1), text))
}

/// A started program that doesn't outlive its test.
struct Guard(std::process::Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_newcomer_names_a_twin_and_writes_a_note() {
    let mut node = Node::start(&Options::default()).unwrap();
    let (newcomer, code) = welcome(&mut node).unwrap();
    assert_eq!(newcomer.name, "node");
    let page = newcomer.get("/pair", &[]).unwrap();
    assert_eq!(page.status, 200, "{}", page.text());

    let claim = json!({ "code": code, "name": "ann" });
    let claimed = newcomer.call("node", "claim", claim.clone()).unwrap();
    let ann = Person::pair(claimed["next"].as_str().unwrap()).unwrap();
    assert_eq!(ann.name, "ann");
    let me = ann.call("identity", "me", json!({})).unwrap();
    assert_eq!(me["name"], "ann");

    let note = json!({ "id": fresh_id(), "conversation": "self", "text": "milk and bread" });
    ann.call("chat", "send", note).unwrap();
    let page = ann.call("chat", "messages", json!({ "conversation": "self" })).unwrap();
    assert_eq!(page["items"][0]["text"], "milk and bread", "{page}");
    assert_eq!(page["items"][0]["author"]["me"], true, "{page}");

    assert!(newcomer.call("node", "claim", claim).is_err(), "the welcome link worked twice");
    let log = node.log();
    assert!(!log.contains("milk and bread"), "the log holds what a person wrote");
    assert!(!log.contains(&code), "the log holds a code");
    assert!(!log.contains(ann.cookie.split_once('=').unwrap().1), "the log holds a session");
}

#[test]
fn without_the_code_nobody_gets_anything() {
    let mut node = Node::start(&Options::default()).unwrap();
    let (newcomer, code) = welcome(&mut node).unwrap();
    for wrong in ["00000000", "zzzzzzzz", "aaaaaaaaaaaaaaaa", &code.to_lowercase().repeat(2)] {
        let claim = json!({ "code": wrong, "name": "eve" });
        let refused = newcomer.call("node", "claim", claim).unwrap_err();
        assert!(!refused.code().is_empty(), "{refused}");
    }
    let fifth = json!({ "code": "11111111", "name": "eve" });
    newcomer.call("node", "claim", fifth).unwrap_err();
    // Five tries are over: now even the right code is worth nothing.
    let claim = json!({ "code": code, "name": "eve" });
    newcomer.call("node", "claim", claim).unwrap_err();
    let twins = node.verb(&["twin", "list"]).unwrap().json();
    assert_eq!(twins.as_array().map(Vec::len), Some(0), "{twins}");
    assert!(!newcomer.get("/", &[]).unwrap().text().contains(&code));
}

#[test]
fn a_pairing_code_is_used_once_and_only_by_who_has_it() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let url = node.verb(&["twin", "pair", "ann"]).unwrap().url().unwrap();
    let (_, code) = url.split_once('#').unwrap();
    let for_bob = url.replace("ann.localhost", "bob.localhost");
    assert!(Person::pair(&for_bob).is_err(), "one twin's code opened another");
    Person::pair(&url).unwrap();
    assert!(Person::pair(&url).is_err(), "a code worked twice");
    let again = node.verb(&["twin", "pair", "ann"]).unwrap();
    assert_ne!(again.code, 0, "a second device was paired from the console: {again:?}");

    let url = node.verb(&["twin", "pair", "bob"]).unwrap().url().unwrap();
    let (place, right) = url.split_once('#').unwrap();
    assert_ne!(right, code);
    assert!(right.len() >= 8, "{right} is too short");
    for wrong in 0..5 {
        assert!(Person::pair(&format!("{place}#0000000{wrong}")).is_err());
    }
    assert!(Person::pair(&url).is_err(), "a code lived on after five wrong tries");
    // Whoever has the console can make another one.
    node.pair("bob").unwrap();
}

#[test]
fn a_code_is_worth_nothing_after_two_minutes() {
    if !hw_tests::long() {
        return skip("a_code_is_worth_nothing_after_two_minutes", "takes two minutes; use --long");
    }
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let url = node.verb(&["twin", "pair", "ann"]).unwrap().url().unwrap();
    std::thread::sleep(Duration::from_secs(125));
    assert!(Person::pair(&url).is_err());
}

#[test]
fn a_second_start_on_the_same_data_refuses() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    let (code, text) = refused(&Options::default().data(node.data())).unwrap();
    assert_ne!(code, 0);
    assert!(text.contains(&*node.data().to_string_lossy()), "doesn't name the folder: {text:?}");
    assert!(text.lines().count() <= 3, "not a clear sentence: {text:?}");
    ann.call("identity", "me", json!({})).unwrap();
}

#[test]
fn it_stops_cleanly_and_goes_on_where_it_was() {
    let data = tempfile::tempdir().unwrap();
    let port = hw_tests::free_port().unwrap();
    let options = Options::default().data(data.path()).port(port);
    let mut node = Node::start(&Options { people: vec!["ann".into()], ..options.clone() }).unwrap();
    let ann = node.pair("ann").unwrap();
    let note = json!({ "id": fresh_id(), "conversation": "self", "text": "before" });
    ann.call("chat", "send", note).unwrap();
    let started: Vec<Process> = node.executor().descendants();
    assert!(started.len() >= 2, "{started:?}");
    let status = node.stop().unwrap();
    assert_eq!(status.code(), Some(0), "{}", node.log());
    assert_eq!(started.iter().filter(|process| process.alive()).count(), 0);

    let node = Node::start(&options).unwrap();
    let page = ann.call("chat", "messages", json!({ "conversation": "self" })).unwrap();
    assert_eq!(page["items"][0]["text"], "before", "{page}");
    drop(node);
}

#[test]
fn nothing_outlives_a_killed_executor() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    ann.call("identity", "me", json!({})).unwrap();
    let started = node.executor().descendants();
    assert!(started.len() >= 2, "{started:?}");
    node.executor().signal(Signal::KILL);
    until("its processes to be gone", Duration::from_secs(10), || {
        Ok(started.iter().all(|process| !process.alive()).then_some(()))
    })
    .unwrap();
}

#[test]
fn throw_away_data_is_gone_at_the_end() {
    let place = tempfile::tempdir().unwrap();
    let mut child = Guard(
        std::process::Command::new(hw_tests::program().unwrap())
            .args([
                "run",
                "--ephemeral",
                "--people",
                "ann,bob",
                "--listen",
                "127.0.0.1:0",
                "--json",
            ])
            .env("TMPDIR", place.path())
            .env("XDG_DATA_HOME", place.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let out = std::io::BufReader::new(child.0.stdout.take().unwrap());
    let mut paired = Vec::new();
    for line in std::io::BufRead::lines(out).map_while(std::result::Result::ok) {
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["event"] == "pair" {
            paired.push(Person::pair(event["url"].as_str().unwrap()).unwrap());
        }
        if paired.len() == 2 {
            break;
        }
    }
    paired.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(paired.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["ann", "bob"]);
    Process::of(child.0.id()).unwrap().signal(Signal::TERM);
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_unknown_setting_is_named_with_its_line() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("node.toml");
    fs::write(&file, "# The node's settings.\n\nlissten = \"127.0.0.1:0\"\n").unwrap();
    let (code, text) = refused(&Options::default().data(data.path())).unwrap();
    assert_ne!(code, 0);
    for part in ["node.toml", "3", "lissten"] {
        assert!(text.contains(part), "{text:?} doesn't name {part}");
    }
}

#[test]
fn a_broken_settings_file_stops_with_a_hint_and_stays_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("node.toml");
    let broken = "listen = \n";
    fs::write(&file, broken).unwrap();
    let (code, text) = refused(&Options::default().data(data.path())).unwrap();
    assert_ne!(code, 0);
    assert!(text.contains("node.toml"), "{text:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), broken);
}

#[test]
fn verbs_name_what_is_wrong() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    for wrong in ["node", "www", "Ann", "a_b", "-a", "", &"a".repeat(33), "ann"] {
        let said = node.verb(&["twin", "create", wrong]).unwrap();
        assert_ne!(said.code, 0, "{wrong:?} was created: {said:?}");
        assert!(!said.err.trim().is_empty() || said.json()["refusal"].is_string(), "{said:?}");
    }
    let unknown = node.verb(&["twin", "verify", "bob"]).unwrap();
    assert_ne!(unknown.code, 0, "{unknown:?}");
    let verified = node.verb(&["twin", "verify", "ann"]).unwrap();
    assert_eq!(verified.code, 0, "{verified:?}");
    let status = node.verb(&["status"]).unwrap().json();
    assert_eq!(status["executor"], node.executor().pid(), "{status}");
    assert_eq!(status["gateway"], node.gateway().unwrap().pid(), "{status}");
}

#[test]
fn a_renamed_twin_answers_under_its_new_name() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let mut ann = node.pair("ann").unwrap();
    let renamed = node.verb(&["twin", "rename", "ann", "anna"]).unwrap();
    assert_eq!(renamed.code, 0, "{renamed:?}");
    assert!(ann.call("identity", "me", json!({})).is_err());
    ann.name = "anna".to_owned();
    let me = ann.call("identity", "me", json!({})).unwrap();
    assert_eq!(me["name"], "anna");
}

#[test]
fn removing_a_twin_asks_for_its_name_and_leaves_an_export() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    let note = json!({ "id": fresh_id(), "conversation": "self", "text": "keep this" });
    ann.call("chat", "send", note).unwrap();
    for unconfirmed in
        [&["twin", "remove", "ann"][..], &["twin", "remove", "ann", "--confirm", "bob"]]
    {
        let refused = node.verb(unconfirmed).unwrap();
        assert_ne!(refused.code, 0, "{refused:?}");
    }
    ann.call("identity", "me", json!({})).unwrap();
    let removed = node.verb(&["twin", "remove", "ann", "--confirm", "ann"]).unwrap();
    assert_eq!(removed.code, 0, "{removed:?}");
    let export = removed.json()["export"].as_str().unwrap().to_owned();
    assert!(fs::read_to_string(&export).unwrap().contains("keep this"), "{export}");
    assert!(ann.call("identity", "me", json!({})).is_err());
    assert!(node.twin("ann").is_err());
}
