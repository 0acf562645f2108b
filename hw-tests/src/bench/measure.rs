//! The measurements. Each starts a node of its own and says what it did beside the figure.

use std::path::Path;
use std::time::{Duration, Instant};

use hw_tests::{Node, Options, Pair, Process, Result, fresh_id, until};
use serde_json::{Value, json};

use super::Figure;

/// One group of figures.
type Measure = fn(&Path) -> Result<Vec<Figure>>;

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
const MESSAGES: u32 = 500;
const REQUESTS: u32 = 500;
const NOTES: u32 = 20_000;

fn node(program: &Path, people: &[&str], arguments: &[&str]) -> Result<Node> {
    let options = Options::people(people).with(arguments);
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

/// A twin that somebody just used.
fn awake(program: &Path) -> Result<Vec<Figure>> {
    const IDLE: Duration = Duration::from_secs(20);
    let node = node(program, &["ann"], &[])?;
    let ann = node.pair("ann")?;
    let mut events = ann.events()?;
    events.subscribe(1, "chat", &json!({}), None)?;
    ann.call("chat", "conversations", json!({}))?;
    std::thread::sleep(Duration::from_secs(2));
    let twin = running(&node, "ann")?;
    let before = twin.wake_ups()?;
    std::thread::sleep(IDLE);
    let woken = twin.wake_ups()? - before;
    let memory = twin.memory()?;
    let value = format!("{} / {}", mebibytes(memory.uss), mebibytes(memory.pss));
    Ok(vec![
        Figure::new("awake twin with an open page: USS / PSS", value),
        Figure::new("- its wake-ups", format!("{} per second over 20 s", per_second(woken, IDLE))),
    ])
}

/// One person's messages to another, one after the other, sealed and durable on both sides.
fn messages(program: &Path) -> Result<Vec<Figure>> {
    let node = node(program, &["ann", "bob"], &[])?;
    let mut pair = Pair::introduce(&node)?;
    pair.ann = pair.ann.keeping_connections();
    let mut last = pair.send(&pair.ann, "warm up")?;
    delivered(&pair, &last)?;
    let sides = [running(&node, "ann")?, running(&node, "bob")?, node.gateway()?];
    let before = sides.map(|side| (side.cpu().unwrap_or_default(), side.written().unwrap_or(0)));
    let begin = Instant::now();
    for number in 0..MESSAGES {
        last = pair.send(&pair.ann, &format!("message number {number} of a bench"))?;
    }
    let sent = begin.elapsed();
    delivered(&pair, &last)?;
    let mut used = Vec::new();
    for (side, (cpu, written)) in sides.iter().zip(before) {
        used.push((side.cpu()? - cpu, side.written()? - written));
    }
    let each = |index: usize| used.get(index).copied().unwrap_or_default();
    let cpu = |index: usize| micros(each(index).0 / MESSAGES);
    let bytes = |index: usize| format!("{} B", each(index).1 / u64::from(MESSAGES));
    Ok(vec![
        Figure::new(
            "chat message: processor time of the sender's / receiver's twin",
            format!("{} / {}", cpu(0), cpu(1)),
        ),
        Figure::new("- of the gateway", cpu(2)),
        Figure::new(
            "- bytes written by the sender's / receiver's twin",
            format!("{} / {}", bytes(0), bytes(1)),
        ),
        Figure::new("- time until the sender's twin has it durable", micros(sent / MESSAGES)),
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
    let before = twin.cpu()?;
    for _ in 0..REQUESTS {
        ann.get(path, &[])?;
    }
    let get = (twin.cpu()? - before) / REQUESTS;
    let text = "x".repeat(1024);
    let (before, written) = (twin.cpu()?, twin.written()?);
    for _ in 0..REQUESTS {
        ann.call("chat", "send", note(&text))?;
    }
    let post = (twin.cpu()? - before) / REQUESTS;
    let written = (twin.written()? - written) / u64::from(REQUESTS);
    Ok(vec![
        Figure::new("GET of a small file: processor time", format!("{} ({size} B)", micros(get))),
        Figure::new("POST of a 1 KiB note, durable: processor time", micros(post)),
        Figure::new("- bytes written", format!("{written} B")),
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

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn micros(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}

fn mebibytes(bytes: u64) -> String {
    let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
    format!("{:.1} MiB", f64::from(kib) / 1024.0)
}

fn per_second(count: u64, time: Duration) -> String {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    format!("{:.2}", f64::from(count) / time.as_secs_f64())
}
