//! A web server with a new system, which does exactly what a test wants.
//!
//! Not a server that anybody should use: one connection at a time, one request in each.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::Result;

/// A web server over TLS that is asked for one thing after the other.
pub struct Mirror {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    address: SocketAddr,
    certificate: String,
}

impl Mirror {
    /// Listens on this computer, with a certificate for this name.
    ///
    /// # Errors
    /// If there is no port, or no certificate can be made.
    pub fn new(name: &str) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed([name.to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        // Whoever should come and doesn't keeps no test for ever.
        set_socket_timeout(&listener, Timeout::Recv, Some(COME_WITHIN))?;
        let address = listener.local_addr()?;
        let certificate = pem(made.cert.der());
        Ok(Self { listener, config: Arc::new(config), address, certificate })
    }

    /// Where it listens, on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// In PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Takes a connection and hears what is asked for.
    fn asked(&self) -> Result<(StreamOwned<ServerConnection, TcpStream>, String)> {
        let (stream, _) = self.listener.accept()?;
        let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&self.config))?, stream);
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            tls.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        Ok((tls, String::from_utf8(head)?))
    }

    /// Is asked for what begins like this, and answers with so many of these bytes, from where on the
    /// other end wants them; answers from where.
    ///
    /// # Errors
    /// If something else is asked for, or the connection fails before it's known what.
    pub fn give(&self, wanted: &str, bytes: &[u8], most: usize) -> Result<usize> {
        let (mut tls, head) = self.asked()?;
        if !head.starts_with(wanted) {
            return Err(format!("not {wanted:?} but {head:?}").into());
        }
        let from = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
        let from = from.and_then(|from| from.trim_end_matches('-').parse().ok()).unwrap_or(0);
        let (all, last) = (bytes.len(), bytes.len() - 1);
        let (status, range) = match from {
            0 => ("200 OK", String::new()),
            _ => ("206 Partial Content", format!("Content-Range: bytes {from}-{last}/{all}\r\n")),
        };
        let length = all - from;
        write!(tls, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{range}\r\n")?;
        let end = all.min(from.saturating_add(most));
        // Who has heard enough may go.
        let _ = tls.write_all(&bytes[from..end]).and_then(|()| tls.flush());
        Ok(from)
    }
}

/// An emulated machine that starts while ten other things are done.
const COME_WITHIN: Duration = Duration::from_secs(900);

fn pem(der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .filter_map(|at| text.get(at..text.len().min(at + 64)))
        .collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|at| u32::from(three.get(at).copied().unwrap_or_default()));
        let bits = a << 16 | b << 8 | c;
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { letter.into() } else { '=' });
        }
    }
    text
}
