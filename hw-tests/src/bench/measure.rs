//! The measurements. Each starts a node of its own and says what it did beside the figure.

use std::path::Path;
use std::time::{Duration, Instant};

use hw_tests::{Memory, Node, Options, Pair, Process, Result, fresh_id, until};
use serde_json::{Value, json};

use super::Figure;

/// One group of figures.
pub(super) type Measure = fn(&Path) -> Result<Vec<Figure>>;

/// All of them by name, in the order of the table.
pub(crate) const ALL: &[(&str, Measure)] = &[
    ("wake", wake),
    ("household", household),
    ("awake", awake),
    ("messages", messages),
    ("requests", requests),
    ("conversation", long_conversation),
];

const WAKES: usize = 40;
/// Processor time is measured in rounds: neighbours on the same processor make some of them dearer.
const ROUNDS: u32 = 7;
const MESSAGES: u32 = 200;
const REQUESTS: u32 = 200;
/// Messages with pauses, so that nothing shares a commit.
const SLOW: u32 = 30;
const NOTES: u32 = 20_000;

fn node(program: &Path, people: &[&str], arguments: &[&str]) -> Result<Node> {
    let options = Options::people(people).with(arguments).settings(super::UNHURRIED);
    Node::start(&Options { program: Some(program.to_owned()), ..options })
}

fn asleep(node: &Node, name: &str) -> Result<()> {
    until("a twin's sleep", Duration::from_secs(20), || {
        Ok(node.awake(name)?.is_none().then_some(()))
    })
}

fn running(node: &Node, name: &str) -> Result<Process> {
    node.awake(name)?.ok_or_else(|| format!("{name} sleeps").into())
}

/// From a connection to a sleeping twin to its answer.
fn wake(program: &Path) -> Result<Vec<Figure>> {
    let node = node(program, &["ann"], &["--sleep-after", "100ms"])?;
    let ann = node.pair("ann")?;
    let (mut times, mut cpu) = (Vec::new(), Duration::ZERO);
    let mut measured = 0;
    for _ in 0..WAKES {
        asleep(&node, "ann")?;
        let begin = Instant::now();
        ann.call("identity", "me", json!({}))?;
        times.push(begin.elapsed());
        // It may sleep again before we look.
        if let Some(used) = node.awake("ann")?.and_then(|twin| twin.cpu().ok()) {
            cpu += used;
            measured += 1;
        }
    }
    times.sort();
    let at = |percent: usize| millis(times[times.len() * percent / 100]);
    Ok(vec![
        Figure::new(
            "wake to first answer, plain HTTP (p50 / p95)",
            format!("{} / {}", at(50), at(95)),
        ),
        Figure::new("processor time of that twin until then", millis(cpu / measured.max(1))),
    ])
}

/// Executor, gateway and three sleeping twins.
fn household(program: &Path) -> Result<Vec<Figure>> {
    const NAMES: [&str; 3] = ["ann", "bob", "eve"];
    const IDLE: Duration = Duration::from_secs(30);
    let node = node(program, &NAMES, &["--sleep-after", "500ms"])?;
    for name in NAMES {
        node.pair(name)?;
    }
    for name in NAMES {
        asleep(&node, name)?;
    }
    let all = [("executor", node.executor()), ("gateway", node.gateway()?)];
    let wake_ups = || all.iter().map(|(_, process)| process.wake_ups()).sum::<Result<u64>>();
    let before = wake_ups()?;
    std::thread::sleep(IDLE);
    let woken = wake_ups()? - before;
    let mut figures = Vec::new();
    let mut sum = 0;
    for (_, process) in all {
        sum += process.memory()?.pss;
    }
    figures.push(Figure::new("idle household, three sleeping twins: PSS", mebibytes(sum)));
    for (name, process) in all {
        let memory = process.memory()?;
        let what =
            if name == "executor" { "- executor: PSS / USS" } else { "- gateway: PSS / USS" };
        let value = format!("{} / {}", mebibytes(memory.pss), mebibytes(memory.uss));
        figures.push(Figure::new(what, value));
    }
    let rate = per_second(woken, IDLE);
    figures.push(Figure::new("idle household: wake-ups", format!("{rate} per second over 30 s")));
    Ok(figures)
}

/// A twin that somebody just used, without and with an open page.
fn awake(program: &Path) -> Result<Vec<Figure>> {
    const IDLE: Duration = Duration::from_secs(20);
    const SETTLED: Duration = Duration::from_secs(5);
    let node = node(program, &["ann", "bob"], &[])?;
    let Pair { ann, .. } = Pair::introduce(&node)?;
    std::thread::sleep(SETTLED);
    let twin = running(&node, "ann")?;
    let alone = twin.memory()?;
    let mut events = ann.events()?;
    events.subscribe(1, "chat", &json!({}), None)?;
    ann.call("chat", "conversations", json!({}))?;
    std::thread::sleep(SETTLED);
    let before = twin.wake_ups()?;
    std::thread::sleep(IDLE);
    let woken = twin.wake_ups()? - before;
    let open = twin.memory()?;
    let both = |memory: Memory| format!("{} / {}", mebibytes(memory.uss), mebibytes(memory.pss));
    Ok(vec![
        Figure::new("awake twin after pairing and a first contact: USS / PSS", both(alone)),
        Figure::new("- with an open page", both(open)),
        Figure::new("- its wake-ups", format!("{} per second over 20 s", per_second(woken, IDLE))),
    ])
}

/// What one round cost a process.
#[derive(Clone, Copy, Default)]
pub(super) struct Cost {
    cpu: Duration,
    written: u64,
}

impl Cost {
    fn of(process: Process) -> Result<Self> {
        Ok(Self { cpu: process.cpu()?, written: process.written()? })
    }

    fn since(self, before: Self, count: u32) -> Self {
        let written = (self.written - before.written) / u64::from(count);
        Self { cpu: (self.cpu - before.cpu) / count, written }
    }
}

/// Does something in rounds of `count` and tells what each one cost these processes.
pub(super) fn rounds<const N: usize>(
    of: [Process; N],
    rounds: u32,
    count: u32,
    mut round: impl FnMut() -> Result<()>,
) -> Result<[Vec<Cost>; N]> {
    let mut costs = [const { Vec::new() }; N];
    for _ in 0..rounds {
        let mut before = [Cost::default(); N];
        for (cost, process) in before.iter_mut().zip(of) {
            *cost = Cost::of(process)?;
        }
        round()?;
        for ((costs, before), process) in costs.iter_mut().zip(before).zip(of) {
            costs.push(Cost::of(process)?.since(before, count));
        }
    }
    Ok(costs)
}

/// The median round and the cheapest.
pub(super) fn cpu(costs: &[Cost]) -> String {
    let mut times: Vec<_> = costs.iter().map(|cost| cost.cpu).collect();
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    format!("{} (least {})", micros(median), micros(times.first().copied().unwrap_or_default()))
}

fn bytes(costs: &[Cost]) -> String {
    let sum: u64 = costs.iter().map(|cost| cost.written).sum();
    format!("{} kB", sum / (costs.len().max(1) as u64) / 1000)
}

/// One person's messages to another, one after the other, sealed and durable on both sides.
pub(super) fn messages(program: &Path) -> Result<Vec<Figure>> {
    let node = node(program, &["ann", "bob"], &[])?;
    let mut pair = Pair::introduce(&node)?;
    pair.ann = pair.ann.keeping_connections();
    let talk = |count: u32, pause: Duration| {
        let mut last = String::new();
        for number in 0..count {
            last = pair.send(&pair.ann, &format!("message number {number} of a bench"))?;
            std::thread::sleep(pause);
        }
        delivered(&pair, &last)
    };
    talk(50, Duration::ZERO)?;
    let sides = [running(&node, "ann")?, running(&node, "bob")?, node.gateway()?];
    let begin = Instant::now();
    let [ann, bob, gateway] = rounds(sides, ROUNDS, MESSAGES, || talk(MESSAGES, Duration::ZERO))?;
    let sent = begin.elapsed();
    let slow = [sides[0], sides[1]];
    let [slow_ann, slow_bob] = rounds(slow, 1, SLOW, || talk(SLOW, Duration::from_millis(400)))?;
    Ok(vec![
        Figure::new("chat message: processor time of the sender's twin", cpu(&ann)),
        Figure::new("- of the receiver's twin", cpu(&bob)),
        Figure::new("- of the gateway", cpu(&gateway)),
        Figure::new(
            "- bytes written by the sender's / receiver's twin",
            format!("{} / {}", bytes(&ann), bytes(&bob)),
        ),
        Figure::new("- time from one to the next", micros(sent / (ROUNDS * MESSAGES))),
        Figure::new("- with pauses, so that no commit is shared: sender", cpu(&slow_ann)),
        Figure::new("- with pauses: receiver", cpu(&slow_bob)),
    ])
}

fn delivered(pair: &Pair, id: &str) -> Result<()> {
    pair.wait(&pair.ann, "a delivery", |m| m["message"] == id && m["state"] == "delivered")?;
    Ok(())
}

/// Single requests over one open connection.
fn requests(program: &Path) -> Result<Vec<Figure>> {
    let node = node(program, &["ann"], &[])?;
    let ann = node.pair("ann")?.keeping_connections();
    let path = "/shell/icon.svg";
    let size = ann.get(path, &[])?.body.len();
    let twin = running(&node, "ann")?;
    let times = |count: u32, one: &dyn Fn() -> Result<()>| (0..count).try_for_each(|_| one());
    let get = || ann.get(path, &[]).map(drop);
    let [gets] = rounds([twin], ROUNDS, REQUESTS, || times(REQUESTS, &get))?;
    let text = "x".repeat(1024);
    let post = || -> Result<()> {
        ann.call("chat", "send", note(&text))?;
        Ok(())
    };
    times(50, &post)?;
    let [posts] = rounds([twin], ROUNDS, REQUESTS, || times(REQUESTS, &post))?;
    let what = format!("{}, {size} B", cpu(&gets));
    Ok(vec![
        Figure::new("GET of a small file: processor time", what),
        Figure::new("POST of a 1 KiB note, durable: processor time", cpu(&posts)),
        Figure::new("- bytes written", bytes(&posts)),
    ])
}

fn note(text: &str) -> Value {
    json!({ "id": fresh_id(), "conversation": "self", "text": text })
}

/// The newest page of a long conversation, and how fast it was filled.
fn long_conversation(program: &Path) -> Result<Vec<Figure>> {
    const BATCH: u32 = 32;
    let node = node(program, &["ann"], &[])?;
    let ann = node.pair("ann")?.keeping_connections();
    let begin = Instant::now();
    for batch in 0..NOTES / BATCH {
        let call = |number: u32| {
            let body = note(&format!("note {} of a long conversation", batch * BATCH + number));
            json!({ "capability": "chat", "major": 1, "method": "send", "body": body })
        };
        let calls: Vec<Value> = (0..BATCH).map(call).collect();
        let answer = ann.post("/api/batch", &[], &json!({ "calls": calls }))?;
        if answer.status != 200 {
            return Err(answer.text().into());
        }
    }
    let filled = begin.elapsed();
    let twin = running(&node, "ann")?;
    let before = twin.cpu()?;
    let page = json!({ "conversation": "self", "limit": 50 });
    for _ in 0..100 {
        ann.call("chat", "messages", page.clone())?;
    }
    let cpu = (twin.cpu()? - before) / 100;
    let stored = NOTES / BATCH * BATCH;
    Ok(vec![
        Figure::new("journal appends in batches of 32: time each", micros(filled / stored)),
        Figure::new("last 50 of 20 000 messages: processor time", micros(cpu)),
    ])
}

pub(super) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn micros(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}

pub(super) fn mebibytes(bytes: u64) -> String {
    let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
    format!("{:.1} MiB", f64::from(kib) / 1024.0)
}

pub(super) fn per_second(count: u64, time: Duration) -> String {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    format!("{:.2}", f64::from(count) / time.as_secs_f64())
}
