//! Which servers are believed to be who they say they are.
//!
//! Without a certificate of its own for a mirror those are believed whom browsers believe. Their roots
//! are in the program, as Mozilla has them, and not in the system's files: so they are the same wherever
//! the program runs, come with its updates, and the wall of this process needs no folder for them.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::Error;

/// How to speak TLS with a mirror that has this certificate, in PEM, or any.
pub(crate) fn config(certificate: Option<&str>) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::Address("this program can't speak TLS"))?;
    let mut config = match certificate {
        None => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Some(pem) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Given::read(pem)?))
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// One certificate that somebody gave: the server's own, or that of who vouches for it.
#[derive(Debug)]
struct Given {
    certificate: CertificateDer<'static>,
    vouched: Arc<WebPkiServerVerifier>,
}

impl Given {
    fn read(pem: &str) -> Result<Self, Error> {
        let wrong = || Error::Address("the mirror's certificate is no certificate in PEM");
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong())?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).map_err(|_| wrong())?;
        let provider = Arc::new(default_provider());
        let vouched = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Ok(Self { certificate, vouched: vouched.build().map_err(|_| wrong())? })
    }
}

impl ServerCertVerifier for Given {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The very one, byte by byte: its name and time are whatever its owner wrote into it.
        if *shown == self.certificate {
            return Ok(ServerCertVerified::assertion());
        }
        self.vouched.verify_server_cert(shown, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.vouched.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.vouched.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.vouched.supported_verify_schemes()
    }
}
