//! `hometwin selftest --gate`: whether a system that is on trial does what it is for: somebody who comes
//! to the node's door is answered. Then it is blessed; until then every start is counted, and the service
//! manager starts the machine again when this fails or takes too long.
//!
//! A system that has proved itself is never doubted here: a full disk is no reason to start again for ever.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use executor::control::{self, Answer, Verb};
use executor::steward;
use handover::{FromSteward, ToSteward};

use crate::logging::Logging;
use crate::run::data_folder;
use crate::say::Failure;

/// Ends when the system has proved itself, or was never in doubt.
pub(crate) fn gate(data: Option<PathBuf>, logging: &Logging) -> Result<ExitCode, Failure> {
    logging.start();
    let folder = data_folder(data)?;
    let runtime = crate::run::runtime()?;
    let ask = |asked| runtime.block_on(steward::ask_slots(asked));
    let on_trial = match ask(ToSteward::Slots) {
        Ok(FromSteward::Slots(slots)) => slots.on_trial,
        // It stays counted: if it is on trial, the other system comes back after some starts.
        Ok(other) => {
            tracing::error!(?other, "nobody knows whether this system is on trial");
            false
        }
        Err(error) => {
            tracing::error!(%error, "nobody can be asked whether this system is on trial");
            false
        }
    };
    if !on_trial {
        return Ok(ExitCode::SUCCESS);
    }
    while let Err(reason) = node_answers(&folder) {
        tracing::info!(reason, "not yet");
        std::thread::sleep(STEP);
    }
    bless(|| ask(ToSteward::Bless), || std::thread::sleep(STEP))?;
    tracing::info!("this system has proved itself");
    Ok(ExitCode::SUCCESS)
}

/// A disk that somebody else holds is no fault of the system.
fn bless(
    mut ask: impl FnMut() -> Result<FromSteward, handover::Error>,
    mut wait: impl FnMut(),
) -> Result<(), Failure> {
    loop {
        let answer = ask().map_err(Failure::inside)?;
        if answer == FromSteward::Done {
            return Ok(());
        }
        if !matches!(&answer, FromSteward::Refused { why, .. } if why == "busy") {
            return Err(Failure::Inside(format!("not blessed: {answer:?}")));
        }
        wait();
    }
}

/// By the way that a browser takes: address, gateway, a twin that is woken, and its answer.
fn node_answers(folder: &Path) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let answer = control::ask(folder, &Verb::Status).map_err(|error| error.to_string())?;
    let Some(Answer::Status { listen, .. }) = answer else { return Err("no node".to_owned()) };
    let mut stream = TcpStream::connect_timeout(&reachable(listen), ANSWERED).map_err(text)?;
    stream.set_read_timeout(Some(ANSWERED)).map_err(text)?;
    // A name that nobody has goes to the node's own twin; without TLS it is told to use TLS.
    stream.write_all(b"GET / HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").map_err(text)?;
    let mut start = [0; 9];
    stream.read_exact(&mut start).map_err(text)?;
    if start == *b"HTTP/1.1 " { Ok(()) } else { Err("the node answers something else".to_owned()) }
}

fn reachable(listen: SocketAddr) -> SocketAddr {
    let here = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(here, listen.port())
}

const STEP: Duration = Duration::from_secs(1);
const ANSWERED: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_is_tried_from_inside() {
        for (listen, expected) in [
            ("[::]:443", "[::1]:443"),
            ("0.0.0.0:443", "127.0.0.1:443"),
            ("192.0.2.1:8443", "192.0.2.1:8443"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), expected.parse().unwrap());
        }
    }

    #[test]
    fn a_disk_that_is_held_is_asked_for_again() {
        let refused = |why: &str| FromSteward::Refused { why: why.to_owned(), text: String::new() };
        let mut answers = vec![FromSteward::Done, refused("busy"), refused("busy")];
        let mut waits = 0;
        bless(|| Ok(answers.pop().unwrap()), || waits += 1).unwrap();
        assert_eq!(waits, 2);
        assert!(bless(|| Ok(refused("unreadable")), || ()).is_err());
    }

    #[test]
    fn no_node_is_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(node_answers(folder.path()), Err("no node".to_owned()));
    }
}
