//! Where Debian's packages come from: where this machine's own come from, or where it's told.

use std::process::Command;

use crate::{Error, Result};

/// Addresses of the packages and of their security updates.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Mirror {
    main: String,
    security: String,
}

impl Mirror {
    /// The one that was named, or the one that apt uses here.
    pub(crate) fn find(named: Option<&str>) -> Result<Self> {
        if let Some(main) = named {
            return Ok(Self::of(main));
        }
        // It names what `update` would fetch, and fetches nothing.
        let said = Command::new("apt-get").args(["--print-uris", "update"]).output();
        let said = said.map_err(Error::file("apt-get"))?;
        Self::read(&String::from_utf8_lossy(&said.stdout)).ok_or(Error::NoMirror)
    }

    /// Security updates are beside the packages, as on Debian's own servers.
    fn of(main: &str) -> Self {
        let main = main.trim_end_matches('/');
        Self { main: main.to_owned(), security: format!("{main}-security") }
    }

    fn read(said: &str) -> Option<Self> {
        let addresses =
            || said.lines().filter_map(|line| line.strip_prefix('\'')?.split('\'').next());
        let places = || addresses().filter_map(|address| address.split_once("/dists/"));
        let (main, _) = places().find(|(place, _)| place.ends_with("/debian"))?;
        let security = places()
            .find(|(_, suite)| suite.split('/').next().is_some_and(|s| s.ends_with("-security")));
        let mut mirror = Self::of(main);
        if let Some((place, _)) = security {
            mirror.security = place.to_owned();
        }
        Some(mirror)
    }

    /// What mmdebstrap is given.
    pub(crate) fn sources(&self, suite: &str) -> String {
        let Self { main, security } = self;
        format!(
            "deb {main} {suite} main\ndeb {main} {suite}-updates main\n\
             deb {security} {suite}-security main\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_that_apt_uses() {
        let said = "'http://other.example/node/dists/x/InRelease' a 0 \n\
            'http://a.example/debian/dists/bookworm/InRelease' a 0 \n\
            'http://s.example/sec/dists/bookworm-security/InRelease' a 0 \n";
        let mirror = Mirror::read(said).unwrap();
        assert_eq!(mirror.main, "http://a.example/debian");
        assert_eq!(mirror.security, "http://s.example/sec");
        assert!(mirror.sources("trixie").contains("sec trixie-security main"));
        assert_eq!(Mirror::read("nothing"), None);
        assert_eq!(Mirror::of("http://a/debian/").security, "http://a/debian-security");
    }
}
