//! `cargo bench-node`: what a node costs, as a table for the docs.
//!
//! Processor time and memory come from `/proc` of the release build. Nothing here passes or fails:
//! figures are compared by people, with the machine and the commit they were made on beside them.
//!
//! `cargo bench-node` at be0333a on 2026-11-22, 2 shared processors at 2.5 GHz, Linux 6.18; the two
//! lines with a star were measured again at 5fef9ea, after the allocator's threshold was fixed:
//!
//! | what | measured | budget |
//! |---|---|---|
//! | wake to first answer, plain HTTP (p50 / p95) | 4.4 ms / 5.2 ms | 25 ms |
//! | idle household, three sleeping twins: PSS | 4.2 MiB | 25 MiB |
//! | idle household: wake-ups | 0.00 per second | 0.1 |
//! | awake twin after pairing and a first contact: USS * | 0.9 MiB (before: 3.1) | 2 MiB |
//! | chat message: processor time of the sender's / receiver's twin | 957 us / 686 us | 500 us |
//! | - bytes written by the sender's / receiver's twin | 156 kB / 75 kB | |
//! | GET of a small file: processor time | 42 us | |
//! | POST of a 1 KiB note, durable: processor time * | 540 us | 400 us |
//! | last 50 of 20 000 messages, over HTTP: processor time | 826 us | |
//!
//! What is over budget is mostly the disk: a profile of the POST shows 37 % in the commit (flush
//! and page writes), 23 % in the change itself, 17 % in HTTP. A message costs its sender two
//! commits; the second one, which clears the outbox, could be shared by several.

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

/// The name of a group of figures, checked.
pub(crate) fn group(name: String) -> Result<String, String> {
    match measure::ALL.iter().any(|(known, _)| *known == name) {
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
    for (name, measure) in measure::ALL {
        if !groups.is_empty() && !groups.iter().any(|group| group == name) {
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
