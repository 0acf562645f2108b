//! Promise: what is wrong is said in words, to whom it concerns and to nobody else, with a repair that
//! works; data that contradict themselves are kept and not written any more.
//!
//! Every problem is made for real: bytes changed on the disk, a disk that is full, a clock that was
//! ahead, processes that are killed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hw_tests::{Answer, Node, Options, Pair, Person, Result, Spoken, fresh_id, skip, until};
use serde_json::{Value, json};

fn note(person: &Person, text: &str) -> std::result::Result<Value, hw_tests::Fault> {
    let id = fresh_id();
    person.call("chat", "send", json!({ "id": id, "conversation": "self", "text": text }))
}

/// The items of a list of problems, by name and what they are about.
fn items(list: &Value) -> Vec<(String, String)> {
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let all = list["items"].as_array().into_iter().flatten();
    all.map(|item| (text(item, "problem"), text(item, "about"))).collect()
}

fn item(list: &Value, problem: &str) -> Option<Value> {
    let all = list["items"].as_array().into_iter().flatten();
    all.into_iter().find(|item| item["problem"] == problem).cloned()
}

fn own(person: &Person, problem: &str) -> Option<Value> {
    item(&person.call("health", "list", json!({})).unwrap(), problem)
}

fn offers(item: &Value) -> Vec<&str> {
    let all = item["repairs"].as_array().into_iter().flatten();
    all.filter_map(|offer| offer["repair"].as_str()).collect()
}

fn repair(person: &Person, problem: &str, repair: &str) -> Value {
    let body = json!({ "id": fresh_id(), "problem": problem, "repair": repair });
    person.call("health", "repair", body).unwrap()
}

fn of_node(node: &Node) -> (Spoken, Value) {
    let said = node.verb(&["node", "health"]).unwrap();
    let list = said.json();
    assert!(list["items"].is_array(), "{said:?}");
    (said, list)
}

fn asleep(node: &Node, name: &str) {
    until("a twin's sleep", Duration::from_secs(30), || {
        Ok(node.awake(name)?.is_none().then_some(()))
    })
    .unwrap();
}

#[test]
fn each_sees_what_is_theirs_and_may_put_it_off() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let (ann, bob) = (node.pair("ann").unwrap(), node.pair("bob").unwrap());
    let (said, list) = of_node(&node);
    assert_eq!(said.code, 0, "something is wrong with a fresh node: {list}");

    // The first twin's person owns the node; the other is told nothing of it.
    ann.call("node", "health", json!({})).unwrap();
    for method in ["health", "repair"] {
        let body = match method {
            "repair" => json!({ "id": fresh_id(), "problem": "disk_short", "repair": "try_again" }),
            _ => json!({}),
        };
        assert_eq!(bob.call("node", method, body).unwrap_err().code(), "not_owner");
    }

    let one = own(&bob, "one_copy_only").expect("it is true of every twin");
    assert_eq!((&one["weight"], &one["can_wait"]), (&json!("note"), &json!(true)));
    let put_off = json!({ "id": fresh_id(), "problem": "one_copy_only" });
    bob.call("health", "put_off", put_off).unwrap();
    node.awake("bob").unwrap().unwrap().kill().unwrap();
    let one = own(&bob, "one_copy_only").unwrap();
    assert!(one["put_off_until_ms"].as_i64().is_some(), "forgotten after a restart: {one}");
    let never = json!({ "id": fresh_id(), "problem": "verify_failed" });
    assert_eq!(bob.call("health", "put_off", never).unwrap_err().code(), "not_found");
    let german = bob.call_as("health", "list", &[("accept-language", "de")], &json!({})).unwrap();
    assert_ne!(item(&german, "one_copy_only").unwrap()["title"], one["title"]);
    // No experience and nobody without a session gets any of it.
    let stranger = Person::stranger(&ann.origin()).unwrap();
    assert_eq!(stranger.call("health", "list", json!({})).unwrap_err().code(), "signed_out");
}

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
fn a_tidy_up_can_be_had_at_once() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    // Long texts, erased: most of the file is free then.
    let mut seqs = Vec::new();
    for _ in 0..30 {
        for _ in 0..20 {
            note(&ann, &"x".repeat(4000)).unwrap();
        }
        let page = ann.call("history", "list", json!({ "limit": 20 })).unwrap();
        let all = page["items"].as_array().unwrap();
        seqs.extend(all.iter().filter_map(|item| item["seq"].as_u64()));
    }
    for some in seqs.chunks(100) {
        let body = json!({ "id": fresh_id(), "seqs": some });
        ann.call("history", "erase", body).unwrap();
    }
    let due = own(&ann, "compaction_due").expect("much of the file is free");
    assert_eq!(offers(&due), ["compact"]);
    let folder = node.twin("ann").unwrap()["folder"].as_str().unwrap().to_owned();
    let length = || fs::metadata(format!("{folder}/life/store.mdb")).unwrap().len();
    let (before, starts) = (length(), node.twin("ann").unwrap()["starts"].as_u64());
    assert_eq!(repair(&ann, "compaction_due", "compact")["settled"], true);
    asleep(&node, "ann");
    assert_eq!(own(&ann, "compaction_due"), None);
    assert!(length() < before / 2, "{} of {before} bytes are left", length());
    assert_ne!(node.twin("ann").unwrap()["starts"].as_u64(), starts);
    note(&ann, "all is well").unwrap();
}

#[test]
fn a_clock_that_went_back_is_said_until_it_is_believed() {
    let data = tempfile::tempdir().unwrap();
    let options = Options::default().data(data.path());
    let mut node = Node::start(&options).unwrap();
    node.stop().unwrap();
    drop(node);
    let file = data.path().join("node/health.json");
    let mut known: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let seen = known["seen_ms"].as_i64().expect("the time is noted");
    known["seen_ms"] = json!(seen + 24 * 60 * 60 * 1000);
    fs::write(&file, known.to_string()).unwrap();

    let node = Node::start(&options).unwrap();
    let (said, list) = of_node(&node);
    let wrong = item(&list, "node_clock_wrong").expect("the clock went back by a day");
    let behind = wrong["figures"]["behind"].as_u64().unwrap();
    assert!(said.code == 7 && (86_000..=86_400).contains(&behind), "{wrong}");
    let fixed = node.verb(&["node", "repair", "node_clock_wrong", "accept_clock"]).unwrap();
    assert_eq!(fixed.code, 0, "{fixed:?}");
    assert_eq!(item(&of_node(&node).1, "node_clock_wrong"), None);
    let again = node.verb(&["node", "repair", "node_clock_wrong", "accept_clock"]).unwrap();
    assert_eq!(again.code, 3, "{again:?}");
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
fn a_crash_loop_is_listed_and_can_be_ended() {
    let mut node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let (ann, bob) = (node.pair("ann").unwrap(), node.pair("bob").unwrap());
    let begin = Instant::now();
    let looping = |node: &Node| {
        let list = of_node(node).1;
        items(&list).contains(&("crash_loop".to_owned(), "bob".to_owned()))
    };
    while !looping(&node) {
        assert!(begin.elapsed() < Duration::from_secs(60), "no crash loop was made");
        // It comes back by itself, and is killed again as soon as it is there.
        if let Ok(Some(twin)) = node.awake("bob") {
            twin.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(node.event("crashing").unwrap()["name"], "bob");
    let body = json!({
        "id": fresh_id(), "problem": "crash_loop", "about": "bob", "repair": "try_again"
    });
    let list = ann.call("node", "health", json!({})).unwrap();
    assert!(item(&list, "crash_loop").is_some(), "the owner sees it in their shell: {list}");
    assert_eq!(ann.call("node", "repair", body).unwrap()["settled"], true);
    bob.call("identity", "me", json!({})).expect("it runs without a pause");
}

/// Runs itself again where a small disk is mounted that nobody else sees.
#[test]
fn a_full_disk_is_said_and_costs_nothing() {
    const NAME: &str = "a_full_disk_is_said_and_costs_nothing";
    const FOLDER: &str = "HOMETWIN_TEST_DISK";
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        let folder = tempfile::tempdir().unwrap();
        let told = Command::new("unshare")
            .args(["--mount", "sh", "-c"])
            .arg("mount -t tmpfs -o size=40m none \"$1\" || exit 77; shift; exec \"$@\"")
            .arg("sh")
            .arg(folder.path())
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(FOLDER, folder.path())
            .output();
        match told {
            Ok(told) if told.status.success() => {}
            Ok(told) => {
                let text = String::from_utf8_lossy(&told.stderr).into_owned();
                let cannot = told.status.code() == Some(77) || text.contains("unshare");
                assert!(cannot, "{}{text}", String::from_utf8_lossy(&told.stdout));
                skip(NAME, "no small disk can be mounted by this user");
            }
            Err(error) => skip(NAME, &format!("no unshare: {error}")),
        }
        return;
    };
    let options = Options::people(&["ann"]).data(&folder.join("data"));
    let node = Node::start(&options).unwrap();
    let ann = node.pair("ann").unwrap();
    note(&ann, "there is room").unwrap();
    let (said, list) = of_node(&node);
    let short = item(&list, "disk_short").expect("40 MiB are little");
    assert_eq!((said.code, &short["weight"]), (7, &json!("now")));
    assert!(ann.call("node", "health", json!({})).is_ok_and(|l| item(&l, "disk_short").is_some()));

    let ballast = folder.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[7; 65536]).is_ok() {}
    while file.write_all(&[7; 512]).is_ok() {}
    let full = until("the disk to be full", Duration::from_secs(20), || {
        Ok(note(&ann, &"y".repeat(4000)).err())
    });
    assert_eq!(full.unwrap().code(), "full");
    let near = own(&ann, "quota_near").expect("nothing is left");
    assert_eq!(near["weight"], "now");
    until("the owner's list", Duration::from_secs(10), || {
        Ok(item(&of_node(&node).1, "twin_quota_near"))
    })
    .unwrap();
    drop(file);
    fs::remove_file(&ballast).unwrap();
    note(&ann, "room again").unwrap();
    assert_eq!(node.verb(&["twin", "verify", "ann"]).unwrap().code, 0);
}

#[test]
fn metrics_need_the_token_and_tell_of_nobody() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    node.pair("ann").unwrap();
    let scraper = Person::stranger(&format!("http://node.localhost:{}", node.port())).unwrap();
    let get = |token: &str| -> Result<Answer> {
        scraper.get("/metrics", &[("authorization", &format!("Bearer {token}"))])
    };
    let new = || {
        let made = node.verb(&["node", "metrics-token"]).unwrap();
        made.json()["token"].as_str().unwrap().to_owned()
    };
    assert_eq!(get("").unwrap().status, 401, "there is no token yet");
    let first = new();
    let answer = get(&first).unwrap();
    let text = answer.text();
    assert_eq!((answer.status, answer.header("content-type").contains("0.0.4")), (200, true));
    for wanted in
        ["hometwin_twins_registered 2\n", "hometwin_health_problems{problem=\"disk_short\"} "]
    {
        assert!(text.contains(wanted), "{text}");
    }
    // With so few people, numbers of the awake would say who is there.
    for hidden in ["ann", "bob", "awake", "twin_starts"] {
        assert!(!text.contains(hidden), "{hidden} is in {text}");
    }
    check_with_promtool(&text);

    let second = new();
    assert_eq!(get(&first).unwrap().status, 401, "the old token still opens");
    assert_eq!(get(&second).unwrap().status, 200);
    let kept = fs::read(node.data().join("node/metrics-token")).unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains(&second), "the token itself is kept");
    // Nor anywhere else than under the node's own name.
    let ann = Person::stranger(&format!("http://ann.localhost:{}", node.port())).unwrap();
    let at_ann = ann.get("/metrics", &[("authorization", &format!("Bearer {second}"))]).unwrap();
    assert_eq!(at_ann.status, 404);
    let guesses: Vec<u16> = (0..15).map(|n| get(&format!("guess{n}")).unwrap().status).collect();
    assert_eq!((guesses[0], guesses[14]), (401, 429), "{guesses:?}");
}

fn check_with_promtool(text: &str) {
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let fetched = home.unwrap_or_default().join("hometwin/promtool/promtool");
    let promtool = if fetched.is_file() { fetched } else { PathBuf::from("promtool") };
    let started = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        return skip("metrics_need_the_token", "no promtool: cargo verify fetches it");
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let told = child.wait_with_output().unwrap();
    let all = [told.stdout, told.stderr].concat();
    let complaint = String::from_utf8_lossy(&all);
    assert!(told.status.success() && complaint.trim().is_empty(), "{complaint}\n{text}");
}
