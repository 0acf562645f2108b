//! Packages in a life: installed by anybody's hand through one door, kept in every version, gone back
//! to, removed with what they might use; and what is older, other or changed is refused in words.

use link::{Chain, Keys};
use serde_json::{Value, json};
use store::Actor;

use super::{One, check_one, experience, files::send, id, shell};
use crate::{
    life::{Fault, Life, packages},
    package::{self, Folder, MANIFEST},
};

fn keys(author: u8) -> Keys {
    let mut secrets = [author; 64];
    secrets[32..].fill(!author);
    Keys::from_bytes(&secrets)
}

fn package(version: &str, more: usize, author: u8) -> Vec<u8> {
    let manifest = json!({"name": "garden", "version": version, "title": {"en": "Garden"},
        "wants": ["folder"]});
    let folder: Folder = [
        (MANIFEST.to_owned(), manifest.to_string().into_bytes()),
        ("index.html".to_owned(), b"<p></p>".to_vec()),
        ("main.js".to_owned(), vec![b' '; more]),
    ]
    .into();
    let keys = keys(author);
    package::sign(&package::pack(&folder).unwrap(), &Chain::begin(&keys), &keys.twin).unwrap()
}

async fn install(life: &Life, bytes: Vec<u8>) -> Result<String, Fault> {
    let package = life.install(Actor::System, bytes).await?;
    Ok(package.manifest.version.to_string())
}

fn used(one: &One) -> Vec<(String, String)> {
    let all = one.life.installed().unwrap().into_iter();
    all.map(|used| (used.name, used.release.version)).collect()
}

async fn code(one: &One, bytes: Vec<u8>) -> &'static str {
    install(&one.life, bytes).await.unwrap_err().code
}

#[test]
fn releases_are_kept_and_gone_back_to() {
    check_one(|one| async move {
        // One that lies in its entry, one in chunks.
        for (version, more) in [("1.0.0", 10), ("1.1.0", 40_000)] {
            install(&one.life, package(version, more, 1)).await.unwrap();
            install(&one.life, package(version, more, 1)).await.unwrap();
            assert_eq!(used(&one), [("garden".to_owned(), version.to_owned())]);
        }
        let all = one.ask("experiences", "releases", json!({"name": "garden"})).await;
        let versions: Vec<_> =
            all["items"].as_array().unwrap().iter().map(|one| &one["version"]).collect();
        assert_eq!(versions, ["1.1.0", "1.0.0"], "what is there already is not there twice");
        let first = all["items"][1]["release"].clone();
        let back = json!({"id": id(), "name": "garden", "release": first});
        one.ask("experiences", "roll_back", back).await;
        assert_eq!(used(&one)[0].1, "1.0.0");
        let in_use = one.life.installed().unwrap().remove(0);
        let bytes = one.life.release_bytes(&in_use).await.unwrap();
        assert_eq!(bytes, package("1.0.0", 10, 1));
        let no = json!({"id": id(), "name": "garden", "release": 1});
        assert_eq!(one.fails("experiences", "roll_back", no).await, "not_found");
        let lines: Vec<Value> = one.history(json!({"kinds": ["experience."]})).await;
        let lines: Vec<_> = lines.iter().map(|line| line["line"].as_str().unwrap()).collect();
        let told = ["rolled_back", "updated", "installed"];
        assert_eq!(lines, told.map(|key| format!("history.experience.{key}")));
        let swept = super::files::sweep(&one).await;
        assert_eq!(swept.removed, 0, "every release is needed");
    });
}

/// Installs two at once: how it went with each, the good one first.
async fn both(one: &One, first: Vec<u8>, second: Vec<u8>) -> Vec<Result<String, &'static str>> {
    let (life, code) = (&one.life, |fault: Fault| fault.code);
    let (first, second) = tokio::join!(install(life, first), install(life, second));
    let mut both = vec![first.map_err(code), second.map_err(code)];
    both.sort_by_key(Result::is_err);
    both
}

#[test]
fn of_two_that_come_at_once_one_is_judged_by_the_other() {
    check_one(|one| async move {
        let (small, large) = (package("1.0.0", 10, 1), package("1.0.0", 40_001, 1));
        assert_eq!(both(&one, small, large).await, [Ok("1.0.0".to_owned()), Err("same_version")]);
        let same = || package("1.2.0", 40_000, 1);
        let there = Ok("1.2.0".to_owned());
        assert_eq!(both(&one, same(), same()).await, [there.clone(), there]);
        assert_eq!(one.life.0.store.read(|r| packages::releases(r, "garden")).unwrap().len(), 2);
    });
}

#[test]
fn of_two_authors_that_come_at_once_one_has_the_name() {
    check_one(|one| async move {
        let both = both(&one, package("1.0.0", 10, 1), package("1.0.0", 11, 2)).await;
        assert_eq!(both, [Ok("1.0.0".to_owned()), Err("other_author")]);
    });
}

#[test]
fn what_is_older_other_or_changed_is_refused() {
    check_one(|one| async move {
        install(&one.life, package("1.1.0", 10, 1)).await.unwrap();
        assert_eq!(code(&one, package("1.0.9", 10, 1)).await, "older_version");
        assert_eq!(code(&one, package("1.1.0", 11, 1)).await, "same_version");
        assert_eq!(code(&one, package("2.0.0", 10, 2)).await, "other_author");
        let mut changed = package("2.0.0", 10, 1);
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(code(&one, changed).await, "bad_package");
        let keys = keys(1);
        let lie =
            package::sign(&package("2.0.0", 10, 1), &Chain::begin(&keys), &self::keys(2).twin);
        assert_eq!(code(&one, lie.unwrap()).await, "bad_signature");
        assert_eq!(code(&one, b"GIF89a".to_vec()).await, "no_package");
        assert_eq!(used(&one), [("garden".to_owned(), "1.1.0".to_owned())]);
    });
}

#[test]
fn removed_it_may_use_nothing_and_leaves_what_was_made_with_it() {
    check_one(|one| async move {
        install(&one.life, package("1.0.0", 40_000, 1)).await.unwrap();
        let folder = one.ask("files", "make_folder", json!({"id": id(), "name": "Beds"})).await;
        let give = json!({"id": id(), "experience": "garden", "kind": "folder",
            "thing": folder["item"], "verbs": ["see", "add"], "from": "history"});
        one.ask("experiences", "grant", give).await;
        let app = experience("garden");
        let upload = send(&one.life, &app, b"tomatoes", 100).await;
        let put = json!({"id": id(), "name": "plan.txt", "upload": upload});
        one.call(&app, "files", "put", put).await.unwrap();
        let remove = json!({"id": id(), "name": "garden"});
        one.ask("experiences", "remove", remove.clone()).await;
        assert_eq!(used(&one), []);
        let grants = one.ask("experiences", "grants", json!({})).await;
        assert_eq!(grants["items"], json!([]));
        let refused = one.call(&app, "files", "list", json!({})).await.unwrap_err();
        assert_eq!(refused.code, "not_found");
        let left = one.ask("files", "list", json!({"folder": folder["item"]})).await;
        assert_eq!(left["items"][0]["name"], "plan.txt");
        let again = json!({"id": id(), "name": "garden"});
        assert_eq!(one.fails("experiences", "remove", again).await, "not_found");
        assert_eq!(super::files::sweep(&one).await.kept, 0, "its packages are gone");
        // It is not forgotten that the person removed it; somebody else's may come in its place.
        assert_eq!(one.life.knows("garden", &[0; 32]).unwrap(), (true, false));
        install(&one.life, package("0.1.0", 10, 2)).await.unwrap();
        assert_eq!(used(&one)[0].1, "0.1.0");
        assert!(
            one.call(&shell(), "experiences", "releases", json!({"name": "garden"})).await.is_ok()
        );
    });
}

#[test]
fn a_grant_ends_with_its_folder() {
    check_one(|one| async move {
        let outer = one.ask("files", "make_folder", json!({"id": id(), "name": "Outer"})).await;
        let inner = json!({"id": id(), "name": "Inner", "folder": outer["item"]});
        let inner = one.ask("files", "make_folder", inner).await;
        let give = |thing: &Value| {
            json!({"id": id(), "experience": "garden", "kind": "folder",
            "thing": thing, "verbs": ["see"], "from": "history"})
        };
        one.ask("experiences", "grant", give(&inner["item"])).await;
        one.ask("experiences", "grant", give(&json!("all"))).await;
        one.ask("files", "trash", json!({"id": id(), "item": outer["item"]})).await;
        let grants = async || one.ask("experiences", "grants", json!({})).await["items"].clone();
        assert_eq!(grants().await.as_array().unwrap().len(), 2, "it may come back from the trash");
        one.ask("files", "delete", json!({"id": id(), "item": outer["item"]})).await;
        let left = grants().await;
        assert_eq!((left.as_array().unwrap().len(), &left[0]["thing"]), (1, &json!("all")));
    });
}
