//! What a service manager gives a node: sockets that are open already, and somebody who wants to know
//! whether it lives. Which socket is which is seen by its kind: there is one of each.
//!
//! The protocols of sd_listen_fds(3) and sd_notify(3), on plain sockets. Without their variables in the
//! environment nothing here does anything; the variables go to no child. The manager hears from an
//! idle node only as often as it asks for: a timer exists only under a watchdog.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::Error;
use crate::walls::adopt;

/// What this process was given by whoever started it.
#[derive(Debug, Default)]
pub struct Service {
    listener: Option<TcpListener>,
    /// Where the machine's own screen asks.
    console: Option<UnixListener>,
    /// For names in the home's network.
    lan: Vec<OwnedFd>,
    manager: Option<UnixDatagram>,
    /// The manager ends a service that is silent for this long.
    patience: Option<Duration>,
}

/// How a node was started, for the doctor.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Started {
    /// A service manager waits for what it says.
    pub managed: bool,
    /// Its listener was open before it.
    pub socket: bool,
    /// After how many seconds of silence it is ended and started again.
    pub watchdog_s: Option<u64>,
}

impl Service {
    /// Takes what the environment speaks of. Call it once, before anything is opened: what was
    /// given is known by its numbers only.
    ///
    /// # Errors
    /// When something was given that is no listener, or a manager that can't be spoken to.
    pub fn from_environment() -> Result<Self, Error> {
        let read = |name: &str| std::env::var(name).ok();
        let failed = |source| Error::Service { source };
        let mut service = Self::default();
        if let Some(count) = listeners(read) {
            let given = adopt(count).map_err(failed)?;
            service.sort(given).map_err(failed)?;
        }
        if let Some(name) = read("NOTIFY_SOCKET") {
            service.manager = Some(manager(&name).map_err(failed)?);
            service.patience = patience(read);
        }
        Ok(service)
    }

    /// How this node was started.
    #[must_use]
    pub fn started(&self) -> Started {
        Started {
            managed: self.manager.is_some(),
            socket: self.listener.is_some(),
            watchdog_s: self.patience.map(|patience| patience.as_secs()),
        }
    }

    /// The listener that was open before the node.
    pub(crate) fn take_listener(&mut self) -> Option<TcpListener> {
        self.listener.take()
    }

    /// Where the machine's own screen asks, if it has one.
    pub(crate) fn take_console(&mut self) -> Option<UnixListener> {
        self.console.take()
    }

    /// Sockets for names in the home's network.
    pub(crate) fn take_lan(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.lan)
    }

    /// Finds out what each socket is for.
    fn sort(&mut self, given: Vec<OwnedFd>) -> io::Result<()> {
        let wrong = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
        for socket in given {
            let taken = match Kind::of(&socket)? {
                Kind::Address => self.listener.replace(socket.into()).is_some(),
                Kind::Console => self.console.replace(socket.into()).is_some(),
                Kind::Lan => {
                    self.lan.push(socket);
                    self.lan.len() > LAN_MOST
                }
                Kind::Other => {
                    return Err(wrong("a socket that was given is none that a node uses"));
                }
            };
            if taken {
                return Err(wrong("two sockets of the same kind were given"));
            }
        }
        Ok(())
    }

    /// How often the manager wants to hear that the node lives: twice as often as it has to.
    pub(crate) fn beat(&self) -> Option<Duration> {
        self.patience.map(|patience| patience / 2)
    }

    /// It accepts connections.
    pub(crate) fn ready(&self, address: std::net::SocketAddr) {
        // Addresses are no words, and this line is for whoever asks the manager.
        self.tell(&format!("READY=1\nSTATUS={address}"));
    }

    /// It ends, and nobody needs to wonder why it is silent.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Its loop goes round.
    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    fn tell(&self, text: &str) {
        let Some(manager) = &self.manager else { return };
        // A manager that can't be told ends the node in time, and starts one that it hears.
        if let Err(error) = manager.send(text.as_bytes()) {
            tracing::warn!(%error, "the service manager can't be told");
        }
    }
}

/// Two kinds of addresses, and the kernel.
const LAN_MOST: usize = 3;

/// How many descriptors were given, if they are for this process and not for one before it.
fn listeners(read: impl Fn(&str) -> Option<String>) -> Option<u32> {
    let for_me = read("LISTEN_PID")?.parse() == Ok(std::process::id());
    let count = read("LISTEN_FDS")?.parse().ok()?;
    (for_me && count > 0).then_some(count)
}

fn patience(read: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let for_me = read("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    let micros = read("WATCHDOG_USEC")?.parse().ok()?;
    (for_me && micros > 0).then(|| Duration::from_micros(micros))
}

/// What a socket can be for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// The node's address: it listens for TCP connections.
    Address,
    /// It listens for the machine's own screen.
    Console,
    /// It hears who asks for names in the home's network, or what becomes of network cards.
    Lan,
    Other,
}

impl Kind {
    fn of(socket: &OwnedFd) -> io::Result<Self> {
        let family = sockopt::socket_domain(socket)?;
        let is_internet = [AddressFamily::INET, AddressFamily::INET6].contains(&family);
        let kind = sockopt::socket_type(socket)?;
        if family == AddressFamily::NETLINK {
            return Ok(Self::Lan);
        }
        if is_internet && kind == SocketType::DGRAM {
            let bound = rustix::net::getsockname(socket)?;
            let port = std::net::SocketAddr::try_from(bound).map(|address| address.port());
            return Ok(if port == Ok(crate::lan::PORT) { Self::Lan } else { Self::Other });
        }
        Ok(match kind == SocketType::STREAM && sockopt::socket_acceptconn(socket)? {
            true if is_internet => Self::Address,
            true if family == AddressFamily::UNIX => Self::Console,
            true | false => Self::Other,
        })
    }
}

/// Connected now: from behind the wall there is no way to it.
fn manager(name: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.strip_prefix('@') {
        Some(hidden) => socket.connect_addr(&SocketAddr::from_abstract_name(hidden)?)?,
        None => socket.connect(name)?,
    }
    // A manager that does not read must not hold up the loop.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables<'a>(all: &'a [(&str, String)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| all.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn what_is_for_another_process_is_left_alone() {
        let me = std::process::id();
        for (pid, count, expected) in [
            (me.to_string(), "1", Some(1)),
            ((me + 1).to_string(), "1", None),
            (me.to_string(), "0", None),
            (me.to_string(), "-1", None),
            ("me".to_owned(), "1", None),
        ] {
            let all = [("LISTEN_PID", pid), ("LISTEN_FDS", count.to_owned())];
            assert_eq!(listeners(variables(&all)), expected, "{all:?}");
        }
        assert_eq!(listeners(variables(&[])), None);
        let all = [("WATCHDOG_USEC", "120000000".to_owned()), ("WATCHDOG_PID", me.to_string())];
        assert_eq!(patience(variables(&all)), Some(Duration::from_secs(120)));
        assert_eq!(patience(variables(&all[..1])), Some(Duration::from_secs(120)));
        let all = [("WATCHDOG_USEC", "120000000".to_owned()), ("WATCHDOG_PID", "1".to_owned())];
        assert_eq!(patience(variables(&all)), None);
        assert_eq!(patience(variables(&[("WATCHDOG_USEC", "soon".to_owned())])), None);
    }

    #[test]
    fn each_kind_of_socket_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let console = UnixListener::bind(folder.path().join("console")).unwrap();
        let sorted = |given: Vec<OwnedFd>| {
            let mut service = Service::default();
            service.sort(given).map(|()| service)
        };
        let connected = std::net::TcpStream::connect(address).unwrap();
        let datagram = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (unix, _) = UnixDatagram::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        for wrong in [OwnedFd::from(connected), datagram.into(), unix.into(), file.into()] {
            assert!(sorted(vec![wrong]).is_err());
        }
        let (one, two) = (listener.try_clone().unwrap(), listener.try_clone().unwrap());
        assert!(sorted(vec![one.into(), two.into()]).is_err());
        // In any order.
        let mut service = sorted(vec![console.into(), listener.into()]).unwrap();
        assert_eq!(service.take_listener().unwrap().local_addr().unwrap(), address);
        assert!(service.take_console().is_some());
    }

    #[test]
    fn a_manager_by_path_and_by_name_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let hidden = format!("hometwin-test-{}", std::process::id());
        let by_path = UnixDatagram::bind(&path).unwrap();
        let address = SocketAddr::from_abstract_name(&hidden).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        let path = path.display().to_string();
        for (socket, name) in [(by_path, path), (by_name, format!("@{hidden}"))] {
            let service = Service { manager: Some(manager(&name).unwrap()), ..Service::default() };
            service.ready(([127, 0, 0, 1], 8080).into());
            let mut text = [0; 64];
            let length = socket.recv(&mut text).unwrap();
            assert_eq!(&text[..length], b"READY=1\nSTATUS=127.0.0.1:8080");
            drop(socket);
            service.alive();
        }
        assert!(manager("/nowhere/notify").is_err());
    }
}
