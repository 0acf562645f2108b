//! What the executor asks for, and talk between two twins through a gateway.

use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use handover::{FromTwin, FromTwinExecutor, HandOver, Reason, ToTwin, ToTwinExecutor};
use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::spawn_local;

use super::harness::{Browser, Session, Setting, Twin, run};

#[test]
fn the_journal_is_verified_and_exported() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut browser = twin.connect().await;
        let note = format!(r#"{{"id":"{:032x}","conversation":"self","text":"bread"}}"#, 1);
        assert_eq!(browser.post("/api/chat/1/send", &session.0, &note).await.status, 200);
        twin.executor.send(&ToTwinExecutor::Verify { request: 3 }, &[]).await.unwrap();
        let entries = loop {
            if let FromTwinExecutor::Verified { request: 3, outcome } = twin.told().await {
                break outcome.unwrap();
            }
        };
        assert!(entries >= 2);
        let mut file = tempfile::tempfile().unwrap();
        let export = ToTwinExecutor::Export { request: 4 };
        twin.executor.send(&export, &[file.as_fd()]).await.unwrap();
        let FromTwinExecutor::Exported { request: 4, outcome } = twin.told().await else {
            panic!()
        };
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        // Behind the entries are the chunks of what came with the program.
        let entries = text.lines().filter(|line| !line.starts_with("{\"blob\"")).count();
        assert!(entries as u64 == outcome.unwrap() && text.contains("bread"));
        twin.executor.send(&ToTwinExecutor::Export { request: 5 }, &[]).await.unwrap();
        let FromTwinExecutor::Exported { request: 5, outcome } = twin.told().await else {
            panic!()
        };
        assert!(outcome.is_err(), "no file to write to");
        twin.stop().await;
    });
}

/// One person with a twin, a paired browser and a connection.
struct Person {
    twin: Rc<Twin>,
    id: [u8; 32],
    browser: Browser<TcpStream>,
    session: Session,
}

impl Person {
    async fn new(folder: &std::path::Path) -> Self {
        let mut twin = Twin::start(folder, Setting::default()).await;
        let FromTwinExecutor::Ready { id: Some(id), .. } = twin.ready else { panic!() };
        let session = twin.pair().await;
        let browser = twin.connect().await;
        Self { twin: Rc::new(twin), id, browser, session }
    }

    async fn call(&mut self, path: &str, body: &str) -> Value {
        let answer = self.browser.post(path, &self.session.0, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Asks again until the answer is as it should be.
    async fn until(&mut self, path: &str, body: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let answer = self.call(path, body).await;
            if fits(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Connects whoever asks with the other one.
async fn route(from: Rc<Twin>, other: Rc<Twin>, other_id: [u8; 32]) {
    let mut hand_over = 1_000_000;
    loop {
        if let FromTwin::Open { request, to } = from.heard().await {
            if to != other_id {
                let refused = ToTwin::Refused { request, reason: Reason::NotHere };
                from.gateway.send(&refused, &[]).await.unwrap();
                continue;
            }
            let (one, two) = UnixStream::pair().unwrap();
            hand_over += 1;
            let link = ToTwin::Link { hand_over: HandOver(hand_over), from: handover::Number(2) };
            other.gateway.send(&link, &[two.as_fd()]).await.unwrap();
            from.gateway.send(&ToTwin::Opened { request }, &[one.as_fd()]).await.unwrap();
        }
    }
}

#[test]
fn two_people_meet_and_talk_through_their_doors() {
    run(async {
        let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut ann = Person::new(folders.0.path()).await;
        let mut bob = Person::new(folders.1.path()).await;
        let ways = [
            spawn_local(route(ann.twin.clone(), bob.twin.clone(), bob.id)),
            spawn_local(route(bob.twin.clone(), ann.twin.clone(), ann.id)),
        ];
        let card = ann.call("/api/identity/1/card", "{}").await;
        let ask = format!(r#"{{"id":"{:032x}","card":{}}}"#, 1, card["link"]);
        bob.call("/api/contacts/1/request", &ask).await;
        let asks = |list: &Value| list["items"][0]["state"] == "asks";
        let list = ann.until("/api/contacts/1/list", "{}", asks).await;
        let accept = format!(r#"{{"id":"{:032x}","contact":{}}}"#, 2, list["items"][0]["contact"]);
        ann.call("/api/contacts/1/accept", &accept).await;
        let accepted = |list: &Value| list["items"][0]["state"] == "accepted";
        bob.until("/api/contacts/1/list", "{}", accepted).await;

        let other = |list: &Value| {
            let items = list["items"].as_array().unwrap();
            items.iter().find(|one| one["with"]["me"] == false).cloned()
        };
        let conversations = "/api/chat/1/conversations";
        let list = ann.until(conversations, "{}", |list| other(list).is_some()).await;
        let conversation = other(&list).unwrap()["conversation"].clone();
        let hello =
            format!(r#"{{"id":"{:032x}","conversation":{conversation},"text":"Hello Bob"}}"#, 3);
        ann.call("/api/chat/1/send", &hello).await;
        let all = format!(r#"{{"conversation":{conversation}}}"#);
        let has = |list: &Value| list["items"][0]["text"] == "Hello Bob";
        bob.until("/api/chat/1/messages", &all, has).await;
        let delivered = |list: &Value| list["items"][0]["state"] == "delivered";
        ann.until("/api/chat/1/messages", &all, delivered).await;
        for way in ways {
            way.abort();
        }
    });
}
