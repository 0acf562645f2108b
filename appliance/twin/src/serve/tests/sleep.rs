//! Falling asleep, staying awake, and gateways that come and go.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use handover::{Channel, FromTwin, FromTwinExecutor, ToTwin, ToTwinExecutor};
use tokio::time::timeout;

use super::harness::{ANN, ORIGIN, Setting, Twin, run};

fn sleepy(sleep_after_ms: u64) -> Setting {
    Setting { sleep_after_ms, ..Setting::default() }
}

async fn until_sleep(twin: &Twin) {
    while twin.heard().await != FromTwin::Sleep {}
}

#[test]
fn an_unused_twin_asks_for_sleep_and_exits_when_it_is_quiet() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let twin = Twin::start(folder.path(), sleepy(100)).await;
        until_sleep(&twin).await;
        assert!(matches!(twin.told().await, FromTwinExecutor::WakeAt { time_ms: None }));
        assert!(!twin.ended.is_finished());
        twin.gateway.send(&ToTwin::Quiet, &[]).await.unwrap();
        twin.ended.await.unwrap().unwrap();
    });
}

#[test]
fn what_came_before_the_quiet_is_still_served() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), sleepy(100)).await;
        until_sleep(&twin).await;
        let mut late = twin.connect().await;
        late.send(&format!("GET / HTTP/1.1\r\nHost: {ANN}\r\n\r\n")).await;
        twin.gateway.send(&ToTwin::Quiet, &[]).await.unwrap();
        let answer = late.answer().await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(late.is_closed().await);
        twin.ended.await.unwrap().unwrap();
    });
}

#[test]
fn strangers_do_not_keep_a_twin_awake() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), sleepy(600)).await;
        let started = Instant::now();
        let mut browser = twin.connect().await;
        let slept = async {
            loop {
                assert_eq!(browser.get("/", "").await.status, 200);
                if let Ok(FromTwin::Sleep) = timeout(Duration::from_millis(50), twin.heard()).await
                {
                    return;
                }
            }
        };
        timeout(Duration::from_secs(20), slept).await.expect("sleeps in spite of requests");
        assert!(started.elapsed() >= Duration::from_millis(500));
    });
}

#[test]
fn an_open_page_keeps_its_twin_awake_and_a_closed_one_lets_it_sleep() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), sleepy(300)).await;
        let session = twin.pair().await;
        let mut browser = twin.connect().await;
        let ask = format!(
            "Origin: {ORIGIN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        assert_eq!(browser.get("/events", &session.with(&ask)).await.status, 101);
        let asked = timeout(Duration::from_millis(1500), until_sleep(&twin)).await;
        assert!(asked.is_err(), "a visible page keeps the twin awake");
        drop(browser);
        until_sleep(&twin).await;
    });
}

#[test]
fn a_code_that_waits_keeps_its_twin_awake() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let twin = Twin::start(folder.path(), sleepy(100)).await;
        twin.code().await.unwrap();
        let asked = timeout(Duration::from_millis(800), until_sleep(&twin)).await;
        assert!(asked.is_err(), "the code would be gone");
    });
}

#[test]
fn a_new_gateway_takes_over_and_open_connections_go_on() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut old = twin.connect().await;
        let (gateway, theirs) = Channel::pair().unwrap();
        twin.gateway = Channel::from_fd(gateway).unwrap();
        assert_eq!(old.get("/", "").await.status, 200, "while there is none");
        let header = ToTwinExecutor::Gateway;
        twin.executor.send(&header, &[theirs.as_fd()]).await.unwrap();
        drop(theirs);
        let mut new = twin.connect().await;
        assert_eq!(new.post("/api/identity/1/me", &session.0, "{}").await.status, 200);
        assert_eq!(old.get("/", "").await.status, 200);
        twin.stop().await;
    });
}

#[test]
fn a_renamed_twin_answers_under_its_new_name_only() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let renamed = ToTwinExecutor::Renamed { name: "anna".into() };
        twin.executor.send(&renamed, &[]).await.unwrap();
        // The code's answer proves that the header before it was read.
        twin.code().await.unwrap();
        let mut browser = twin.connect().await;
        assert_eq!(browser.get("/", "").await.status, 421);
        let mut browser = twin.connect().await;
        browser.send("GET / HTTP/1.1\r\nHost: anna.localhost:8080\r\n\r\n").await;
        assert_eq!(browser.answer().await.unwrap().status, 200);
        twin.stop().await;
    });
}

#[test]
fn a_twin_that_can_not_open_its_folder_says_so() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("door"), "no folder").unwrap();
        let (executor, theirs) = Channel::pair().unwrap();
        let executor = Channel::from_fd(executor).unwrap();
        let (_gateway, twins) = Channel::pair().unwrap();
        let Setting { twin, place, sleep_after_ms } = Setting::default();
        let path = folder.path().to_str().unwrap().to_owned();
        let start = ToTwinExecutor::Start {
            twin,
            name: "ann".into(),
            place,
            folder: path.clone(),
            sleep_after_ms,
            share: handover::Share::default(),
            memory_short: false,
        };
        executor.send(&start, &[twins.as_fd()]).await.unwrap();
        let ended = super::super::run(Channel::from_fd(theirs).unwrap()).await;
        assert!(matches!(ended, Err(crate::Error::Broken { .. })));
        let (told, _) = executor.recv::<FromTwinExecutor>().await.unwrap().unwrap();
        let FromTwinExecutor::Broken { text } = told else { panic!("{told:?}") };
        assert!(text.contains(&path), "{text}");
    });
}
