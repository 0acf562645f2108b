//! Promise: nobody can use up what the others need. Over its share a twin says so, keeps what it has,
//! and goes on as soon as there is room.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::time::Duration;

use hw_tests::{Fault, Node, Options, Pair, Person, fresh_id, until};
use rustix::net::{AddressFamily, SocketType};
use serde_json::{Value, json};

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
    let options = Options::people(&["ann", "bob"]).settings("[twin]\ndisk_mib = 1\n");
    let node = Node::start(&options).unwrap();
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
    // Who checks reads in the log what was not taken so far, and nothing of what it said.
    let log = node.log();
    let told = log.lines().find(|line| line.contains("not taken since the beginning"));
    assert!(told.is_some_and(|line| line.contains("refused.full")), "{log}");
    assert!(!log.contains("wait for me"), "{log}");
}

#[test]
fn less_room_than_is_taken_loses_nothing_and_more_room_helps() {
    let data = tempfile::tempdir().unwrap();
    let options = Options::default().data(data.path()).port(hw_tests::free_port().unwrap());
    let with = |mib: u32| options.clone().settings(&format!("[twin]\ndisk_mib = {mib}\n"));
    let people = vec!["ann".to_owned()];
    let mut node = Node::start(&Options { people, ..with(2) }).unwrap();
    let ann = node.pair("ann").unwrap();
    let first = note(&ann, "the first of all").unwrap()["message"].clone();
    fill(&ann);
    let restart = |node: &mut Node, mib: u32| {
        node.stop().unwrap();
        *node = Node::start(&with(mib)).unwrap();
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

/// Whether the owner of the node is told this about that twin.
fn owner_knows(node: &Node, problem: &str, name: &str) -> bool {
    let list = node.verb(&["node", "health"]).unwrap().json();
    problems(&list).iter().any(|(one, about, _)| (one.as_str(), about.as_str()) == (problem, name))
}

#[test]
fn an_experience_that_asks_without_end_takes_nothing_from_its_person() {
    // One a second in the long run, so that what comes back during the test does not matter.
    let text = "[twin]\nrequests_at_once = 80\nrequests_per_second = 1\n";
    let node = Node::start(&Options::people(&["ann"]).settings(text)).unwrap();
    let ann = node.pair("ann").unwrap();
    let opened = ann.call("experiences", "open", json!({ "name": "chat" })).unwrap();
    let token = opened["token"].as_str().unwrap().to_owned();
    let greedy = [("experience", token.as_str())];
    let ask = || ann.post("/api/chat/1/conversations", &greedy, &json!({})).unwrap();
    let (mut answered, mut refused) = (0, Vec::new());
    while refused.len() < 120 {
        let answer = ask();
        match answer.status {
            200 => answered += 1,
            _ => refused.push(answer),
        }
        assert!(answered < 1000, "nothing is refused");
    }
    assert!(answered >= 40, "only {answered} were answered");
    let last = refused.pop().unwrap();
    assert_eq!((last.status, &last.json()["code"]), (429, &json!("slow_down")));
    let after: u64 = last.header("retry-after").parse().unwrap();
    assert!((1..=3).contains(&after), "{after}");
    let german = [greedy[0], ("accept-language", "de")];
    let german = ann.post("/api/chat/1/conversations", &german, &json!({})).unwrap().json();
    for part in ["title", "detail", "what_to_do"] {
        assert_ne!(german[part], last.json()[part]);
    }

    // The person's own pages go on, and say what happened.
    let list = ann.call("health", "list", json!({})).unwrap();
    let asked = list["items"].as_array().unwrap().iter();
    let asked = asked.clone().find(|item| item["problem"] == "asked_too_much").unwrap();
    assert!(asked["detail"].as_str().unwrap().contains("chat"), "{asked}");
    assert!(owner_knows(&node, "twin_asked_too_much", "ann"));
    // Several calls in one are as many.
    let calls =
        vec![json!({ "capability": "identity", "major": 1, "method": "me", "body": {} }); 20];
    let batch = || ann.post("/api/batch", &[], &json!({ "calls": calls })).unwrap().status;
    let answered = (0..10).take_while(|_| batch() == 200).count();
    assert!((1..=6).contains(&answered), "{answered} batches of 20");
}

/// A connection from this address of loopback to a node.
fn connect_from(last: u8, port: u16) -> TcpStream {
    let kind = SocketType::STREAM;
    let socket = rustix::net::socket(AddressFamily::INET, kind, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrV4::new([127, 0, 0, last].into(), 0)).unwrap();
    rustix::net::connect(&socket, &SocketAddrV4::new([127, 0, 0, 1].into(), port)).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Asks for a page on an open connection; the status, or none if it is closed.
fn status(stream: &mut TcpStream, host: &str, cookie: &str) -> Option<u16> {
    let head = format!("GET /shell/icon.svg HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => answer.push(byte[0]),
            Ok(_) => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        }
    }
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().trim().parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    head.split(' ').nth(1)?.parse().ok()
}

#[test]
fn strangers_connections_make_room_for_those_that_are_known() {
    let options = Options::people(&["ann"]).settings("[twin]\nconnections = 4\n");
    let node = Node::start(&options).unwrap();
    let ann = node.pair("ann").unwrap();
    let (host, port) = (ann.authority(), node.port());
    let mut own = connect_from(1, port);
    assert_eq!(status(&mut own, &host, &ann.cookie), Some(200));
    let mut strangers: Vec<_> = (0..12).map(|_| connect_from(9, port)).collect();
    for stranger in &mut strangers {
        assert_eq!(status(stranger, &host, ""), Some(200));
    }
    assert_eq!(status(&mut own, &host, &ann.cookie), Some(200), "the person's own was cut");
    let open = strangers.iter_mut().filter_map(|one| status(one, &host, "")).count();
    assert!(open <= 3, "{open} strangers have a connection");
}

#[test]
fn a_twin_that_strangers_wake_too_often_is_left_asleep_and_its_owner_told() {
    let text = "[twin]\nwakes_at_once = 3\nwakes_per_minute = 1\n";
    let options = Options::people(&["ann"]).settings(text).with(&["--sleep-after", "200ms"]);
    let node = Node::start(&options).unwrap();
    let host = format!("ann.localhost:{}", node.port());
    let mut sources = 2..=250;
    until("a twin that is left asleep", Duration::from_secs(120), || {
        let asleep = until("sleep", Duration::from_secs(20), || {
            Ok(node.awake("ann")?.is_none().then_some(()))
        });
        asleep?;
        // From everywhere, so that no source is at its own limit.
        let mut stranger = connect_from(sources.next().ok_or("no more sources")?, node.port());
        let _ = status(&mut stranger, &host, "");
        Ok(owner_knows(&node, "knocked_often", "ann").then_some(()))
    })
    .unwrap();
    let starts = node.twin("ann").unwrap()["starts"].as_u64().unwrap();
    assert!((3..10).contains(&starts), "woken {starts} times");
}
