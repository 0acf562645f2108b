//! `cargo bench-node`: what a node costs, as a table for the docs.
//!
//! Processor time and memory come from `/proc` of the release build. Nothing here passes or fails:
//! figures are compared by people, with the machine and the commit they were made on beside them.
//!
//! Processor time is that of the median round (in brackets the cheapest): on a processor that is
//! shared with others, the same work can cost a third more from one minute to the next. `cargo
//! bench-node GROUP ..` measures only what is named, for comparing two builds side by side.
//!
//! `cargo bench-node` at 985f113 on 2026-11-22, as root and behind the walls, 2 processors (Xeon,
//! 2.5 GHz), Linux 6.18, ext4 without a journal. Where there are three figures, these are three runs
//! within ten minutes on a machine that did little else:
//!
//! | what | measured | budget |
//! |---|---|---|
//! | wake to first answer, plain HTTP (p50 / p95) | 5.7 / 6.6 ms | 25 ms |
//! | - HTTPS (at e2dead3) | 9.6 / 51.9 ms | 25 ms |
//! | idle household, three sleeping twins: PSS | 5.1 MiB | 25 MiB |
//! | idle household: wake-ups | 0.00 per second | 0.1 |
//! | awake twin after pairing and a first contact: USS | 1.2 MiB | 2 MiB |
//! | - with an open page: USS; wake-ups | 1.2 MiB; 0.00 per second | |
//! | chat message: sender's twin | 1293, 1585, 1735 us | **500 us** |
//! | - receiver's twin | 857, 1113, 1210 us | **500 us** |
//! | - bytes written, sender / receiver | 92 kB / 67 kB | |
//! | - with pauses, nothing shared: sender / receiver | 2232 / 1098 us | |
//! | GET of a small file | 57, 67, 86 us | |
//! | POST of a 1 KiB note, durable | 756, 1060, 926 us | **400 us** |
//! | - bytes written | 103 kB | |
//! | last 50 of 20 000 messages, over HTTP | 644 us | |
//!
//! The GET tells how fast the processor was: the same work took twice the time of an hour before.
//! Then, with 40 us for the GET, two runs at 85c03dc (without walls) gave 841 and 1073 us for the
//! sender, 537 and 708 for the receiver, 421 and 622 for the POST; at 02b373d, measured in between,
//! 1045 and 876, 681 and 577, 702 and 614. So what was done between these two halved what is written
//! (sender: 202 and 226 kB before), and has not been shown to save processor time. All three
//! budgets are missed, at any speed of the processor: a message costs its sender some 22 GETs.
//!
//! Where the sender's time goes, by a profile of 85c03dc: about a fifth seals the letter, a quarter
//! is the commit, 60 us HTTP, 80 us the change itself, a tenth maps and unmaps memory (taken to be
//! LMDB's transaction within a transaction, not proven). What arrived leaves the outbox with the
//! next message's commit; a message after a pause shares nothing and meets cold caches.

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
