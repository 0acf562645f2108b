//! Promise: a process that somebody has taken over reaches nothing but its own, and hurts nobody else.
//!
//! The red team tries from behind the very wall that the product builds. Every attempt is made again
//! without the wall, as a control: one that fails there too proves nothing and is not counted.

#[path = "walls_hold/taken.rs"]
mod taken;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hw_tests::{Node, Options, Person, Result, reachable, red_team, skip, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use taken::{Taken, knows, write};

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Every attempt behind the wall fails, and most of them because of the wall.
fn red_team_as(who: &str) -> Result<()> {
    for program in ["twin", "gateway", "worker"] {
        let said = Command::new(red_team()?).args(["ground", program, who]).output()?;
        let found: Value = serde_json::from_slice(&said.stdout).map_err(|_| format!("{said:?}"))?;
        assert_eq!(found["through"], json!([]), "{who} {program}: no wall stops these");
        assert_eq!(found["missing"], json!([]), "{who} {program}: these fail without the wall too");
        assert!(found["stopped"].as_u64() > Some(40), "{who} {program}: {found}");
    }
    Ok(())
}

#[test]
fn the_red_team_gets_nowhere_with_a_uid_of_its_own() {
    if !is_root() {
        return skip("red team with own uids", "only root can give them");
    }
    red_team_as("own-uid").unwrap();
}

#[test]
fn the_red_team_gets_nowhere_as_an_ordinary_user() {
    if !is_root() {
        return red_team_as("same").unwrap();
    }
    if !reachable(&red_team().unwrap()) {
        return skip("red team as an ordinary user", "that user can't reach the built program");
    }
    red_team_as("ordinary").unwrap();
}

#[test]
fn the_running_processes_are_shut_in() {
    // Started by something that left a file open, which is no child's business.
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("hometwin");
    let program = hw_tests::program().unwrap();
    let text = format!("#!/bin/sh\nexec 9</etc/passwd\nexec {} \"$@\"\n", program.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let options = Options { program: Some(script), ..Options::people(&["ann", "bob"]) };
    let node = Node::start(&options).unwrap();
    let inherited = node.executor().open_files().unwrap();
    assert!(inherited.iter().any(|file| file == "/etc/passwd"), "{inherited:?}");
    let (ann, bob) = (node.pair("ann").unwrap(), node.pair("bob").unwrap());
    for person in [&ann, &bob] {
        person.call("identity", "me", json!({})).unwrap();
    }
    let twins = ["ann", "bob"].map(|name| node.awake(name).unwrap().expect("it was just used"));
    let gateway = node.gateway().unwrap();
    for process in [twins[0], twins[1], gateway] {
        assert_eq!(process.status("Seccomp"), "2");
        assert_eq!(process.status("NoNewPrivs"), "1");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(process.status(set), "0000000000000000", "{set}");
        }
        if !is_root() {
            // Not even whose process it is may look into it.
            assert!(process.open_files().is_err(), "its descriptors are shown to its user");
            skip("descriptors of running processes", "only root may look at them");
            continue;
        }
        let open = process.open_files().unwrap();
        let data = node.data().canonicalize().unwrap();
        let lock = data.join("lock");
        let own = |file: &&String| {
            let path = Path::new(file.as_str());
            !path.is_absolute()
                || path == lock
                || path == Path::new("/dev/null")
                || (process != gateway && path.starts_with(data.join("twins")))
        };
        let foreign: Vec<_> = open.iter().filter(|file| !own(file)).collect();
        assert!(foreign.is_empty(), "{foreign:?}");
    }
    assert_eq!(node.executor().status("Seccomp"), "2");
    assert_eq!(node.executor().status("NoNewPrivs"), "1");
    let uids: Vec<String> = [twins[0], twins[1], gateway].map(|p| p.status("Uid")).to_vec();
    if is_root() {
        assert_eq!(uids[0].split_whitespace().collect::<Vec<_>>(), ["3000001"; 4]);
        assert_eq!(uids[1].split_whitespace().collect::<Vec<_>>(), ["3000002"; 4]);
        assert_eq!(uids[2].split_whitespace().collect::<Vec<_>>(), ["3065535"; 4]);
        assert_eq!(twins[0].status("Groups"), "");
    } else {
        skip("own uids of running processes", "only root can give them");
    }
}

/// Whether a folder is on an encrypted disk, as `lsblk` knows it.
fn encrypted(folder: &Path) -> Result<bool> {
    let run = |program: &str, words: &[&str]| -> Result<String> {
        let said = Command::new(program).args(words).arg(folder).output()?;
        Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    let source = run("findmnt", &["--noheadings", "--output", "SOURCE", "--target"])?;
    let words = ["--noheadings", "--inverse", "--output", "TYPE", &source];
    let said = Command::new("lsblk").args(words).output()?;
    Ok(String::from_utf8_lossy(&said.stdout).contains("crypt"))
}

#[test]
fn the_doctor_says_what_holds_and_what_does_not() {
    let mut node = Node::start(&Options::people(&["ann"])).unwrap();
    node.pair("ann").unwrap().call("identity", "me", json!({})).unwrap();
    let said = node.verb(&["node", "doctor"]).unwrap();
    let found: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |part: &str| found.iter().filter(|f| f["part"] == part).cloned().collect::<Vec<_>>();
    assert_eq!(of("calls")[0]["holds"], true, "{said:?}");
    assert_eq!(of("users")[0]["holds"], is_root(), "{said:?}");
    // 7: something doesn't hold. These data are in a folder of the machine that tests, on whose disk
    // the doctor agrees with util-linux.
    let encrypted = encrypted(node.data()).unwrap();
    assert_eq!(of("rest")[0]["holds"], encrypted, "{said:?}");
    let all_hold = found.iter().all(|finding| finding["holds"] == true);
    assert_eq!(said.code, if all_hold { 0 } else { 7 });
    let processes = of("process");
    assert!(processes.len() >= 3, "{processes:?}");
    assert!(processes.iter().all(|process| process["holds"] == true), "{processes:?}");
    if of("groups")[0]["holds"] == false {
        skip("control groups of twins", &format!("doctor: {}", of("groups")[0]["how"]));
    }
    node.stop().unwrap();
    let said = node.verb(&["node", "doctor"]).unwrap();
    assert_eq!(said.code, 7);
    assert!(said.out.contains("\"part\":\"processes\""), "{said:?}");
}

#[test]
fn a_taken_twin_that_talks_nonsense_hurts_nobody() {
    let taken = Taken::start().unwrap();
    let ann_id = taken.node.twin("ann").unwrap()["id"].as_str().unwrap().to_owned();
    for order in [
        "garbage".to_owned(),
        "takes".to_owned(),
        "takes-all".to_owned(),
        "smuggles".to_owned(),
        format!("opens {ann_id}"),
        "floods".to_owned(),
    ] {
        taken.take(&order).unwrap();
        taken.ann_is_well(Duration::from_secs(2)).unwrap();
        taken.bob_is_back().unwrap();
    }
}

#[test]
fn a_taken_twin_can_not_speak_for_another() {
    let taken = Taken::start().unwrap();
    let ann_id = taken.node.twin("ann").unwrap()["id"].as_str().unwrap().to_owned();
    taken.take(&format!("claims {ann_id}")).unwrap();
    taken.ann_is_well(Duration::from_secs(2)).unwrap();
    assert_eq!(taken.node.twin("ann").unwrap()["id"], ann_id.as_str());
    assert_ne!(taken.node.twin("bob").unwrap()["id"], ann_id.as_str());
    taken.bob_is_back().unwrap();
    taken.take("answers").unwrap();
    taken.ann_is_well(Duration::from_secs(1)).unwrap();
    // Ann's own twin answers, and not the one that shouts loudest.
    let verified = taken.node.verb(&["twin", "verify", "ann"]).unwrap();
    assert!(verified.json()["entries"].as_u64().unwrap_or(0) > 2, "{verified:?}");
    let people = taken.node.verb(&["twin", "list"]).unwrap();
    assert!(!people.out.contains("mallory"), "{people:?}");
    taken.bob_is_back().unwrap();
}

#[test]
fn a_taken_twin_that_eats_everything_hurts_nobody() {
    let taken = Taken::start().unwrap();
    for order in ["memory", "threads", "disk", "unlocks"] {
        taken.take(order).unwrap();
        taken.ann_is_well(Duration::from_secs(3)).unwrap();
        // It's remembered for an hour, so for the others it would say nothing.
        if order == "memory" {
            assert!(taken.owner_knows("twin_memory_short").unwrap());
        }
        if order == "unlocks" {
            // It let go of the lock and tried to fill it: still nobody else gets the folder.
            let second = Options::default().data(taken.node.data());
            assert!(Node::start(&second).is_err(), "a second node on the same data");
            let lock = fs::metadata(taken.node.data().join("lock")).unwrap();
            assert_eq!(lock.len(), 0);
        }
        taken.bob_is_back().unwrap();
        // Who used up the memory, and nobody else, reads of it in the own twin.
        assert!(taken.bob_knows("memory_short").unwrap(), "{order}");
        assert!(!knows(&taken.ann, "memory_short").unwrap(), "{order}");
    }
}

#[test]
fn a_taken_twin_can_not_flood_the_log() {
    let taken = Taken::start().unwrap();
    taken.take("logs").unwrap();
    let before = taken.node.log().len();
    taken.ann_is_well(Duration::from_secs(5)).unwrap();
    let log = taken.node.log();
    let grown = log.len() - before;
    assert!(grown < 1 << 20, "{grown} bytes of log in five seconds");
    assert!(log.contains("it logs too much"), "nobody was told that lines are missing");
    assert!(!log.contains('\u{1b}') && !log.contains("\\u001b"), "an escape sequence got through");
    taken.bob_is_back().unwrap();
}

#[test]
fn what_a_wall_ends_is_counted_and_told() {
    let mut taken = Taken::start().unwrap();
    taken.take("mounts").unwrap();
    let told = taken.node.event("walled").unwrap();
    assert_eq!(told["name"], "bob");
    assert!(taken.node.twin("bob").unwrap()["walled"].as_u64().unwrap() >= 1);
    assert_eq!(taken.node.twin("ann").unwrap()["walled"], 0);
    taken.ann_is_well(Duration::from_secs(1)).unwrap();
    taken.bob_is_back().unwrap();
}

#[test]
fn a_taken_gateway_is_replaced() {
    let taken = Taken::start().unwrap();
    for order in ["garbage", "wakes", "names", "mounts", "silent"] {
        taken.take_gateway(order).unwrap();
        fs::remove_file(taken.orders()).unwrap();
        // Whoever connects now reaches the next gateway: this one is noticed and ended.
        if order == "wakes" || order == "names" {
            taken.node.gateway().unwrap().kill().unwrap();
        }
        until("an answer", Duration::from_secs(90), || Ok(write(&taken.ann, "through").ok()))
            .unwrap();
    }
    taken.ann_is_well(Duration::from_secs(1)).unwrap();
}

#[test]
fn a_question_that_crosses_a_start_ends_nobody() {
    let taken = Taken::start().unwrap();
    let [ann, bob] = ["ann", "bob"].map(|name| taken.node.awake(name).unwrap().unwrap());
    taken.take_gateway("crosses").unwrap();
    // Whoever is asked for while it ends is waited for, and ended when it does not. Ann's twin was
    // asked for first, by somebody who did not know of this process: it has to be left alone.
    until("the end of Bob's twin", Duration::from_secs(60), || Ok((!bob.alive()).then_some(())))
        .unwrap();
    assert!(ann.alive(), "the question was taken for one about the new process");
    assert_eq!(taken.node.awake("ann").unwrap(), Some(ann));
    fs::remove_file(taken.orders()).unwrap();
    taken.node.gateway().unwrap().kill().unwrap();
    taken.ann_is_well(Duration::ZERO).unwrap();
}

#[test]
fn a_taken_worker_hurts_nobody_and_is_never_waited_for() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("node.toml"), "[worker]\nmemory_mib = 64\ncpu_s = 1\n").unwrap();
    let taken = Taken::start_on(Options::people(&["ann", "bob"]).data(data.path())).unwrap();
    let file = data.path().join("foreign.txt");
    fs::write(&file, "some words").unwrap();
    let file = file.to_str().unwrap();
    let text = || taken.node.verb(&["text", file]).unwrap();
    assert_eq!(text().json()["text"], "some words\n");
    for (order, code, why) in [
        ("garbage", 9, "stopped"),
        ("memory", 9, "stopped"),
        ("mounts", 9, "stopped"),
        ("writes", 9, "stopped"),
        ("spins", 9, "too_slow"),
        ("silent", 9, "too_slow"),
        // What it says is taken for what it is: its own word for its own job, once.
        ("smuggles", 0, ""),
        ("answers", 0, ""),
    ] {
        fs::write(taken.orders(), format!("worker: {order}\n")).unwrap();
        let said = text();
        assert_eq!(
            (said.code, said.json()["why"].as_str()),
            (code, Some(why).filter(|w| !w.is_empty())),
            "{order}: {said:?}"
        );
        taken.ann_is_well(Duration::ZERO).unwrap();
    }
    fs::remove_file(taken.orders()).unwrap();
    assert_eq!(text().json()["text"], "some words\n");
    // None of them is left.
    until("the end of all workers", Duration::from_secs(20), || {
        let status = taken.node.verb(&["status"])?.json();
        Ok((status["workers"] == json!([])).then_some(()))
    })
    .unwrap();
}

#[test]
fn stopped_processes_are_noticed_and_replaced() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    write(&ann, "before").unwrap();
    // Several deaths right after the start are a crash loop, which is answered otherwise.
    std::thread::sleep(Duration::from_millis(2_200));
    node.awake("ann").unwrap().expect("it was just used").signal(Signal::STOP);
    let fresh = Person::clone(&ann);
    until("an answer past a stopped twin", Duration::from_secs(40), || {
        Ok(write(&fresh, "after").ok())
    })
    .unwrap();
    let gateway = node.gateway().unwrap();
    gateway.signal(Signal::STOP);
    until("an answer past a stopped gateway", Duration::from_secs(60), || {
        Ok(write(&fresh, "and again").ok())
    })
    .unwrap();
    assert!(!gateway.alive());
    let page = ann.call("chat", "messages", json!({ "conversation": "self" })).unwrap();
    let texts: Vec<_> = page["items"].as_array().unwrap().iter().map(|m| &m["text"]).collect();
    assert!(texts.contains(&&json!("before")) && texts.contains(&&json!("after")), "{texts:?}");
}

#[test]
fn root_does_not_touch_another_users_folder() {
    if !is_root() {
        return skip("another user's data folder", "only root could touch it");
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(ORDINARY), Some(ORDINARY)).unwrap();
    let refused = Node::start(&Options::default().data(folder.path()));
    assert!(refused.is_err(), "root made a node on another user's folder");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_ordinary_user_runs_a_node_with_the_same_walls_but_uids() {
    if !is_root() {
        return skip("a node of another user", "this test is one already");
    }
    let program = hw_tests::program().unwrap();
    if !reachable(&program) {
        return skip("a node of an ordinary user", "that user can't reach the built program");
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(ORDINARY), Some(ORDINARY)).unwrap();
    let options = Options {
        user: Some(ORDINARY),
        ..Options::people(&["ann"]).data(&folder.path().join("data"))
    };
    let node = Node::start(&options).unwrap();
    let ann = node.pair("ann").unwrap();
    write(&ann, "as nobody").unwrap();
    let twin = node.awake("ann").unwrap().expect("it was just used");
    assert_eq!(twin.status("Seccomp"), "2");
    assert_eq!(twin.status("CapEff"), "0000000000000000");
    assert_eq!(twin.status("Uid").split_whitespace().next(), Some("65534"));
}

/// `nobody`: a user with no rights at all.
const ORDINARY: u32 = 65_534;
