//! Files over HTTP: sent in steps with an interruption, read whole and in ranges, and never a page.

use link::{Chain, Keys};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::package::{self, Folder, MANIFEST};

use super::harness::{ANN, Answer, Browser, ORIGIN, Session, Setting, Twin, run};

type Page = Browser<tokio::net::TcpStream>;

async fn api(page: &mut Page, lines: &str, path: &str, body: Value) -> Value {
    let answer = page.post(&format!("/api/{path}"), lines, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

async fn ask(page: &mut Page, method: &str, path: &str, lines: &str, body: &[u8]) -> Answer {
    let length = body.len();
    page.send(&format!(
        "{method} {path} HTTP/1.1\r\nHost: {ANN}\r\nOrigin: {ORIGIN}\r\n\
         Content-Length: {length}\r\n{lines}\r\n"
    ))
    .await;
    page.send_bytes(body).await;
    page.answer_to(method).await.unwrap()
}

fn step(offset: usize, last: bool) -> String {
    let last = u8::from(last);
    format!(
        "Content-Type: application/partial-upload\r\nUpload-Offset: {offset}\r\n\
         Upload-Complete: ?{last}\r\n"
    )
}

/// An experience in an open frame, which was given all files.
struct Opened {
    lines: String,
    url: String,
}

async fn open(page: &mut Page, session: &Session) -> Opened {
    let give = json!({"id": "01".repeat(16), "experience": "chat", "kind": "folder", "thing": "all",
        "verbs": ["see", "add", "change"], "from": "history"});
    api(page, &session.0, "experiences/1/grant", give).await;
    let opened = api(page, &session.0, "experiences/1/open", json!({"name": "chat"})).await;
    let lines = session.with(&format!("Experience: {}\r\n", opened["token"].as_str().unwrap()));
    let url = opened["url"].as_str().unwrap().rsplit_once('/').unwrap().0.to_owned();
    Opened { lines, url }
}

#[test]
fn a_file_is_sent_in_steps_and_read_in_ranges() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut page = twin.connect().await;
        let Opened { lines, url } = open(&mut page, &session).await;
        let bytes: Vec<u8> =
            (0..2_500_000_u32).flat_map(u32::to_le_bytes).take(2_500_000).collect();
        let begin = format!("{lines}Upload-Length: {}\r\nUpload-Complete: ?0\r\n", bytes.len());
        let begun = ask(&mut page, "POST", "/api/files/1/uploads", &begin, b"").await;
        assert_eq!((begun.status, begun.header("upload-offset")), (201, Some("0")));
        assert!(begun.header("upload-limit").unwrap().contains("max-append-size="));
        let place = begun.header("location").unwrap().to_owned();

        let first = format!("{lines}{}", step(0, false));
        let answer = ask(&mut page, "PATCH", &place, &first, &bytes[..1_200_000]).await;
        assert_eq!((answer.status, answer.header("upload-offset")), (204, Some("1200000")));

        // The connection breaks in the middle of a step: what came is kept.
        let mut broken = twin.connect().await;
        let half = format!("{lines}{}Content-Length: 900000\r\n", step(1_200_000, false));
        broken
            .send(&format!(
                "PATCH {place} HTTP/1.1\r\nHost: {ANN}\r\nOrigin: {ORIGIN}\r\n{half}\r\n"
            ))
            .await;
        broken.send_bytes(&bytes[1_200_000..1_500_000]).await;
        drop(broken);
        let offset = loop {
            let looked = ask(&mut page, "HEAD", &place, &lines, b"").await;
            let offset: usize = looked.header("upload-offset").unwrap().parse().unwrap();
            let busy = format!("{lines}{}", step(offset, false));
            let tried = ask(&mut page, "PATCH", &place, &busy, b"").await;
            if tried.status == 204 && offset > 1_200_000 {
                assert_eq!(tried.header("upload-complete"), Some("?0"));
                break offset;
            }
            if tried.status != 204 {
                // Whoever is refused is not read on from.
                page = twin.connect().await;
            }
            tokio::task::yield_now().await;
        };
        assert!((1_200_001..=1_500_000).contains(&offset), "{offset}");

        let wrong =
            ask(&mut page, "PATCH", &place, &format!("{lines}{}", step(7, false)), b"x").await;
        assert_eq!(
            (wrong.code(), wrong.header("upload-offset")),
            ("wrong_offset".into(), Some(&*offset.to_string()))
        );
        let mut page = twin.connect().await;
        let other = "Content-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n";
        let lie = format!("{lines}{other}{}", step(offset, true));
        let answer = ask(&mut page, "PATCH", &place, &lie, &bytes[offset..]).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_digest"));
        let rest = format!("{lines}{}", step(offset, true));
        let answer = ask(&mut page, "PATCH", &place, &rest, &bytes[offset..]).await;
        assert_eq!((answer.status, answer.header("upload-complete")), (204, Some("?1")));

        let upload = place.rsplit('/').next().unwrap();
        let put = json!({"id": "02".repeat(16), "name": "evil ä.html", "upload": upload, "media_type": "text/html"});
        let item = api(&mut page, &lines, "files/1/put", put).await;
        let path = format!("{url}/{}", item["link"].as_str().unwrap());
        let whole = page.get(&path, "").await;
        assert_eq!((whole.status, whole.body == bytes), (200, true));
        assert_eq!(whole.header("content-type"), Some("application/octet-stream"));
        assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
        assert!(whole.header("content-security-policy").unwrap().starts_with("sandbox;"));
        assert_eq!(
            whole.header("content-disposition"),
            Some("attachment; filename*=UTF-8''evil%20%C3%A4.html")
        );
        let tag = whole.header("etag").unwrap().to_owned();
        assert_eq!(page.get(&path, &format!("If-None-Match: {tag}\r\n")).await.status, 304);
        for (range, wanted) in [
            ("0-9", 0..10),
            ("1048570-1048590", 1_048_570..1_048_591),
            ("-5", 2_499_995..2_500_000),
            ("2400000-", 2_400_000..2_500_000),
        ] {
            let part =
                page.get(&path, &format!("Range: bytes={range}\r\nIf-Range: {tag}\r\n")).await;
            assert_eq!(part.status, 206, "{range}");
            assert_eq!(
                part.header("content-range").unwrap(),
                format!("bytes {}-{}/2500000", wanted.start, wanted.end - 1)
            );
            assert!(part.body == bytes[wanted], "{range}");
        }
        let changed = page.get(&path, "Range: bytes=0-9\r\nIf-Range: \"other\"\r\n").await;
        assert_eq!((changed.status, changed.body.len()), (200, bytes.len()));
        let beyond = page.get(&path, "Range: bytes=2500000-\r\n").await;
        assert_eq!(
            (beyond.code(), beyond.header("content-range")),
            ("bad_range".into(), Some("bytes */2500000"))
        );
        // Another frame, or none, leads to nothing.
        let nobody = path.replace(&url, &format!("/x/{}", "0".repeat(32)));
        assert_eq!(page.get(&nobody, &session.0).await.status, 404);
        twin.stop().await;
    });
}

#[test]
fn nobody_sends_who_may_not() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut page = twin.connect().await;
        let uploads = "/api/files/1/uploads";
        let length = "Upload-Length: 5\r\nUpload-Complete: ?0\r\n";
        assert_eq!(ask(&mut page, "POST", uploads, length, b"").await.code(), "signed_out");
        let foreign = format!("{}{length}Experience: abc\r\n", session.0);
        assert_eq!(ask(&mut page, "POST", uploads, &foreign, b"").await.code(), "frame_closed");
        let opened =
            api(&mut page, &session.0, "experiences/1/open", json!({"name": "chat"})).await;
        let token = format!("Experience: {}\r\n", opened["token"].as_str().unwrap());
        let ungranted = session.with(&format!("{token}{length}"));
        assert_eq!(ask(&mut page, "POST", uploads, &ungranted, b"").await.code(), "not_found");
        let mine = ask(&mut page, "POST", uploads, &session.with(length), b"").await;
        let place = mine.header("location").unwrap().to_owned();
        open(&mut page, &session).await;
        // Granted by now, but somebody else's upload.
        assert_eq!(ask(&mut page, "HEAD", &place, &session.with(&token), b"").await.status, 404);
        let lines = session.with("Upload-Length: x\r\n");
        assert_eq!(ask(&mut page, "POST", uploads, &lines, b"").await.code(), "bad_upload");
        let mut page = twin.connect().await;
        let large = session.with("Upload-Length: 999999999999999\r\nUpload-Complete: ?0\r\n");
        assert_eq!(ask(&mut page, "POST", uploads, &large, b"").await.code(), "too_large");
        let much = session.with(&step(0, false));
        let answer = ask(&mut page, "PATCH", &place, &much, b"123456").await;
        assert_eq!(answer.code(), "too_large");
        let mut page = twin.connect().await;
        let gone = ask(&mut page, "DELETE", &place, &session.0, b"").await;
        assert_eq!(gone.status, 204);
        assert_eq!(ask(&mut page, "HEAD", &place, &session.0, b"").await.status, 404);
        page.send(&format!("POST {uploads} HTTP/1.1\r\nHost: {ANN}\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n{}\r\n", session.with(length))).await;
        assert_eq!(page.answer().await.unwrap().code(), "other_origin");
        twin.stop().await;
    });
}

/// A package of an experience with one page and one large script, both of this version.
fn package(version: &str) -> Vec<u8> {
    let manifest = json!({"name": "garden", "version": version, "title": {"en": "Garden"}});
    let folder: Folder = [
        (MANIFEST.to_owned(), manifest.to_string().into_bytes()),
        ("index.html".to_owned(), format!("<p>{version}</p>").into_bytes()),
        ("main.js".to_owned(), script(version)),
    ]
    .into();
    let mut secrets = [7; 64];
    secrets[32..].fill(9);
    let keys = Keys::from_bytes(&secrets);
    package::sign(&package::pack(&folder).unwrap(), &Chain::begin(&keys), &keys.twin).unwrap()
}

fn script(version: &str) -> Vec<u8> {
    format!("// {version}\n").repeat(300_000).into_bytes()
}

/// Sends a package, looks at it and installs it, as the shell does; what was shown of it.
async fn install(page: &mut Page, session: &Session, bytes: &[u8]) -> Value {
    let begin = format!("{}Upload-Length: {}\r\nUpload-Complete: ?0\r\n", session.0, bytes.len());
    let begun = ask(page, "POST", "/api/files/1/uploads", &begin, b"").await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let place = begun.header("location").unwrap().to_owned();
    for (number, part) in (0..).zip(bytes.chunks(1_000_000)) {
        let offset = number * 1_000_000;
        let last = offset + part.len() == bytes.len();
        let lines = format!("{}{}", session.0, step(offset, last));
        assert_eq!(ask(page, "PATCH", &place, &lines, part).await.status, 204);
    }
    let upload = place.rsplit('/').next().unwrap();
    let seen = json!({"source": {"upload": upload}});
    let shown = api(page, &session.0, "experiences/1/inspect", seen).await;
    let wrong = json!({"source": {"upload": upload},
        "hash": "00".repeat(32)});
    let path = "/api/experiences/1/install";
    let refused = page.post(path, &session.0, &wrong.to_string()).await;
    assert_eq!(refused.code(), "conflict", "what was shown is what is installed");
    let yes = json!({"source": {"upload": upload},
        "hash": shown["hash"]});
    api(page, &session.0, "experiences/1/install", yes).await;
    shown
}

#[test]
fn what_is_open_stays_the_release_it_was_opened_with() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut page = twin.connect().await;
        let shown = install(&mut page, &session, &package("1.0.0")).await;
        assert_eq!((&shown["version"], &shown["installed"]), (&json!("1.0.0"), &Value::Null));
        let garden = || json!({"name": "garden"});
        let first = api(&mut page, &session.0, "experiences/1/open", garden()).await;
        let shown = install(&mut page, &session, &package("1.1.0")).await;
        assert_eq!((&shown["version"], &shown["installed"]), (&json!("1.1.0"), &json!("1.0.0")));
        let second = api(&mut page, &session.0, "experiences/1/open", garden()).await;
        for round in 0..2 {
            for (opened, version) in [(&first, "1.0.0"), (&second, "1.1.0")] {
                let url = opened["url"].as_str().unwrap();
                let got = page.get(url, "").await;
                assert_eq!(got.text(), format!("<p>{version}</p>"));
                let script_at = url.replace("index.html", "main.js");
                let got = page.get(&script_at, "").await;
                assert!(got.body == script(version), "{version}, whole and unmixed");
                let tag = got.header("etag").unwrap().to_owned();
                let again = page.get(&script_at, &format!("If-None-Match: {tag}\r\n")).await;
                assert_eq!((again.status, again.body.len()), (304, 0));
            }
            if round == 0 {
                let all = json!({"name": "garden"});
                let all = api(&mut page, &session.0, "experiences/1/releases", all).await;
                let back = json!({"id": "09".repeat(16), "name": "garden",
                    "release": all["items"][1]["release"]});
                api(&mut page, &session.0, "experiences/1/roll_back", back).await;
            }
        }
        let remove = json!({"id": "0a".repeat(16), "name": "garden"});
        api(&mut page, &session.0, "experiences/1/remove", remove).await;
        let gone = page.get(first["url"].as_str().unwrap(), "").await;
        assert_eq!(gone.status, 404, "removed is removed");
        twin.stop().await;
    });
}

#[test]
fn a_download_ends_with_the_session_it_belongs_to() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut page = twin.connect().await;
        let Opened { lines, url } = open(&mut page, &session).await;
        // More than all buffers on the way hold.
        let bytes = vec![7; 24 << 20];
        let begin = format!("{lines}Upload-Length: {}\r\nUpload-Complete: ?0\r\n", bytes.len());
        let begun = ask(&mut page, "POST", "/api/files/1/uploads", &begin, b"").await;
        let place = begun.header("location").unwrap().to_owned();
        let all = format!("{lines}{}", step(0, true));
        assert_eq!(ask(&mut page, "PATCH", &place, &all, &bytes).await.status, 204);
        let upload = place.rsplit('/').next().unwrap();
        let put = json!({"id": "02".repeat(16), "name": "film", "upload": upload});
        let item = api(&mut page, &lines, "files/1/put", put).await;

        let mut reader = twin.connect().await;
        let path = format!("{url}/{}", item["link"].as_str().unwrap());
        reader.send(&format!("GET {path} HTTP/1.1\r\nHost: {ANN}\r\n\r\n")).await;
        reader.0.read_exact(&mut [0; 4096]).await.unwrap();
        let out = page.post("/api/identity/1/sign_out", &session.0, "{}").await;
        assert_eq!(out.status, 200);
        let (mut read, mut some) = (4096, vec![0; 64 << 10]);
        while let Ok(more @ 1..) = reader.0.read(&mut some).await {
            read += more;
        }
        assert!(read < bytes.len(), "all of it came");
        twin.stop().await;
    });
}
