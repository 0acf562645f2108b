//! Names in the home's network: `<node>.local`, and one for each twin, which phones and computers there
//! find without anybody's help (multicast DNS, RFC 6762 and 6763).
//!
//! ```text
//! executor ── names, zone ──> lan.rs ──> lan/names.rs (who has what) ──> letters ──> neighbours
//! neighbours ── bytes ──> lan/message.rs ──> lan/names.rs ──> answers; a name that is taken ──> executor
//! kernel ── cards, addresses ──> lan/cards.rs ──> lan/names.rs
//! ```
//!
//! Its sockets were opened before the wall; it makes none. It answers neighbours only, and in a network
//! where nobody asks it never wakes.

pub mod cards;
mod kernel;
pub mod message;
mod names;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket as StdUdp};
use std::os::fd::OwnedFd;
use std::time::Instant;

use handover::{ADDRESSES_MAX, FromGateway, Place};
use rustix::net::{AddressFamily, SendFlags, sockopt};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use self::kernel::Kernel;
use self::names::{Letter, Names, PORT, To};

/// What the executor says to it.
pub(crate) enum News {
    /// The names within the zone, without the node's own.
    Names(Vec<String>),
    /// The node is called otherwise.
    Place(Place),
    /// Say farewell.
    End(tokio::sync::oneshot::Sender<()>),
}

/// The sockets, and what they are for.
pub(crate) struct Lan {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    kernel: Kernel,
    /// The chosen cards; none: all.
    wanted: Vec<String>,
    names: Names,
    /// The addresses that the executor knows.
    told: Vec<IpAddr>,
    place: Place,
    /// The executor knows that the zone's name is another's.
    taken: bool,
    /// Cards and kinds of addresses on which neighbours are heard.
    joined: BTreeSet<(u32, bool)>,
    tell: mpsc::UnboundedSender<FromGateway>,
}

impl Lan {
    /// Takes the sockets that it was given; `None` when they are not enough to be of use.
    pub(crate) fn open(
        given: Vec<OwnedFd>,
        wanted: Vec<String>,
        place: Place,
        tell: mpsc::UnboundedSender<FromGateway>,
    ) -> io::Result<Option<Self>> {
        let (mut v4, mut v6, mut kernel) = (None, None, None);
        for socket in given {
            rustix::io::ioctl_fionbio(&socket, true)?;
            match sockopt::socket_domain(&socket)? {
                AddressFamily::INET => {
                    // Far machines are not meant to hear it: a packet that was passed on says so.
                    sockopt::set_ip_multicast_ttl(&socket, 255)?;
                    sockopt::set_ip_ttl(&socket, 255)?;
                    v4 = Some(UdpSocket::from_std(StdUdp::from(socket))?);
                }
                AddressFamily::INET6 => {
                    sockopt::set_ipv6_multicast_hops(&socket, 255)?;
                    sockopt::set_ipv6_unicast_hops(&socket, Some(255))?;
                    v6 = Some(UdpSocket::from_std(StdUdp::from(socket))?);
                }
                _ => kernel = Some(Kernel::open(socket)?),
            }
        }
        let (Some(kernel), true) = (kernel, v4.is_some() || v6.is_some()) else { return Ok(None) };
        let (names, told, taken, joined) = Default::default();
        Ok(Some(Self { v4, v6, kernel, wanted, names, told, place, taken, joined, tell }))
    }

    /// Serves until it is told to end.
    pub(crate) async fn run(mut self, mut news: mpsc::UnboundedReceiver<News>) {
        let (mut four, mut six) = (vec![0; LARGEST], vec![0; LARGEST]);
        loop {
            let due = self.names.due();
            let letters = tokio::select! {
                told = news.recv() => match told {
                    Some(News::Names(names)) => self.call(&names),
                    Some(News::Place(place)) => {
                        (self.place, self.taken) = (place, false);
                        Vec::new()
                    }
                    Some(News::End(done)) => {
                        let letters = self.names.end();
                        self.send(&letters);
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
                heard = receive(self.v4.as_ref(), &mut four) => match heard {
                    Ok((length, from)) => self.hear(four.get(..length), from),
                    Err(error) => return tracing::warn!(%error, "the home's network can't be heard"),
                },
                heard = receive(self.v6.as_ref(), &mut six) => match heard {
                    Ok((length, from)) => self.hear(six.get(..length), from),
                    Err(error) => return tracing::warn!(%error, "the home's network can't be heard"),
                },
                changed = self.kernel.changed() => match changed {
                    Ok(()) => self.plug(),
                    Err(error) => return tracing::warn!(%error, "the kernel can't be heard"),
                },
                () = wait_until(due) => self.names.step(Instant::now()),
            };
            self.send(&letters);
        }
    }

    /// These are the twins; with the node itself that makes the names.
    fn call(&mut self, twins: &[String]) -> Vec<Letter> {
        if !self.place.is_lan() {
            return self.names.end();
        }
        let hosts = twins.iter().map(String::as_str).chain(["node"]);
        let hosts: Vec<String> = hosts.map(|name| self.place.host(name)).collect();
        // Farewells are about the service of before.
        let letters = self.names.set(&hosts, Instant::now());
        self.names.serve(&self.place.zone, self.place.listen.port());
        letters
    }

    fn hear(&mut self, bytes: Option<&[u8]>, from: SocketAddr) -> Vec<Letter> {
        let Some(heard) = bytes.and_then(message::read) else { return Vec::new() };
        let (letters, taken) = self.names.hear(&heard, from, Instant::now());
        // Once is enough: neighbours can say it a thousand times in a second.
        if let Some(name) = taken.first().filter(|_| !self.taken) {
            self.taken = true;
            tracing::warn!(name, "another machine has a name of this node");
            let zone = self.place.zone.clone();
            let _ = self.tell.send(FromGateway::NameTaken { zone });
        }
        letters
    }

    fn send(&self, letters: &[Letter]) {
        for letter in letters {
            if let Err(error) = self.send_one(letter) {
                // A card that is just going away, most often; what it missed is asked for again.
                tracing::debug!(%error, to = ?letter.to, "a name could not be said");
            }
        }
    }

    fn send_one(&self, letter: &Letter) -> io::Result<()> {
        let to = match letter.to {
            To::One(to) => to,
            To::All { card, v6: true } => SocketAddrV6::new(GROUP_V6, PORT, 0, card).into(),
            To::All { card, v6: false } => {
                if let Some(socket) = &self.v4 {
                    sockopt::set_ip_multicast_if_with_ifindex(
                        socket,
                        &Ipv4Addr::UNSPECIFIED,
                        &Ipv4Addr::UNSPECIFIED,
                        card,
                    )?;
                }
                (GROUP_V4, PORT).into()
            }
        };
        let socket = if to.is_ipv6() { &self.v6 } else { &self.v4 };
        if let Some(socket) = socket {
            rustix::net::sendto(socket, &letter.bytes, SendFlags::DONTWAIT, &to)?;
        }
        Ok(())
    }

    /// The cards are known, or known anew.
    fn plug(&mut self) -> Vec<Letter> {
        let cards = self.kernel.cards(&self.wanted);
        for card in &cards {
            for v6 in [false, true] {
                if !self.joined.contains(&(card.number, v6)) && self.join(card.number, v6).is_ok() {
                    self.joined.insert((card.number, v6));
                }
            }
        }
        // A card that went away has left by itself, and is another one when it comes back.
        self.joined.retain(|(number, _)| cards.iter().any(|card| card.number == *number));
        let addresses = cards.iter().flat_map(|card| card.addresses.iter().map(|one| one.0));
        let mut addresses: Vec<IpAddr> = addresses.collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.truncate(ADDRESSES_MAX);
        if addresses != self.told {
            self.told.clone_from(&addresses);
            let _ = self.tell.send(FromGateway::Addresses { addresses });
        }
        self.names.plug(cards, Instant::now());
        Vec::new()
    }

    fn join(&self, card: u32, v6: bool) -> io::Result<()> {
        match (v6, &self.v4, &self.v6) {
            (true, _, Some(socket)) => {
                Ok(sockopt::set_ipv6_add_membership(socket, &GROUP_V6, card)?)
            }
            (false, Some(socket), _) => Ok(sockopt::set_ip_add_membership_with_ifindex(
                socket,
                &GROUP_V4,
                &Ipv4Addr::UNSPECIFIED,
                card,
            )?),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

async fn receive(socket: Option<&UdpSocket>, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        match socket.recv_from(into).await {
            // What an earlier letter met on its way.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
                tracing::debug!(%error, "a neighbour can't be reached");
            }
            done => return done,
        }
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Where everybody who has names listens.
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// The largest message there may be (RFC 6762, section 17).
const LARGEST: usize = 9000;
