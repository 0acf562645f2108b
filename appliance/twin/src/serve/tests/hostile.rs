//! Requests that no browser of ours sends.

use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use super::harness::{ANN, ORIGIN, Session, Setting, Twin, run};

#[test]
fn other_names_and_other_origins_get_nothing() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let hosts = [
            ("evil.example", 421),
            ("bob.localhost:8080", 421),
            ("localhost:8080", 421),
            ("ann.localhost.:8080", 421),
            ("ann.localhost.evil.example", 421),
            ("ann.localhost:8080 x", 400),
            ("", 400),
        ];
        for (host, status) in hosts {
            let mut browser = twin.connect().await;
            browser.send(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n{}\r\n", session.0)).await;
            let answer = browser.answer().await.unwrap();
            assert_eq!(answer.status, status, "{host}");
            assert!(browser.is_closed().await);
        }
        let absolute = format!("GET http://evil.example/ HTTP/1.1\r\nHost: {ANN}\r\n\r\n");
        let mut browser = twin.connect().await;
        browser.send(&absolute).await;
        assert_eq!(browser.answer().await.unwrap().status, 421);

        let json = "Content-Type: application/json\r\n";
        let origins = [
            String::new(),
            "Origin: null\r\n".to_owned(),
            "Origin: http://ann.localhost\r\n".to_owned(),
            "Origin: https://ann.localhost:8080\r\n".to_owned(),
            "Origin: http://bob.localhost:8080\r\n".to_owned(),
            format!("Origin: {ORIGIN}.evil.example\r\n"),
            format!("Origin: {ORIGIN}\r\nOrigin: {ORIGIN}\r\n"),
        ];
        for origin in origins {
            let mut browser = twin.connect().await;
            let lines = session.with(&format!("{json}{origin}"));
            let answer = browser.post_as("/api/identity/1/me", &lines, "{}").await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "other_origin"), "{origin}");
        }
        let mut browser = twin.connect().await;
        let form = session.with(&format!("Origin: {ORIGIN}\r\nContent-Type: text/plain\r\n"));
        let answer = browser.post_as("/api/identity/1/me", &form, "{}").await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "not_json"));
        twin.stop().await;
    });
}

#[test]
fn doubtful_and_oversized_requests_are_refused_and_closed() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let call = format!(
            "POST /api/identity/1/me HTTP/1.1\r\nHost: {ANN}\r\nOrigin: {ORIGIN}\r\n\
             Content-Type: application/json\r\n{}",
            session.0
        );
        let many = "X: y\r\n".repeat(200);
        let huge = format!("X: {}\r\n", "y".repeat(64 * 1024));
        let bad: [(String, &[u16]); 8] = [
            (format!("{call}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"), &[400]),
            (format!("{call}Content-Length: 99999999\r\n\r\n"), &[413]),
            (format!("{call}Content-Length: -1\r\n\r\n"), &[400]),
            (format!("{call}Transfer-Encoding: chunked\r\n\r\nZZ\r\n{{}}\r\n0\r\n\r\n"), &[400]),
            (format!("GET / HTTP/1.1\r\nHost: {ANN}\r\nHost: {ANN}\r\n\r\n"), &[400]),
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), &[400]),
            (format!("GET / HTTP/1.1\r\nHost: {ANN}\r\n{many}\r\n"), &[400, 431]),
            (format!("GET / HTTP/1.1\r\nHost: {ANN}\r\n{huge}\r\n"), &[400, 431]),
        ];
        for (request, status) in bad {
            let mut browser = twin.connect().await;
            browser.send(&request).await;
            let answer = browser.answer().await.expect("an answer");
            let start = &request[..request.len().min(120)];
            assert!(status.contains(&answer.status), "{} {start}", answer.status);
            assert!(browser.is_closed().await, "{start}");
        }
        // More than the limit without saying so first.
        let mut browser = twin.connect().await;
        browser.send(&format!("{call}Transfer-Encoding: chunked\r\n\r\n")).await;
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        for _ in 0..6 {
            browser.send(&chunk).await;
        }
        assert_eq!(browser.answer().await.unwrap().code(), "too_large");
        twin.stop().await;
    });
}

#[test]
fn a_browser_that_never_finishes_its_head_is_dropped() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let mut slow = twin.connect().await;
        slow.send("GET / HTTP/1.1\r\nHost: ann").await;
        let mut silent = twin.connect().await;
        let mut rest = Vec::new();
        slow.0.read_to_end(&mut rest).await.unwrap();
        assert!(silent.is_closed().await);
        let mut browser = twin.connect().await;
        assert_eq!(browser.get("/", "").await.status, 200);
        twin.stop().await;
    });
}

#[test]
fn strangers_can_not_lock_a_known_browser_out() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut known = twin.connect().await;
        assert_eq!(known.post("/api/identity/1/me", &session.0, "{}").await.status, 200);
        let mut strangers = Vec::new();
        for _ in 0..300 {
            strangers.push(twin.connect().await);
        }
        assert_eq!(known.post("/api/identity/1/me", &session.0, "{}").await.status, 200);
        assert!(strangers[0].is_closed().await, "the oldest stranger made room");
        twin.stop().await;
    });
}

/// A call in chunks of these sizes, sent in pieces of these sizes.
async fn chunked(twin: &mut Twin, session: &Session, chunks: &[usize], pieces: &[usize]) {
    let body = format!("{{{}}}", " ".repeat(chunks.iter().sum()));
    let mut wire = format!(
        "POST /api/identity/1/sessions HTTP/1.1\r\nHost: {ANN}\r\nOrigin: {ORIGIN}\r\n{}\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        session.0
    );
    let mut rest = body.as_str();
    for size in chunks {
        let (chunk, after) = rest.split_at(*size);
        rest = after;
        wire.push_str(&format!("{size:x};x=y\r\n{chunk}\r\n"));
    }
    wire.push_str(&format!("{:x}\r\n{rest}\r\n0\r\nTrailer: z\r\n\r\n", rest.len()));
    let mut browser = twin.connect().await;
    let mut bytes = wire.as_bytes();
    for piece in pieces {
        let (now, later) = bytes.split_at((*piece).min(bytes.len()));
        browser.send_bytes(now).await;
        tokio::task::yield_now().await;
        bytes = later;
    }
    browser.send_bytes(bytes).await;
    let answer = browser.answer().await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["sessions"].as_array().unwrap().len(), 1);
    // The connection is still in step.
    assert_eq!(browser.get("/", "").await.status, 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn chunked_bodies_arrive_however_they_are_split(
        cases in prop::collection::vec(
            (prop::collection::vec(1_usize..300, 0..6), prop::collection::vec(1_usize..200, 0..12)),
            1..8,
        ),
    ) {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let mut twin = Twin::start(folder.path(), Setting::default()).await;
            let session = twin.pair().await;
            for (chunks, pieces) in &cases {
                chunked(&mut twin, &session, chunks, pieces).await;
            }
            twin.stop().await;
        });
    }

    #[test]
    fn any_request_is_answered_or_closed_and_the_twin_goes_on(
        cases in prop::collection::vec((0_usize..4, "[ -~]{0,60}", prop::collection::vec(any::<u8>(), 0..200)), 1..24),
    ) {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let mut twin = Twin::start(folder.path(), Setting::default()).await;
            for (kind, path, bytes) in &cases {
                let mut browser = twin.connect().await;
                let method = ["GET", "POST", "OPTIONS", "BREW"][*kind];
                let length = bytes.len();
                browser.send(&format!(
                    "{method} /{path} HTTP/1.1\r\nHost: {ANN}\r\nConnection: close\r\n\
                     Origin: {ORIGIN}\r\nContent-Type: application/json\r\n\
                     Content-Length: {length}\r\n\r\n"
                )).await;
                browser.send_bytes(bytes).await;
                if let Some(answer) = browser.answer().await {
                    assert!((200..500).contains(&answer.status), "{}", answer.head);
                }
                let mut noise = twin.connect().await;
                noise.send_bytes(bytes).await;
                drop(noise);
            }
            let mut browser = twin.connect().await;
            assert_eq!(browser.get("/", "").await.status, 200);
            twin.stop().await;
        });
    }
}

#[test]
fn a_call_with_a_wrong_or_closed_token_is_refused_before_its_body_is_read() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut shell = twin.connect().await;
        let mut open = async || {
            let chat = r#"{"name":"chat"}"#;
            let opened = shell.post("/api/experiences/1/open", &session.0, chat).await.json();
            (opened["frame"].to_string(), opened["token"].as_str().unwrap().to_owned())
        };
        let (frame, closed) = open().await;
        let (busy, token) = open().await;
        let close = |frame: &str| format!(r#"{{"frame":{frame}}}"#);
        shell.post("/api/experiences/1/close", &session.0, &close(&frame)).await;
        let head = |path: &str, token: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: {ANN}\r\nOrigin: {ORIGIN}\r\nContent-Length: 60000\
                 \r\nContent-Type: application/json\r\n{}Experience: {token}\r\n\r\n",
                session.0
            )
        };
        // Only the head is sent. Whoever waits for the body would wait for long.
        let soon = std::time::Duration::from_secs(5);
        let nobody = "A".repeat(43);
        let own = "/api/identity/1/sessions";
        let calls = [
            ("/api/chat/1/send", closed.as_str(), "frame_closed"),
            ("/api/batch", &closed, "frame_closed"),
            ("/api/batch", &nobody, "frame_closed"),
            ("/api/chat/1/send", "", "frame_closed"),
            (own, &token, "only_shell"),
        ];
        for (path, token, code) in calls {
            let mut browser = twin.connect().await;
            browser.send(&head(path, token)).await;
            let answer = tokio::time::timeout(soon, browser.answer()).await;
            let answer = answer.unwrap_or_else(|_| panic!("{path} waits for a body")).unwrap();
            assert_eq!((answer.status, answer.code().as_str()), (403, code), "{path}");
            // What comes all the same is not taken in.
            for _ in 0..100 {
                browser.send(&" ".repeat(100_000)).await;
            }
            assert!(browser.is_closed().await);
        }
        // A frame that is closed while its call arrives has called in vain.
        for path in ["/api/chat/1/conversations", "/api/batch"] {
            let mut browser = twin.connect().await;
            browser.send(&head(path, &token)).await;
            browser.send(&" ".repeat(59_000)).await;
            if path == "/api/chat/1/conversations" {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                shell.post("/api/experiences/1/close", &session.0, &close(&busy)).await;
                browser.send(&format!("{:>1000}", "{}")).await;
            }
            let answer = tokio::time::timeout(soon, browser.answer()).await.unwrap().unwrap();
            assert_eq!(answer.code(), "frame_closed", "{path}");
        }
        twin.stop().await;
    });
}
