//! The machine's network cards and their addresses, as the kernel tells them over a netlink socket
//! that was opened before the wall.
//!
//! Reads and asks, never changes anything: the kernel takes no order from who has no right for it.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// A card that is switched on, with a cable or a network.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Card {
    /// The kernel's number of it.
    pub number: u32,
    /// As it is called: `eth0`.
    pub name: String,
    /// Its addresses, with the length of their network's part. Of IPv6 those that stay, and the one of
    /// the cable alone only where there is no other.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Has an IPv6 address of the cable, so that others can be spoken to.
    pub speaks_v6: bool,
}

/// What the kernel is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Question {
    Links,
    Addresses,
}

impl Question {
    /// The message, under this number.
    pub(super) fn bytes(self, number: u32) -> [u8; 20] {
        let kind = match self {
            Self::Links => RTM_GETLINK,
            Self::Addresses => RTM_GETADDR,
        };
        let mut bytes = [0; 20];
        let (length, flags) = (20_u32.to_ne_bytes(), (NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
        bytes[0..4].copy_from_slice(&length);
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags);
        bytes[8..12].copy_from_slice(&number.to_ne_bytes());
        bytes
    }
}

/// Cards as they are put together from what the kernel says, piece by piece.
#[derive(Debug, Default)]
pub struct Table {
    links: BTreeMap<u32, (String, u32)>,
    addresses: BTreeMap<u32, Vec<(IpAddr, u8)>>,
    /// The number of the question that is being answered.
    number: u32,
}

/// What came of reading.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Read {
    /// The answer is complete.
    pub done: bool,
    /// Something changed meanwhile.
    pub changed: bool,
}

impl Table {
    /// What is read next answers the question of this number.
    pub fn await_answer(&mut self, number: u32) {
        self.number = number;
    }

    /// Reads what the kernel sent.
    pub fn read(&mut self, mut bytes: &[u8]) -> Read {
        let mut read = Read::default();
        while let Some((message, rest)) = next(bytes) {
            bytes = rest;
            let ours = message.number == self.number && self.number != 0;
            match message.kind {
                NLMSG_DONE | NLMSG_ERROR if ours => read.done = true,
                RTM_NEWLINK if ours => self.link(message.body),
                RTM_NEWADDR if ours => self.address(message.body),
                RTM_NEWLINK | RTM_DELLINK | RTM_NEWADDR | RTM_DELADDR if !ours => {
                    read.changed = true;
                }
                _ => {}
            }
        }
        read
    }

    /// The cards of these names that can be spoken on; no names: all of them.
    #[must_use]
    pub fn cards(&self, wanted: &[String]) -> Vec<Card> {
        let usable = |flags: u32| flags & ON == ON && flags & (IFF_LOOPBACK | IFF_POINTOPOINT) == 0;
        let mut cards = Vec::new();
        for (number, (name, flags)) in &self.links {
            let chosen = wanted.is_empty() || wanted.contains(name);
            let all = self.addresses.get(number).map_or(&[][..], Vec::as_slice);
            if !chosen || !usable(*flags) || all.is_empty() {
                continue;
            }
            let far = all.iter().any(|(address, _)| !is_near(*address));
            let addresses = all.iter().filter(|(address, _)| !far || !is_near(*address));
            cards.push(Card {
                number: *number,
                name: name.clone(),
                addresses: addresses.copied().collect(),
                speaks_v6: all.iter().any(|(address, _)| address.is_ipv6() && is_near(*address)),
            });
        }
        cards
    }

    fn link(&mut self, body: &[u8]) {
        let (Some(number), Some(flags)) = (word(body, 4), word(body, 8)) else { return };
        let name = attributes(body.get(16..).unwrap_or_default())
            .find(|(kind, _)| *kind == IFLA_IFNAME)
            .map(|(_, name)| name.split(|byte| *byte == 0).next().unwrap_or_default());
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        self.links.insert(number, (name, flags));
    }

    fn address(&mut self, body: &[u8]) {
        let (Some(number), Some([_, prefix, short, ..])) = (word(body, 4), body.get(..4)) else {
            return;
        };
        let mut flags = u32::from(*short);
        let (mut peer, mut local) = (None, None);
        for (kind, value) in attributes(body.get(8..).unwrap_or_default()) {
            match kind {
                IFA_ADDRESS => peer = to_address(value),
                IFA_LOCAL => local = to_address(value),
                IFA_FLAGS => flags = word(value, 0).unwrap_or(flags),
                _ => {}
            }
        }
        let passing = IFA_F_TEMPORARY | IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED;
        let Some(address) = local.or(peer) else { return };
        // IPv4 has no such flags but the first, which means "secondary" there.
        if address.is_ipv4() || flags & passing == 0 {
            self.addresses.entry(number).or_default().push((address, *prefix));
        }
    }
}

struct Message<'a> {
    kind: u16,
    number: u32,
    body: &'a [u8],
}

fn next(bytes: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let length = usize::try_from(word(bytes, 0)?).ok()?;
    let body = bytes.get(16..length)?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((Message { kind, number: word(bytes, 8)?, body }, rest))
}

fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn to_address(value: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(value).map(IpAddr::from).ok().or_else(|| {
        let sixteen = <[u8; 16]>::try_from(value).ok()?;
        Some(IpAddr::from(sixteen))
    })
}

/// Whether it is of the cable alone: other programs can't use it without naming the card.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

// From linux/netlink.h, linux/rtnetlink.h, linux/if.h, linux/if_link.h and linux/if_addr.h.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;
const IFF_POINTOPOINT: u32 = 0x10;
const IFF_RUNNING: u32 = 0x40;
const IFF_MULTICAST: u32 = 0x1000;
const ON: u32 = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
const IFLA_IFNAME: u16 = 3;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_TEMPORARY: u32 = 1;
const IFA_F_DADFAILED: u32 = 8;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn message(kind: u16, number: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + body.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0, 0]].concat();
        bytes.extend([&number.to_ne_bytes()[..], &[0; 4], body].concat());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link(number: u32, name: &str, flags: u32) -> Vec<u8> {
        let head = [&[0; 4][..], &number.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 4]].concat();
        let name = [name.as_bytes(), &[0]].concat();
        message(RTM_NEWLINK, 1, &[head, attribute(IFLA_IFNAME, &name)].concat())
    }

    fn address(number: u32, address: &str, prefix: u8, flags: u32) -> Vec<u8> {
        let head = [&[0, prefix, 0, 0][..], &number.to_ne_bytes()].concat();
        let address = match address.parse().unwrap() {
            IpAddr::V4(v4) => attribute(IFA_ADDRESS, &v4.octets()),
            IpAddr::V6(v6) => attribute(IFA_ADDRESS, &v6.octets()),
        };
        let flags = attribute(IFA_FLAGS, &flags.to_ne_bytes());
        message(RTM_NEWADDR, 1, &[head, address, flags].concat())
    }

    #[test]
    fn cards_are_put_together() {
        let mut table = Table::default();
        table.await_answer(1);
        let said = [
            link(1, "lo", ON | IFF_LOOPBACK),
            link(2, "eth0", ON),
            link(3, "wlan0", ON),
            link(4, "off0", IFF_MULTICAST),
            address(1, "127.0.0.1", 8, 0),
            address(2, "192.168.1.7", 24, 0),
            address(2, "fe80::7", 64, 0x80),
            address(2, "2001:db8::7", 64, 0),
            address(2, "2001:db8::dead", 64, IFA_F_TEMPORARY),
            address(3, "fe80::8", 64, 0x80),
            address(4, "10.0.0.1", 8, 0),
        ]
        .concat();
        assert_eq!(table.read(&said), Read::default());
        assert_eq!(
            table.read(&message(NLMSG_DONE, 1, &[0; 4])),
            Read { done: true, changed: false }
        );
        let cards = table.cards(&[]);
        let names: Vec<_> = cards.iter().map(|card| card.name.as_str()).collect();
        assert_eq!(names, ["eth0", "wlan0"]);
        let addresses: Vec<_> = cards[0].addresses.iter().map(|one| one.0.to_string()).collect();
        assert_eq!(addresses, ["192.168.1.7", "2001:db8::7"]);
        assert_eq!(cards[1].addresses.len(), 1, "better the cable's address than none");
        assert!(cards[0].speaks_v6 && cards[1].speaks_v6);
        assert_eq!(table.cards(&["wlan0".to_owned()]).len(), 1);
        // News, and answers to what was not asked.
        assert!(table.read(&message(RTM_DELADDR, 0, &[0; 8])).changed);
        assert_eq!(table.read(&message(NLMSG_DONE, 9, &[0; 4])), Read::default());
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 500,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(0_u8.., 0..200), at in 0_usize..60) {
            let mut table = Table::default();
            table.await_answer(1);
            table.read(&bytes);
            let mut damaged = [link(2, "eth0", ON), address(2, "192.168.1.7", 24, 0)].concat();
            damaged[at] = bytes.first().copied().unwrap_or_default();
            table.read(&damaged);
            let _ = table.cards(&[]);
        }
    }
}
