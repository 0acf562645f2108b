//! The node's name in the home's network, `<name>.local`, and the sockets over which the gateway claims
//! it.
//!
//! Another machine may have the name: then the node takes the next one, remembers it, so that addresses
//! stay as they are, and says so. Nothing is announced by a node that only its own machine reaches.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use handover::{Number, Place, ToGateway, ToTwinExecutor};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use serde::{Deserialize, Serialize};

use crate::control::Answer;
use crate::node::Node;
use crate::{Config, DataFolder, Error, Notice, Refusal, file_error, whole};

/// What the node is called, and what for.
#[derive(Debug)]
pub(crate) struct Lan {
    name: Name,
    file: PathBuf,
    sockets: Vec<OwnedFd>,
    /// Under these addresses the home's network reaches it.
    pub(crate) addresses: Vec<IpAddr>,
}

/// A name, and how many machines had it before this one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
    number: u32,
}

impl Name {
    fn first(name: &str) -> Self {
        Self { name: name.to_owned(), number: 1 }
    }

    fn called(&self) -> String {
        match self.number {
            ..=1 => self.name.clone(),
            number => format!("{}-{number}", self.name),
        }
    }
}

/// How the node is found in the home's network.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Network {
    /// What it is called now.
    pub name: String,
    /// What it was called before another machine had that name.
    pub taken: Option<String>,
    /// The address of the node itself.
    pub address: String,
    /// Whether its names are told there.
    pub announced: bool,
    /// Its addresses there, as far as they are known.
    pub addresses: Vec<IpAddr>,
}

impl Lan {
    /// Finds out what the node is called, and takes the sockets that were given, or opens its own.
    pub(crate) fn open(
        folder: &DataFolder,
        config: &Config,
        listen: SocketAddr,
        given: Option<Vec<OwnedFd>>,
    ) -> Result<Self, Error> {
        let file = folder.path().join("node/name.json");
        let kept = read(&file).map_err(file_error(&file))?;
        // What a person wrote goes before what was kept.
        let name = match (&config.lan.name, kept) {
            (Some(written), Some(kept)) if kept.name == *written => kept,
            (Some(written), _) => Name::first(written),
            (None, Some(kept)) => kept,
            (None, None) => Name::first(USUAL),
        };
        let wanted = config.zone.is_none() && announces(config, listen);
        let sockets = match given {
            _ if !wanted => Vec::new(),
            Some(given) => given,
            None => open_sockets().unwrap_or_else(|error| {
                tracing::warn!(%error, "names can't be announced in the home's network");
                Vec::new()
            }),
        };
        Ok(Self { name, file, sockets, addresses: Vec::new() })
    }

    /// The zone of a node with these settings.
    pub(crate) fn zone(&self, config: &Config, listen: SocketAddr) -> String {
        match &config.zone {
            Some(zone) => zone.clone(),
            None if announces(config, listen) => format!("{}.local", self.name.called()),
            None => "localhost".to_owned(),
        }
    }

    /// Copies of the sockets, for the gateway.
    pub(crate) fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        self.sockets.iter().map(OwnedFd::try_clone).collect()
    }

    /// The name that it would have, and has not, because another machine has it.
    pub(crate) fn taken(&self) -> Option<(&str, String)> {
        (self.name.number > 1).then(|| (self.name.name.as_str(), self.name.called()))
    }

    /// Whether a zone is to be announced, and nothing to do it with was given.
    pub(crate) fn is_mute(&self, place: &Place) -> bool {
        place.is_lan() && self.sockets.is_empty()
    }

    fn keep(&mut self, name: Name) -> Result<(), Error> {
        whole::write_json(&self.file, &name).map_err(file_error(&self.file))?;
        self.name = name;
        Ok(())
    }
}

/// What a node's folder says of its zone, for a node that does not run.
///
/// # Errors
/// When it can't be read.
pub fn zone_of(folder: &DataFolder, config: &Config) -> Result<String, Error> {
    let lan = Lan::open(folder, config, config.listen, Some(Vec::new()))?;
    Ok(lan.zone(config, config.listen))
}

/// Only what other machines reach has a name there.
fn announces(config: &Config, listen: SocketAddr) -> bool {
    config.lan.announce && !listen.ip().is_loopback()
}

/// Whether a node can be called this: with a twin's name before it, and a number after it, it is still
/// one part of a host name.
#[must_use]
pub fn is_node_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=27).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

impl Node {
    /// Another machine has a name of this zone.
    pub(crate) fn name_taken(&mut self, zone: &str) -> Result<(), Error> {
        // It may have been said before the gateway heard of the new one.
        if zone != self.place.zone || !self.place.is_lan() {
            return Ok(());
        }
        let mut name = self.lan.name.clone();
        if name.number >= LAST {
            tracing::error!(zone, "every name that was tried belongs to another machine");
            return Ok(());
        }
        name.number += 1;
        // It holds although it can't be written: after the next start it is looked for again.
        if let Err(error) = self.lan.keep(name.clone()) {
            tracing::error!(%error, "the new name can't be kept");
            self.lan.name = name;
        }
        let zone = self.lan.zone(&self.config, self.place.listen);
        tracing::warn!(taken = self.place.zone, zone, "the node is called otherwise");
        self.move_to(zone)?;
        if let Some((taken, name)) = self.lan.taken() {
            self.tell(&Notice::NameTaken { taken: taken.to_owned(), name });
        }
        self.announce()
    }

    /// How it is found.
    pub(crate) fn network(&self) -> Network {
        let lan = &self.lan;
        Network {
            name: lan.name.called(),
            taken: lan.taken().map(|(taken, _)| taken.to_owned()),
            address: self.address("node"),
            announced: self.place.is_lan() && !lan.sockets.is_empty(),
            addresses: lan.addresses.clone(),
        }
    }

    /// An owner, or who stands before the machine, calls it this.
    pub(crate) fn call(&mut self, name: &str) -> Result<Answer, Error> {
        if !is_node_name(name) {
            return Err(Error::Refused(Refusal::NodeNameForm));
        }
        self.lan.keep(Name::first(name))?;
        // What is written in the settings would come back with the next start.
        self.config.lan.name = None;
        let zone = self.lan.zone(&self.config, self.place.listen);
        if zone != self.place.zone {
            self.move_to(zone)?;
            self.announce()?;
        }
        Ok(Answer::Done)
    }

    /// Every name of the node is another one: who runs ends, and is another one when it is woken.
    fn move_to(&mut self, zone: String) -> Result<(), Error> {
        self.place = Place { zone, ..self.place.clone() };
        // Each makes a certificate for its new name when it is next started.
        self.fingerprint = None;
        if let Err(error) = self.registry.forget_fingerprints() {
            tracing::error!(%error, "that certificates are other ones can't be kept");
        }
        for process in self.twins.values().filter_map(|twin| twin.process.as_ref()) {
            process.tell(ToTwinExecutor::Stop, Vec::new());
        }
        if self.screens.watched() {
            self.wake(Number::NODE);
        }
        self.tell_gateway(ToGateway::Place { place: self.place.clone() }, Vec::new());
        if self.welcome.take().is_some() {
            self.new_welcome(false)?;
        }
        Ok(())
    }
}

/// Where the home's network asks for names, and where the kernel tells of network cards. Made before
/// the wall, as the listener is.
fn open_sockets() -> io::Result<Vec<OwnedFd>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let open = |family, any: IpAddr| -> io::Result<OwnedFd> {
        let socket = socket_with(family, SocketType::DGRAM, flags, None)?;
        // Others on this machine listen there too.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        if any.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        bind(&socket, &SocketAddr::new(any, PORT))?;
        Ok(socket)
    };
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&kernel, &SocketAddrNetlink::new(0, CHANGES))?;
    let mut sockets = vec![kernel, open(AddressFamily::INET, Ipv4Addr::UNSPECIFIED.into())?];
    // A machine may have no IPv6.
    sockets.extend(open(AddressFamily::INET6, Ipv6Addr::UNSPECIFIED.into()).ok());
    Ok(sockets)
}

fn read(file: &Path) -> io::Result<Option<Name>> {
    match std::fs::read(file) {
        Ok(bytes) => {
            let kept: Name = serde_json::from_slice(&bytes)?;
            Ok(Some(kept).filter(|kept| is_node_name(&kept.name) && kept.number <= LAST))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a node is called that nobody has named.
const USUAL: &str = "hometwin";
/// The last number that is tried: somebody who takes every name shall not have the node run for ever.
const LAST: u32 = 9;
/// Where everybody in the home's network listens (RFC 6762).
pub(crate) const PORT: u16 = 5353;
/// Cards, and their addresses of both kinds: RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR.
const CHANGES: u32 = 0x1 | 0x10 | 0x100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LanSettings;

    fn config(name: Option<&str>) -> Config {
        let lan = LanSettings { name: name.map(str::to_owned), ..LanSettings::default() };
        Config { listen: ([0, 0, 0, 0], 443).into(), lan, ..Config::default() }
    }

    #[test]
    fn the_zone_is_what_fits() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        let zone = |config: &Config| zone_of(&folder, config).unwrap();
        assert_eq!(zone(&Config::default()), "localhost", "nobody else reaches it");
        assert_eq!(zone(&config(None)), "hometwin.local");
        assert_eq!(zone(&config(Some("attic"))), "attic.local");
        let own = Config { zone: Some("home.example".to_owned()), ..config(None) };
        assert_eq!(zone(&own), "home.example");
        let mut quiet = config(None);
        quiet.lan.announce = false;
        assert_eq!(zone(&quiet), "localhost");
    }

    #[test]
    fn a_number_stays_until_the_node_is_called_otherwise() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        let listen = ([0, 0, 0, 0], 443).into();
        let open = || Lan::open(&folder, &config(None), listen, Some(Vec::new())).unwrap();
        let mut lan = open();
        lan.keep(Name { number: 2, ..lan.name.clone() }).unwrap();
        assert_eq!(zone_of(&folder, &config(None)).unwrap(), "hometwin-2.local");
        assert_eq!(open().taken(), Some(("hometwin", "hometwin-2".to_owned())));
        assert_eq!(zone_of(&folder, &config(Some("hometwin"))).unwrap(), "hometwin-2.local");
        assert_eq!(zone_of(&folder, &config(Some("attic"))).unwrap(), "attic.local");
        for broken in ["", "{}", "[]"] {
            std::fs::write(&lan.file, broken).unwrap();
            assert!(matches!(zone_of(&folder, &config(None)), Err(Error::File { .. })), "{broken}");
        }
        std::fs::write(&lan.file, r#"{"name":"../x","number":1}"#).unwrap();
        assert_eq!(zone_of(&folder, &config(None)).unwrap(), "hometwin.local");
    }

    #[test]
    fn names_of_nodes() {
        for (name, fits) in [
            ("attic", true),
            ("a-2", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a.b", false),
            ("Attic", false),
            ("küche", false),
        ] {
            assert_eq!(is_node_name(name), fits, "{name}");
        }
        assert!(is_node_name(&"x".repeat(27)) && !is_node_name(&"x".repeat(28)));
        // With the longest name of a twin and the largest number it is one part of a host name.
        assert!(32 + 1 + 27 + "-9".len() <= 63);
    }
}
