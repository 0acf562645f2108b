//! Files through the public face: sent in steps, put, found, moved, thrown away, brought back.

use proptest::prelude::*;
use serde_json::{Value, json};
use store::{CHUNK, INLINE};

use super::{One, check_one, experience, heard, id, shell};
use crate::life::{Bytes, Caller, Fault, Life};

/// Bytes that don't repeat, the same for the same seed.
pub(super) fn noise(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

/// Sends bytes in steps of this size; the upload's id.
pub(super) async fn send(life: &Life, caller: &Caller, bytes: &[u8], step: usize) -> String {
    let (id, _) = life.begin_upload(caller, bytes.len() as u64).await.unwrap();
    for part in bytes.chunks(step.max(1)) {
        let mut adding = life.add(caller, &id).unwrap().unwrap();
        adding.add(part).await.unwrap();
        adding.keep().await.unwrap();
    }
    assert!(life.upload(caller, &id).unwrap().is_complete());
    id.to_string()
}

async fn put(one: &One, name: &str, bytes: &[u8], folder: Option<&Value>) -> Value {
    let upload = send(&one.life, &shell(), bytes, 300_000).await;
    let mut body = json!({"id": id(), "name": name, "upload": upload, "media_type": "text/plain"});
    if let Some(folder) = folder {
        body["folder"] = folder.clone();
    }
    one.ask("files", "put", body).await
}

async fn make(one: &One, name: &str, folder: Option<&Value>) -> Value {
    let mut body = json!({"id": id(), "name": name});
    if let Some(folder) = folder {
        body["folder"] = folder.clone();
    }
    one.ask("files", "make_folder", body).await["item"].clone()
}

async fn names(one: &One, body: Value) -> Vec<String> {
    let page = one.ask("files", "list", body).await;
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["name"].as_str().unwrap_or("-").to_owned()).collect()
}

/// The bytes that a link leads to.
pub(super) async fn read(one: &One, caller: &Caller, item: &Value) -> Result<Vec<u8>, Fault> {
    let link = item["link"].as_str().unwrap();
    let (item, version) = link.strip_prefix("t/").unwrap().split_once('/').unwrap();
    let item = data_encoding::HEXLOWER.decode(item.as_bytes()).unwrap().try_into().unwrap();
    let found = one.life.version(caller, item, version.parse().unwrap(), false).await?;
    Ok(all(found.bytes))
}

pub(super) fn all(bytes: Bytes) -> Vec<u8> {
    match bytes {
        Bytes::Inline(bytes) => bytes,
        Bytes::Blob(contents) => {
            let chunks = contents.size().div_ceil(CHUNK as u64);
            (0..chunks).flat_map(|index| contents.chunk(index).unwrap()).collect()
        }
    }
}

/// Sweeps, after the one that a call may have begun.
pub(super) async fn sweep(one: &One) -> store::Swept {
    let store = one.life.0.store.clone();
    let sweep = move || loop {
        if let Some(swept) = store.sweep(crate::clock_ms()).unwrap() {
            return swept;
        }
        std::thread::yield_now();
    };
    tokio::task::spawn_blocking(sweep).await.unwrap()
}

#[test]
fn what_was_put_is_found_and_read_again_at_every_size() {
    check_one(|one| async move {
        let inline = usize::try_from(INLINE).unwrap();
        for (size, name) in [
            (0, "nothing"),
            (1, "one"),
            (inline, "inline"),
            (inline + 1, "more"),
            (CHUNK, "a chunk"),
            (CHUNK + 1, "a chunk and one"),
            (3 * CHUNK + 77, "some chunks"),
        ] {
            let bytes = noise(size, 1);
            let item = put(&one, name, &bytes, None).await;
            assert_eq!(item["size"], json!(size), "{name}");
            assert_eq!(read(&one, &shell(), &item).await.unwrap(), bytes, "{name}");
        }
        let sorted =
            ["a chunk", "a chunk and one", "inline", "more", "nothing", "one", "some chunks"];
        assert_eq!(names(&one, json!({})).await, sorted);
        let first = one.ask("files", "list", json!({"limit": 3})).await;
        let rest = json!({"limit": 200, "cursor": first["cursor"]});
        assert_eq!(names(&one, rest).await, sorted[3..]);
        assert_eq!(sweep(&one).await.removed, 0, "all of it is needed");
        assert_eq!(one.life.0.store.usage().unwrap().blobs, sweep(&one).await.kept);
    });
}

#[test]
fn folders_hold_each_other_but_never_themselves() {
    check_one(|one| async move {
        let outer = make(&one, "outer", None).await;
        let inner = make(&one, "inner", Some(&outer)).await;
        let file = put(&one, "a.txt", b"a", Some(&inner)).await;
        assert_eq!(file["folder"], inner);
        let fails = |body: Value| {
            let one = &one;
            async move { one.fails("files", "move", body).await }
        };
        assert_eq!(fails(json!({"id": id(), "item": outer, "folder": inner})).await, "into_itself");
        assert_eq!(fails(json!({"id": id(), "item": outer, "folder": outer})).await, "into_itself");
        let to_file = json!({"id": id(), "item": outer, "folder": file["item"]});
        assert_eq!(fails(to_file).await, "not_found");
        let stale = json!({"id": id(), "item": inner, "name": "x", "if_rev": 1});
        assert_eq!(fails(stale).await, "conflict");
        put(&one, "b.txt", b"b", Some(&inner)).await;
        let taken = json!({"id": id(), "item": file["item"], "name": "b.txt"});
        assert_eq!(fails(taken).await, "file_exists");
        // A folder and a file can't have one name either.
        let again = json!({"id": id(), "name": "outer"});
        assert_eq!(one.fails("files", "make_folder", again).await, "file_exists");
        let moved = json!({"id": id(), "item": file["item"], "folder": outer, "name": "c.txt"});
        one.ask("files", "move", moved).await;
        assert_eq!(names(&one, json!({"folder": outer})).await, ["inner", "c.txt"]);
        assert_eq!(names(&one, json!({"folder": inner})).await, ["b.txt"]);
        let mut deep = outer;
        for _ in 0..62 {
            deep = make(&one, "deep", Some(&deep)).await;
        }
        let too_deep = json!({"id": id(), "name": "deep", "folder": deep});
        assert_eq!(one.fails("files", "make_folder", too_deep).await, "too_deep");
        assert_eq!(fails(json!({"id": id(), "item": inner, "folder": deep})).await, "too_deep");
    });
}

#[test]
fn what_was_thrown_away_comes_back_or_goes_for_good() {
    check_one(|one| async move {
        let folder = make(&one, "box", None).await;
        let bytes = noise(2 * CHUNK, 7);
        let file = put(&one, "big.bin", &bytes, Some(&folder)).await;
        let item = file["item"].clone();
        let choose = |item: &Value| json!({"id": id(), "item": item});
        assert_eq!(one.fails("files", "delete", choose(&item)).await, "not_in_trash");
        one.ask("files", "trash", choose(&item)).await;
        assert!(names(&one, json!({"folder": folder})).await.is_empty());
        assert_eq!(names(&one, json!({"trash": true})).await, ["big.bin"]);
        put(&one, "big.bin", b"another", Some(&folder)).await;
        let back = one.ask("files", "restore", choose(&item)).await;
        assert_eq!(back["name"], "big (2).bin");
        // Out of a folder that is in the trash itself it comes back on top.
        one.ask("files", "trash", choose(&item)).await;
        one.ask("files", "trash", choose(&folder)).await;
        one.ask("files", "restore", choose(&item)).await;
        assert_eq!(names(&one, json!({})).await, ["big (2).bin"]);
        assert_eq!(read(&one, &shell(), &file).await.unwrap(), bytes);
        one.ask("files", "trash", choose(&item)).await;
        one.ask("files", "delete", choose(&item)).await;
        assert_eq!(one.fails("files", "get", json!({"item": item})).await, "not_found");
        assert_eq!(read(&one, &shell(), &file).await.err().unwrap().code, "not_found");
        sweep(&one).await;
        assert_eq!(one.life.0.store.usage().unwrap().blobs, 0);
        one.ask("files", "delete", choose(&folder)).await;
        assert!(names(&one, json!({"trash": true})).await.is_empty());
        let history = one.ask("history", "list", json!({"text": "big"})).await;
        assert_eq!(history["items"], json!([]), "deleted for good, and still there");
    });
}

#[test]
fn versions_are_kept_and_come_back() {
    check_one(|one| async move {
        let first = put(&one, "a", b"first", None).await;
        let item = first["item"].clone();
        let second = noise(CHUNK + 5, 2);
        let upload = send(&one.life, &shell(), &second, CHUNK).await;
        let body = json!({"id": id(), "item": item, "upload": upload, "if_rev": first["rev"]});
        let replaced = one.ask("files", "replace", body).await;
        assert_eq!(read(&one, &shell(), &replaced).await.unwrap(), second);
        assert_eq!(read(&one, &shell(), &first).await.unwrap(), b"first");
        let versions = one.ask("files", "versions", json!({"item": item})).await;
        let sizes: Vec<_> =
            versions["items"].as_array().unwrap().iter().map(|one| &one["size"]).collect();
        assert_eq!(sizes, [&json!(second.len()), &json!(5)]);
        let back = json!({"id": id(), "item": item, "version": first["version"]});
        let back = one.ask("files", "restore_version", back).await;
        assert_eq!(read(&one, &shell(), &back).await.unwrap(), b"first");
        assert_eq!(back["media_type"], "text/plain");
        for _ in 0..60 {
            let upload = send(&one.life, &shell(), b"x", 1).await;
            let body = json!({"id": id(), "item": item, "upload": upload});
            one.ask("files", "replace", body).await;
        }
        let versions = one.ask("files", "versions", json!({"item": item, "limit": 200})).await;
        assert_eq!(versions["items"].as_array().unwrap().len(), 50);
        sweep(&one).await;
        assert_eq!(one.life.0.store.usage().unwrap().blobs, 0, "the large version made room");
    });
}

#[test]
fn what_happened_to_files_can_be_undone() {
    check_one(|one| async move {
        let folder = make(&one, "box", None).await;
        let item = put(&one, "a", b"first", None).await["item"].clone();
        let undo_last = || {
            let one = &one;
            async move {
                let seq = one.life.0.store.head().seq;
                one.ask("history", "undo", json!({"id": id(), "seq": seq})).await
            }
        };
        let body = json!({"id": id(), "item": item, "folder": folder, "name": "b"});
        let moved = one.ask("files", "move", body).await;
        assert_eq!(names(&one, json!({})).await, ["box"]);
        undo_last().await;
        assert_eq!(names(&one, json!({})).await, ["box", "a"]);
        let upload = send(&one.life, &shell(), b"second", 9).await;
        one.ask("files", "replace", json!({"id": id(), "item": item, "upload": upload})).await;
        undo_last().await;
        let now = one.ask("files", "get", json!({"item": item})).await;
        assert_eq!(read(&one, &shell(), &now).await.unwrap(), b"first");
        let built = one.fails("history", "undo", json!({"id": id(), "seq": moved["rev"]})).await;
        assert!(["built_upon", "cannot_undo"].contains(&built), "{built}");
        one.ask("files", "trash", json!({"id": id(), "item": item})).await;
        undo_last().await;
        assert_eq!(names(&one, json!({})).await, ["box", "a"]);
        undo_last().await;
        assert_eq!(names(&one, json!({})).await, ["box"]);
    });
}

#[test]
fn what_is_erased_in_the_history_is_gone_with_its_bytes() {
    check_one(|one| async move {
        let large = put(&one, "large", &noise(CHUNK * 2, 3), None).await;
        let small = put(&one, "small", b"small", None).await;
        let seqs = json!([large["rev"], small["rev"]]);
        one.ask("history", "erase", json!({"id": id(), "seqs": seqs})).await;
        assert_eq!(names(&one, json!({})).await, ["-", "-"]);
        for item in [&large, &small] {
            assert_eq!(read(&one, &shell(), item).await.err().unwrap().code, "not_found");
        }
        sweep(&one).await;
        assert_eq!(one.life.0.store.usage().unwrap().blobs, 0);
    });
}

#[test]
fn an_experience_works_in_the_folder_that_it_was_given() {
    check_one(|one| async move {
        let (notes, other) = (experience("notes"), experience("other"));
        let folder = make(&one, "Notes", None).await;
        let secret = put(&one, "secret", b"secret", None).await;
        let refused = one.life.begin_upload(&notes, 1).await.err().unwrap();
        assert_eq!(refused.code, "not_found", "nothing was chosen yet");
        let give = json!({"id": id(), "experience": "notes", "kind": "folder", "thing": folder,
            "verbs": ["see", "add", "change"], "from": "history"});
        let grant = one.ask("experiences", "grant", give).await;
        assert_eq!((&grant["kind"], &grant["title"]), (&json!("folder"), &json!("Notes")));
        let upload = send(&one.life, &notes, b"mine", 2).await;
        // What one has sent is nobody else's.
        let stolen = json!({"id": id(), "name": "stolen", "upload": upload});
        assert_eq!(one.fails("files", "put", stolen).await, "no_upload");
        let body = json!({"id": id(), "name": "mine", "upload": upload});
        let mine = one.call(&notes, "files", "put", body).await.unwrap();
        assert_eq!(mine["folder"], folder);
        assert_eq!(read(&one, &notes, &mine).await.unwrap(), b"mine");
        assert_eq!(names(&one, json!({"folder": folder})).await, ["mine"]);
        let top = one.call(&notes, "files", "get", json!({})).await.unwrap();
        assert_eq!((&top["item"], top.get("folder")), (&folder, None));
        let code = |caller: Caller, method: &'static str, body: Value| {
            let one = &one;
            async move { one.call(&caller, "files", method, body).await.unwrap_err().code }
        };
        let hidden = json!({"item": secret["item"]});
        assert_eq!(code(notes.clone(), "get", hidden.clone()).await, "not_found");
        assert_eq!(code(notes.clone(), "versions", hidden).await, "not_found");
        assert_eq!(read(&one, &notes, &secret).await.err().unwrap().code, "not_found");
        assert_eq!(read(&one, &other, &mine).await.err().unwrap().code, "not_found");
        for list in [json!({}), json!({"trash": true})] {
            assert_eq!(code(other.clone(), "list", list).await, "not_found");
        }
        let root = "0".repeat(32);
        for folder in [&secret["item"], &json!(root)] {
            let out = json!({"id": id(), "item": mine["item"], "folder": folder});
            assert_eq!(code(notes.clone(), "move", out).await, "not_found");
        }
        let top = json!({"id": id(), "item": folder});
        assert_eq!(code(notes.clone(), "trash", top).await, "not_granted");
        // It hears of its folder only.
        let mut heard_by_notes = one.follow(&notes, "files", json!({}));
        put(&one, "another secret", b"x", None).await;
        let renamed = json!({"id": id(), "item": mine["item"], "name": "ours"});
        one.ask("files", "move", renamed).await;
        let event = heard(&mut heard_by_notes).await;
        assert_eq!(event["item"]["name"], "ours");
        let out = json!({"id": id(), "item": mine["item"], "folder": root});
        one.ask("files", "move", out).await;
        assert_eq!(
            heard(&mut heard_by_notes).await,
            json!({"type": "removed", "item": mine["item"]})
        );
        let revoke = json!({"id": id(), "grant": grant["grant"]});
        one.ask("experiences", "revoke", revoke).await;
        assert_eq!(code(notes.clone(), "list", json!({})).await, "not_found");
        assert_eq!(one.life.begin_upload(&notes, 1).await.err().unwrap().code, "not_found");
    });
}

#[derive(Clone, Debug)]
enum Step {
    Folder { into: usize, name: u8 },
    Put { into: usize, name: u8, large: bool },
    Move { which: usize, into: usize, name: Option<u8> },
    Replace { which: usize, large: bool },
    Again { which: usize },
    Choose { which: usize, method: &'static str },
    Undo { which: usize },
    Erase { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let (which, into, name, large) = (0..9_usize, 0..4_usize, 0..4_u8, prop::bool::weighted(0.2));
    prop_oneof![
        2 => (into.clone(), name.clone()).prop_map(|(into, name)| Step::Folder { into, name }),
        4 => (into.clone(), name.clone(), large)
            .prop_map(|(into, name, large)| Step::Put { into, name, large }),
        3 => (which.clone(), into, prop::option::of(name))
            .prop_map(|(which, into, name)| Step::Move { which, into, name }),
        2 => (which.clone(), large).prop_map(|(which, large)| Step::Replace { which, large }),
        1 => which.clone().prop_map(|which| Step::Again { which }),
        5 => (which.clone(), prop::sample::select(vec!["trash", "restore", "delete"]))
            .prop_map(|(which, method)| Step::Choose { which, method }),
        3 => (0..30_usize).prop_map(|which| Step::Undo { which }),
        2 => (0..30_usize).prop_map(|which| Step::Erase { which }),
    ]
}

/// Everything that is there, folders first in each place.
async fn everything(one: &One) -> Vec<Value> {
    let mut all = Vec::new();
    let mut places = vec![json!({"limit": 200}), json!({"limit": 200, "trash": true})];
    while let Some(place) = places.pop() {
        for item in one.ask("files", "list", place).await["items"].as_array().unwrap() {
            if item["kind"] == "folder" {
                places.push(json!({"limit": 200, "folder": item["item"]}));
            }
            all.push(item.clone());
        }
    }
    all
}

/// Does it if it can be done: who does anything meets refusals.
async fn act(one: &One, step: &Step) {
    let all = everything(one).await;
    let item = |which: usize| {
        let at = which.checked_rem(all.len()).unwrap_or_default();
        all.get(at).map_or_else(|| json!("0".repeat(32)), |item| item["item"].clone())
    };
    let folder = |into: usize| {
        let folders: Vec<_> = all.iter().filter(|item| item["kind"] == "folder").collect();
        let root = json!("0".repeat(32));
        into.checked_sub(1).and_then(|at| folders.get(at)).map_or(root, |item| item["item"].clone())
    };
    let bytes = |large: bool| noise(if large { CHUNK + 9 } else { 9 }, 0);
    let upload = |large: bool| async move { send(&one.life, &shell(), &bytes(large), CHUNK).await };
    let back = |which: usize| one.life.0.store.head().seq.saturating_sub(which as u64).max(1);
    let (capability, method, mut body) = match step {
        Step::Folder { into, name } => {
            ("files", "make_folder", json!({"folder": folder(*into), "name": name.to_string()}))
        }
        Step::Put { into, name, large } => {
            let body = json!({"folder": folder(*into), "name": name.to_string(),
                "upload": upload(*large).await});
            ("files", "put", body)
        }
        Step::Move { which, into, name } => {
            let mut body = json!({"item": item(*which), "folder": folder(*into)});
            if let Some(name) = name {
                body["name"] = json!(name.to_string());
            }
            ("files", "move", body)
        }
        Step::Replace { which, large } => {
            let body = json!({"item": item(*which), "upload": upload(*large).await});
            ("files", "replace", body)
        }
        Step::Again { which } => {
            let page = json!({"item": item(*which)});
            let page = one.call(&shell(), "files", "versions", page).await.unwrap_or_default();
            let version = page["items"].as_array().and_then(|all| all.last()?["version"].as_u64());
            let version = version.unwrap_or_default();
            ("files", "restore_version", json!({"item": item(*which), "version": version}))
        }
        Step::Choose { which, method } => ("files", *method, json!({"item": item(*which)})),
        Step::Undo { which } => ("history", "undo", json!({"seq": back(*which)})),
        Step::Erase { which } => ("history", "erase", json!({"seqs": [back(*which)]})),
    };
    body["id"] = json!(id());
    if let Err(fault) = one.call(&shell(), capability, method, body).await {
        assert_ne!(fault.code, "failed", "{step:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    /// Whatever is done in any order: tables are what the journal says, no two things in a folder
    /// have one name, everything that is shown can be read, and nothing is kept that nobody needs.
    #[test]
    fn folders_stay_in_order(steps in prop::collection::vec(step(), 1..40)) {
        check_one(|one| async move {
            for step in &steps {
                act(&one, step).await;
            }
            let all = everything(&one).await;
            let mut names: Vec<_> = all
                .iter()
                .filter(|item| item.get("trashed_ms").is_none() && item.get("name").is_some())
                .map(|item| (item["folder"].to_string(), item["name"].to_string()))
                .collect();
            names.sort();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "two things have one name");
            for item in all.iter().filter(|item| item.get("link").is_some()) {
                let bytes = read(&one, &shell(), item).await.unwrap();
                assert_eq!(json!(bytes.len()), item["size"]);
            }
            one.verify().await;
            // Uploads that were refused a place are given up, and then only what is named is left.
            for item in &all {
                one.ask("files", "trash", json!({"id": id(), "item": item["item"]})).await;
            }
            let trash = one.ask("files", "list", json!({"limit": 200, "trash": true})).await;
            for item in trash["items"].as_array().unwrap() {
                let delete = json!({"id": id(), "item": item["item"]});
                // With a folder goes what is in it.
                let _ = one.call(&shell(), "files", "delete", delete).await;
            }
            assert!(everything(&one).await.is_empty());
            let store = one.life.0.store.clone();
            let later = crate::clock_ms() + store::UPLOAD_KEPT_MS;
            let left = move || loop {
                if let Some(swept) = store.sweep(later).unwrap() {
                    return swept.kept;
                }
                std::thread::yield_now();
            };
            assert_eq!(tokio::task::spawn_blocking(left).await.unwrap(), 0, "something leaks");
        });
    }
}
