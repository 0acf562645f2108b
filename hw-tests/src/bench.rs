//! `cargo bench-node`: what a node costs, as a table for the docs.
//!
//! Processor time and memory come from `/proc` of the release build. Nothing here passes or fails:
//! figures are compared by people, with the machine and the commit they were made on beside them.
//!
//! Processor time is that of the median round (in brackets the cheapest): on a processor that is
//! shared with others, the same work can cost a third more from one minute to the next. `cargo
//! bench-node GROUP ..` measures only what is named, for comparing two builds side by side.
//!
//! `cargo bench-node` at 85c03dc on 2026-11-22, 2 processors (Xeon, 2.5 GHz) that six other builds
//! shared, Linux 6.18, ext4 without a journal; *before* is 02b373d, measured in the same minutes:
//!
//! | what | measured | before | budget |
//! |---|---|---|---|
//! | wake to first answer, plain HTTP (p50 / p95) | 8.6 / 20.1 ms | | 25 ms |
//! | - HTTPS, behind the walls (at e2dead3) | 9.6 / 51.9 ms | | 25 ms |
//! | idle household, three sleeping twins: PSS | 5.1 MiB | | 25 MiB |
//! | idle household: wake-ups | 0.07 per second | | 0.1 |
//! | awake twin after pairing and a first contact: USS | 0.9 MiB | | 2 MiB |
//! | - with an open page: USS; wake-ups | 0.9 MiB; 0.00 per second | | |
//! | chat message: sender's twin | 841 us (739) | 876 us (818) | 500 us |
//! | - receiver's twin | 537 us (490) | 577 us (526) | 500 us |
//! | - bytes written, sender / receiver | 92 kB / 70 kB | 202 kB / 84 kB | |
//! | - with pauses, nothing shared: sender / receiver | 1455 / 774 us | 1398 / 806 us | |
//! | GET of a small file | 40 us (36) | 34 us (31) | |
//! | POST of a 1 KiB note, durable | 421 us (332) | 614 us (456) | 400 us |
//! | - bytes written | 103 kB | 115 kB | |
//! | last 50 of 20 000 messages, over HTTP | 555 us | | |
//!
//! Where the sender's time goes, by a profile: some 180 us seal the letter (two multiplications for
//! the key it is sealed by, one of them done twice by `hpke`; one for the signature), some 200 us
//! are one commit (two flushes and the pages it touches), 60 us HTTP, 80 us the change itself. What
//! arrived leaves the outbox with the next message's commit, which halves what is written; as the
//! second change of a commit that one runs in a transaction inside the other, and LMDB maps and
//! unmaps 3 MiB for it, some 40 us. A message after a pause shares nothing: it pays a second
//! commit, and every cold cache.

mod density;
mod https;
mod measure;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

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

/// Every group. The last one takes minutes and much of the machine: only by its name.
fn all() -> impl Iterator<Item = &'static (&'static str, measure::Measure)> {
    let more: &[(&str, measure::Measure)] = &[("https", https::https), (DENSITY, density::density)];
    measure::ALL.iter().chain(more)
}

const DENSITY: &str = "density";

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
        if !named && (!groups.is_empty() || *name == DENSITY) {
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
