//! Runs programs: the building machine's own few, and those of the tool tree inside it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::cache::Cache;
use crate::{Error, Result, build};

/// A tree of Debian's tools.
pub(crate) struct Tools {
    tree: PathBuf,
    epoch: u64,
}

impl Tools {
    pub(crate) fn new(stage: &Path, epoch: u64) -> Self {
        Self { tree: stage.join("tree"), epoch }
    }

    /// A file of the tree.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.tree.join(inside)
    }

    /// Runs a program of the tree; `work` is its `/here`, where it starts.
    pub(crate) fn run(&self, work: &Path, log: &Path, words: &[&str]) -> Result<()> {
        let mut command = inside(&self.tree, work);
        command.args(words).env("SOURCE_DATE_EPOCH", self.epoch.to_string());
        run(command, words[0], log)
    }
}

/// Runs a program to its end; what it says goes to a file.
pub(crate) fn run(mut command: Command, name: &str, log: &Path) -> Result<()> {
    let out = File::create(log).map_err(Error::file(log))?;
    let err = out.try_clone().map_err(Error::file(log))?;
    let status = command.stdin(Stdio::null()).stdout(out).stderr(err).status();
    let status = status.map_err(Error::file(name))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Program { program: name.to_owned(), status, log: log.to_owned() })
}

/// Runs a program of the tool tree in place of this one, for tests and for whoever looks closer.
pub(crate) fn forward(work: &Path, words: &[String]) -> ExitCode {
    use std::os::unix::process::CommandExt;
    let tree = match tool_tree() {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let error = inside(&tree.join("tree"), work).args(words).exec();
    eprintln!("unshare: {error}");
    ExitCode::FAILURE
}

fn tool_tree() -> Result<PathBuf> {
    build::needs_root()?;
    build::tools(&Cache::open()?, &build::usual())
}

/// In namespaces of mounts of its own: what is mounted goes with the program.
fn inside(tree: &Path, work: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec", SCRIPT, "tools"]);
    command.arg(tree).arg(std::path::absolute(work).unwrap_or_else(|_| work.to_owned()));
    command.env("LC_ALL", "C.UTF-8").env("HOME", "/").env("PATH", "/usr/sbin:/usr/bin");
    command
}

/// `exec`, so that whoever started this can end it.
const SCRIPT: &str = "\
tree=$1 work=$2; shift 2
mount --bind /dev \"$tree/dev\"
mount -t proc proc \"$tree/proc\"
mkdir -p \"$tree/here\"
mount --bind \"$work\" \"$tree/here\"
exec chroot \"$tree\" /usr/bin/env -C /here \"$@\"";
