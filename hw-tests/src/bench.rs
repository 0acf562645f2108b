//! `cargo bench-node`: what a node costs, as a table for the docs.
//!
//! Processor time and memory come from `/proc` of the release build. Nothing here passes or fails:
//! figures are compared by people, with the machine and the commit they were made on beside them.
//!
//! Processor time is that of the median round (in brackets the cheapest): on a processor that is
//! shared with others, the same work can cost a third more from one minute to the next. `cargo
//! bench-node GROUP ..` measures only what is named, for comparing two builds side by side.
//!
//! `cargo bench-node` as root and behind the walls, 2 processors (Xeon, 2.5 GHz), Linux 6.18, ext4
//! without a journal, on a machine that did little else. Messages, notes and the GET beside them at
//! de9af43 on 2026-11-23, two runs before and after the peer's; wake-ups and memory at 6240103 on
//! 2026-11-26, with that of 42f5367, before spaces, packages and names at home, in brackets; the first
//! answers at 6475990 on that day; the rest at 985f113 on 2026-11-22. A twin's memory is from a run with
//! little else on the machine; beside a run of all tests it was 2.2 MiB:
//!
//! | what | measured | budget |
//! |---|---|---|
//! | wake to first answer, plain HTTP (p50 / p95) | 7.4 / 8.0 ms | 25 ms |
//! | - HTTPS | 8.3 / 51.5 ms | 25 ms |
//! | idle household, three sleeping twins: PSS | 9.4 MiB (7.7) | 25 MiB |
//! | idle household, just asleep: wake-ups | 0.07 per second: two in 30 s | 0.1 |
//! | awake twin after pairing and a first contact: USS | 1.9 MiB (1.7) | 2 MiB |
//! | - with an open page: USS; wake-ups | 2.0 MiB; 0.00 per second | |
//! | chat message: sender's twin | 915, 995 us | **500 us** |
//! | - receiver's twin | 669, 726 us | **500 us** |
//! | - the same by Prosody 0.12.3, both people on one server (`peer`) | 952 us | |
//! | - bytes written, sender / receiver | 75 kB / 68 kB | |
//! | - with pauses, nothing shared: sender / receiver | 2370 / 1030 us | |
//! | GET of a small file | 55 us | |
//! | POST of a 1 KiB note, durable | 502 us | **400 us** |
//! | - bytes written | 89 kB | |
//! | last 50 of 20 000 messages, over HTTP | 644 us | |
//!
//! Before workers read PDF the household was 5.1 MiB and a twin 1.2: what their code has of addresses is
//! private in every process. The two wake-ups write down who went to sleep.
//!
//! Three budgets are missed. They were set where Prosody took 910 us for a message; it neither seals
//! nor signs nor waits for the disk. One of our sides costs about what it spends in all, or less.
//!
//! Where the sender's time goes, by a profile of 85c03dc and one of b53800f (`perf record`, 3000
//! samples a second): a sixth seals and signs the letter, a sixth is HTTP, a quarter is the commit
//! (flushing 115 us, writing pages 90), a sixth makes the change, the rest wakes threads and waits.
//! The GET tells how fast the processor was: from one hour to the next the same work can take twice
//! the time, so builds are compared in alternation. Between b53800f and 6942e08 that gave 1063, 919
//! and 869 us before and 861, 782 and 777 after for the sender: no inner transactions, one wake-up
//! for a commit, and answers that lie together. A message was 22 GETs and is 17. What arrived leaves
//! the outbox with the next message's commit; a message after a pause shares nothing and meets cold
//! caches.

mod density;
mod https;
mod measure;
mod peer;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What is measured is how fast a twin is, not how often it may be asked.
const UNHURRIED: &str = "[twin]\nrequests_at_once = 1000000\nrequests_per_second = 100000\n";

/// One line of the table.
pub(crate) struct Figure {
    what: &'static str,
    value: String,
}

impl Figure {
    fn new(what: &'static str, value: String) -> Self {
        Self { what, value }
    }
}

/// Every group. The last ones take minutes and much of the machine, or another's server: only by
/// their names.
fn all() -> impl Iterator<Item = &'static (&'static str, measure::Measure)> {
    measure::ALL.iter().chain([&("https", https::https as measure::Measure)]).chain(BY_NAME)
}

const BY_NAME: &[(&str, measure::Measure)] = &[("density", density::density), ("peer", peer::peer)];

/// The name of a group of figures, checked.
pub(crate) fn group(name: String) -> Result<String, String> {
    match all().any(|(known, _)| *known == name) {
        true => Ok(name),
        false => Err(format!("there is no group of figures called {name}")),
    }
}

/// Builds the product and measures it: the groups that are named, or all.
pub(crate) fn run(groups: &[String]) -> ExitCode {
    let Some(program) = build() else {
        println!("the release build failed");
        return ExitCode::FAILURE;
    };
    println!("{}\n", surroundings());
    println!("| what | measured |\n|---|---|");
    let mut failed = false;
    for (name, measure) in all() {
        let named = groups.iter().any(|group| group == name);
        let by_name = BY_NAME.iter().any(|(only, _)| only == name);
        if !named && (!groups.is_empty() || by_name) {
            continue;
        }
        match measure(&program) {
            Ok(figures) => {
                for Figure { what, value } in figures {
                    println!("| {what} | {value} |");
                }
            }
            Err(error) => {
                failed = true;
                println!("| failed | {error} |");
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn build() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--package", "hometwin", "--quiet"]).current_dir(&root);
    let built = cargo.status().is_ok_and(|status| status.success());
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| root.join("target"));
    built.then(|| target.join("release/hometwin"))
}

/// Where and of what these figures are.
fn surroundings() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let said = Command::new(program).args(arguments).output().ok();
        said.map_or_else(String::new, |said| {
            String::from_utf8_lossy(&said.stdout).trim().to_owned()
        })
    };
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    format!(
        "`cargo bench-node` at {} on {}, {} processors,{}, Linux {}",
        said("git", &["rev-parse", "--short", "HEAD"]),
        said("date", &["--iso-8601"]),
        std::thread::available_parallelism().map_or(1, usize::from),
        model
            .trim_start_matches([' ', '\t', ':'])
            .split('@')
            .next()
            .map_or_else(String::new, |m| format!(" {}", m.trim())),
        said("uname", &["-r"]),
    )
}
