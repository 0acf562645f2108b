//! Promise: no request, however broken or huge, crashes a twin, hangs it or gets what it shouldn't.
//!
//! After every attack the same process still serves its person.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hw_tests::{Events, Node, Options, Person, Process, Result, fresh_id, raw};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(15);

struct Target {
    node: Node,
    ann: Person,
    twin: Process,
    gateway: Process,
}

impl Target {
    fn new() -> Result<Self> {
        let node = Node::start(&Options::people(&["ann"]))?;
        let ann = node.pair("ann")?;
        ann.call("identity", "me", json!({}))?;
        let twin = node.awake("ann")?.ok_or("the twin sleeps already")?;
        let gateway = node.gateway()?;
        Ok(Self { node, ann, twin, gateway })
    }

    /// The status of a raw request; 0 if the connection was closed without one.
    fn status(&self, request: &[u8]) -> Result<u16> {
        let answer = raw(self.node.port(), request, PATIENCE)?;
        let text = String::from_utf8_lossy(&answer);
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        Ok(status.and_then(|status| status.parse().ok()).unwrap_or(0))
    }

    /// The same processes as before still serve.
    fn unharmed(&self, attack: &str) {
        let fault = self.ann.call("identity", "me", json!({})).err();
        assert!(fault.is_none(), "after {attack}: {fault:?}");
        assert!(self.twin.alive(), "{attack} killed the twin");
        assert!(self.gateway.alive(), "{attack} killed the gateway");
    }
}

#[test]
fn broken_http_is_refused() {
    let target = Target::new().unwrap();
    let host = target.ann.authority();
    let long = "x".repeat(100_000);
    let many = "X-A: b\r\n".repeat(2_000);
    let requests: Vec<(&str, Vec<u8>)> = vec![
        ("nothing but a line", b"\r\n\r\n".to_vec()),
        ("noise", (0..=255_u8).cycle().take(40_000).collect()),
        ("a hello of noise", [&[0x16, 3, 1, 0x40, 0][..], &[0xff; 9_000]].concat()),
        ("a hello that lies", vec![0x16, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff]),
        ("no host", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("two hosts", format!("GET / HTTP/1.1\r\nHost: {host}\r\nHost: bob.localhost\r\n\r\n").into()),
        ("a huge header", format!("GET / HTTP/1.1\r\nHost: {host}\r\nX: {long}\r\n\r\n").into()),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: {host}\r\n{many}\r\n").into()),
        ("a huge path", format!("GET /{long} HTTP/1.1\r\nHost: {host}\r\n\r\n").into()),
        ("HTTP/0.9", b"GET /\r\n".to_vec()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("CONNECT", format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n").into()),
        (
            "two lengths",
            format!("POST /api/identity/1/me HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}").into(),
        ),
        (
            "a length and chunks",
            format!("POST /api/identity/1/me HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /secret HTTP/1.1\r\n").into(),
        ),
        (
            "a broken chunk",
            format!("POST /api/identity/1/me HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n").into(),
        ),
    ];
    for (attack, request) in requests {
        let status = target.status(&request).unwrap();
        assert_ne!(status, 200, "{attack}");
        target.unharmed(attack);
    }
}

#[test]
fn another_name_gets_nothing_of_the_twin() {
    let target = Target::new().unwrap();
    let port = target.node.port();
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("eve.localhost:{port}"),
        format!("ann.localhost.else.where:{port}"),
        format!("ann.else.where:{port}"),
        format!("xann.localhost:{port}"),
    ] {
        let headers = [("host", host.as_str()), ("origin", &format!("http://{host}"))];
        let me = target.ann.post("/api/identity/1/me", &headers, &json!({}));
        if let Ok(answer) = me {
            assert_ne!(answer.status, 200, "{host}: {}", answer.text());
        }
    }
    // The first name decides where a connection goes; another one on it is misdirected.
    let host = target.ann.authority();
    let first = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let second =
        format!("GET / HTTP/1.1\r\nHost: node.localhost:{port}\r\nConnection: close\r\n\r\n");
    let both = raw(port, (first + &second).as_bytes(), PATIENCE).unwrap();
    assert!(String::from_utf8_lossy(&both).contains("HTTP/1.1 421"), "a second name was served");
    target.unharmed("other names");
}

#[test]
fn only_the_own_page_with_the_own_session_may_write() {
    let target = Target::new().unwrap();
    let ann = &target.ann;
    let note = || json!({ "id": fresh_id(), "conversation": "self", "text": "forged" });
    let port = target.node.port();
    for origin in [
        "https://else.where".to_owned(),
        "null".to_owned(),
        String::new(),
        format!("http://bob.localhost:{port}"),
        format!("https://ann.localhost:{port}"),
        format!("http://ann.localhost:{}", port ^ 1),
        "http://ann.localhost".to_owned(),
    ] {
        let answer = ann.post("/api/chat/1/send", &[("origin", &origin)], &note()).unwrap();
        assert_eq!(answer.status, 403, "from {origin:?}: {}", answer.text());
    }
    for cookie in ["", "__Host-twin=", "__Host-twin=AAAA", "twin=x", &"a=b; ".repeat(500)] {
        let answer = ann.post("/api/chat/1/send", &[("cookie", cookie)], &note()).unwrap();
        assert_eq!(answer.status, 401, "with {cookie:?}: {}", answer.text());
    }
    for origin in ["https://else.where", "null", &format!("http://bob.localhost:{port}")] {
        assert!(Events::open(ann, origin).is_err(), "an event socket for {origin}");
    }
    let mut stranger = ann.clone();
    stranger.cookie = "__Host-twin=AAAA".to_owned();
    assert!(stranger.events().is_err(), "an event socket without a session");
    let notes = ann.call("chat", "messages", json!({ "conversation": "self" })).unwrap();
    assert_eq!(notes["items"].as_array().map(Vec::len), Some(0), "{notes}");
}

#[test]
fn wrong_calls_are_told_apart_and_do_nothing() {
    let target = Target::new().unwrap();
    let status = |path: &str, body: &Value| {
        let answer = target.ann.post(path, &[], body).unwrap();
        if answer.status != 200 {
            let problem = answer.json();
            assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
            for key in ["type", "title", "detail", "code", "what_to_do", "retry"] {
                assert!(problem[key].is_string(), "{path}: no {key} in {problem}");
            }
        }
        answer.status
    };
    for (path, body, expected) in [
        ("/api/chat/1/fly", json!({}), 404),
        ("/api/chat/99/send", json!({}), 404),
        ("/api/chat/4294967296/send", json!({}), 404),
        ("/api/chess/1/move", json!({}), 404),
        ("/api/node/1/claim", json!({ "code": "00000000", "name": "eve" }), 404),
        ("/api/chat/1/send", json!({}), 400),
        ("/api/chat/1/send", json!([]), 400),
        ("/api/chat/1/send", json!({ "id": "x", "conversation": "self", "text": "a" }), 400),
        ("/api/chat/1/messages", json!({ "conversation": "self", "colour": "red" }), 400),
        ("/api/chat/1/messages", json!({ "conversation": "self", "limit": 100_000 }), 400),
        ("/api/chat/1/messages", json!({ "conversation": "self", "limit": -1 }), 400),
        ("/api/chat/1/messages", json!({ "conversation": "self", "cursor": "\u{0}bad" }), 400),
        ("/api/chat/1/messages", json!({ "conversation": fresh_id() }), 404),
        ("/api/batch", json!({ "calls": [] }), 400),
        ("/api/identity/1/pair", json!({ "code": "zzzzzzzz" }), 403),
    ] {
        assert_eq!(status(path, &body), expected, "{path} {body}");
    }
    let huge = json!({ "id": fresh_id(), "conversation": "self", "text": "x".repeat(9_000) });
    assert_eq!(status("/api/chat/1/send", &huge), 400);
    let call = json!({ "capability": "identity", "major": 1, "method": "me", "body": {} });
    assert_eq!(status("/api/batch", &json!({ "calls": vec![call; 33] })), 400);
    target.unharmed("wrong calls");
}

#[test]
fn bodies_have_a_limit_and_no_depth_that_kills() {
    let target = Target::new().unwrap();
    let head = |length: usize| {
        format!(
            "POST /api/chat/1/send HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {}\r\n\
             Content-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n",
            target.ann.cookie,
            host = target.ann.authority(),
        )
    };
    let deep = "[".repeat(100_000);
    let status = target.status((head(deep.len()) + &deep).as_bytes()).unwrap();
    assert_eq!(status, 400);
    target.unharmed("deep JSON");
    let status = target.status(&[head(4).as_bytes(), &[0xff, 0xfe, 0, 1]].concat()).unwrap();
    assert_eq!(status, 400);
    let status = target.status(head(100 << 30).as_bytes()).unwrap();
    assert_eq!(status, 413);
    let large = " ".repeat(2 << 20);
    let status = target.status((head(large.len()) + &large).as_bytes()).unwrap();
    assert!(matches!(status, 0 | 413), "{status}");
    target.unharmed("large bodies");
}

#[test]
fn slow_and_silent_connections_hold_nobody_up() {
    let target = Target::new().unwrap();
    let silent: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(("127.0.0.1", target.node.port())).unwrap()).collect();
    let mut slow = TcpStream::connect(("127.0.0.1", target.node.port())).unwrap();
    slow.write_all(b"GET / HTT").unwrap();
    let begin = Instant::now();
    target.unharmed("200 silent connections");
    assert!(begin.elapsed() < Duration::from_secs(5), "a person had to wait for silent strangers");
    // They are closed, not kept for ever.
    let first = silent.into_iter().next().unwrap();
    assert!(is_closed(first), "a silent connection was kept for 30 s");
    assert!(is_closed(slow), "a slow connection was kept for 30 s");
}

/// Whether the other side ends it in good time; what it says before doesn't matter.
fn is_closed(mut stream: TcpStream) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    let patient = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let ended = stream.read_to_end(&mut Vec::new());
    patient.is_ok() && !ended.is_err_and(|error| [TimedOut, WouldBlock].contains(&error.kind()))
}

#[test]
fn files_are_only_those_that_are_meant() {
    let target = Target::new().unwrap();
    for path in [
        "/shell/../Cargo.toml",
        "/shell/%2e%2e/%2e%2e/etc/passwd",
        "/shell/..%2f..%2fetc%2fpasswd",
        "/sdk/%00",
        "/sdk/%ff",
        "/sdk//etc/passwd",
        "/x/",
        "/x/AAAA/index.html",
        "/x/../shell/",
        "/x/AAAA/../../shell/index.js",
        "/x/AAAA/t/BBBB",
        "/door/",
        "/.git/config",
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\n\r\n",
            target.ann.authority(),
            target.ann.cookie
        );
        let status = target.status(request.as_bytes()).unwrap();
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    target.unharmed("odd paths");
}

#[test]
fn the_event_socket_takes_no_nonsense() {
    let target = Target::new().unwrap();
    let nonsense = [
        "".to_owned(),
        "nonsense".to_owned(),
        "{}".to_owned(),
        r#"{"op":"fly"}"#.to_owned(),
        r#"{"op":"subscribe","sub":-1}"#.to_owned(),
        "[".repeat(60_000),
        json!({ "op": "subscribe", "sub": 1, "capability": "chat", "major": 1, "topic": {}, "x": 1 })
            .to_string(),
        "x".repeat(70_000),
    ];
    for text in nonsense {
        let mut events = target.ann.events().unwrap();
        // Either a problem or a closed socket; never silence with the socket open.
        let said = events.send_text(&text).and_then(|()| events.next(PATIENCE));
        if let Ok(said) = said {
            let said = said.unwrap_or_default();
            assert!(said["problem"].is_object(), "{}: {said}", &text[..text.len().min(60)]);
        }
        target.unharmed("nonsense on the event socket");
    }
    let mut events = target.ann.events().unwrap();
    for sub in 0..40 {
        events.subscribe(sub, "chat", &json!({}), None).unwrap();
    }
    let refused = events.wait("that refuses the 33rd", |e| e["problem"].is_object()).unwrap();
    assert_eq!(refused["sub"], 32, "{refused}");
    let mut events = target.ann.events().unwrap();
    events.subscribe(1, "chess", &json!({}), None).unwrap();
    events.wait("that refuses chess", |e| e["problem"].is_object()).unwrap();
    events.subscribe(2, "chat", &json!({ "conversation": fresh_id() }), None).unwrap();
    target.unharmed("wrong subscriptions");
}
