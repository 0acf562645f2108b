//! Where one thing at a time is tried: behind the wall, and without it.
//!
//! Every attempt is made again without the wall, as a control: one that fails there too proves
//! nothing and is not counted.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Error, Result};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket, socketpair,
};
use serde_json::{Value, json};

use crate::attempts;

/// What an attempt came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Came {
    Through,
    Refused(i64),
    /// The wall ended the process.
    Killed,
}

/// Who makes the attempts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum As {
    /// Whoever started this, without a uid of its own.
    Same,
    /// Started by root, with a uid of its own.
    OwnUid,
    /// Started by somebody who is not root.
    Ordinary,
}

impl As {
    pub(crate) fn read(word: &str) -> Option<Self> {
        match word {
            "same" => Some(Self::Same),
            "own-uid" => Some(Self::OwnUid),
            "ordinary" => Some(Self::Ordinary),
            _ => None,
        }
    }
}

/// Two twins' folders beside each other, and sockets to be reached.
struct Ground {
    folder: PathBuf,
    abstract_name: String,
    _listeners: [UnixListener; 2],
    _steward: OwnedFd,
}

/// Makes every attempt for this program. `through`: what no wall stopped; `missing`: what should
/// need the wall to be stopped and did not; `stopped`: how many the wall was needed for.
pub(crate) fn all(program: &str, who: As) -> Result<Value> {
    let ground = Ground::new()?;
    let (mut through, mut stopped) = (Vec::new(), BTreeSet::new());
    for name in attempts::names(program) {
        let came = ground.attempt(program, name, true, who)?;
        if came == Came::Through && !may(program, name, who) {
            through.push(name);
            continue;
        }
        // The wall's own signal proves itself. A refusal has to be another without the wall.
        if came == Came::Killed || ground.attempt(program, name, false, who)? != came {
            stopped.insert(name);
        }
    }
    let sure = SURELY.iter().filter(|name| attempts::names(program).any(|known| known == **name));
    let missing: Vec<_> = sure.filter(|name| !stopped.contains(**name)).collect();
    Ok(json!({ "through": through, "missing": missing, "stopped": stopped.len() }))
}

impl Ground {
    fn new() -> Result<Self> {
        let name = format!("red-team-{}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        let open =
            |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        // Open to all, so that it is the wall that refuses and not the mode of a file.
        for path in [folder.clone(), folder.join("own"), folder.join("other")] {
            fs::create_dir(&path)?;
            open(path, 0o777)?;
        }
        let address = SocketAddr::from_abstract_name(&name)?;
        let path = folder.join("socket");
        let listeners = [UnixListener::bind_addr(&address)?, UnixListener::bind(&path)?];
        let steward = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None)?;
        bind(&steward, &SocketAddrUnix::new(folder.join("steward.sock"))?)?;
        listen(&steward, 8)?;
        open(path, 0o777)?;
        open(folder.join("steward.sock"), 0o777)?;
        Ok(Self { folder, abstract_name: name, _listeners: listeners, _steward: steward })
    }

    fn attempt(&self, program: &str, name: &str, wall: bool, who: As) -> Result<Came> {
        let at = |name: &str| self.folder.join(name);
        fs::write(at("other/secret"), "of another")?;
        fs::set_permissions(at("other/secret"), fs::Permissions::from_mode(0o666))?;
        let (stdin, _kept) = channel()?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["attempt", program, name, if wall { "wall" } else { "open" }])
            .args(["memory=268435456", "processes=64"])
            .current_dir(at("own"))
            .env_clear()
            .env("RED_TEAM_OTHER_FILE", at("other/secret"))
            .env("RED_TEAM_ABSTRACT", &self.abstract_name)
            .env("RED_TEAM_SOCKET", at("socket"))
            .env("RED_TEAM_STEWARD", at("steward.sock"))
            .stdin(Stdio::from(stdin))
            .stderr(Stdio::null());
        if program == "worker" {
            command.args(["cpu_s=20", "output=1048576"]);
        }
        match who {
            As::OwnUid if wall => drop(command.arg("uid=3000001")),
            As::Ordinary => drop(command.uid(ORDINARY).gid(ORDINARY)),
            As::OwnUid | As::Same => {}
        }
        let done = command.output()?;
        if let Some(signal) = done.status.signal() {
            return match wall && signal != libc::SIGSYS {
                true => Err(Error::other(format!("{program} {name}: signal {signal}"))),
                false => Ok(Came::Killed),
            };
        }
        let said: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
        if !said["unshut"].is_null() {
            return Err(Error::other(format!("{program} {name}: {said}")));
        }
        // A program that was started instead says something else than JSON.
        Ok(said["errno"].as_i64().map_or(Came::Through, Came::Refused))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What is known and documented to be open.
fn may(program: &str, name: &str, who: As) -> bool {
    // Threads are counted by uid: without an own one only memory limits them. A worker has none.
    name == "share_threads" && who != As::OwnUid && program != "worker"
}

fn channel() -> Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// These must have been stopped by the wall and by nothing else, whoever starts the node.
const SURELY: &[&str] = &[
    "file_passwd",
    "file_of_other",
    "file_of_other_by_way_up",
    "file_own_program",
    "file_folder_above",
    "file_root",
    "file_write_above",
    "file_move_out",
    "file_remove_above",
    "process_list",
    "process_trace",
    "process_memory",
    "run_program",
    "run_itself",
    "run_memory",
    "run_fork",
    "run_clone3",
    "run_new_code",
    "run_changed_code",
    "socket_any_family",
    "socket_internet",
    "socket_unix",
    "socket_kernel",
    "socket_abstract",
    "socket_path",
    "steward_ask",
    "right_dumpable",
    "right_outlive",
    "right_filter",
    "machine_mount",
    "machine_namespace",
    "machine_ring",
    "machine_bpf",
    "machine_keys",
    "machine_perf",
    "machine_faults",
    "machine_shared_memory",
    "share_memory",
    "share_memory_shared",
    "share_memory_stack",
    "share_descriptors",
];
/// `nobody`: a user with no rights at all.
const ORDINARY: u32 = 65_534;
