//! A first start, a second one, and folders that are not as they should be.

use std::fs;

use serde_json::json;

use super::{One, check_one, id, place, run, shell};
use crate::life::{Life, OpenError};

#[test]
fn a_fresh_life_has_a_name_and_a_notebook() {
    check_one(|ann| async move {
        let me = ann.ask("identity", "me", json!({})).await;
        assert_eq!(me["id"], ann.life.id().to_string());
        assert_eq!((&me["name"], &me["display_name"]), (&json!("ann"), &json!("Ann")));
        let page = ann.ask("chat", "conversations", json!({})).await;
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        assert_eq!(page["items"][0]["with"]["me"], true);
        assert_eq!(page["items"][0]["open"], true);
        let card = ann.ask("identity", "card", json!({})).await;
        assert!(card["link"].as_str().unwrap().starts_with("http://ann.localhost:8080/#hometwin:"));
        assert!(card["svg"].as_str().unwrap().contains("<svg"));
        ann.life.rename("anna");
        let card = ann.ask("identity", "card", json!({})).await;
        assert!(card["link"].as_str().unwrap().starts_with("http://anna.localhost:8080/#"));
    });
}

#[test]
fn everything_is_there_after_a_restart() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let life = Life::open(folder.path(), "ann", place(), None).await.unwrap();
        let me = life.id();
        let body = json!({"id": id(), "conversation": "self", "text": "remember"}).to_string();
        life.call(&shell(), "chat", 1, "send", body.as_bytes()).await.unwrap();
        drop(life);
        let life = Life::open(folder.path(), "ann", place(), None).await.unwrap();
        assert_eq!(life.id(), me);
        let body = br#"{"conversation": "self"}"#;
        let page = life.call(&shell(), "chat", 1, "messages", body).await.unwrap();
        assert!(String::from_utf8(page).unwrap().contains("remember"));
        assert!(life.verify().await.unwrap() >= 3);
    });
}

#[test]
fn a_second_open_is_refused_and_harmless() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let life = Life::open(folder.path(), "ann", place(), None).await.unwrap();
        let second = Life::open(folder.path(), "ann", place(), None).await;
        assert!(matches!(second.err(), Some(OpenError::Busy { .. })));
        life.verify().await.unwrap();
    });
}

#[test]
fn unusable_folders_are_told_apart() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let opened = Life::open(&file, "ann", place(), None).await;
        assert!(matches!(opened.err(), Some(OpenError::Unreadable { .. })));

        let life = folder.path().join("life");
        drop(Life::open(&life, "ann", place(), None).await.unwrap());
        let cut = |path: &std::path::Path| {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        };
        for found in fs::read_dir(&life).unwrap().map(Result::unwrap) {
            if found.metadata().unwrap().len() > 8192 {
                cut(&found.path());
            }
        }
        let opened = Life::open(&life, "ann", place(), None).await;
        assert!(matches!(opened.err(), Some(OpenError::Damaged { .. })));
    });
}

#[test]
fn exports_every_entry_as_a_line() {
    check_one(|ann| async move {
        ann.say("self", "to be kept").await;
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = ann.life.export(file.reopen().unwrap()).await.unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text.lines().count() as u64, lines);
        assert!(text.contains("to be kept"));
    });
}

#[test]
fn a_profile_changes_once_per_id_and_revision() {
    check_one(|ann: std::rc::Rc<One>| async move {
        let rev = ann.ask("identity", "me", json!({})).await["rev"].clone();
        let set = json!({"id": id(), "if_rev": rev, "display_name": "Annie", "about": "me"});
        let first = ann.ask("identity", "set_profile", set.clone()).await;
        assert_eq!(first["display_name"], "Annie");
        assert_eq!(ann.ask("identity", "set_profile", set).await, first);
        let late = json!({"id": id(), "if_rev": rev, "display_name": "A", "about": ""});
        let fault = ann.call(&shell(), "identity", "set_profile", late).await.unwrap_err();
        assert_eq!((fault.code, fault.rev), ("conflict", first["rev"].as_u64()));
        let bad = json!({"id": id(), "display_name": "", "about": ""});
        assert_eq!(ann.fails("identity", "set_profile", bad).await, "malformed");
    });
}

/// Runs itself again where no file may grow beyond a size: then the copy does not fit.
#[test]
fn no_room_to_compact_is_no_reason_not_to_open() {
    const NAME: &str = "life::tests::opening::no_room_to_compact_is_no_reason_not_to_open";
    const FOLDER: &str = "HOMETWIN_TEST_FOLDER";
    if let Some(folder) = std::env::var_os(FOLDER) {
        return run(async {
            let life = Life::open(folder.as_ref(), "ann", place(), None).await.unwrap();
            let body = br#"{"conversation": "self"}"#;
            let page = life.call(&shell(), "chat", 1, "messages", body).await.unwrap();
            assert!(String::from_utf8(page).unwrap().contains("still here"));
            println!("opened");
        });
    }
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let life = Life::open(folder.path(), "ann", place(), None).await.unwrap();
        for text in ["still here".to_owned(), "x".repeat(8000), "y".repeat(8000)] {
            for _ in 0..8 {
                let send = json!({"id": id(), "conversation": "self", "text": text}).to_string();
                life.call(&shell(), "chat", 1, "send", send.as_bytes()).await.unwrap();
            }
        }
        // An erase that is long due.
        let erase = |w: &mut store::Writer<'_>| w.erase(&[20], 0, store::Actor::System);
        life.0.store.write(erase).await.unwrap();
    });
    let limited = "trap '' XFSZ; ulimit -f 100; exec \"$@\"";
    let output = std::process::Command::new("sh")
        .args(["-c", limited, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("opened"), "{text}");
}
