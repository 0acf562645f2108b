//! From a TLS connection to a sleeping twin, shut in behind its walls, to the first byte of its answer.
//!
//! Visits are strangers', who have a wake budget per source and per twin: so several twins take turns,
//! and each visit comes from a loopback address of its own.

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use hw_tests::{Node, Options, Result, any_certificate, until};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::Figure;
use super::density::connect_from;
use super::measure::millis;

const NAMES: [&str; 4] = ["ann", "bob", "eve", "zoe"];
const VISITS: u32 = 60;

/// The group.
pub(super) fn https(program: &Path) -> Result<Vec<Figure>> {
    let options = Options::people(&NAMES).with(&["--sleep-after", "100ms"]);
    let node = Node::start(&Options { program: Some(program.to_owned()), ..options })?;
    let config = any_certificate()?;
    let mut times = Vec::new();
    for (visit, name) in (0..VISITS).zip(NAMES.iter().cycle()) {
        until("a twin's sleep", Duration::from_secs(20), || {
            Ok(node.awake(name)?.is_none().then_some(()))
        })?;
        let host = format!("{name}.localhost");
        let server = ServerName::try_from(host.clone())?;
        let begin = Instant::now();
        let tcp = connect_from(visit, node.port())?;
        let mut tls = StreamOwned::new(ClientConnection::new(config.clone(), server)?, tcp);
        let port = node.port();
        write!(
            tls,
            "GET /shell/main.js HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = [0; 12];
        tls.read_exact(&mut answer)?;
        // The first visit of each makes its certificate.
        if visit >= 4 {
            times.push(begin.elapsed());
        }
        if &answer != b"HTTP/1.1 200" {
            return Err(format!("{name}: {}", String::from_utf8_lossy(&answer)).into());
        }
    }
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    Ok(vec![Figure::new(
        "wake to first answer, HTTPS, behind the walls (p50 / p95)",
        format!("{} / {}", millis(at(50)), millis(at(95))),
    )])
}
