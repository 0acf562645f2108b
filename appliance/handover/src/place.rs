//! How a node is reached: its address, its zone, and the names in it. No I/O.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// How the node is reached; the same for all its processes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Place {
    /// The DNS name under which twins have theirs: `ann.<zone>`. `localhost` on loopback, and a name of
    /// the home's network, `<node>.local`, where nothing else is set.
    pub zone: String,
    /// The address that the node listens on, with the port really bound.
    pub listen: SocketAddr,
}

impl Place {
    /// Whether only TLS is spoken: everywhere but on loopback.
    #[must_use]
    pub fn tls(&self) -> bool {
        !self.listen.ip().is_loopback()
    }

    /// Whether other devices can open what [`Place::origin`] gives.
    #[must_use]
    pub fn elsewhere(&self) -> bool {
        self.tls() && self.zone != "localhost"
    }

    /// Whether the zone is a name of the home's network, which machines there claim for themselves.
    #[must_use]
    pub fn is_lan(&self) -> bool {
        is_lan(&self.zone)
    }

    /// The host of a twin; `node` is the node's own.
    #[must_use]
    pub fn host(&self, name: &str) -> String {
        if !self.is_lan() {
            format!("{name}.{}", self.zone)
        } else if name == NODE {
            self.zone.clone()
        } else {
            format!("{name}-{}", self.zone)
        }
    }

    /// Whose host this is, in lower case and without a port or a dot at its end.
    #[must_use]
    pub fn name_of<'a>(&self, host: &'a str) -> Option<&'a str> {
        name_in(&self.zone, host)
    }

    /// The origin under which a name is served, such as `http://ann.localhost:8080`.
    #[must_use]
    pub fn origin(&self, name: &str) -> String {
        let (scheme, usual) = if self.tls() { ("https", 443) } else { ("http", 80) };
        let (host, port) = (self.host(name), self.listen.port());
        if port == usual {
            format!("{scheme}://{host}")
        } else {
            format!("{scheme}://{host}:{port}")
        }
    }
}

/// The name that this host has in a zone.
///
/// In a zone of the home's network all names are side by side: what asks there often takes no name of
/// more than two parts, and a browser would let a page of `ann.node.local` act for `node.local`.
#[must_use]
pub fn name_in<'a>(zone: &str, host: &'a str) -> Option<&'a str> {
    if !is_lan(zone) {
        return host.strip_suffix(zone)?.strip_suffix('.');
    }
    if host == zone {
        return Some(NODE);
    }
    host.strip_suffix(zone)?.strip_suffix('-').filter(|name| *name != NODE)
}

fn is_lan(zone: &str) -> bool {
    zone.strip_suffix(".local").is_some_and(|node| !node.is_empty() && !node.contains('.'))
}

/// What the node's own twin is called.
const NODE: &str = "node";

#[cfg(test)]
mod tests {
    use super::*;

    fn place(zone: &str) -> Place {
        Place { zone: zone.to_owned(), listen: ([192, 0, 2, 1], 443).into() }
    }

    #[test]
    fn every_name_is_found_again() {
        for (zone, name, host) in [
            ("localhost", "ann", "ann.localhost"),
            ("home.example", "node", "node.home.example"),
            ("hometwin.local", "node", "hometwin.local"),
            ("hometwin.local", "ann", "ann-hometwin.local"),
            ("hometwin.local", "ann-b", "ann-b-hometwin.local"),
            ("home-2.local", "ann", "ann-home-2.local"),
            ("a.b.local", "ann", "ann.a.b.local"),
        ] {
            let place = place(zone);
            assert_eq!(place.host(name), host);
            assert_eq!(place.name_of(host), Some(name));
            assert_eq!(place.origin(name), format!("https://{host}"));
        }
    }

    #[test]
    fn what_is_elsewhere_is_nobody() {
        for (zone, host) in [
            ("localhost", "localhost"),
            ("home.example", "annhome.example"),
            ("hometwin.local", "ann.hometwin.local"),
            ("hometwin.local", "node-hometwin.local"),
            ("hometwin.local", "annhometwin.local"),
            ("hometwin.local", "other.local"),
            ("local", "ann.locale"),
        ] {
            assert_eq!(name_in(zone, host), None, "{host} in {zone}");
        }
    }
}
