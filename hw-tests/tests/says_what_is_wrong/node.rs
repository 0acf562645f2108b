//! What is wrong with the node itself, and what it tells to whoever counts.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hw_tests::{Answer, Node, Options, Person, Result, fresh_id, skip};
use serde_json::{Value, json};

use super::{item, items, of_node};

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

/// What smartctl wrote about a virtual disk, or a copy of it with other values.
fn disk_report(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../appliance/executor/corpus/disk_report");
    PathBuf::from(format!("{folder}/{name}.json"))
}

#[test]
fn a_disk_that_fails_or_wears_out_is_said_to_the_owner() {
    let reports = tempfile::tempdir().unwrap();
    fs::set_permissions(reports.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let report = |disk: &str, says: &str| {
        fs::copy(disk_report(says), reports.path().join(format!("{disk}.json"))).unwrap();
    };
    let settings = format!("disk_reports = \"{}\"\n", reports.path().display());
    let options = Options::people(&["ann", "bob"]).settings(&settings);
    let mut node = Node::start(&options).unwrap();
    report("nvme7n1", "nvme-sound");
    report("sdq", "ata-sound");
    report("sdr", "no-device");
    let of_disks = |list: &Value| {
        let keys = ["problem", "about", "weight"];
        let all = list["items"].as_array().cloned().unwrap_or_default().into_iter();
        let all = all.map(|item| keys.map(|key| item[key].as_str().unwrap_or_default().to_owned()));
        all.filter(|[problem, about, _]| problem.starts_with("disk_") && !about.is_empty())
            .collect::<Vec<_>>()
    };
    let (said, list) = of_node(&node);
    assert_eq!((said.code, of_disks(&list)), (0, vec![]), "all disks are well: {list}");

    report("nvme7n1", "nvme-failing");
    report("sdq", "ata-worn");
    report("sdr", "ata-failing");
    report("sds", "scsi");
    fs::write(reports.path().join("sdt.json"), "no report").unwrap();
    let expected = [
        ["disk_failing", "nvme7n1", "now"],
        ["disk_failing", "sdr", "now"],
        ["disk_unreadable", "sdr", "soon"],
        ["disk_worn", "sdq", "soon"],
        ["disk_replaced", "sds", "note"],
    ];
    let ann = node.pair("ann").unwrap();
    let shown = ann.call("node", "health", json!({})).unwrap();
    let (said, list) = of_node(&node);
    assert_eq!(said.code, 7);
    for list in [&list, &shown] {
        assert_eq!(of_disks(list), expected);
    }
    let failing = item(&list, "disk_failing").unwrap();
    let text = format!("{} {}", failing["detail"], failing["what_to_do"]);
    assert!(text.contains("QEMU NVMe Ctrl") && text.contains("Copy the data folder"), "{text}");

    // Also when nobody is there to be asked; and a disk that is replaced is forgotten.
    node.stop().unwrap();
    assert_eq!(of_node(&node).0.code, 7);
    for disk in ["nvme7n1", "sdr"] {
        fs::remove_file(reports.path().join(format!("{disk}.json"))).unwrap();
    }
    let (said, list) = of_node(&node);
    assert_eq!((said.code, of_disks(&list).len()), (0, 2), "{list}");
}

#[test]
fn the_doctor_says_whether_the_disk_is_watched() {
    let reports = tempfile::tempdir().unwrap();
    let settings = format!("disk_reports = \"{}\"\n", reports.path().display());
    let node = Node::start(&Options::people(&["ann"]).settings(&settings)).unwrap();
    let said = || {
        let said = node.verb(&["node", "doctor"]).unwrap();
        let lines = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = lines.filter(|line| line["part"] == "disk").collect::<Vec<_>>();
        assert!(!found.is_empty(), "{said:?}");
        found
    };
    let first = said()[0].clone();
    let how = |finding: &Value| finding["how"].as_str().unwrap_or_default().to_owned();
    let Some(disk) = first["values"]["name"].as_str().filter(|_| how(&first) != "kernel") else {
        return skip("a disk that is watched", &format!("doctor: {}", first["how"]));
    };
    assert!(["unasked", "virtual"].contains(&&*how(&first)), "{first}");
    let file = reports.path().join(format!("{disk}.json"));
    for (report, expected) in [("ata-sound", "reports"), ("no-device", "mute")] {
        fs::copy(disk_report(report), &file).unwrap();
        assert_eq!(how(&said()[0]), expected);
    }
    fs::write(&file, "{").unwrap();
    assert_eq!(how(&said()[0]), "unreadable");
    let days = Duration::from_secs(4 * 24 * 60 * 60);
    let open = fs::File::options().write(true).open(&file).unwrap();
    open.set_modified(std::time::SystemTime::now() - days).unwrap();
    assert_eq!(how(&said()[0]), "old");
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
