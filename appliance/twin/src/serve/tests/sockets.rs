//! The event socket, from a browser that behaves and from one that does not.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::harness::{ORIGIN, Session, Setting, Twin, run};

type Socket = WebSocketStream<TcpStream>;

async fn open(twin: &mut Twin, session: &Session) -> Socket {
    let browser = twin.connect().await;
    let mut request = "ws://ann.localhost:8080/events".into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("origin", ORIGIN.parse().unwrap());
    let cookie = session.0.trim().strip_prefix("Cookie: ").unwrap();
    headers.insert("cookie", cookie.parse().unwrap());
    tokio_tungstenite::client_async(request, browser.0).await.unwrap().0
}

async fn say(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn heard(socket: &mut Socket) -> Value {
    serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap()
}

/// The close code, after whatever is said before it.
async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("ended without a code: {other:?}"),
        }
    }
}

fn subscribe(sub: u32) -> Value {
    json!({"op": "subscribe", "sub": sub, "capability": "chat", "major": 1, "topic": {}})
}

#[test]
fn only_the_twins_own_pages_with_a_session_open_a_socket() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let ask = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let origin = format!("Origin: {ORIGIN}\r\n");
        for (lines, code) in [
            (session.with(&origin), "not_a_socket"),
            (format!("{origin}{ask}"), "signed_out"),
            (session.with(ask), "other_origin"),
            (session.with(&format!("Origin: http://evil.example\r\n{ask}")), "other_origin"),
        ] {
            let mut browser = twin.connect().await;
            assert_eq!(browser.get("/events", &lines).await.code(), code);
        }
        let mut browser = twin.connect().await;
        let answer = browser.get("/events", &session.with(&format!("{origin}{ask}"))).await;
        assert_eq!(answer.status, 101);
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        twin.stop().await;
    });
}

#[test]
fn garbage_gets_a_problem_and_a_close_code() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        for (text, sub) in [
            ("", 0),
            ("{", 0),
            ("[1]", 0),
            (r#"{"op":"shout","sub":7}"#, 7),
            (r#"{"op":"unsubscribe","sub":8,"more":1}"#, 8),
            (r#"{"op":"unsubscribe","sub":-1}"#, 0),
        ] {
            let mut socket = open(&mut twin, &session).await;
            socket.send(Message::text(text)).await.unwrap();
            let said = heard(&mut socket).await;
            assert_eq!(
                (said["sub"].as_u64(), said["problem"]["code"].as_str()),
                (Some(sub), Some("bad_message")),
                "{text}"
            );
            assert_eq!(close_code(&mut socket).await, 4400, "{text}");
        }
        let mut socket = open(&mut twin, &session).await;
        socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
        assert_eq!(close_code(&mut socket).await, 4400);
        let mut socket = open(&mut twin, &session).await;
        socket.send(Message::text("x".repeat(64 * 1024 + 1))).await.unwrap();
        assert_eq!(close_code(&mut socket).await, 1009);
        twin.stop().await;
    });
}

#[test]
fn subscriptions_are_counted_and_refused_one_by_one() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut socket = open(&mut twin, &session).await;
        for sub in 1..=33 {
            say(&mut socket, &subscribe(sub)).await;
        }
        let said = heard(&mut socket).await;
        assert_eq!(
            (said["sub"].as_u64(), said["problem"]["code"].as_str()),
            (Some(33), Some("too_many_subscriptions"))
        );
        say(&mut socket, &subscribe(1)).await;
        assert_eq!(heard(&mut socket).await["problem"]["code"], "sub_in_use");
        say(&mut socket, &json!({"op": "unsubscribe", "sub": 1})).await;
        let mut stale = subscribe(1);
        stale["frame"] = json!("AAAA");
        say(&mut socket, &stale).await;
        assert_eq!(heard(&mut socket).await["problem"]["code"], "frame_closed");
        say(&mut socket, &subscribe(1)).await;
        let mut unknown = subscribe(2);
        unknown["capability"] = json!("nothing");
        say(&mut socket, &unknown).await;
        assert_eq!(heard(&mut socket).await["problem"]["code"], "sub_in_use", "sub 1 was silent");
        twin.stop().await;
    });
}

fn note(number: u32) -> String {
    format!(r#"{{"id":"{number:032x}","conversation":"self","text":"note {number}"}}"#)
}

#[test]
fn what_happens_is_heard_by_the_page_and_by_an_experience_only_when_granted() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut browser = twin.connect().await;
        let opened =
            browser.post("/api/experiences/1/open", &session.0, r#"{"name":"chat"}"#).await.json();
        let mut socket = open(&mut twin, &session).await;
        say(&mut socket, &subscribe(1)).await;
        let mut foreign = subscribe(2);
        foreign["frame"] = opened["token"].clone();
        say(&mut socket, &foreign).await;
        say(&mut socket, &subscribe(1)).await;
        assert_eq!(heard(&mut socket).await["problem"]["code"], "sub_in_use", "both run");

        let sent = browser.post("/api/chat/1/send", &session.0, &note(1)).await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        let said = heard(&mut socket).await;
        assert_eq!(
            (said["sub"].as_u64(), said["event"]["message"]["text"].as_str()),
            (Some(1), Some("note 1"))
        );

        let list = browser.post("/api/experiences/1/list", &session.0, "{}").await.json();
        assert_eq!(
            (
                list["items"][0]["name"].as_str(),
                list["items"][0]["grants"].as_array().unwrap().len()
            ),
            (Some("chat"), 0)
        );
        let grant = format!(
            r#"{{"id":"{:032x}","experience":"chat","kind":"conversation","thing":"all","verbs":["see"],"from":"now"}}"#,
            7
        );
        let granted = browser.post("/api/experiences/1/grant", &session.0, &grant).await;
        assert_eq!(granted.status, 200, "{}", granted.text());
        let list = browser.post("/api/experiences/1/list", &session.0, "{}").await.json();
        assert_eq!(list["items"][0]["grants"].as_array().unwrap().len(), 1);

        while heard(&mut socket).await != json!({"sub": 2, "resync": true}) {}
        say(&mut socket, &foreign).await;
        say(&mut socket, &subscribe(1)).await;
        assert_eq!(heard(&mut socket).await["problem"]["code"], "sub_in_use", "both run again");

        assert_eq!(browser.post("/api/chat/1/send", &session.0, &note(2)).await.status, 200);
        let mut heard_by = std::collections::BTreeSet::new();
        while heard_by.len() < 2 {
            let said = heard(&mut socket).await;
            if said["event"]["message"]["text"] == "note 2" {
                heard_by.insert(said["sub"].as_u64().unwrap());
            }
        }
        assert_eq!(heard_by.into_iter().collect::<Vec<_>>(), [1, 2]);

        // A closed frame hears nothing more.
        let close = format!(r#"{{"frame":{}}}"#, opened["frame"]);
        assert_eq!(browser.post("/api/experiences/1/close", &session.0, &close).await.status, 200);
        assert_eq!(browser.post("/api/chat/1/send", &session.0, &note(3)).await.status, 200);
        loop {
            let said = heard(&mut socket).await;
            if said["sub"] == 2 {
                assert_ne!(said["event"]["message"]["text"], "note 3");
                if said["problem"]["code"] == "frame_closed" {
                    break;
                }
            }
        }
        twin.stop().await;
    });
}

/// How often this thread went to sleep so far.
fn sleeps() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn an_open_page_that_nobody_touches_wakes_nothing() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let setting = Setting { sleep_after_ms: 100, ..Setting::default() };
        let mut twin = Twin::start(folder.path(), setting).await;
        let session = twin.pair().await;
        let mut socket = open(&mut twin, &session).await;
        say(&mut socket, &subscribe(1)).await;
        // The browser's other connection has ended and every timer of the start is over.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let before = sleeps();
        // Waits on another thread, so that this one has no timer but the test's own.
        let waited = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(3)));
        waited.await.unwrap();
        let woken = sleeps() - before;
        assert!(woken <= 2, "woken {woken} times: once is for the end of the wait");
        drop(socket);
    });
}

#[test]
fn a_socket_ends_with_its_session_and_with_the_twin() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut socket = open(&mut twin, &session).await;
        let mut browser = twin.connect().await;
        assert_eq!(browser.post("/api/identity/1/sign_out", &session.0, "{}").await.status, 200);
        assert_eq!(close_code(&mut socket).await, 4401);

        let session = twin.pair().await;
        let mut socket = open(&mut twin, &session).await;
        let stopped = tokio::task::spawn_local(twin.stop());
        assert_eq!(close_code(&mut socket).await, 1012);
        stopped.await.unwrap();
    });
}

#[test]
fn too_many_sockets_close_the_oldest() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut sockets = Vec::new();
        for _ in 0..65 {
            sockets.push(open(&mut twin, &session).await);
        }
        assert_eq!(close_code(&mut sockets[0]).await, 4409);
        say(&mut sockets[1], &subscribe(1)).await;
        say(&mut sockets[1], &subscribe(1)).await;
        assert_eq!(heard(&mut sockets[1]).await["problem"]["code"], "sub_in_use");
        drop(sockets);
        twin.stop().await;
    });
}

#[test]
fn a_browser_that_does_not_read_is_let_go_and_hurts_nobody() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut browser = twin.connect().await;
        let mut deaf = open(&mut twin, &session).await;
        let mut reader = open(&mut twin, &session).await;
        say(&mut deaf, &subscribe(1)).await;
        say(&mut reader, &subscribe(1)).await;
        let reading = tokio::task::spawn_local(async move {
            loop {
                let said = heard(&mut reader).await;
                // A reader that fell behind is told so, which is as good.
                if said["event"]["message"]["text"] == "last" || said["resync"] == true {
                    return;
                }
            }
        });
        let text = "x".repeat(8000);
        for batch in 0..30 {
            let calls = (0..32).map(|call| {
                format!(
                    r#"{{"capability":"chat","major":1,"method":"send","body":{{"id":"{:032x}","conversation":"self","text":"{text}"}}}}"#,
                    batch * 32 + call
                )
            });
            // Smaller than the limit of a body.
            let calls: Vec<_> = calls.take(28).collect();
            let body = format!(r#"{{"calls":[{}]}}"#, calls.join(","));
            let sent = browser.post("/api/batch", &session.0, &body).await;
            assert_eq!(sent.status, 200, "{}", sent.text());
        }
        let last = format!(r#"{{"id":"{:032x}","conversation":"self","text":"last"}}"#, 99_999);
        assert_eq!(browser.post("/api/chat/1/send", &session.0, &last).await.status, 200);
        reading.await.unwrap();
        // Longer than a browser may leave a message unread.
        tokio::time::sleep(Duration::from_secs(4)).await;
        loop {
            match deaf.next().await {
                Some(Ok(Message::Text(_))) => {}
                Some(Ok(Message::Close(Some(frame)))) => {
                    assert_eq!(u16::from(frame.code), 4408);
                    break;
                }
                // The connection was cut while the browser still did not read.
                Some(Err(_)) | None => break,
                Some(Ok(other)) => panic!("{other:?}"),
            }
        }
        let mut browser = twin.connect().await;
        assert_eq!(browser.post("/api/identity/1/me", &session.0, "{}").await.status, 200);
        twin.stop().await;
    });
}

#[test]
fn whoever_is_in_hears_of_every_device_at_once() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut browser = twin.connect().await;
        let list = browser.post("/api/identity/1/sessions", &session.0, "{}").await.json();
        let at = list["at"].as_u64().unwrap();
        let mut socket = open(&mut twin, &session).await;
        let follow = |sub: u32, at: u64, topic: Value| json!({"op": "subscribe", "sub": sub, "capability": "identity", "major": 1, "topic": topic, "at": at});
        say(&mut socket, &follow(1, at, json!({}))).await;
        say(&mut socket, &follow(2, at - 1, json!({}))).await;
        assert_eq!(heard(&mut socket).await, json!({"sub": 2, "resync": true}));
        say(&mut socket, &follow(3, at, json!({"all": true}))).await;
        assert_eq!(heard(&mut socket).await["problem"]["code"], "malformed");
        let mut framed = follow(4, at, json!({}));
        framed["frame"] = "AAAA".into();
        say(&mut socket, &framed).await;
        assert_eq!(heard(&mut socket).await["problem"]["code"], "frame_closed");

        let rename = format!(
            r#"{{"id":"00112233445566778899aabbccddeeff","session":{},"name":"Telephone"}}"#,
            list["sessions"][0]["session"]
        );
        browser.post("/api/identity/1/rename_session", &session.0, &rename).await;
        let event = heard(&mut socket).await;
        assert_eq!(event, json!({"sub": 1, "at": at + 1, "event": {"type": "devices"}}));
        twin.stop().await;
    });
}
