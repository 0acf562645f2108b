//! TLS to a twin whose certificate nobody knows yet. Never used but by tests and benches.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use sha2::{Digest, Sha256};

use crate::Result;

/// A TLS client of one twin on this machine: a request per connection.
pub struct Secure {
    /// What it calls the twin in its requests.
    pub authority: String,
    port: u16,
    name: String,
    config: Arc<ClientConfig>,
}

impl Secure {
    /// Of the twin of this name, behind this port.
    ///
    /// # Errors
    /// If the library has no usual protocol versions.
    pub fn new(port: u16, name: &str) -> Result<Self> {
        let name = format!("{name}.localhost");
        Ok(Self { authority: format!("{name}:{port}"), ..Self::of_host(port, &name)? })
    }

    /// Of a host by its whole name, as everybody calls it who comes to its usual port.
    ///
    /// # Errors
    /// If the library has no usual protocol versions.
    pub fn of_host(port: u16, host: &str) -> Result<Self> {
        let host = host.to_owned();
        Ok(Self { port, authority: host.clone(), name: host, config: any_certificate()? })
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// If nobody answers.
    pub fn open(&self) -> Result<StreamOwned<ClientConnection, TcpStream>> {
        let name = ServerName::try_from(self.name.clone())?;
        let tcp = TcpStream::connect(("127.0.0.1", self.port))?;
        tcp.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(StreamOwned::new(ClientConnection::new(self.config.clone(), name)?, tcp))
    }

    /// The SHA-256 of the certificate, in hexadecimal digits.
    ///
    /// # Errors
    /// If nobody answers by TLS.
    pub fn fingerprint(&self) -> Result<String> {
        let mut stream = self.open()?;
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        let certificates = stream.conn.peer_certificates().unwrap_or_default();
        let certificate = certificates.first().ok_or("no certificate")?;
        Ok(Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Posts JSON from the twin's own origin; head and body of the answer.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn post(
        &self,
        path: &str,
        cookie: &str,
        body: &serde_json::Value,
    ) -> Result<(String, String)> {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\nCookie: {cookie}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len(),
            host = self.authority,
        );
        let mut stream = self.open()?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                return Err(error.into());
            }
            Ok(_) | Err(_) => {}
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) =
            text.split_once("\r\n\r\n").ok_or_else(|| format!("cut off: {text:?}"))?;
        Ok((head.to_owned(), body.to_owned()))
    }
}

/// A client that takes any certificate.
///
/// # Errors
/// If the library has no usual protocol versions.
pub fn any_certificate() -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Takes any certificate, as a person does on first use; the handshake's signature is checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
