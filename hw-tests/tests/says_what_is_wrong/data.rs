//! A twin's data that contradict themselves, are damaged, or can't be opened at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hw_tests::{Node, Options, Pair, fresh_id, until};
use serde_json::json;

use super::{item, items, note, of_node, offers, own, repair};

/// A node with two people who talk, stopped; and Ann's data file.
fn talked(options: &Options) -> (Pair, PathBuf, String) {
    let people = vec!["ann".to_owned(), "bob".to_owned()];
    let mut node = Node::start(&Options { people, ..options.clone() }).unwrap();
    let pair = Pair::introduce(&node).unwrap();
    let mut last = String::new();
    for number in 0..20 {
        let id = pair.send(&pair.ann, &format!("a word that was said: number {number}")).unwrap();
        pair.wait(&pair.ann, "a delivery", |m| m["message"] == id.as_str()).unwrap();
        last = id;
    }
    let folder = node.twin("ann").unwrap()["folder"].as_str().unwrap().to_owned();
    node.stop().unwrap();
    (pair, Path::new(&folder).join("life/store.mdb"), last)
}

/// Changes single bytes of a stopped twin's file until a check finds the kind of difference that is
/// wanted. A file has old pages too, where a change means nothing.
fn plant(node_data: &Path, file: &Path, near: &[u8], wanted: &str) {
    let whole = fs::read(file).unwrap();
    let program = hw_tests::program().unwrap();
    let places = whole.windows(near.len()).enumerate().filter(|(_, bytes)| *bytes == near);
    let mut told = Vec::new();
    for (place, _) in places.take(200) {
        let mut bytes = whole.clone();
        bytes[place + near.len() - 1] ^= 1;
        fs::write(file, &bytes).unwrap();
        let said = Command::new(&program)
            .args(["twin", "verify", "ann", "--json", "--data"])
            .arg(node_data)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        // Whether it is told here or found again by the node is what the test is about.
        let _ = fs::remove_file(file.with_extension("stopped"));
        if said.status.code() == Some(6) && text.contains(wanted) {
            return;
        }
        told.push(format!("{place}: {text}"));
    }
    fs::write(file, &whole).unwrap();
    panic!("no byte was found whose change makes {wanted:?}: {told:#?}");
}

#[test]
fn data_that_differ_are_not_written_until_they_are_repaired() {
    let data = tempfile::tempdir().unwrap();
    let options = Options::default().data(data.path()).port(hw_tests::free_port().unwrap());
    let (pair, file, last) = talked(&options);
    plant(data.path(), &file, &hex(&last), "row");

    let mut node = Node::start(&options).unwrap();
    note(&pair.ann, "nobody has looked yet").unwrap();
    assert_eq!(node.verb(&["twin", "verify", "ann"]).unwrap().code, 6);
    let refused = note(&pair.ann, "too late").unwrap_err();
    assert_eq!(refused.code(), "stopped", "{refused}");
    pair.ann.call("history", "list", json!({})).expect("reading goes on");

    // The owner hears of it, but not what it is about.
    let told = node.event("trouble").unwrap();
    assert_eq!((&told["problem"], &told["about"]), (&json!("twin_verify_failed"), &json!("ann")));
    let (said, list) = of_node(&node);
    assert_eq!(said.code, 7);
    assert!(items(&list).contains(&("twin_verify_failed".to_owned(), "ann".to_owned())));
    assert!(!said.out.contains("row") && !said.out.contains("a word that was said"), "{said:?}");

    // What comes meanwhile is not lost, and not taken: it waits with its sender.
    let waiting = pair.send(&pair.bob, "wait for me").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let page = json!({ "conversation": pair.conversation });
    let page = pair.bob.call("chat", "messages", page).unwrap();
    assert_eq!(page["items"][0]["state"], "queued");

    // It holds over a restart, without anybody checking again.
    node.stop().unwrap();
    drop(node);
    let before = fs::read(&file).unwrap();
    let node = Node::start(&options).unwrap();
    assert_eq!(note(&pair.ann, "still too late").unwrap_err().code(), "stopped");
    let failed = own(&pair.ann, "verify_failed").unwrap();
    assert_eq!(offers(&failed), ["rebuild", "check_again"]);
    assert_eq!(repair(&pair.ann, "verify_failed", "check_again")["settled"], false);

    let repaired = repair(&pair.ann, "verify_failed", "rebuild");
    assert_eq!(repaired["settled"], true, "{repaired}");
    note(&pair.ann, "saved again").unwrap();
    // Ann's word reaches Bob's twin, which was asleep since the restart and tries again at once.
    pair.send(&pair.ann, "I am back").unwrap();
    pair.wait(&pair.ann, "what had waited", |m| m["message"] == waiting.as_str()).unwrap();
    assert_eq!(own(&pair.ann, "verify_failed"), None);
    assert_eq!(node.verb(&["twin", "verify", "ann"]).unwrap().code, 0);
    assert!(item(&of_node(&node).1, "twin_verify_failed").is_none());

    // What was there is kept, until its person does not want it any more.
    let kept = kept_copies(&file);
    assert!(kept.len() == 1 && fs::read(&kept[0]).unwrap() == before, "{kept:?}");
    assert_eq!(offers(&own(&pair.ann, "kept_copy").unwrap()), ["forget_copy"]);
    repair(&pair.ann, "kept_copy", "forget_copy");
    assert_eq!(kept_copies(&file), Vec::<PathBuf>::new());
    let again = json!({ "id": fresh_id(), "problem": "kept_copy", "repair": "forget_copy" });
    assert_eq!(pair.ann.call("health", "repair", again).unwrap_err().code(), "not_found");
}

fn kept_copies(file: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(file.parent().unwrap()).unwrap().map(|found| found.unwrap().path());
    all.filter(|path| path.to_string_lossy().contains(".kept-")).collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

#[test]
fn a_damaged_journal_is_kept_as_it_is_and_a_good_copy_helps() {
    let data = tempfile::tempdir().unwrap();
    let options = Options::default().data(data.path()).port(hw_tests::free_port().unwrap());
    let (pair, file, _) = talked(&options);
    let whole = fs::read(&file).unwrap();
    plant(data.path(), &file, b"a word that was said: number 7", "content");

    let mut node = Node::start(&options).unwrap();
    assert_eq!(node.verb(&["twin", "verify", "ann"]).unwrap().code, 6);
    let failed = own(&pair.ann, "verify_failed").unwrap();
    assert_eq!(offers(&failed), ["check_again"], "nothing is rebuilt from a damaged journal");
    assert_eq!(repair(&pair.ann, "verify_failed", "check_again")["settled"], false);
    let before = fs::read(&file).unwrap();
    assert_eq!(note(&pair.ann, "no").unwrap_err().code(), "stopped");
    assert!(fs::read(&file).unwrap() == before, "damaged data were written to");
    node.stop().unwrap();
    drop(node);

    fs::write(&file, whole).unwrap();
    let node = Node::start(&options).unwrap();
    assert_eq!(note(&pair.ann, "not yet").unwrap_err().code(), "stopped");
    assert_eq!(repair(&pair.ann, "verify_failed", "check_again")["settled"], true);
    note(&pair.ann, "yes").unwrap();
    drop(node);
}

#[test]
fn data_that_can_not_be_opened_are_listed_and_tried_again_when_asked() {
    let data = tempfile::tempdir().unwrap();
    let options = Options::default().data(data.path()).port(hw_tests::free_port().unwrap());
    let (pair, file, _) = talked(&options);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let node = Node::start(&options).unwrap();
    assert_eq!(note(&pair.ann, "x").unwrap_err().code(), "broken");
    // Of Ann's node, Ann is the owner: the console still tells.
    let (said, list) = of_node(&node);
    let broken = item(&list, "data_broken").expect("Ann's data can't be opened");
    assert_eq!((said.code, &broken["about"]), (7, &json!("ann")));
    let says = |part: &str, text: &str| broken[part].as_str().unwrap_or_default().contains(text);
    assert!(says("detail", "is cut short") && says("what_to_do", "twins/1 "), "{broken}");
    fs::write(&file, &whole).unwrap();
    let tried = node.verb(&["node", "repair", "data_broken", "ann", "try_again"]).unwrap();
    assert_eq!(tried.code, 0, "{tried:?}");
    until("Ann's twin to be back", Duration::from_secs(20), || {
        note(&pair.ann, "back")?;
        Ok(Some(()))
    })
    .unwrap();
    assert_eq!(item(&of_node(&node).1, "data_broken"), None);
}

#[test]
fn an_owner_has_anothers_twin_tried_again_from_their_own_shell() {
    let data = tempfile::tempdir().unwrap();
    let options = Options::default().data(data.path()).port(hw_tests::free_port().unwrap());
    let people = vec!["ann".to_owned(), "bob".to_owned()];
    let mut node = Node::start(&Options { people, ..options.clone() }).unwrap();
    let (ann, bob) = (node.pair("ann").unwrap(), node.pair("bob").unwrap());
    let folder = node.twin("bob").unwrap()["folder"].as_str().unwrap().to_owned();
    node.stop().unwrap();
    let file = Path::new(&folder).join("life/store.mdb");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let _node = Node::start(&options).unwrap();
    assert_eq!(note(&bob, "x").unwrap_err().code(), "broken");
    let list = ann.call("node", "health", json!({})).unwrap();
    let broken = item(&list, "data_broken").expect("Bob's data can't be opened");
    assert_eq!((&broken["about"], offers(&broken)), (&json!("bob"), vec!["try_again"]));
    let body = json!({
        "id": fresh_id(), "problem": "data_broken", "about": "bob", "repair": "try_again"
    });
    // Nothing is any better by trying, as long as the data are as they are.
    assert_eq!(ann.call("node", "repair", body.clone()).unwrap()["settled"], true);
    until("Bob's twin to be given up again", Duration::from_secs(20), || {
        let list = ann.call("node", "health", json!({}))?;
        Ok(item(&list, "data_broken"))
    })
    .unwrap();
    fs::write(&file, &whole).unwrap();
    ann.call("node", "repair", body).unwrap();
    until("Bob's twin to be back", Duration::from_secs(20), || {
        note(&bob, "back")?;
        Ok(Some(()))
    })
    .unwrap();
    assert_eq!(item(&ann.call("node", "health", json!({})).unwrap(), "data_broken"), None);
}
