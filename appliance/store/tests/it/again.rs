//! Runs one test of this binary once more, in another process or under other conditions. Never
//! decides whether the test passed: the child's exit does.
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const FOLDER: &str = "STORE_TEST_FOLDER";
const DONE: &str = "the other process is done";

/// The folder to work in, when this process is the other one.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// To be called at the end of the other process's part.
pub(crate) fn done() {
    println!("{DONE}");
}

/// The test `name` (`module::function`), to be run by `shell` as `"$@"`.
pub(crate) fn command(name: &str, folder: &Path, program: &str, shell: &str) -> Command {
    let mut words: Vec<&str> = program.split(' ').collect();
    words.extend(["sh", "-c", shell, "sh"]);
    let mut command = Command::new(words.remove(0));
    command
        .args(words)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::null());
    command
}

pub(crate) fn run(name: &str, folder: &Path, program: &str, shell: &str) {
    let output = command(name, folder, program, shell).output().unwrap();
    let (out, err) = texts(&output);
    assert!(output.status.success() && out.contains(DONE), "{out}\n{err}");
}

/// As [`run`] in a mount namespace of its own, after `setup` has run in it. `false`, said out
/// loud, where this machine allows no such namespace.
pub(crate) fn run_mounted(name: &str, folder: &Path, setup: &str) -> bool {
    let unshare = "unshare --mount --map-root-user";
    let program = if rustix::process::geteuid().is_root() { "unshare --mount" } else { unshare };
    let mut probe = Command::new("unshare");
    probe.args(program.split(' ').skip(1)).args(["mount", "-t", "tmpfs", "none", "/mnt"]);
    match probe.output() {
        Ok(output) if output.status.success() => {
            run(name, folder, program, &format!("set -e; {setup}; exec \"$@\""));
            true
        }
        refused => {
            let why = refused.map_or_else(|e| e.to_string(), |output| texts(&output).1);
            println!("SKIPPED {name}: no mount namespace of our own here: {why}");
            false
        }
    }
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}
