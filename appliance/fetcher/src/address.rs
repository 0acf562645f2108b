//! Addresses of folders and files on web servers, and what a server says in its answers' heads about
//! places and ranges: all of it foreign text.

use hyper::Uri;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};

use crate::Error;

/// A place on a web server, over TLS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    /// Without the brackets that an IPv6 address has in a URL.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As it is sent: with the port, if it was said.
    pub(crate) authority: String,
    /// Begins with a slash.
    pub(crate) path: String,
}

impl Address {
    /// Reads the address of a folder.
    pub(crate) fn folder(text: &str) -> Result<Self, Error> {
        let uri: Uri = text.parse().map_err(|_| Error::Address("this is no web address"))?;
        if uri.query().is_some() {
            return Err(Error::Address("a folder's address has no question mark"));
        }
        let mut folder = Self::read(&uri)?;
        if !folder.path.ends_with('/') {
            folder.path.push('/');
        }
        Ok(folder)
    }

    /// A file in this folder.
    pub(crate) fn file(&self, name: &str) -> Self {
        Self { path: format!("{}{name}", self.path), ..self.clone() }
    }

    /// Where a server leads to from here: to a safe place, or not at all.
    pub(crate) fn redirect(&self, to: &str) -> Result<Self, Error> {
        let refused = || Error::Redirect { to: to.chars().take(100).collect() };
        if to.starts_with('/') && !to.starts_with("//") {
            let path: PathAndQuery = to.parse().map_err(|_| refused())?;
            return Ok(Self { path: path.to_string(), ..self.clone() });
        }
        let uri: Uri = to.parse().map_err(|_| refused())?;
        Self::read(&uri).map_err(|_| refused())
    }

    fn read(uri: &Uri) -> Result<Self, Error> {
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(Error::Address("a mirror's address begins with https://"));
        }
        let authority = uri.authority().map(Authority::as_str).unwrap_or_default();
        if authority.contains('@') {
            return Err(Error::Address("a mirror's address has no name and no password"));
        }
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let wrong = |c: char| !(c.is_ascii_alphanumeric() || ".-:_".contains(c));
        if host.is_empty() || host.len() > 253 || host.contains(wrong) {
            return Err(Error::Address("a mirror's address has a name that no server has"));
        }
        let said = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
        let port = match said.rsplit_once(':') {
            None | Some((_, "")) => 443,
            Some((_, port)) => match port.parse() {
                Ok(0) | Err(_) => return Err(Error::Address("a mirror's port is 1 to 65535")),
                Ok(port) => port,
            },
        };
        let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
        Ok(Self {
            host: host.to_owned(),
            port,
            authority: authority.to_owned(),
            path: format!("{}{path}", if path.starts_with('/') { "" } else { "/" }),
        })
    }
}

/// `bytes 5-9/10`: the first, the last, and how many there are.
pub(crate) fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, all) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let (first, last, all) = (number(first)?, number(last)?, number(all)?);
    (first <= last && last < all).then_some((first, last, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(text: &str) -> Result<(String, u16, String), String> {
        let read = Address::folder(text).map_err(|error| error.to_string());
        read.map(|address| (address.host, address.port, address.path))
    }

    #[test]
    fn a_folder_is_somewhere_safe() {
        let of = |host: &str, port, path: &str| Ok((host.to_owned(), port, path.to_owned()));
        assert_eq!(folder("https://a.example"), of("a.example", 443, "/"));
        assert_eq!(folder("https://a.example:8443/x/y"), of("a.example", 8443, "/x/y/"));
        assert_eq!(folder("https://192.168.1.5/x/"), of("192.168.1.5", 443, "/x/"));
        assert_eq!(folder("https://[fe80::1]:444/"), of("fe80::1", 444, "/"));
        for wrong in [
            "",
            "a.example",
            "http://a.example/",
            "ftp://a.example/",
            "https://",
            "https:///x",
            "https://me:secret@a.example/",
            "https://a.example:0/",
            "https://a.example:70000/",
            "https://a.example/?x",
            "https://a.example?x",
            "https://a b/",
            "https://ä.example/",
            "file:///etc/passwd",
        ] {
            assert!(folder(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_redirect_stays_safe() {
        let file = Address::folder("https://a.example:8443/x").unwrap().file("f");
        assert_eq!(file.path, "/x/f");
        assert_eq!(file.redirect("/y?z").unwrap(), Address { path: "/y?z".into(), ..file.clone() });
        assert_eq!(file.redirect("https://b.example/f").unwrap().host, "b.example");
        for wrong in ["http://a.example/f", "//b.example/f", "f", "", "javascript:1", "https://"] {
            assert!(file.redirect(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_is_in_what_there_is() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, 9, 10)));
        for wrong in [
            "",
            "bytes */10",
            "bytes 5-9/*",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "bytes -5/10",
            "bytes +5-9/10",
            "bits 5-9/10",
            "bytes 5-9/99999999999999999999999",
        ] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }
}
