//! Where the red team tries one thing at a time: behind the wall, and without it.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use hw_tests::{Result, fresh_id, red_team};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket, socketpair,
};
use serde_json::Value;

/// What an attempt came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Came {
    Through,
    Refused(i64),
    /// The wall ended the process.
    Killed,
}

/// Who makes the attempts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum As {
    /// This test's own user, without a uid of its own.
    Same,
    /// Started by root, with a uid of its own.
    OwnUid,
    /// Started by somebody who is not root.
    Ordinary,
}

/// Two twins' folders beside each other, and sockets to be reached.
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    abstract_name: String,
    _listeners: [UnixListener; 2],
    _steward: OwnedFd,
}

impl Ground {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        // Open to all, so that it is the wall that refuses and not the mode of a file.
        for name in ["own", "other"] {
            fs::create_dir(at(name))?;
            fs::set_permissions(at(name), fs::Permissions::from_mode(0o777))?;
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
        let abstract_name = format!("red-team-{}", fresh_id());
        let address = SocketAddr::from_abstract_name(&abstract_name)?;
        let listeners = [UnixListener::bind_addr(&address)?, UnixListener::bind(at("socket"))?];
        let steward = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None)?;
        bind(&steward, &SocketAddrUnix::new(at("steward.sock"))?)?;
        listen(&steward, 8)?;
        for name in ["socket", "steward.sock"] {
            fs::set_permissions(at(name), fs::Permissions::from_mode(0o777))?;
        }
        Ok(Self { folder, abstract_name, _listeners: listeners, _steward: steward })
    }

    fn attempt(&self, program: &str, name: &str, wall: bool, who: As) -> Result<Came> {
        let at = |name: &str| self.folder.path().join(name);
        fs::write(at("other/secret"), "of another")?;
        fs::set_permissions(at("other/secret"), fs::Permissions::from_mode(0o666))?;
        let (stdin, _kept) = channel()?;
        let mut command = Command::new(red_team()?);
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
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        if let Some(signal) = done.status.signal() {
            assert!(!wall || signal == SIGSYS, "{name}: signal {signal}");
            return Ok(Came::Killed);
        }
        let said: Value = serde_json::from_str(said.trim()).unwrap_or_default();
        assert!(said["unshut"].is_null(), "{name}: {said}");
        // A program that was started instead says something else than JSON.
        Ok(said["errno"].as_i64().map_or(Came::Through, Came::Refused))
    }

    /// Every attempt behind the wall fails; gives how many of them the wall was needed for.
    pub(crate) fn all_fail(&self, program: &str, who: As) -> Result<BTreeMap<String, Came>> {
        let listed = Command::new(red_team()?).args(["attempts", program]).output()?;
        let listed = String::from_utf8(listed.stdout)?;
        let mut through = Vec::new();
        let mut stopped = BTreeMap::new();
        for name in listed.lines() {
            let came = self.attempt(program, name, true, who)?;
            if came == Came::Through && !may(program, name, who) {
                through.push(name.to_owned());
                continue;
            }
            // The wall's own signal proves itself. A refusal has to be another without the wall.
            if came == Came::Killed || self.attempt(program, name, false, who)? != came {
                stopped.insert(name.to_owned(), came);
            }
        }
        assert!(through.is_empty(), "{who:?} {program} got through: {through:?}");
        Ok(stopped)
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

const SIGSYS: i32 = 31;
/// `nobody`: a user with no rights at all.
pub(crate) const ORDINARY: u32 = 65_534;
