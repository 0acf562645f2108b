//! Promise: a service manager runs it as a user without rights of its own, hears that it lives, and
//! starts it again when it doesn't.
//!
//! The manager here is this test, by the protocols of sd_listen_fds(3) and sd_notify(3): what it gives
//! is what systemd gives to the units in `image-build/recipe/units`.

#[path = "runs_as_a_service/units.rs"]
mod units;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hw_tests::{Node, Options, Result, fresh_id, program, reachable, skip, until};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Who starts the node, hears it and keeps its address open.
struct Manager {
    listener: Arc<TcpListener>,
    notify: UnixDatagram,
    program: PathBuf,
    folder: tempfile::TempDir,
    /// It may use users of its own.
    apart: bool,
}

impl Manager {
    /// Starts nodes as a service user where this test is root, else as its own.
    fn new(watchdog_us: u64) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let hometwin = program()?;
        let apart = rustix::process::geteuid().is_root() && reachable(&hometwin);
        let notify = UnixDatagram::bind(folder.path().join("notify"))?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        if apart {
            chown(&data, Some(SERVICE), Some(SERVICE))?;
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))?;
            fs::set_permissions(folder.path().join("notify"), fs::Permissions::from_mode(0o777))?;
        }
        let user = if apart { format!("setpriv {SETPRIV}") } else { String::new() };
        let script = format!(
            "#!/bin/sh\nexec 3<&0 </dev/null\nexport LISTEN_PID=$$ LISTEN_FDS=1 WATCHDOG_PID=$$ \
             WATCHDOG_USEC={watchdog_us} NOTIFY_SOCKET={}\nexec {user} {} \"$@\"\n",
            folder.path().join("notify").display(),
            hometwin.display()
        );
        let program = folder.path().join("start");
        fs::write(&program, script)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0")?);
        Ok(Self { listener, notify, program, folder, apart })
    }

    fn start(&self, people: &[&str]) -> Result<Node> {
        let options = Options {
            program: Some(self.program.clone()),
            given: Some(self.listener.clone()),
            ..Options::people(people).data(&self.data())
        };
        Node::start(&options)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What was said, the oldest first; waits for one at most so long.
    fn hear(&self, wait: Duration) -> Result<Option<String>> {
        self.notify.set_read_timeout(Some(wait))?;
        let mut text = [0; 256];
        match self.notify.recv(&mut text) {
            Ok(length) => Ok(Some(String::from_utf8(text[..length].to_vec())?)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn hear_that(&self, what: &str) -> Result<String> {
        until(what, Duration::from_secs(30), || {
            Ok(self.hear(Duration::from_secs(1))?.filter(|text| text.starts_with(what)))
        })
    }
}

/// As the unit says it: `User=` and `AmbientCapabilities=`, and nothing beyond that.
const SETPRIV: &str = "--reuid 65534 --regid 65534 --clear-groups \
    --bounding-set -all,+chown,+kill,+setgid,+setpcap,+setuid,+sys_chroot \
    --inh-caps -all,+chown,+kill,+setgid,+setpcap,+setuid,+sys_chroot \
    --ambient-caps -all,+chown,+kill,+setgid,+setpcap,+setuid,+sys_chroot";
const SERVICE: u32 = 65_534;
/// The six of them, as /proc shows them.
const SIX: &str = "00000000000401e1";
const NONE: &str = "0000000000000000";
const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

#[test]
fn a_service_user_has_six_rights_and_its_children_none() {
    let manager = Manager::new(0).unwrap();
    if !manager.apart {
        return skip("a node of a service user", "only root can start one");
    }
    let node = manager.start(&["ann", "bob"]).unwrap();
    let people = ["ann", "bob"].map(|name| node.pair(name).unwrap());
    for person in &people {
        person.call("identity", "me", json!({})).unwrap();
    }
    assert_eq!(node.executor().status("Uid").split_whitespace().next(), Some("65534"));
    assert_eq!(node.executor().status("NoNewPrivs"), "1");
    for set in SETS {
        assert_eq!(node.executor().status(set), SIX, "the executor's {set}");
    }
    let children = node.executor().descendants();
    assert!(children.len() >= 3, "{children:?}");
    for child in children {
        for set in SETS {
            assert_eq!(child.status(set), NONE, "{set} of {:?}", child.role());
        }
        assert_eq!(child.status("Seccomp"), "2");
        let uids = child.status("Uid");
        let uids: Vec<u32> = uids.split_whitespace().map(|uid| uid.parse().unwrap()).collect();
        assert!(uids.iter().all(|uid| (3_000_000..3_065_536).contains(uid)), "{uids:?}");
    }
    // What is a twin's is nobody else's, and the executor may only pass through to start it.
    let folder = PathBuf::from(node.twin("ann").unwrap()["folder"].as_str().unwrap());
    let about = fs::metadata(&folder).unwrap();
    assert_eq!((about.uid(), about.gid(), about.mode() & 0o777), (3_000_001, SERVICE, 0o710));
    // It can still take away what it has given.
    let gone = node.verb(&["twin", "remove", "ann", "--confirm", "ann"]).unwrap();
    assert_eq!(gone.code, 0, "{gone:?}");
    assert!(!folder.exists());
    let doctor = node.verb(&["node", "doctor"]).unwrap();
    let found: Vec<Value> =
        doctor.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (part, how) in [("service", "socket"), ("users", "own"), ("watchdog", "unwatched")] {
        let finding = found.iter().find(|finding| finding["part"] == part).unwrap();
        assert_eq!(finding["how"], how, "{doctor:?}");
    }
    assert!(found.iter().all(|one| one["part"] != "process" || one["holds"] == true), "{found:?}");
}

#[test]
fn the_manager_hears_that_it_lives_and_starts_it_again() {
    let manager = Manager::new(1_000_000).unwrap();
    let mut node = manager.start(&["ann"]).unwrap();
    let port = manager.listener.local_addr().unwrap().port();
    assert_eq!(node.port(), port, "it listens where it was told to");
    let ready = manager.hear_that("READY=1").unwrap();
    assert_eq!(ready, format!("READY=1\nSTATUS=127.0.0.1:{port}"));
    let ann = node.pair("ann").unwrap();
    let note = json!({ "id": fresh_id(), "conversation": "self", "text": "kept" });
    ann.call("chat", "send", note).unwrap();
    for _ in 0..2 {
        manager.hear_that("WATCHDOG=1").unwrap();
    }
    // It hangs: silence, and so the manager ends it, by a signal that can't wait.
    let children = node.executor().descendants();
    node.executor().signal(Signal::STOP);
    until("the stop", Duration::from_secs(10), || {
        Ok(node.executor().status("State").starts_with('T').then_some(()))
    })
    .unwrap();
    while manager.hear(Duration::from_millis(1)).unwrap().is_some() {}
    assert_eq!(manager.hear(Duration::from_secs(2)).unwrap(), None, "a stopped node can't speak");
    node.executor().kill().unwrap();
    for child in children {
        until("the children's end", Duration::from_secs(10), || Ok((!child.alive()).then_some(())))
            .unwrap();
    }
    node.wait().unwrap();
    // Somebody comes while there is no node: the address stays open.
    let mut visitor = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut again = manager.start(&[]).unwrap();
    manager.hear_that("READY=1").unwrap();
    let request =
        format!("GET / HTTP/1.1\r\nHost: ann.localhost:{port}\r\nConnection: close\r\n\r\n");
    visitor.write_all(request.as_bytes()).unwrap();
    visitor.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = [0; 12];
    visitor.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let page = ann.call("chat", "messages", json!({ "conversation": "self" })).unwrap();
    assert_eq!(page["items"][0]["text"], "kept");
    assert!(again.stop().unwrap().success());
    manager.hear_that("STOPPING=1").unwrap();
}

#[test]
fn what_is_no_listener_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec {} run --data {}",
        program().unwrap().display(),
        folder.path().join("data").display()
    );
    let said = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(1), "{text}");
    assert!(text.contains("service manager"), "{text}");
}
