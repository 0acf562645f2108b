//! Promise: a computer that starts from the image serves a twin, shows its one-time address on the
//! console, opens no other door, and keeps what it was told when its power is cut.
//!
//! The computer is emulated, without the help of a processor: a start takes a minute and more.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hw_tests::{Console, Firmware, Image, Machine, Result, Secure, fresh_id, until};
use serde_json::{Value, json};

/// For a start, on a machine that does ten other things.
const START: Duration = Duration::from_secs(600);
/// What UEFI itself takes is not there for the system while it's loaded.
const WITH_FIRMWARE_MIB: u32 = 256;
const SMALLEST_MIB: u32 = 128;
/// Every door of the system, by the units that open them. All but the node's own are files.
const DOORS: &[&str] = &[
    "hometwin-console.socket",
    "hometwin-fetcher.socket",
    "hometwin-lan.socket",
    "hometwin-node.socket",
    "hometwin-slots.socket",
    "hometwin-steward.socket",
    "systemd-journald-dev-log.socket",
    "systemd-journald.socket",
    "systemd-networkd.socket",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
];

/// The body of a good answer, and the session if there is a new one.
fn call(client: &Secure, cookie: &str, path: &str, body: &Value) -> Result<(Value, String)> {
    let (head, answer) = client.post(path, cookie, body)?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("{path}: {head}\n{answer}").into());
    }
    let session = head.split_once("__Host-twin=").map_or("", |(_, rest)| rest);
    let session = session.split(';').next().unwrap_or_default();
    let answer = serde_json::from_str(
        answer.trim_start_matches(|c| c != '{').trim_end_matches(|c| c != '}'),
    );
    Ok((answer?, format!("__Host-twin={session}")))
}

/// Nothing that the system says of itself is a failure.
fn all_is_well(console: &Console) -> Result<()> {
    let text = console.text()?;
    let bad = |line: &&str| BAD.iter().any(|bad| line.contains(bad));
    let bad: Vec<&str> = text.lines().filter(bad).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    for line in text.lines().filter_map(|line| line.split_once("] Listening on ")) {
        // Long names are cut in the middle.
        let (name, _) = line.1.split_once(" - ").unwrap_or((line.1, ""));
        let (start, end) = name.split_once('…').unwrap_or((name, ""));
        let known = |door: &&&str| door.starts_with(start) && door.ends_with(end);
        assert!(DOORS.iter().any(|door| known(&door)), "{name} is open");
    }
    Ok(())
}

const BAD: &[&str] = &[
    "[FAILED]",
    "[DEPEND]",
    "ordering cycle",
    "Failed with result",
    "Out of memory",
    "oom-kill",
    "emergency",
    "is corrupted",
    "panicked",
];

#[test]
fn an_image_boots_serves_and_keeps_what_it_was_told() {
    const TEST: &str = "a computer that starts from the image";
    let Some(image) = Image::for_test(TEST, Image::build).unwrap() else { return };
    let about = image.inspect().unwrap();
    assert!(about.contains("every block as its root hash says"), "{about}");

    // The first start: by firmware, onto a disk that has no data yet.
    let mut machine = Machine::new(&image).unwrap();
    let console = machine.start(Firmware::Uefi, WITH_FIRMWARE_MIB).unwrap();
    let code = console.wait("https://hometwin.local/pair#", START).unwrap();
    println!("first start: {:.0} s of processor time", machine.cpu().as_secs_f64());
    let node = Secure::of_host(machine.port(), "hometwin.local").unwrap();
    let claim = json!({ "code": code.trim(), "name": "ann" });
    let (claimed, _) = until("an answer at the door", START, || {
        call(&node, "", "/api/node/1/claim", &claim).map(Some)
    })
    .unwrap();
    let pairing = claimed["next"].as_str().unwrap();
    let (_, code) = pairing.split_once("/pair#").unwrap();
    let ann = Secure::of_host(machine.port(), "ann-hometwin.local").unwrap();
    let code = json!({ "code": code });
    let (_, cookie) = call(&ann, "", "/api/identity/1/pair", &code).unwrap();
    let note = json!({ "id": fresh_id(), "conversation": "self", "text": "milk and bread" });
    call(&ann, &cookie, "/api/chat/1/send", &note).unwrap();
    console.wait("multi-user.target - Multi-User System", START).unwrap();
    all_is_well(&console).unwrap();
    let fingerprint = ann.fingerprint().unwrap();

    // The power is cut; the second start has no more memory than the smallest board.
    machine.cut_power();
    let console = machine.start(Firmware::Direct, SMALLEST_MIB).unwrap();
    console.wait("One person has a twin here.", START).unwrap();
    console.type_line("2").unwrap();
    console.wait("ann: https://ann-hometwin.local", START).unwrap();
    for half in [&fingerprint[..32], &fingerprint[32..]] {
        let fours: Vec<&str> =
            half.as_bytes().chunks(4).map(|four| str::from_utf8(four).unwrap()).collect();
        console.wait(&fours.join(" "), START).unwrap();
    }
    let page = json!({ "conversation": "self" });
    let (page, _) =
        until("ann's twin", START, || call(&ann, &cookie, "/api/chat/1/messages", &page).map(Some))
            .unwrap();
    assert_eq!(page["items"][0]["text"], "milk and bread", "{page}");
    assert_eq!(ann.fingerprint().unwrap(), fingerprint);
    println!("second start: {:.0} s of processor time", machine.cpu().as_secs_f64());
    console.wait("multi-user.target - Multi-User System", START).unwrap();
    all_is_well(&console).unwrap();

    // Every other door is closed, and nothing has changed the system.
    for other in machine.other_ports() {
        assert_eq!(answer(other).unwrap(), 0, "something answers behind another port");
    }
    machine.cut_power();
    machine.inspect().unwrap();
}

/// How much something behind a port says to a greeting; the emulator itself takes the connection.
fn answer(port: u16) -> Result<usize> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
    // A closed door is a broken connection.
    Ok(stream.read(&mut [0; 16]).unwrap_or(0))
}
