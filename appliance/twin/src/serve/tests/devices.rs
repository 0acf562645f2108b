//! Coming in with a passkey, and what one device can do about another.

use handover::{FromTwin, FromTwinExecutor, HandOver, Refusal};
use serde_json::Value;

use super::harness::{Answer, Browser, Session, Setting, Twin, run};
use crate::passkeys::device::Device;

const WRITE: &str = "00112233445566778899aabbccddeeff";

async fn ask<S>(browser: &mut Browser<S>, session: &str, method: &str, body: &str) -> Answer
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    browser.post(&format!("/api/identity/1/{method}"), session, body).await
}

/// Makes a passkey on a device that is signed in; gives the user handle.
async fn add(twin: &mut Twin, session: &Session, device: &Device) -> String {
    let mut browser = twin.connect().await;
    let begun = ask(&mut browser, &session.0, "begin_passkey", "{}").await.json();
    assert_eq!((&begun["host"], &begun["name"]), (&"ann.localhost".into(), &"ann".into()));
    let body = device.create(begun["challenge"].as_str().unwrap());
    let kept = ask(&mut browser, &session.0, "add_passkey", &body).await;
    assert_eq!(kept.status, 200, "{}", kept.text());
    assert_eq!(kept.json()["passkeys"][0]["fits"], true);
    begun["user"].as_str().unwrap().to_owned()
}

/// Signs in with a passkey.
async fn enter(twin: &mut Twin, device: &mut Device, user: &str) -> Session {
    let mut browser = twin.connect().await;
    device.count += 1;
    let begun = ask(&mut browser, "", "begin_sign_in", "{}").await.json();
    let body = device.get(begun["challenge"].as_str().unwrap(), user);
    let entered = ask(&mut browser, "", "sign_in", &body).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    assert_eq!(entered.json()["next"], "/");
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap();
    Session(format!("Cookie: {cookie}\r\n"))
}

async fn sessions(twin: &mut Twin, session: &Session) -> Vec<Value> {
    let mut browser = twin.connect().await;
    let list = ask(&mut browser, &session.0, "sessions", "{}").await.json();
    list["sessions"].as_array().unwrap().clone()
}

#[test]
fn a_passkey_lets_in_without_a_name_also_after_sleep_and_when_all_are_signed_out() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let session = twin.pair().await;
        let mut device = Device::p256();
        let user = add(&mut twin, &session, &device).await;
        let mut browser = twin.connect().await;
        assert_eq!(ask(&mut browser, &session.0, "sign_out", "{}").await.status, 200);
        twin.stop().await;

        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        assert!(matches!(twin.ready, FromTwinExecutor::Ready { paired: true, .. }));
        assert_eq!(twin.code().await, Err(Refusal::AlreadyPaired), "a passkey is a way in");
        let mut browser = twin.connect().await;
        let begun = ask(&mut browser, "", "begin_sign_in", "{}").await.json();
        let challenge = begun["challenge"].as_str().unwrap().to_owned();
        twin.stop().await;

        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let mut browser = twin.connect().await;
        device.count += 1;
        let body = device.get(&challenge, &user);
        let entered = ask(&mut browser, "", "sign_in", &body).await;
        assert_eq!(entered.status, 200, "it may sleep while its person looks for their finger");
        assert_eq!(twin.heard().await, FromTwin::Known { hand_over: HandOver(1) });
        let again = ask(&mut browser, "", "sign_in", &body).await;
        assert_eq!((again.status, again.code().as_str()), (403, "bad_passkey"));
        twin.stop().await;
    });
}

#[test]
fn strangers_learn_nothing_and_use_nothing_up() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let mut browser = twin.connect().await;
        let before = ask(&mut browser, "", "begin_sign_in", "{}").await;
        let session = twin.pair().await;
        let mut device = Device::ed25519();
        let user = add(&mut twin, &session, &device).await;
        let after = ask(&mut browser, "", "begin_sign_in", "{}").await;
        let keys = |answer: &Answer| {
            let fields = answer.json();
            fields.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!((before.status, keys(&before)), (after.status, keys(&after)));
        assert_eq!(before.body.len(), after.body.len());

        for method in ["passkeys", "begin_passkey", "add_passkey", "sessions", "know_session"] {
            let refused = ask(&mut browser, "", method, "{}").await;
            assert_eq!(refused.code(), "signed_out", "{method}");
        }
        let challenge = after.json()["challenge"].as_str().unwrap().to_owned();
        let other = Device::p256().get(&challenge, &user);
        assert_eq!(ask(&mut browser, "", "sign_in", &other).await.code(), "passkey_unknown");
        for body in ["{}", "[]", "", r#"{"credential":"a","prf":{"results":{"first":"secret"}}}"#] {
            assert_eq!(ask(&mut browser, "", "sign_in", body).await.code(), "malformed", "{body}");
        }
        let with_more = device.get(&challenge, &user).replacen('{', r#"{"prf":"secret","#, 1);
        assert_eq!(ask(&mut browser, "", "sign_in", &with_more).await.code(), "malformed");
        let long = format!(r#"{{"credential":"{}"}}"#, "a".repeat(5000));
        assert_eq!(ask(&mut browser, "", "sign_in", &long).await.code(), "too_large");
        enter(&mut twin, &mut device, &user).await;
        twin.stop().await;
    });
}

#[test]
fn other_devices_are_asked_about_a_new_one_which_cannot_vouch_for_itself() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let first = twin.pair().await;
        let mut device = Device::p256();
        let user = add(&mut twin, &first, &device).await;
        let second = enter(&mut twin, &mut device, &user).await;

        let seen = sessions(&mut twin, &second).await;
        let new = seen.iter().find(|one| one["by"] == "passkey").unwrap();
        assert_eq!((&new["unseen"], &new["this"]), (&true.into(), &true.into()));
        let old = seen.iter().find(|one| one["by"] == "code").unwrap();
        assert_eq!((&old["unseen"], &old["passkeys"]), (&false.into(), &1.into()));
        let about =
            |fields: &str| format!(r#"{{"id":"{WRITE}","session":{}{fields}}}"#, new["session"]);
        let mut browser = twin.connect().await;
        let itself = ask(&mut browser, &second.0, "know_session", &about("")).await;
        assert_eq!(itself.code(), "not_found");
        let known = ask(&mut browser, &first.0, "know_session", &about("")).await;
        assert_eq!(known.status, 200);
        let named = about(r#","name":"Telephone""#);
        let named = ask(&mut browser, &first.0, "rename_session", &named).await.json();
        let at = |list: &Value| {
            let all = list["sessions"].as_array().unwrap().clone();
            all.into_iter().find(|one| one["session"] == new["session"]).unwrap()
        };
        assert_eq!(
            (&at(&named)["unseen"], &at(&named)["name"]),
            (&false.into(), &"Telephone".into())
        );
        let turned = about(",\"name\":\"a\\u202eb\"");
        assert_eq!(
            ask(&mut browser, &first.0, "rename_session", &turned).await.code(),
            "malformed"
        );

        let ended = ask(&mut browser, &first.0, "end_session", &about("")).await;
        assert_eq!(ended.status, 200);
        assert_eq!(ask(&mut browser, &second.0, "me", "{}").await.code(), "signed_out");
        enter(&mut twin, &mut device, &user).await;
        twin.stop().await;
    });
}

#[test]
fn a_lost_device_takes_its_passkey_and_all_who_came_in_with_it_along() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let mut lost = Device::p256();
        let first = twin.pair().await;
        let user = add(&mut twin, &first, &lost).await;
        let mut thief = enter(&mut twin, &mut lost, &user).await;
        let mine = enter(&mut twin, &mut lost, &user).await;
        let own = Device::ed25519();
        add(&mut twin, &mine, &own).await;

        let all = sessions(&mut twin, &mine).await;
        let first_id = &all.iter().find(|one| one["by"] == "code").unwrap()["session"];
        let body = format!(r#"{{"id":"{WRITE}","session":{first_id},"passkeys":true}}"#);
        let mut browser = twin.connect().await;
        assert_eq!(ask(&mut browser, &mine.0, "end_session", &body).await.status, 200);
        for session in [&first, &thief] {
            assert_eq!(ask(&mut browser, &session.0, "me", "{}").await.code(), "signed_out");
        }
        assert_eq!(ask(&mut browser, &mine.0, "me", "{}").await.status, 200, "not who asked");
        let begun = ask(&mut browser, "", "begin_sign_in", "{}").await.json();
        lost.count += 1;
        let body = lost.get(begun["challenge"].as_str().unwrap(), &user);
        assert_eq!(ask(&mut browser, "", "sign_in", &body).await.code(), "passkey_unknown");

        let mut own = own;
        thief = enter(&mut twin, &mut own, &user).await;
        let kept = ask(&mut browser, &mine.0, "passkeys", "{}").await.json();
        let remove = format!(r#"{{"id":"{WRITE}","passkey":{}}}"#, kept["passkeys"][0]["passkey"]);
        let left = ask(&mut browser, &mine.0, "remove_passkey", &remove).await.json();
        assert_eq!(left["passkeys"].as_array().unwrap().len(), 0);
        assert_eq!(ask(&mut browser, &thief.0, "me", "{}").await.code(), "signed_out");
        assert_eq!(ask(&mut browser, &mine.0, "remove_passkey", &remove).await.code(), "not_found");
        twin.stop().await;
    });
}

/// A link that one device made, opened on another: the number it shows, and what it waits with.
async fn knock(twin: &mut Twin, old: &Session) -> (u64, String) {
    let mut browser = twin.connect().await;
    let invite = format!(r#"{{"id":"{WRITE}"}}"#);
    let invited = ask(&mut browser, &old.0, "invite", &invite).await.json();
    let link = invited["link"].as_str().unwrap();
    let code = link.strip_prefix("http://ann.localhost:8080/pair#").unwrap();
    assert!(invited["svg"].as_str().unwrap().starts_with("<?xml"));
    let before = ask(&mut browser, &old.0, "invitation", "{}").await.json();
    assert_eq!(before["state"], "open");
    let body = format!(r#"{{"code":"{code}"}}"#);
    let knocked = ask(&mut browser, "", "knock", &body).await.json();
    assert_eq!(ask(&mut browser, "", "knock", &body).await.code(), "bad_link", "one use");
    let asks = ask(&mut browser, &old.0, "invitation", "{}").await.json();
    assert_eq!(asks["state"], "asks");
    assert!(asks["numbers"].as_array().unwrap().contains(&knocked["number"]));
    (knocked["number"].as_u64().unwrap(), knocked["wait"].as_str().unwrap().to_owned())
}

#[test]
fn a_device_lets_another_in_by_the_number_it_shows() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let old = twin.pair().await;
        let mut browser = twin.connect().await;
        let wrong = format!(r#"{{"id":"{WRITE}"}}"#);
        for number in [None, Some(1)] {
            let (_, wait) = knock(&mut twin, &old).await;
            let wait = format!(r#"{{"wait":"{wait}"}}"#);
            let waits = ask(&mut browser, "", "enter", &wait).await;
            assert_eq!(
                (&waits.json()["state"], waits.header("set-cookie")),
                (&"waits".into(), None)
            );
            let body = number.map_or(wrong.clone(), |number: u8| {
                format!(r#"{{"id":"{WRITE}","number":{number}}}"#)
            });
            let chosen = ask(&mut browser, &old.0, "choose_number", &body).await.json();
            assert_eq!(chosen["state"], "wrong");
            let out = ask(&mut browser, "", "enter", &wait).await;
            assert_eq!((&out.json()["state"], out.header("set-cookie")), (&"wrong".into(), None));
        }

        let (number, wait) = knock(&mut twin, &old).await;
        let body = format!(r#"{{"id":"{WRITE}","number":{number}}}"#);
        assert_eq!(ask(&mut browser, "", "choose_number", &body).await.code(), "signed_out");
        let chosen = ask(&mut browser, &old.0, "choose_number", &body).await.json();
        assert_eq!(chosen["state"], "chosen");
        let wait = format!(r#"{{"wait":"{wait}"}}"#);
        let other = ask(&mut browser, "", "enter", r#"{"wait":"AAAA"}"#).await.json();
        assert_eq!(other["state"], "over");
        let entered = ask(&mut browser, "", "enter", &wait).await;
        assert_eq!(entered.json()["state"], "in");
        let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap();
        let new = Session(format!("Cookie: {cookie}\r\n"));
        assert_eq!(ask(&mut browser, "", "enter", &wait).await.json()["state"], "over");

        let seen = sessions(&mut twin, &old).await;
        let its = seen.iter().find(|one| one["by"] == "device").unwrap();
        assert_eq!(its["unseen"], false, "who let it in was asked already");
        let third = {
            let (number, wait) = knock(&mut twin, &new).await;
            let body = format!(r#"{{"id":"{WRITE}","number":{number}}}"#);
            ask(&mut browser, &new.0, "choose_number", &body).await;
            let wait = format!(r#"{{"wait":"{wait}"}}"#);
            assert_eq!(ask(&mut browser, "", "enter", &wait).await.json()["state"], "in");
            sessions(&mut twin, &old).await
        };
        let asked = third.iter().filter(|one| one["unseen"] == true).count();
        assert_eq!(asked, 1, "the first device did not let the third in");
        twin.stop().await;
    });
}

#[test]
fn a_device_that_is_sent_away_lets_nobody_in_any_more() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let old = twin.pair().await;
        let mut browser = twin.connect().await;
        for leave in ["uninvite", "sign_out"] {
            let (number, wait) = knock(&mut twin, &old).await;
            let body = format!(r#"{{"id":"{WRITE}","number":{number}}}"#);
            ask(&mut browser, &old.0, "choose_number", &body).await;
            let body =
                if leave == "uninvite" { format!(r#"{{"id":"{WRITE}"}}"#) } else { "{}".into() };
            assert_eq!(ask(&mut browser, &old.0, leave, &body).await.status, 200);
            let wait = format!(r#"{{"wait":"{wait}"}}"#);
            assert_eq!(ask(&mut browser, "", "enter", &wait).await.json()["state"], "over");
        }
        twin.stop().await;
    });
}
