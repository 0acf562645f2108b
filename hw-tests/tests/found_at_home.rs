//! Promise: a node is found in the home's network by its name, and every twin by its own, without
//! anybody's help; a name that another machine has is left to it, and said.
//!
//! Two machines at one cable are two network namespaces. Only root can make them.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hw_tests::{Result, program, skip, until};
use serde_json::Value;

/// A cable between two machines, gone with everything that ran at them.
struct Cable {
    left: String,
    right: String,
}

const LEFT: &str = "10.77.0.1";
const RIGHT: &str = "10.77.0.2";

impl Cable {
    /// `None`: this machine or user can't make one.
    fn new(name: &str) -> Result<Option<Self>> {
        let id = std::process::id();
        let cable = Self { left: format!("ht-{name}-l{id}"), right: format!("ht-{name}-r{id}") };
        if !ip(&["netns", "add", &cable.left]) || !ip(&["netns", "add", &cable.right]) {
            return Ok(None);
        }
        let (one, two) = (cable.left.as_str(), cable.right.as_str());
        let made =
            ip(&["-n", one, "link", "add", "lan0", "type", "veth", "peer", "lan1", "netns", two]);
        for (side, card, address) in [(one, "lan0", LEFT), (two, "lan1", RIGHT)] {
            let address = format!("{address}/24");
            ip(&["-n", side, "addr", "add", &address, "dev", card]);
            ip(&["-n", side, "link", "set", "lo", "up"]);
            ip(&["-n", side, "link", "set", card, "up"]);
            ip(&["-n", side, "route", "add", "224.0.0.0/4", "dev", card]);
        }
        Ok(made.then_some(cable))
    }

    /// A node at the left end.
    fn node(&self, data: &Path, more: &[&str]) -> Result<Machine> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.left]).arg(program()?);
        command.args(["run", "--listen", "0.0.0.0:443", "--json", "--data"]).arg(data).args(more);
        let log = std::fs::File::create(data.with_extension("log"))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        Ok(Machine(child))
    }

    /// Runs one of the tests below that are a neighbour, at the right end.
    fn neighbour(&self, what: &str, argument: &str) -> Result<String> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.right]).arg(std::env::current_exe()?);
        command.args(["--exact", "--ignored", "--nocapture", what]).env("NEIGHBOUR", argument);
        let said = command.output()?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        if !said.status.success() {
            return Err(format!("{text}{}", String::from_utf8_lossy(&said.stderr)).into());
        }
        let found = text.lines().find_map(|line| line.strip_prefix("found "));
        Ok(found.unwrap_or_default().to_owned())
    }

    /// The address that the right end finds for a name; empty: none within a second.
    fn find(&self, name: &str) -> Result<String> {
        self.neighbour("asks", name)
    }

    fn finds(&self, name: &str) -> Result<String> {
        let found = || Ok(Some(self.find(name)?).filter(|found| !found.is_empty()));
        until(name, Duration::from_secs(20), found)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for side in [&self.left, &self.right] {
            ip(&["netns", "del", side]);
        }
    }
}

/// A node in another network, ended in order.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

fn ip(arguments: &[&str]) -> bool {
    let mut command = Command::new("ip");
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn verb(data: &Path, arguments: &[&str]) -> Result<Value> {
    let mut command = Command::new(program()?);
    let said = command.args(arguments).arg("--data").arg(data).arg("--json").output()?;
    Ok(serde_json::from_slice(&said.stdout)?)
}

/// A question for the IPv4 address of a name, as any machine would ask it.
fn question(name: &str) -> Vec<u8> {
    let mut bytes = vec![0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.extend(encoded(name));
    bytes.extend([0, 1, 0, 1]);
    bytes
}

fn encoded(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| {
        let length = u8::try_from(label.len()).unwrap_or_default();
        [&[length], label.as_bytes()].concat()
    });
    labels.chain([0]).collect()
}

/// The first IPv4 address of an answer: type A, class IN, any time, four bytes.
fn address(answer: &[u8], name: &str) -> Option<Ipv4Addr> {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let label = name.split('.').next()?;
    if answer.get(2)? & 0x80 == 0 || !text.contains(label) {
        return None;
    }
    let at = answer.windows(10).position(|all| {
        all[..2] == [0, 1] && all[2] & 0x7f == 0 && all[3] == 1 && all[8..] == [0, 4]
    })?;
    let four: [u8; 4] = answer.get(at + 10..at + 14)?.try_into().ok()?;
    Some(four.into())
}

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

#[test]
#[ignore = "is the neighbour of another test"]
fn asks() {
    let name = std::env::var("NEIGHBOUR").unwrap();
    let socket = UdpSocket::bind((RIGHT, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1000))).unwrap();
    socket.send_to(&question(&name), (GROUP, 5353)).unwrap();
    let mut answer = [0; 9000];
    if let Ok((length, from)) = socket.recv_from(&mut answer) {
        assert_eq!(from, SocketAddr::V4(SocketAddrV4::new(LEFT.parse().unwrap(), 5353)));
        println!("\nfound {}", address(&answer[..length], &name).unwrap());
    }
}

/// Says for some seconds that a name is its own, as often as somebody asks for it.
#[test]
#[ignore = "is the neighbour of another test"]
fn claims() {
    let name = std::env::var("NEIGHBOUR").unwrap();
    let socket = UdpSocket::bind(("0.0.0.0", 5353)).unwrap();
    socket.join_multicast_v4(&GROUP, &RIGHT.parse().unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut claim = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    claim.extend(encoded(&name));
    claim.extend([0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 77, 0, 2]);
    let (end, mut heard) = (Instant::now() + Duration::from_secs(4), [0; 9000]);
    while Instant::now() < end {
        let asked = socket.recv_from(&mut heard).is_ok_and(|(length, _)| {
            heard[2] & 0x80 == 0 && heard[..length].windows(9).any(|some| some == b"\x08hometwin")
        });
        if asked {
            socket.send_to(&claim, (GROUP, 5353)).unwrap();
        }
    }
}

#[test]
fn phones_find_the_node_and_every_twin() {
    const TEST: &str = "names in the home's network";
    let Some(cable) = Cable::new("find").unwrap() else {
        return skip(TEST, "only root can lay a cable between two machines");
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _node = cable.node(&data, &["--people", "ann"]).unwrap();
    assert_eq!(cable.finds("hometwin.local").unwrap(), LEFT);
    assert_eq!(cable.finds("ann-hometwin.local").unwrap(), LEFT);
    assert_eq!(cable.find("bob-hometwin.local").unwrap(), "");
    // Who comes, goes or is called otherwise is found, and not found any more.
    let made = verb(&data, &["twin", "create", "bob"]).unwrap();
    assert_eq!(made["address"], "https://bob-hometwin.local/");
    assert_eq!(cable.finds("bob-hometwin.local").unwrap(), LEFT);
    verb(&data, &["twin", "rename", "bob", "rob"]).unwrap();
    assert_eq!(cable.finds("rob-hometwin.local").unwrap(), LEFT);
    assert_eq!(cable.find("bob-hometwin.local").unwrap(), "");
    verb(&data, &["twin", "remove", "rob", "--confirm", "rob"]).unwrap();
    assert_eq!(cable.find("rob-hometwin.local").unwrap(), "");
    // The machine is called otherwise: everybody is.
    verb(&data, &["network", "name", "attic"]).unwrap();
    assert_eq!(cable.finds("attic.local").unwrap(), LEFT);
    assert_eq!(cable.finds("ann-attic.local").unwrap(), LEFT);
    assert_eq!(cable.find("hometwin.local").unwrap(), "");
    let refused = verb(&data, &["network", "name", "At-tic-"]).unwrap();
    assert_eq!(refused["answer"], "refused");
    let network = &verb(&data, &["network"]).unwrap()["network"];
    assert_eq!((&network["name"], &network["announced"]), (&"attic".into(), &true.into()));
    assert_eq!(network["addresses"][0], LEFT);
    // Another address is another answer.
    ip(&["-n", &cable.left, "addr", "del", &format!("{LEFT}/24"), "dev", "lan0"]);
    ip(&["-n", &cable.left, "addr", "add", "10.77.0.9/24", "dev", "lan0"]);
    until("the new address", Duration::from_secs(20), || {
        let network = &verb(&data, &["network"])?["network"];
        Ok((network["addresses"][0] == "10.77.0.9").then_some(()))
    })
    .unwrap();
}

#[test]
fn a_name_of_another_machine_is_left_to_it() {
    const TEST: &str = "a name that another machine has";
    let Some(cable) = Cable::new("taken").unwrap() else {
        return skip(TEST, "only root can lay a cable between two machines");
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = std::thread::scope(|scope| {
        let claims =
            scope.spawn(|| cable.neighbour("claims", "hometwin.local").map_err(|e| e.to_string()));
        std::thread::sleep(Duration::from_millis(500));
        let node = cable.node(&data, &["--people", "ann"]);
        claims.join().unwrap().unwrap();
        node
    });
    let node = node.unwrap();
    assert_eq!(cable.finds("ann-hometwin-2.local").unwrap(), LEFT);
    assert_eq!(cable.find("hometwin.local").unwrap(), "");
    let network = &verb(&data, &["network"]).unwrap()["network"];
    assert_eq!((&network["name"], &network["taken"]), (&"hometwin-2".into(), &"hometwin".into()));
    let health = verb(&data, &["node", "health"]).unwrap();
    assert!(health.to_string().contains("name_taken"), "{health}");
    // The other machine is gone; addresses stay as they were told.
    drop(node);
    let _node = cable.node(&data, &[]).unwrap();
    assert_eq!(cable.finds("ann-hometwin-2.local").unwrap(), LEFT);
}

#[test]
fn who_is_reached_by_its_own_machine_only_announces_nothing() {
    let node = hw_tests::Node::start(&hw_tests::Options::people(&["ann"])).unwrap();
    let network = &node.verb(&["network", "--json"]).unwrap().json()["network"];
    assert_eq!(network["announced"], false, "{network}");
    assert!(network["address"].as_str().unwrap().starts_with("http://node.localhost"));
}
