//! Promise: a twin that nobody needs isn't there, and comes back at once when somebody does.
//!
//! Uses a short sleep time; what is measured is whether it sleeps, never how fast the machine is.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hw_tests::{Node, Options, Pair, Person, Process, Result, fresh_id, until};
use serde_json::{Value, json};

fn sleepy(people: &[&str]) -> Result<Node> {
    Node::start(&Options::people(people).with(&["--sleep-after", "1s"]))
}

fn asleep(node: &Node, name: &str) -> Result<()> {
    let slept = until("the twin's sleep", Duration::from_secs(20), || {
        Ok(node.awake(name)?.is_none().then_some(()))
    });
    slept.map_err(|error| format!("{error}: {:?}", node.verb(&["twin", "list"])).into())
}

fn starts(node: &Node, name: &str) -> Result<u64> {
    let twin = node.twin(name)?;
    twin["starts"].as_u64().ok_or_else(|| format!("no number of starts in {twin}").into())
}

/// How often these processes woke up in this time.
fn wake_ups(processes: &[Process], time: Duration) -> Result<u64> {
    let sum = || processes.iter().map(|process| process.wake_ups()).sum::<Result<u64>>();
    let before = sum()?;
    std::thread::sleep(time);
    Ok(sum()? - before)
}

#[test]
fn an_idle_twin_is_gone_and_comes_back_with_everything() {
    let node = sleepy(&["ann"]).unwrap();
    let ann = node.pair("ann").unwrap();
    let note = json!({ "id": fresh_id(), "conversation": "self", "text": "still here" });
    ann.call("chat", "send", note).unwrap();
    for _ in 0..3 {
        asleep(&node, "ann").unwrap();
        let before = starts(&node, "ann").unwrap();
        let page = ann.call("chat", "messages", json!({ "conversation": "self" })).unwrap();
        assert_eq!(page["items"][0]["text"], "still here");
        assert_eq!(starts(&node, "ann").unwrap(), before + 1);
    }
}

#[test]
fn a_message_wakes_the_one_it_is_for() {
    let node = sleepy(&["ann", "bob"]).unwrap();
    let pair = Pair::introduce(&node).unwrap();
    asleep(&node, "ann").unwrap();
    asleep(&node, "bob").unwrap();
    let before = starts(&node, "bob").unwrap();
    let id = pair.send(&pair.ann, "wake up").unwrap();
    pair.wait(&pair.ann, "its delivery", |m| {
        m["message"] == id.as_str() && m["state"] == "delivered"
    })
    .unwrap();
    // Nobody asked Bob's twin for anything: the envelope woke it.
    assert_eq!(starts(&node, "bob").unwrap(), before + 1);
}

/// Two people of a node that can be started again and again, where Bob's twin can be made one that
/// does not open, and so can't be reached.
struct Unreachable {
    data: tempfile::TempDir,
    options: Options,
    pair: Pair,
    bobs_data: (PathBuf, Vec<u8>),
}

impl Unreachable {
    fn new() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let options = Options::default().data(data.path()).port(hw_tests::free_port()?);
        let people = vec!["ann".to_owned(), "bob".to_owned()];
        let first = Options { people, ..options.clone() }.with(&["--sleep-after", "1s"]);
        let mut node = Node::start(&first)?;
        let pair = Pair::introduce(&node)?;
        // What they still have to say to each other is said.
        until("two twins with nothing to do", Duration::from_secs(60), || {
            let asleep = node.awake("ann")?.is_none() && node.awake("bob")?.is_none();
            Ok((asleep && kept(data.path())["at_ms"] == json!({})).then_some(()))
        })?;
        let bob = node.twin("bob")?;
        let file = Path::new(bob["folder"].as_str().unwrap_or_default()).join("life/store.mdb");
        node.stop()?;
        let whole = std::fs::read(&file)?;
        std::fs::write(&file, &whole[..whole.len() / 2])?;
        Ok(Self { data, options, pair, bobs_data: (file, whole) })
    }

    fn mend(&self) -> Result<()> {
        Ok(std::fs::write(&self.bobs_data.0, &self.bobs_data.1)?)
    }

    fn kept(&self) -> Value {
        kept(self.data.path())
    }

    /// Whether a letter arrived that nobody asked Ann's twin about.
    fn arrives(&self, id: &str) -> Result<()> {
        self.pair.wait(&self.pair.bob, "what Ann wrote", |m| m["message"] == id).map(drop)
    }
}

/// What the node keeps of who is to be woken.
fn kept(data: &Path) -> Value {
    let text = std::fs::read(data.join("node/wakes.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

#[test]
fn a_sleeper_with_something_to_deliver_wakes_in_time_also_after_a_restart_of_the_node() {
    let both = Unreachable::new().unwrap();
    let options = both.options.clone().with(&["--sleep-after", "1s"]);
    let mut node = Node::start(&options).unwrap();
    let id = both.pair.send(&both.pair.ann, "as soon as you are back").unwrap();
    let times = || both.kept()["at_ms"].as_object().map_or(0, serde_json::Map::len);
    until("a note of when to wake Ann's twin", Duration::from_secs(60), || {
        Ok((node.awake("ann")?.is_none() && times() == 1).then_some(()))
    })
    .unwrap();
    node.stop().unwrap();
    drop(node);
    both.mend().unwrap();

    let mut node = Node::start(&options).unwrap();
    both.arrives(&id).unwrap();
    until("a time that is over", Duration::from_secs(60), || Ok((times() == 0).then_some(())))
        .unwrap();

    // What can't be read is said, and the node goes on.
    node.stop().unwrap();
    drop(node);
    std::fs::write(both.data.path().join("node/wakes.json"), "no time").unwrap();
    let node = Node::start(&options).unwrap();
    assert!(node.log().contains("woken can't be read"), "{}", node.log());
    both.pair.send(&both.pair.ann, "all is well").unwrap();
}

#[test]
fn who_was_awake_when_everything_was_killed_goes_on_without_being_asked() {
    let both = Unreachable::new().unwrap();
    // It does not go to sleep: what it has to deliver nobody knows but itself.
    let mut node = Node::start(&both.options).unwrap();
    let id = both.pair.send(&both.pair.ann, "before the light went out").unwrap();
    let ann = node.twin("ann").unwrap()["number"].clone();
    until("a note that Ann's twin is awake", Duration::from_secs(60), || {
        let kept = both.kept();
        let awake = kept["awake"].as_array().is_some_and(|awake| awake.contains(&ann));
        Ok((awake && kept["at_ms"] == json!({})).then_some(()))
    })
    .unwrap();
    assert!(node.awake("ann").unwrap().is_some());
    let all = node.executor().descendants();
    node.executor().kill().unwrap();
    for process in all {
        process.kill().unwrap();
    }
    node.wait().unwrap();
    drop(node);
    both.mend().unwrap();

    let mut node = Node::start(&both.options).unwrap();
    until("Ann's twin, and Bob's by her letter", Duration::from_secs(60), || {
        let started = starts(&node, "ann")? == 1 && starts(&node, "bob")? == 1;
        Ok(started.then_some(()))
    })
    .unwrap();
    both.arrives(&id).unwrap();
    node.stop().unwrap();
    drop(node);

    assert_eq!(both.kept()["awake"], json!([]), "whoever ended as agreed is not woken for nothing");
}

#[test]
fn calls_at_the_moment_of_falling_asleep_are_all_answered() {
    let node = sleepy(&["ann"]).unwrap();
    let ann = node.pair("ann").unwrap();
    // Around the sleep time in small steps: some of these meet the twin on its way out.
    for pause in (900..1300).step_by(25) {
        ann.call("identity", "me", json!({})).unwrap();
        std::thread::sleep(Duration::from_millis(pause));
    }
    ann.call("identity", "me", json!({})).unwrap();
}

#[test]
fn an_open_page_keeps_its_twin_awake_without_waking_anything() {
    let node = sleepy(&["ann"]).unwrap();
    let ann = node.pair("ann").unwrap();
    let mut events = ann.events().unwrap();
    events.subscribe(1, "chat", &json!({}), None).unwrap();
    std::thread::sleep(Duration::from_secs(4));
    let twin = node.awake("ann").unwrap().expect("an open page is no idleness");
    let all = [twin, node.gateway().unwrap(), node.executor()];
    let woke = wake_ups(&all, Duration::from_secs(5)).unwrap();
    assert!(woke <= 2, "{woke} wake-ups in five idle seconds");
    assert!(twin.alive());

    let note = json!({ "id": fresh_id(), "conversation": "self", "text": "live" });
    ann.call("chat", "send", note).unwrap();
    events.wait("of the note", |e| e["event"]["message"]["text"] == "live").unwrap();
    drop(events);
    asleep(&node, "ann").unwrap();
}

#[test]
fn a_sleeping_household_wakes_nobody() {
    let node = sleepy(&["ann", "bob", "eve"]).unwrap();
    for name in ["ann", "bob", "eve"] {
        node.pair(name).unwrap();
    }
    for name in ["ann", "bob", "eve"] {
        asleep(&node, name).unwrap();
    }
    let all = [node.gateway().unwrap(), node.executor()];
    let woke = wake_ups(&all, Duration::from_secs(5)).unwrap();
    assert!(woke <= 2, "{woke} wake-ups in five idle seconds");
}

#[test]
fn a_scanner_of_names_wakes_no_more_than_its_budget() {
    let names: Vec<String> = (0..32).map(|number| format!("t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let node = Node::start(&Options::people(&names).with(&["--sleep-after", "200ms"])).unwrap();
    let sum = || {
        let all = node.verb(&["twin", "list"]).unwrap().json();
        let all = all.as_array().cloned().unwrap_or_default();
        assert_eq!(all.len(), names.len());
        all.iter().filter_map(|twin| twin["starts"].as_u64()).sum::<u64>()
    };
    for name in &names {
        asleep(&node, name).unwrap();
    }
    let (before, begin) = (sum(), Instant::now());
    let mut refused = 0;
    for _ in 0..3 {
        for name in names.iter().copied().chain(["nobody", "www", "admin"]) {
            let place = format!("http://{name}.localhost:{}", node.port());
            let answer = Person::stranger(&place).unwrap().get("/", &[]);
            // Told so, or dropped where telling would wake the node's own twin too.
            refused += u32::from(answer.map_or(true, |answer| answer.status == 429));
        }
    }
    let woken = sum() - before;
    // 20 at once and one more in 15 s is what one source may wake, the node's own twin among them.
    let most = 20 + begin.elapsed().as_secs() / 15 + 1;
    assert!((10..=most).contains(&woken), "{woken} twins were woken, {most} at most may be");
    assert!(refused > 0, "everything was answered");
}

#[test]
fn strangers_can_not_keep_a_twin_awake() {
    // So short that the budget is used up in seconds.
    let options = Options::people(&["ann"]).with(&["--sleep-after", "200ms"]);
    let node = Node::start(&options).unwrap();
    let ann = node.pair("ann").unwrap();
    asleep(&node, "ann").unwrap();
    let before = starts(&node, "ann").unwrap();
    let stranger = Person::stranger(&ann.origin()).unwrap();
    let begin = Instant::now();
    let mut slept = 0;
    let mut asked = 0;
    while begin.elapsed() < Duration::from_secs(20) {
        // A stranger's answer, or none, is the same to us.
        let _ = stranger.get("/", &[]);
        asked += 1;
        if node.awake("ann").unwrap().is_none() {
            slept += 1;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let woken = starts(&node, "ann").unwrap() - before;
    assert!(asked > 50, "only {asked} tries");
    assert!(slept > 0, "{asked} strangers' visits kept it awake all the time");
    // 20 at once and one more in 15 s is what the gateway allows.
    assert!(woken <= 23, "{asked} strangers' visits woke it {woken} times");
    asleep(&node, "ann").unwrap();
}
