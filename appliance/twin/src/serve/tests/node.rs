//! The node twin: explaining, referring, setting up.

use handover::{FromTwinExecutor, Number, Place, Reason, Refusal, ToTwinExecutor};

use super::harness::{Answer, Browser, Setting, Twin, run};

fn node() -> Setting {
    Setting { twin: Number::NODE, ..Setting::default() }
}

const NODE_ORIGIN: &str = "http://node.localhost:8080";

async fn ask(twin: &mut Twin, reason: Option<Reason>, text: &str) -> (Answer, bool) {
    let mut browser = Browser(twin.hand_over(false, reason).await);
    browser.send(text).await;
    let answer = browser.answer().await.unwrap();
    let closes = answer.header("connection") == Some("close");
    (answer, closes)
}

#[test]
fn it_explains_itself_in_words() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), node()).await;
        assert_eq!(
            twin.ready,
            FromTwinExecutor::Ready { id: None, fingerprint: None, paired: false }
        );
        let host = "Host: node.localhost:8080\r\n";
        for (path, says) in [
            ("/", "/shell/node.js"),
            ("/pair", "/shell/node.js"),
            ("/shell/node.js", "claim"),
            ("/sdk/base.css", "{"),
        ] {
            let (answer, closes) =
                ask(&mut twin, None, &format!("GET {path} HTTP/1.1\r\n{host}\r\n")).await;
            assert_eq!((answer.status, closes), (200, false), "{path}");
            assert!(answer.text().contains(says), "{path}");
            assert!(
                answer.header("content-security-policy").unwrap().contains("script-src 'self'")
            );
        }
        let (missing, _) =
            ask(&mut twin, None, &format!("GET /api/chat/1/send HTTP/1.1\r\n{host}\r\n")).await;
        assert_eq!(missing.code(), "not_found");
        twin.stop().await;
    });
}

#[test]
fn it_says_why_a_twin_does_not_answer() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), node()).await;
        for (reason, status, code, retry) in [
            (Reason::NotHere, 404, "not_here", false),
            (Reason::Crashing, 503, "crashing", true),
            (Reason::Stopping, 503, "stopping", true),
            (Reason::TooOften, 429, "too_often", true),
        ] {
            let call = "POST /api/chat/1/send HTTP/1.1\r\nHost: eve.localhost:8080\r\n\
                        Content-Length: 2\r\n\r\n{}";
            let (answer, closes) = ask(&mut twin, Some(reason), call).await;
            assert_eq!((answer.status, answer.code().as_str(), closes), (status, code, true));
            assert_eq!(answer.header("retry-after").is_some(), retry, "{code}");

            let page = "GET / HTTP/1.1\r\nHost: eve.localhost:8080\r\nAccept: text/html\r\n\r\n";
            let (answer, closes) = ask(&mut twin, Some(reason), page).await;
            assert_eq!((answer.status, closes), (status, true));
            assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
            assert!(
                answer.text().contains("<h1>") && !answer.text().contains("{"),
                "{}",
                answer.text()
            );

            let dress = "GET /shell/shell.css HTTP/1.1\r\nHost: eve.localhost:8080\r\n\r\n";
            let (answer, closes) = ask(&mut twin, Some(reason), dress).await;
            assert_eq!((answer.status, closes), (200, true), "the page can be looked at");
        }
        let german = "GET / HTTP/1.1\r\nHost: eve.localhost:8080\r\nAccept: text/html\r\n\
                      Accept-Language: de\r\n\r\n";
        let (answer, _) = ask(&mut twin, Some(Reason::NotHere), german).await;
        assert!(answer.text().contains("<html lang=\"de\">"));
        twin.stop().await;
    });
}

#[test]
fn plain_http_is_sent_to_the_secure_address_of_the_zone_only() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { zone: "home.test".into(), listen: ([192, 0, 2, 1], 443).into() };
        let mut twin = Twin::start(folder.path(), Setting { place, ..node() }).await;
        assert!(matches!(twin.ready, FromTwinExecutor::Ready { fingerprint: Some(_), .. }));
        let reason = Some(Reason::PlainHttp);
        let (answer, _) =
            ask(&mut twin, reason, "GET /a?b HTTP/1.1\r\nHost: ann.home.test\r\n\r\n").await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (308, Some("https://ann.home.test/a?b"))
        );
        let (answer, _) =
            ask(&mut twin, reason, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
        assert_eq!((answer.status, answer.header("location")), (404, None));
        twin.stop().await;
    });
}

fn claim(origin: &str, body: &str) -> String {
    format!(
        "POST /api/node/1/claim HTTP/1.1\r\nHost: node.localhost:8080\r\nOrigin: {origin}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_newcomer_with_the_consoles_code_gets_a_twin() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), node()).await;
        let body = r#"{"code":"ABCDEFGHJK","name":"ann"}"#;
        for (origin, body, code) in [
            ("http://ann.localhost:8080", body, "other_origin"),
            (NODE_ORIGIN, r#"{"name":"ann"}"#, "malformed"),
            (NODE_ORIGIN, "{", "malformed"),
        ] {
            assert_eq!(ask(&mut twin, None, &claim(origin, body)).await.0.code(), code);
        }
        let next = "http://ann.localhost:8080/pair#X";
        for (outcome, status, code) in [
            (Err(Refusal::WrongCode), 403, "bad_code"),
            (Err(Refusal::NameTaken), 409, "name_taken"),
            (Err(Refusal::NameReserved), 400, "bad_name"),
            (Ok(next.to_owned()), 200, ""),
        ] {
            let mut browser = Browser(twin.hand_over(false, None).await);
            browser.send(&claim(NODE_ORIGIN, body)).await;
            let FromTwinExecutor::Claim { request, code: typed, name } = twin.told().await else {
                panic!("no claim");
            };
            assert_eq!((typed.as_str(), name.as_str()), ("ABCDEFGHJK", "ann"));
            let claimed = ToTwinExecutor::Claimed { request, outcome };
            twin.executor.send(&claimed, &[]).await.unwrap();
            let answer = browser.answer().await.unwrap();
            assert_eq!(answer.status, status);
            if status == 200 {
                assert_eq!(answer.json()["next"], next);
            } else {
                assert_eq!(answer.code(), code);
            }
        }
        twin.stop().await;
    });
}
