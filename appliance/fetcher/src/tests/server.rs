//! A server over TLS that does with each connection whatever a test wants, byte by byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use handover::Mirror;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is done with a connection, one after the other; then it's closed.
#[derive(Clone)]
pub(crate) enum Act {
    Send(Vec<u8>),
    /// A byte now and then.
    Drip,
    Endless,
    /// Nothing, until the other end goes.
    Stall,
}

/// What somebody asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// From where on.
    pub(crate) from: Option<usize>,
    /// If it's still the same.
    pub(crate) same: Option<String>,
}

/// Serves until the test ends.
pub(crate) struct Server {
    address: SocketAddr,
    certificate: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A certificate for this computer, and its key.
pub(crate) fn certificate() -> (rcgen::Certificate, rcgen::KeyPair) {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    (made.cert, made.signing_key)
}

pub(crate) fn pem(what: &str, der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|l| std::str::from_utf8(l).ok()).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}

pub(crate) fn status(line: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {line}\r\nContent-Length: {length}\r\n{more}\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend(body);
    bytes
}

impl Server {
    pub(crate) fn new(answer: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let (certificate, key) = certificate();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let (config, answer) = (Arc::new(config), Arc::new(answer));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::downgrade(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // The test that wanted it is over.
                let Some(heard) = heard.upgrade() else { return };
                let (config, answer) = (Arc::clone(&config), Arc::clone(&answer));
                let Ok(stream) = stream else { return };
                std::thread::spawn(move || {
                    let _ = serve(stream, config, &heard, answer.as_ref());
                });
            }
        });
        Self { address, certificate: pem("CERTIFICATE", certificate.der()), asked }
    }

    pub(crate) fn mirror(&self) -> Mirror {
        let address = format!("https://{}/", self.address);
        Mirror { address, certificate: Some(self.certificate.clone()) }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Has the listener look whether it's still wanted.
        self.asked = Arc::default();
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    heard: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(&Asked) -> Vec<Act>,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut tls = StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        tls.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(said, _)| said.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let from = line("range").map(|range| {
        range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap()
    });
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let asked = Asked { path, from, same: line("if-range") };
    heard.lock().unwrap().push(asked.clone());
    for act in answer(&asked) {
        match act {
            Act::Send(bytes) => tls.write_all(&bytes)?,
            Act::Drip => loop {
                tls.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(20));
            },
            Act::Endless => loop {
                tls.write_all(&[b'x'; 4096])?;
            },
            Act::Stall => drop(tls.read(&mut byte)?),
        }
    }
    tls.flush()
}
