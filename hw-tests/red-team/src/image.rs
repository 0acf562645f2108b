//! Inside a booted image, started by a unit as root beside the running node, which is this program
//! too: everything that a test machine may not have (users, control groups, quotas, steward and the
//! units' own walls) is tried here. What it finds goes to the console, a line for each.

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ground::{self, As};

/// Tries everything; says so in the end.
pub(crate) fn run() -> ExitCode {
    match attack() {
        Ok(()) => {
            println!("red-team done");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("red-team failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn attack() -> Result<()> {
    for program in ["twin", "gateway", "worker"] {
        println!("red-team {program}: {}", ground::all(program, As::OwnUid)?);
    }
    until("the node", || Path::new(DATA).join("control.sock").exists().then_some(()))?;
    for name in ["ann", "bob"] {
        verb(&["twin", "create", name])?;
        verb(&["twin", "verify", name])?;
    }
    for line in verb(&["node", "doctor"])?.lines() {
        println!("red-team doctor: {line}");
    }
    take("disk")?;
    until("the last file", || {
        wake();
        folder().join("filler-15").exists().then_some(())
    })?;
    println!("red-team disk: {}", taken_up()?);
    free()?;
    for file in fillers()? {
        fs::remove_file(file.path())?;
    }
    take("threads")?;
    println!("red-team threads: {}", threads()?);
    free()?;
    take("memory")?;
    until("its end", || {
        wake();
        says(&["node", "health"], "twin_memory_short")
    })?;
    println!("red-team memory: told");
    free()?;
    for name in ["ann", "bob"] {
        // After so many deaths Bob's has to wait before it is started again.
        let verified = until("a whole journal", || {
            let said = verb(&["twin", "verify", name]).ok()?;
            said.contains("\"entries\"").then_some(said)
        })?;
        println!("red-team {name}: {}", verified.trim());
    }
    Ok(())
}

/// From now on Bob's twin, the second that was made, obeys this order.
fn take(order: &str) -> Result<()> {
    fs::write(orders(), format!("twin 2: {order}\n"))?;
    end()?;
    Ok(())
}

/// Wakes it where it isn't awake: it is asked, and never answers. After many deaths it has to wait.
fn wake() {
    if let Ok(None) = pid() {
        let _ = hometwin(&["twin", "verify", "bob"]).stdout(Stdio::null()).spawn();
    }
    std::thread::sleep(Duration::from_secs(2));
}

/// It is itself again.
fn free() -> Result<()> {
    fs::remove_file(orders())?;
    end()
}

fn end() -> Result<()> {
    if let Some(pid) = pid()? {
        // It may be ending by itself just now.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    Ok(())
}

fn pid() -> Result<Option<rustix::process::Pid>> {
    let listed: Value = serde_json::from_str(&verb(&["twin", "list"])?)?;
    let bob = listed.as_array().into_iter().flatten().find(|twin| twin["name"] == "bob");
    let pid = bob.and_then(|bob| bob["pid"].as_i64()).and_then(|pid| i32::try_from(pid).ok());
    Ok(pid.and_then(rustix::process::Pid::from_raw))
}

/// How many threads it has when it gets no more.
fn threads() -> Result<u64> {
    let mut before = 0;
    until("the last thread", || {
        wake();
        let pid = pid().ok().flatten()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("Threads:"))?;
        let now: u64 = line.trim().parse().ok()?;
        (std::mem::replace(&mut before, now) == now && now > 4).then_some(now)
    })
}

/// Bytes of all that it wrote.
fn taken_up() -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    fillers()?.iter().map(|file| Ok(file.metadata()?.blocks() * 512)).sum()
}

fn fillers() -> Result<Vec<fs::DirEntry>> {
    let files = fs::read_dir(folder())?.flatten();
    Ok(files.filter(|file| file.file_name().to_string_lossy().starts_with("filler-")).collect())
}

fn says(words: &[&str], what: &str) -> Option<()> {
    verb(words).ok()?.contains(what).then_some(())
}

/// What the product answers.
fn verb(words: &[&str]) -> Result<String> {
    let said = hometwin(words).output()?;
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

fn hometwin(words: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(words).args(["--json", "--data", DATA]);
    command.stdin(Stdio::null());
    command
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = found() {
            return Ok(found);
        }
        if begin.elapsed() > PATIENCE {
            return Err(Error::other(format!("{what} did not come")));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn orders() -> PathBuf {
    Path::new(DATA).join("orders")
}

fn folder() -> PathBuf {
    Path::new(DATA).join("twins/2")
}

const DATA: &str = "/var/lib/hometwin";
/// The machine may be an emulated one beside ten others.
const PATIENCE: Duration = Duration::from_secs(300);
