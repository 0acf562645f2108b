//! How the machine gets into the home's network, as people say it: typed and checked before anybody
//! with rights hears of it.
//!
//! Nothing here is a path, a command or a line of somebody's file format.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// How the network cards get their addresses.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Connection {
    /// From the home's router.
    #[default]
    Auto,
    /// As it is written here.
    Fixed(Fixed),
}

/// An address that a person has chosen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// The machine's own.
    pub address: Ipv4Addr,
    /// How much of it is the network's.
    pub prefix: u8,
    /// The way out; without one the machine is at home only.
    #[serde(default)]
    pub router: Option<Ipv4Addr>,
    /// Who knows names and addresses of others, [`NAMERS_MAX`] at most.
    #[serde(default)]
    pub namers: Vec<IpAddr>,
}

/// Why a connection can't be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoConnection {
    /// No machine can have this address.
    Address,
    /// The network's part is not 8 to 30 bits long.
    Prefix,
    /// The router is not in the same network, or is the machine itself.
    Router,
    /// A name server has an address that none can have, or there are too many.
    Namers,
}

impl NoConnection {
    /// All of them, for whoever has a sentence for each.
    pub const ALL: [Self; 4] = [Self::Address, Self::Prefix, Self::Router, Self::Namers];

    /// The name of its sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Prefix => "prefix",
            Self::Router => "router",
            Self::Namers => "namers",
        }
    }
}

impl Connection {
    /// Whether a machine can be connected like this.
    ///
    /// # Errors
    /// What is wrong with it, the first of all.
    pub fn check(&self) -> Result<(), NoConnection> {
        let Self::Fixed(fixed) = self else { return Ok(()) };
        if !(8..=30).contains(&fixed.prefix) {
            return Err(NoConnection::Prefix);
        }
        if !fixed.is_host(fixed.address) {
            return Err(NoConnection::Address);
        }
        let router = fixed.router.is_none_or(|router| {
            router != fixed.address && fixed.is_host(router) && fixed.is_near(router)
        });
        if !router {
            return Err(NoConnection::Router);
        }
        let namer = |namer: &IpAddr| !namer.is_unspecified() && !namer.is_multicast();
        if fixed.namers.len() > NAMERS_MAX || !fixed.namers.iter().all(namer) {
            return Err(NoConnection::Namers);
        }
        Ok(())
    }
}

impl Fixed {
    /// Reads `192.168.1.5/24`, the router, and the name servers, separated by commas or spaces.
    ///
    /// # Errors
    /// What can't be read.
    pub fn read(address: &str, router: &str, namers: &str) -> Result<Self, NoConnection> {
        let (address, prefix) = address.trim().split_once('/').ok_or(NoConnection::Prefix)?;
        let router = match router.trim() {
            "" => None,
            router => Some(router.parse().map_err(|_| NoConnection::Router)?),
        };
        let namers = namers.split([',', ' ']).filter(|namer| !namer.is_empty());
        let namers = namers.map(str::parse).collect::<Result<_, _>>();
        Ok(Self {
            address: address.parse().map_err(|_| NoConnection::Address)?,
            prefix: prefix.parse().map_err(|_| NoConnection::Prefix)?,
            router,
            namers: namers.map_err(|_| NoConnection::Namers)?,
        })
    }

    fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    fn is_near(&self, other: Ipv4Addr) -> bool {
        u32::from(self.address) & self.mask() == u32::from(other) & self.mask()
    }

    /// Neither the network itself, nor everybody in it, nor an address of another kind.
    fn is_host(&self, address: Ipv4Addr) -> bool {
        let rest = u32::from(address) & !self.mask();
        let [first, ..] = address.octets();
        rest != 0 && rest != !self.mask() && (1..224).contains(&first) && !address.is_loopback()
    }
}

/// How many name servers are asked.
pub const NAMERS_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, router: &str, namers: &str) -> Result<(), NoConnection> {
        Connection::Fixed(Fixed::read(address, router, namers)?).check()
    }

    #[test]
    fn what_people_write() {
        for (address, router, namers, expected) in [
            ("192.168.1.5/24", "192.168.1.1", "192.168.1.1", Ok(())),
            (" 10.0.0.5/8 ", "", "", Ok(())),
            ("10.0.0.5/8", "10.255.0.1", "9.9.9.9, 2620:fe::fe", Ok(())),
            ("192.168.1.5", "", "", Err(NoConnection::Prefix)),
            ("192.168.1.5/33", "", "", Err(NoConnection::Prefix)),
            ("192.168.1.5/0", "", "", Err(NoConnection::Prefix)),
            ("192.168.1.0/24", "", "", Err(NoConnection::Address)),
            ("192.168.1.255/24", "", "", Err(NoConnection::Address)),
            ("127.0.0.5/8", "", "", Err(NoConnection::Address)),
            ("224.0.0.5/8", "", "", Err(NoConnection::Address)),
            ("0.0.0.5/8", "", "", Err(NoConnection::Address)),
            ("fd00::5/64", "", "", Err(NoConnection::Address)),
            ("192.168.1.5/24", "192.168.2.1", "", Err(NoConnection::Router)),
            ("192.168.1.5/24", "192.168.1.5", "", Err(NoConnection::Router)),
            ("192.168.1.5/24", "router", "", Err(NoConnection::Router)),
            ("192.168.1.5/24", "", "dns.example", Err(NoConnection::Namers)),
            ("192.168.1.5/24", "", "0.0.0.0", Err(NoConnection::Namers)),
            ("192.168.1.5/24", "", "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4", Err(NoConnection::Namers)),
            ("192.168.1.5/24\nDHCP=yes", "", "", Err(NoConnection::Prefix)),
        ] {
            assert_eq!(check(address, router, namers), expected, "{address} {router} {namers}");
        }
        assert_eq!(Connection::Auto.check(), Ok(()));
    }
}
