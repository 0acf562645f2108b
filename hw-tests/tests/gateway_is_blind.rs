//! Promise: the gateway holds no key, sees no plaintext, and loses no connection.
//!
//! TLS is spoken only off loopback, so the first test listens on every address for a moment.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hw_tests::{Node, Options, Result, Secure, fresh_id, skip};
use rustix::process::Signal;
use serde_json::json;

/// The address that this machine would use towards others; nothing is sent to find it.
fn own_address() -> std::io::Result<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    socket.connect("192.0.2.1:9")?;
    let address = socket.local_addr()?.ip();
    if address.is_loopback() {
        Err(std::io::ErrorKind::AddrNotAvailable.into())
    } else {
        Ok(address)
    }
}

/// Looks through the memory of both for a message and a session, and at what the gateway holds open.
fn remembers_nothing(node: &Node, mark: &[u8], token: &[u8]) -> Result<()> {
    let twin = node.awake("ann")?.ok_or("it was just used")?;
    let gateway = node.gateway()?;
    // The search finds it where it has to be; that it finds nothing elsewhere then means something.
    assert!(twin.remembers(mark)?, "the search finds nothing anywhere");
    assert!(!gateway.remembers(mark)?, "the gateway saw a message");
    assert!(!gateway.remembers(token)?, "the gateway saw a session");
    // The folder's lock is empty and says only that the node runs.
    let data = node.data().canonicalize()?;
    for file in gateway.open_files()? {
        let inside = std::path::Path::new(&file).strip_prefix(&data).is_ok();
        let lock = file == data.join("lock").to_string_lossy();
        assert!(!inside || lock, "the gateway holds {file}");
    }
    assert_eq!(std::fs::metadata(data.join("lock"))?.len(), 0);
    Ok(())
}

#[test]
fn over_tls_the_gateway_holds_no_key_and_sees_no_text() {
    let options = Options { listen: "0.0.0.0:0".into(), ..Options::people(&["ann"]) };
    let options = options.with(&["--zone", "localhost"]);
    let node = Node::start(&options).unwrap();
    let url = node.verb(&["twin", "pair", "ann"]).unwrap().url().unwrap();
    assert!(url.starts_with("https://ann."), "{url}");
    let client = Secure::new(node.port(), "ann").unwrap();
    let (_, code) = url.split_once('#').unwrap();
    let (head, _) = client.post("/api/identity/1/pair", "", &json!({ "code": code })).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let from = head.find("__Host-twin=").unwrap();
    let cookie = head[from..].split(';').next().unwrap();

    let mark = format!("marked message {}", fresh_id());
    let body = json!({ "id": fresh_id(), "conversation": "self", "text": mark });
    let (head, answer) = client.post("/api/chat/1/send", cookie, &body).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}\n{answer}");
    let page = json!({ "conversation": "self" });
    let (_, answer) = client.post("/api/chat/1/messages", cookie, &page).unwrap();
    assert!(answer.contains(&mark), "{answer}");

    if rustix::process::geteuid().is_root() {
        let token = cookie.split_once('=').unwrap().1;
        remembers_nothing(&node, mark.as_bytes(), token.as_bytes()).unwrap();
    } else {
        skip("the gateway's memory and descriptors", "only root may look into a process");
    }

    // A connection that never leaves the machine may be plain; one from elsewhere may not.
    let Ok(elsewhere) = own_address() else {
        return skip("plain HTTP from elsewhere", "this machine has only loopback");
    };
    let mut stream = TcpStream::connect((elsewhere, node.port())).unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", client.authority);
    stream.write_all(request.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer).unwrap_or(0);
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(!answer.starts_with("HTTP/1.1 200"), "a person's page over plain HTTP: {answer}");
}

#[test]
fn a_twin_is_served_only_under_its_own_name() {
    let options = Options { listen: "0.0.0.0:0".into(), ..Options::people(&["ann", "bob"]) };
    let options = options.with(&["--zone", "localhost"]);
    let node = Node::start(&options).unwrap();
    let mut client = Secure::new(node.port(), "ann").unwrap();
    client.authority = format!("bob.localhost:{}", node.port());
    let (head, _) = client.post("/api/identity/1/me", "", &json!({})).unwrap();
    assert!(head.starts_with("HTTP/1.1 421"), "{head}");
}

#[test]
fn a_twin_killed_before_it_answers_loses_no_connection() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    for _ in 0..3 {
        // Several deaths right after the start are a crash loop, which is answered otherwise.
        std::thread::sleep(Duration::from_millis(2_200));
        ann.call("identity", "me", json!({})).unwrap();
        let twin = node.awake("ann").unwrap().expect("it was just used");
        twin.signal(Signal::STOP);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| ann.call("identity", "me", json!({})));
            std::thread::sleep(Duration::from_millis(300));
            assert!(!asking.is_finished(), "a stopped twin answered");
            twin.kill().unwrap();
            let me = asking.join().unwrap().expect("the connection was lost with the twin");
            assert_eq!(me["name"], "ann");
        });
    }
}
