//! Learns the wanted name from a connection's first bytes without taking them out of the socket.
//!
//! The bytes come from strangers: everything is bounded, and the answer is a name, "more", or no.
//! A TLS hello is parsed by rustls' own acceptor, an HTTP head by `httparse`; no key is involved.

use std::io;

use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// What a connection's first bytes say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Seen {
    /// An HTTP/1 request head, with the host it names.
    Plain(Option<String>),
    /// A TLS ClientHello, with its server name (SNI).
    Tls(Option<String>),
}

/// Why the first bytes name nobody.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The other end closed first.
    #[error("closed before it said anything")]
    Closed,
    /// Neither a TLS hello nor an HTTP request.
    #[error("neither TLS nor HTTP")]
    NeitherTlsNorHttp,
    /// No name within [`MAX_PEEK`].
    #[error("no name in the first {MAX_PEEK} bytes")]
    TooLong,
}

/// Waits until the name is known. Costs one wake-up per arriving segment; the caller sets the time
/// limit.
///
/// # Errors
/// When the bytes can't lead to a name.
pub async fn look(stream: &TcpStream) -> Result<Seen, Refused> {
    let mut bytes = vec![0; FIRST_PEEK];
    let look = || {
        let seen = rustix::net::recv(stream, &mut bytes[..], RecvFlags::PEEK)?.0;
        match read(&bytes[..seen]) {
            _ if seen == 0 => Ok(Err(Refused::Closed)),
            Ok(Some(name)) => Ok(Ok(name)),
            Err(refused) => Ok(Err(refused)),
            Ok(None) if seen >= MAX_PEEK => Ok(Err(Refused::TooLong)),
            Ok(None) if seen == bytes.len() => {
                // More may be waiting than fits: look again at once with more room.
                bytes.resize(MAX_PEEK, 0);
                Err(io::ErrorKind::Interrupted.into())
            }
            // What was peeked stays readable for ever. Saying "would block" makes the runtime wait
            // for the *next* segment instead of looking at the same bytes again and again.
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
        }
    };
    peek_until(stream, look).await.unwrap_or(Err(Refused::Closed))
}

async fn peek_until<T>(
    stream: &TcpStream,
    mut look: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match stream.async_io(Interest::READABLE, &mut look).await {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Reads what has arrived so far: a name, `None` when more is needed, or a refusal.
///
/// # Errors
/// When no continuation of these bytes could name anybody.
pub fn read(bytes: &[u8]) -> Result<Option<Seen>, Refused> {
    match bytes.first() {
        None => Ok(None),
        Some(&TLS_HANDSHAKE) => read_hello(bytes),
        Some(byte) if byte.is_ascii_uppercase() => read_head(bytes),
        Some(_) => Err(Refused::NeitherTlsNorHttp),
    }
}

fn read_hello(mut bytes: &[u8]) -> Result<Option<Seen>, Refused> {
    let mut acceptor = rustls::server::Acceptor::default();
    while !bytes.is_empty() {
        acceptor.read_tls(&mut bytes).map_err(|_| Refused::NeitherTlsNorHttp)?;
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let name = accepted.client_hello().server_name().map(str::to_owned);
                return Ok(Some(Seen::Tls(name)));
            }
            Ok(None) => {}
            Err(_) => return Err(Refused::NeitherTlsNorHttp),
        }
    }
    Ok(None)
}

fn read_head(bytes: &[u8]) -> Result<Option<Seen>, Refused> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let complete = match request.parse(bytes) {
        Ok(status) => status.is_complete(),
        Err(_) => return Err(Refused::NeitherTlsNorHttp),
    };
    let mut hosts = request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("host"));
    match (hosts.next(), hosts.next()) {
        // Two hosts are an attempt to be understood in two ways (RFC 9112, section 3.2).
        (Some(_), Some(_)) => Err(Refused::NeitherTlsNorHttp),
        (Some(host), None) if complete => {
            Ok(Some(Seen::Plain(std::str::from_utf8(host.value).ok().map(str::to_owned))))
        }
        (None, None) if complete => Ok(Some(Seen::Plain(None))),
        _ => Ok(None),
    }
}

/// The twin that a host name stands for within a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// One of the zone's; the name in lower case.
    Name(String),
    /// No host at all, a bare address, a zone itself, or another zone.
    Elsewhere,
}

impl Wanted {
    /// Reads a Host header or a server name.
    #[must_use]
    pub fn of(host: Option<&str>, zone: &str) -> Self {
        let Some(host) = host else {
            return Self::Elsewhere;
        };
        let host = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            Some(_) | None => host,
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        match handover::name_in(zone, &host) {
            Some(name) if is_label(name) => Self::Name(name.to_owned()),
            Some(_) | None => Self::Elsewhere,
        }
    }
}

fn is_label(name: &str) -> bool {
    let fits = (1..=32).contains(&name.len());
    fits && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The most that is looked at. A post-quantum hello has about 1.8 KiB, a large one 4 KiB.
pub const MAX_PEEK: usize = 16 * 1024;
const FIRST_PEEK: usize = 2 * 1024;
const MAX_HEADERS: usize = 100;
/// Content type of a TLS record that carries a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;

#[cfg(test)]
mod tests;
