//! What a person's browser gets: pages, sign-in, calls, frames.

use handover::{FromTwin, FromTwinExecutor, HandOver, Refusal};
use tokio::io::AsyncReadExt;

use super::harness::{ANN, Browser, ORIGIN, Session, Setting, Twin, run};

#[test]
fn the_shell_is_served_with_its_walls_and_only_once() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let mut browser = twin.connect().await;
        let page = browser.get("/", "").await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        assert!(page.text().contains("<!doctype html>"));
        let policy = page.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src http://ann.localhost:8080/shell/ http://ann.localhost:8080/sdk/;",
            "frame-src http://ann.localhost:8080/x/;",
            "frame-ancestors 'none'",
            "connect-src 'self' ws://ann.localhost:8080;",
        ] {
            assert!(policy.contains(part), "{part} is not in {policy}");
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(page.header(name), Some(value), "{name}");
        }
        assert!(page.header("permissions-policy").is_some());

        let tag = page.header("etag").unwrap().to_owned();
        let again = browser.get("/", &format!("If-None-Match: \"x\", {tag}\r\n")).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        let same = browser.get("/pair", "").await;
        assert_eq!(same.status, 200);
        assert_eq!(browser.get("/shell/../Cargo.toml", "").await.code(), "not_found");
        assert_eq!(browser.get("/shell/index.html", "").await.header("etag"), Some(&*tag));
        twin.stop().await;
    });
}

#[test]
fn a_browser_is_paired_once_and_then_known() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        assert!(matches!(
            twin.ready,
            FromTwinExecutor::Ready { paired: false, fingerprint: None, id: Some(_) }
        ));
        let mut browser = twin.connect().await;
        let refused = browser.post("/api/identity/1/me", "", "{}").await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "signed_out"));
        let wrong = browser.post("/api/identity/1/pair", "", r#"{"code":"ABCDEFGHJK"}"#).await;
        assert_eq!((wrong.status, wrong.code().as_str()), (403, "bad_code"));

        let session = twin.pair().await;
        assert!(matches!(twin.told().await, FromTwinExecutor::Paired));
        assert_eq!(twin.heard().await, FromTwin::Known { hand_over: HandOver(2) });
        assert_eq!(twin.code().await, Err(Refusal::AlreadyPaired));

        let me = browser.post("/api/identity/1/me", &session.0, "{}").await;
        assert_eq!(me.status, 200, "{}", me.text());
        assert_eq!(me.header("cache-control"), Some("no-store"));
        assert_eq!(twin.heard().await, FromTwin::Known { hand_over: HandOver(1) });
        twin.stop().await;
    });
}

#[test]
fn sessions_are_listed_survive_a_restart_and_end_when_signed_out() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        twin.stop().await;

        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        assert!(matches!(twin.ready, FromTwinExecutor::Ready { paired: true, .. }));
        let mut browser = twin.connect().await;
        let list = browser.post("/api/identity/1/sessions", &session.0, "{}").await.json();
        assert_eq!(list["sessions"][0]["this"], true);
        let id = list["sessions"][0]["session"].as_str().unwrap();
        assert!(!session.0.contains(id), "the public id is no part of the token");

        let write = "00112233445566778899aabbccddeeff";
        let other = format!(r#"{{"id":"{write}","session":"0000"}}"#);
        let missing = browser.post("/api/identity/1/end_session", &session.0, &other).await;
        assert_eq!(missing.code(), "not_found");
        let own = format!(r#"{{"id":"{write}","session":"{id}"}}"#);
        let ended = browser.post("/api/identity/1/end_session", &session.0, &own).await;
        assert_eq!(ended.status, 200);
        let after = browser.post("/api/identity/1/sessions", &session.0, "{}").await;
        assert_eq!(after.code(), "signed_out");

        let session = twin.pair().await;
        let out = browser.post("/api/identity/1/sign_out", &session.0, "{}").await;
        assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
        let after = browser.post("/api/identity/1/me", &session.0, "{}").await;
        assert_eq!(after.code(), "signed_out");
        twin.stop().await;
    });
}

#[test]
fn problems_speak_the_language_of_the_person() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let mut browser = twin.connect().await;
        let german = browser.get("/nothing", "Accept-Language: de-AT, en;q=0.5\r\n").await;
        assert_eq!(german.json()["title"], "Hier ist nichts");
        let english = browser.get("/nothing", "Accept-Language: fr\r\n").await;
        assert_eq!(english.json()["title"], "Nothing here");
        let page = browser.get("/nothing", "Accept: text/html,*/*\r\n").await;
        assert_eq!(page.status, 404);
        assert!(page.text().contains("<h1>Nothing here</h1>"));
        twin.stop().await;
    });
}

async fn open(
    browser: &mut Browser<tokio::net::TcpStream>,
    session: &Session,
) -> (String, String, String) {
    let opened = browser.post("/api/experiences/1/open", &session.0, r#"{"name":"chat"}"#).await;
    assert_eq!(opened.status, 200, "{}", opened.text());
    let opened = opened.json();
    let text = |name: &str| opened[name].as_str().unwrap().to_owned();
    (text("frame"), text("token"), text("url"))
}

#[test]
fn a_frame_serves_its_experience_behind_the_wall_until_the_session_ends() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut browser = twin.connect().await;
        let (frame, token, url) = open(&mut browser, &session).await;
        twin.stop().await;

        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let mut browser = twin.connect().await;
        let page = browser.get(&url, "").await;
        assert_eq!(page.status, 200, "a frame survives sleep and needs no cookie");
        let policy = page.header("content-security-policy").unwrap();
        let own = format!("{ORIGIN}/x/{frame}/");
        assert!(policy.starts_with("sandbox allow-scripts allow-forms; default-src 'none'"));
        for part in [
            format!("script-src {own};"),
            format!("connect-src {own};"),
            format!("img-src {own} data: blob:;"),
            "frame-src 'none'".to_owned(),
            "worker-src 'none'".to_owned(),
            format!("frame-ancestors {ORIGIN}"),
        ] {
            assert!(policy.contains(&part), "{part} is not in {policy}");
        }
        let connections = page.header("connection-allowlist");
        assert_eq!(connections, Some(format!("(\"{own}*\")").as_str()));
        assert_eq!(page.header("access-control-allow-origin"), Some("*"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(browser.get(&format!("/x/{frame}/sdk/twin.js"), "").await.status, 200);
        let head = format!("HEAD {url} HTTP/1.1\r\nHost: {ANN}\r\nConnection: close\r\n\r\n");
        browser.send(&head).await;
        let mut raw = String::new();
        browser.0.read_to_string(&mut raw).await.unwrap();
        assert!(raw.starts_with("HTTP/1.1 405 ") && raw.contains("allow: GET\r\n"), "{raw}");

        let mut browser = twin.connect().await;
        let unknown = browser.get("/x/00112233445566778899aabbccddeeff/index.html", "").await;
        let missing = browser.get(&format!("/x/{frame}/nothing.js"), "").await;
        let reserved = browser.get(&format!("/x/{frame}/t/abc"), "").await;
        for answer in [&missing, &reserved] {
            assert_eq!(strip_date(&answer.head), strip_date(&unknown.head));
            assert_eq!(answer.body, unknown.body);
        }
        assert!(unknown.header("content-security-policy").unwrap().starts_with("sandbox;"));

        let as_experience = session.with(&format!("Experience: {token}\r\n"));
        let refused = browser.post("/api/identity/1/sessions", &as_experience, "{}").await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "only_shell"));
        let stale = session.with("Experience: AAAA\r\n");
        let refused = browser.post("/api/chat/1/conversations", &stale, "{}").await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "frame_closed"));

        let closed = format!(r#"{{"frame":"{frame}"}}"#);
        assert_eq!(browser.post("/api/experiences/1/close", &session.0, &closed).await.status, 200);
        assert_eq!(browser.get(&url, "").await.status, 404);
        let (_, _, url) = open(&mut browser, &session).await;
        assert_eq!(browser.get(&url, "").await.status, 200);
        browser.post("/api/identity/1/sign_out", &session.0, "{}").await;
        assert_eq!(browser.get(&url, "").await.status, 404, "gone with the session");
        twin.stop().await;
    });
}

fn strip_date(head: &str) -> Vec<&str> {
    head.lines().filter(|line| !line.starts_with("date:")).collect()
}

#[test]
fn a_batch_has_no_methods_of_the_door() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut browser = twin.connect().await;
        let call = |capability, method| {
            format!(r#"{{"capability":"{capability}","major":1,"method":"{method}","body":{{}}}}"#)
        };
        let body =
            format!(r#"{{"calls":[{},{}]}}"#, call("identity", "me"), call("identity", "sign_out"));
        let refused = browser.post("/api/batch", &session.0, &body).await;
        assert_eq!(
            (refused.code().as_str(), refused.json()["call"].as_u64()),
            ("not_in_batch", Some(1))
        );
        for bad in ["{}", "[]", r#"{"calls":[]}"#, r#"{"calls":[],"more":1}"#, "{\"calls\":"] {
            assert_eq!(
                browser.post("/api/batch", &session.0, bad).await.code(),
                "malformed",
                "{bad}"
            );
        }
        let good = format!(r#"{{"calls":[{}]}}"#, call("identity", "me"));
        assert_eq!(browser.post("/api/batch", &session.0, &good).await.status, 200);
        twin.stop().await;
    });
}
