//! What the store costs: CPU time (wall time is the disk's and the neighbours'), and bytes written.
//! Prints one line per figure and asserts nothing.
//!
//! `cargo run -p store --profile release --example store_bench [ROWS] [APPENDS] [FOLDER]`
//!
//! With `1000000 2000` at 985f113 on 2026-11-22, 2 processors at 2.5 GHz that did nothing else, a
//! virtual disk:
//!
//! | what | CPU | bytes written |
//! |---|---|---|
//! | fill, 1000 per commit | 10.3 us each | |
//! | append, single durable | 104 us | 52 487 |
//! | append, grouped | 23 us | 8 870 |
//! | last 50 of a conversation, at a million rows | 9.4 us | |
//!
//! A commit copies every page that it touches (4 KiB each, some 12 of them), so bytes per append
//! fall with the size of the group.
#![expect(clippy::print_stdout, reason = "figures are its output")]
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use store::{
    Actor, Direction, Entry, Fold, FoldError, NewEntry, Options, ReadTables as _, Store, Tables,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Conversations the messages are spread over.
const CONVERSATIONS: u64 = 1000;
/// Appends per change while filling.
const BATCH: u64 = 1000;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let rows: u64 = args.next().map_or(Ok(1_000_000), |arg| arg.parse())?;
    let appends: u64 = args.next().map_or(Ok(2_000), |arg| arg.parse())?;
    let folder =
        args.next().map_or_else(|| std::env::temp_dir().join("store-bench"), PathBuf::from);
    if folder.exists() {
        return Err(format!("{} exists; give a folder of its own", folder.display()).into());
    }
    let outcome = measure(&folder, rows, appends);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn measure(folder: &Path, rows: u64, appends: u64) -> Outcome<()> {
    let store = Store::open(folder, Options::default(), Box::new(Messages))?;
    let per = |spent: Spent, count: u64| spent.micros() / count as f64;

    let start = Spent::now()?;
    for first in (0..rows).step_by(usize::try_from(BATCH)?) {
        store.write_blocking(move |w| {
            for n in first..rows.min(first + BATCH) {
                w.append(message(n))?;
            }
            Ok::<_, store::Error>(())
        })?;
    }
    let spent = start.spent()?;
    println!("fill: {rows} rows, {BATCH} per commit: {:.1} us CPU each", per(spent, rows));

    let start = Spent::now()?;
    for n in 0..appends {
        store.write_blocking(move |w| w.append(message(rows + n)))?;
    }
    let spent = start.spent()?;
    println!(
        "append, single durable: {:.1} us CPU, {:.0} us wall, {} bytes written each",
        per(spent, appends),
        spent.wall.as_secs_f64() * 1e6 / appends as f64,
        spent.written / appends,
    );

    let start = Spent::now()?;
    grouped(&store, rows + appends, appends)?;
    let spent = start.spent()?;
    println!(
        "append, grouped: {:.1} us CPU, {:.0} us wall, {} bytes written each",
        per(spent, appends),
        spent.wall.as_secs_f64() * 1e6 / appends as f64,
        spent.written / appends,
    );

    let reads = 5000;
    let start = Spent::now()?;
    let mut found = 0;
    for n in 0..reads {
        let prefix = (n * 7919 % CONVERSATIONS).to_be_bytes();
        found += store.read(|r| r.prefix("message", &prefix, 50, Direction::Backward))?.len();
    }
    let spent = start.spent()?;
    println!("last 50 of a conversation: {:.1} us CPU ({found} rows)", per(spent, reads));
    let length = std::fs::metadata(folder.join("store.mdb"))?.len();
    println!("data file: {length} bytes, {} per message", length / (rows + 2 * appends));
    Ok(())
}

/// All changes queued before any answer is waited for.
fn grouped(store: &Store, first: u64, count: u64) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let local = tokio::task::LocalSet::new();
    let (failed, failures) = mpsc::channel();
    for n in 0..count {
        let (store, failed) = (store.clone(), failed.clone());
        local.spawn_local(async move {
            if let Err(error) = store.write(move |w| w.append(message(first + n))).await {
                drop(failed.send(error));
            }
        });
    }
    drop(failed);
    runtime.block_on(local);
    failures.try_recv().map_or(Ok(()), |error| Err(error.into()))
}

/// Messages of 150 bytes, by conversation and seq.
struct Messages;

impl Fold for Messages {
    fn version(&self) -> u32 {
        1
    }

    fn apply(
        &self,
        entry: &Entry,
        content: Option<&[u8]>,
        tables: &mut Tables<'_>,
    ) -> Result<(), FoldError> {
        let key = [&entry.shape, entry.seq.to_be_bytes().as_slice()].concat();
        Ok(tables.put("message", &key, content.unwrap_or_default())?)
    }
}

fn message(n: u64) -> NewEntry {
    NewEntry {
        time_ms: 1_700_000_000_000,
        actor: Actor::Device("bench".to_owned()),
        kind: "message".to_owned(),
        version: 1,
        // Knuth's multiplicative hash: neighbours in time are not neighbours in the tables.
        shape: (n.wrapping_mul(2_654_435_761) % CONVERSATIONS).to_be_bytes().to_vec(),
        content: Some(vec![b'm'; 150]),
    }
}

/// What this process has used: CPU of all its threads, wall time, bytes handed to the system.
#[derive(Clone, Copy)]
struct Spent {
    cpu: Duration,
    wall: Duration,
    written: u64,
}

/// A point to measure from.
struct Start(Spent, Instant);

impl Spent {
    fn now() -> Outcome<Start> {
        Ok(Start(Self { cpu: cpu()?, wall: Duration::ZERO, written: written()? }, Instant::now()))
    }

    fn micros(self) -> f64 {
        self.cpu.as_secs_f64() * 1e6
    }
}

impl Start {
    fn spent(&self) -> Outcome<Spent> {
        let Self(before, since) = self;
        let cpu = cpu()?.saturating_sub(before.cpu);
        Ok(Spent { cpu, wall: since.elapsed(), written: written()? - before.written })
    }
}

/// Time on a processor, all threads that still live.
fn cpu() -> Outcome<Duration> {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let spent: u64 = stat.split(' ').next().ok_or("empty schedstat")?.parse()?;
        nanos += spent;
    }
    Ok(Duration::from_nanos(nanos))
}

/// `wchar`: what was handed to the system in writes, rewritten pages included. Not `write_bytes`,
/// which counts a whole large folio for each page of it that is touched.
fn written() -> Outcome<u64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    Ok(line.ok_or("no wchar in /proc/self/io")?.parse()?)
}
