//! Promise: root's helper knows a few fixed verbs, for the node alone, and is shut in itself.
//!
//! It is started here as systemd starts it: one process for one accepted connection.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use hw_tests::{Node, Options, Process, Result, program, skip, until};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

/// One conversation.
struct Steward {
    child: Child,
    connection: OwnedFd,
}

impl Steward {
    fn start(data: &Path) -> Result<Self> {
        Self::start_with(data, &[])
    }

    /// The one that holds the disk.
    fn slots(data: &Path) -> Result<Self> {
        Self::start_with(data, &["--slots"])
    }

    fn start_with(data: &Path, more: &[&str]) -> Result<Self> {
        let pair =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let (connection, theirs) = pair;
        rustix::net::sockopt::set_socket_timeout(
            &connection,
            rustix::net::sockopt::Timeout::Recv,
            Some(Duration::from_secs(30)),
        )?;
        let child = Command::new(program()?)
            .args(["steward", "--data"])
            .arg(data)
            .args(more)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, connection })
    }

    /// What is answered; nothing once it is gone.
    fn ask(&self, request: &[u8]) -> Result<Vec<u8>> {
        // It may be gone already: then there is no answer either.
        let _ = send(&self.connection, request, SendFlags::NOSIGNAL);
        let mut answer = vec![0; 4096];
        match recv(&self.connection, &mut answer, RecvFlags::empty()) {
            Ok((length, _)) => answer.truncate(length),
            Err(rustix::io::Errno::CONNRESET) => answer.clear(),
            Err(errno) => return Err(errno.into()),
        }
        Ok(answer)
    }

    fn status(&self, key: &str) -> String {
        Process::of(self.child.id()).map(|process| process.status(key)).unwrap_or_default()
    }

    fn end(mut self) -> Result<ExitStatus> {
        drop(self.connection);
        until("steward's end", Duration::from_secs(30), || Ok(self.child.try_wait()?))
    }
}

/// The verbs' and the answers' numbers on the wire.
const READ_ENERGY: u8 = 0;
const SET_QUOTA: u8 = 1;
const SLOTS: u8 = 2;
const WRITE_SLOT: u8 = 3;
const BLESS: u8 = 4;
const ROLL_BACK: u8 = 5;
const SET_NETWORK: u8 = 7;
const DONE: u8 = 0;
const ENERGY: u8 = 1;
const FAILED: u8 = 2;
const UNSUPPORTED: u8 = 3;
const REFUSED: u8 = 6;

fn data() -> Result<tempfile::TempDir> {
    let data = tempfile::tempdir()?;
    fs::create_dir_all(data.path().join("twins/3/life"))?;
    Ok(data)
}

#[test]
fn it_answers_the_node_and_works_on_twins_only() {
    let data = data().unwrap();
    let steward = Steward::start(data.path()).unwrap();
    assert_eq!(steward.ask(&[READ_ENERGY]).unwrap()[0], ENERGY);
    assert_eq!(steward.status("Seccomp"), "2");
    assert_eq!(steward.status("NoNewPrivs"), "1");
    // SYS_ADMIN, DAC_READ_SEARCH and FOWNER, where this test has them to give.
    let effective = u64::from_str_radix(&steward.status("CapEff"), 16).unwrap();
    assert_eq!(effective & !(1 << 21 | 1 << 2 | 1 << 3), 0, "{effective:x}");
    // Twin 3 has a folder, and may get a limit where the file system can; there is no twin 9.
    let answer = steward.ask(&[SET_QUOTA, 3, 0x80, 0x80, 0x40]).unwrap();
    match answer[0] {
        DONE => {}
        UNSUPPORTED => skip("a quota that holds", "this file system has no project quotas"),
        FAILED if !rustix::process::geteuid().is_root() => {
            skip("a quota that holds", "only root can set one");
        }
        other => panic!("answer {other}: {}", String::from_utf8_lossy(&answer)),
    }
    assert_eq!(steward.ask(&[SET_QUOTA, 9, 1]).unwrap()[0], FAILED);
    assert!(steward.end().unwrap().success());
}

/// The folder for the machine's network is beside the data; without one the machine is somebody else's.
#[test]
fn it_writes_how_the_machine_is_connected_and_nothing_else() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("hometwin");
    fs::create_dir_all(data.join("twins")).unwrap();
    const AUTO: &[u8] = &[SET_NETWORK, 0];
    // 192.168.1.5/24 by 192.168.1.1, and no name server.
    const FIXED: &[u8] = &[SET_NETWORK, 1, 192, 168, 1, 5, 24, 1, 192, 168, 1, 1, 0];
    let steward = Steward::start(&data).unwrap();
    assert_eq!(steward.ask(AUTO).unwrap(), [UNSUPPORTED]);
    assert!(steward.end().unwrap().success());
    let network = parent.path().join("hometwin-network");
    fs::create_dir(&network).unwrap();
    let steward = Steward::start(&data).unwrap();
    let text = || fs::read_to_string(network.join("wired.network")).unwrap();
    assert_eq!(steward.ask(AUTO).unwrap(), [DONE]);
    assert!(text().contains("DHCP=yes"));
    assert_eq!(steward.ask(FIXED).unwrap(), [DONE]);
    assert!(text().contains("Address=192.168.1.5/24\nGateway=192.168.1.1\n"), "{}", text());
    // A router in another network, a network of 0 bits, an address of the machine alone.
    for (at, byte) in [(9, 2), (6, 0), (2, 127)] {
        let mut wrong = FIXED.to_vec();
        wrong[at] = byte;
        assert_eq!(steward.ask(&wrong).unwrap()[0], FAILED, "{at}");
    }
    assert!(text().contains("192.168.1.5"));
    let names: Vec<_> =
        fs::read_dir(&network).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(names, ["wired.network"]);
    // networkd is another user, and there is no secret in it.
    assert_eq!(fs::metadata(network.join("wired.network")).unwrap().mode() & 0o777, 0o644);
    assert!(steward.end().unwrap().success());
}

#[test]
fn the_one_that_holds_the_disk_has_no_right_and_another_has_not_its_verbs() {
    let data = data().unwrap();
    let steward = Steward::start(data.path()).unwrap();
    for verb in [SLOTS, WRITE_SLOT, BLESS, ROLL_BACK] {
        assert_eq!(steward.ask(&[verb]).unwrap(), [UNSUPPORTED]);
    }
    let slots = Steward::slots(data.path()).unwrap();
    assert_eq!(slots.ask(&[READ_ENERGY]).unwrap(), [UNSUPPORTED]);
    assert_eq!(slots.ask(&[SET_QUOTA, 3, 1]).unwrap(), [UNSUPPORTED]);
    assert_eq!(slots.status("Seccomp"), "2");
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        let has = u64::from_str_radix(&slots.status(set), 16).unwrap();
        assert!(has == 0 || !rustix::process::geteuid().is_root(), "{set}: {has:x}");
    }
    // This machine didn't come from an image, and trusts nobody.
    for (verb, why) in [
        (SLOTS, &b"no_slots"[..]),
        (WRITE_SLOT, b"trusts_nobody"),
        (BLESS, b"no_slots"),
        (ROLL_BACK, b"no_slots"),
    ] {
        let answer = slots.ask(&[verb]).unwrap();
        assert_eq!(answer[0], REFUSED, "{answer:?}");
        assert!(answer.windows(why.len()).any(|part| part == why), "{answer:?}");
    }
    assert!(slots.ask(&[99]).unwrap().is_empty(), "no verb");
    assert!(!slots.end().unwrap().success());
}

#[test]
fn a_node_without_it_says_so() {
    if Path::new("/run/hometwin/steward.sock").exists() {
        return skip("a node without steward", "this machine has one");
    }
    let node = Node::start(&Options::default()).unwrap();
    let said = node.verb(&["node", "energy"]).unwrap();
    assert_eq!((said.code, said.json()["answer"].as_str()), (1, Some("no_steward")));
    let doctor = node.verb(&["node", "doctor"]).unwrap();
    let about = doctor.out.lines().filter(|line| line.contains("\"part\":\"steward\""));
    assert_eq!(about.filter(|line| line.contains("\"none\"")).count(), 1, "{doctor:?}");
}

#[test]
fn what_is_no_verb_ends_the_conversation() {
    let data = data().unwrap();
    for nonsense in [&[99][..], &[READ_ENERGY, 0], &[SET_QUOTA], &[0xff; 300], b"reboot\n"] {
        let steward = Steward::start(data.path()).unwrap();
        assert!(steward.ask(nonsense).unwrap().is_empty(), "{nonsense:?}");
        assert!(!steward.end().unwrap().success());
    }
}

#[test]
fn nobody_but_the_owner_of_the_data_is_heard() {
    if !rustix::process::geteuid().is_root() {
        return skip("steward and a stranger", "only root can give a folder to somebody else");
    }
    let data = data().unwrap();
    chown(data.path(), Some(65_534), Some(65_534)).unwrap();
    let steward = Steward::start(data.path()).unwrap();
    let answer = steward.ask(&[READ_ENERGY]).unwrap();
    assert!(answer.is_empty(), "root itself is a stranger then");
    assert!(!steward.end().unwrap().success());
}

#[test]
fn it_does_not_wait_for_ever() {
    let data = data().unwrap();
    let mut steward = Steward::start(data.path()).unwrap();
    let ended = until("its end", Duration::from_secs(60), || Ok(steward.child.try_wait()?));
    assert!(ended.unwrap().success());
}

#[test]
fn by_hand_it_does_nothing() {
    let said = Command::new(program().unwrap()).arg("steward").stdin(Stdio::null()).output();
    assert_eq!(said.unwrap().status.code(), Some(2));
}
