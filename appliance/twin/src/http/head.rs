//! What the head of a request says about who sent it and whom it is meant for.
//!
//! Never trusts a name that is not compared with the twin's own.

use hyper::header::{
    CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, ORIGIN, TRANSFER_ENCODING,
};
use hyper::http::request::Parts;

use super::problem::Trouble;
use crate::site::Arrival;

/// The cookie that carries a session's token.
pub(crate) const COOKIE_NAME: &str = "__Host-twin";

/// The authority that a request names, such as `ann.localhost:8080`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Authority {
    text: String,
    /// Length of the host within the text.
    host: usize,
    tls: bool,
}

impl Authority {
    /// Reads it, refusing heads that can be read in two ways.
    pub(crate) fn of(head: &Parts, arrival: &Arrival) -> Result<Self, Trouble> {
        let doubled = |name| head.headers.get_all(name).iter().nth(1).is_some();
        if doubled(HOST) || doubled(CONTENT_LENGTH) || doubled(TRANSFER_ENCODING) {
            return Err(Trouble::bad_request().closing());
        }
        let text = text(&head.headers, &HOST).ok_or_else(|| Trouble::bad_request().closing())?;
        let authority =
            Self::parse(text, arrival.tls).ok_or_else(|| Trouble::bad_request().closing())?;
        let named = head.uri.authority().map(|named| named.as_str().to_ascii_lowercase());
        if named.is_some_and(|named| named != authority.text) {
            return Err(Trouble::misdirected().closing());
        }
        Ok(authority)
    }

    fn parse(text: &str, tls: bool) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (host, port) = text.rsplit_once(':').unwrap_or((&text, "80"));
        let port_fits = port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit());
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._[]:".contains(&b);
        if host.is_empty() || !port_fits || !host.bytes().all(letter) {
            return None;
        }
        let host = host.len();
        Some(Self { text, host, tls })
    }

    /// The host without the port.
    pub(crate) fn host(&self) -> &str {
        &self.text[..self.host]
    }

    /// The origin of pages that are served under it.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.text)
    }

    /// The same for WebSockets.
    pub(crate) fn socket_origin(&self) -> String {
        format!("{}://{}", if self.tls { "wss" } else { "ws" }, self.text)
    }

    /// Refuses requests that a page of another origin sent, or that do not say who sent them.
    pub(crate) fn check_origin(&self, head: &Parts) -> Result<(), Trouble> {
        let doubled = head.headers.get_all(ORIGIN).iter().nth(1).is_some();
        match text(&head.headers, &ORIGIN) {
            Some(origin) if !doubled && origin == self.origin() => Ok(()),
            Some(_) | None => Err(Trouble::other_origin()),
        }
    }
}

/// The token of the session cookie.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}

/// Refuses bodies that are not JSON.
pub(crate) fn check_json(headers: &HeaderMap) -> Result<(), Trouble> {
    let kind = text(headers, &CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Trouble::not_json()) }
}

/// A header's text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn authorities_are_read_or_refused() {
        let host = |text| Authority::parse(text, false).map(|found| found.host().to_owned());
        assert_eq!(host("Ann.localhost:8080").unwrap(), "ann.localhost");
        assert_eq!(host("ann.localhost").unwrap(), "ann.localhost");
        assert_eq!(host("[::1]:80").unwrap(), "[::1]");
        for bad in
            ["", ":80", "ann:", "ann:x", "ann:99999", "ann:+1", "a b", "a;b", "a/b", "a@b", "ä"]
        {
            assert_eq!(host(bad), None, "{bad}");
        }
        let read = Authority::parse("ann.localhost:1", true).unwrap();
        assert_eq!(read.origin(), "https://ann.localhost:1");
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; x__Host-twin=1; __Host-twinx=2"));
        assert_eq!(token(&headers), None);
        headers.append(COOKIE, HeaderValue::from_static("c=d; __Host-twin=abc; e=f"));
        assert_eq!(token(&headers), Some("abc"));
    }

    proptest::proptest! {
        #[test]
        fn any_host_is_read_or_refused(text in ".{0,60}") {
            if let Some(read) = Authority::parse(&text, true) {
                proptest::prop_assert!(HeaderValue::from_str(&read.origin()).is_ok());
                proptest::prop_assert!(!read.text.contains([' ', ';', ',', '\'']));
            }
        }
    }
}
