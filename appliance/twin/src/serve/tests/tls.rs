//! TLS, which ends in the twin.

use std::sync::{Arc, Mutex};

use handover::{FromTwinExecutor, Place};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::harness::{Browser, Setting, Twin, run};

/// Takes any certificate, as a person does who compares the fingerprint, and keeps it.
#[derive(Debug)]
struct Compare {
    seen: Mutex<Vec<u8>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Compare {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap() = end.to_vec();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, end, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, end, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

async fn shake_hands(twin: &mut Twin, name: &str) -> (Browser<TlsStream<TcpStream>>, Vec<u8>) {
    let provider = Arc::new(ring::default_provider());
    let compare = Arc::new(Compare { seen: Mutex::default(), provider: provider.clone() });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(compare.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = twin.hand_over(true, None).await;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let seen = compare.seen.lock().unwrap().clone();
    (Browser(stream), seen)
}

fn outside() -> Setting {
    let place = Place { zone: "home.test".into(), listen: ([192, 0, 2, 1], 443).into() };
    Setting { place, ..Setting::default() }
}

async fn get<S>(browser: &mut Browser<S>, host: &str) -> super::harness::Answer
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    browser.send(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    browser.answer().await.unwrap()
}

#[test]
fn the_certificate_is_the_one_whose_fingerprint_was_printed() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), outside()).await;
        let FromTwinExecutor::Ready { fingerprint: Some(printed), .. } = twin.ready.clone() else {
            panic!("{:?}", twin.ready);
        };
        let (mut browser, seen) = shake_hands(&mut twin, "ann.home.test").await;
        assert_eq!(crate::tls::sha256(&seen), printed);
        let page = get(&mut browser, "ann.home.test").await;
        assert_eq!(page.status, 200);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-src https://ann.home.test/x/;"), "{policy}");
        assert!(policy.contains("connect-src 'self' wss://ann.home.test;"), "{policy}");
        twin.stop().await;

        let twin = Twin::start(folder.path(), outside()).await;
        let FromTwinExecutor::Ready { fingerprint, .. } = twin.ready else { panic!() };
        assert_eq!(fingerprint, Some(printed), "kept over a restart");
    });
}

#[test]
fn a_name_unlike_that_of_the_hello_is_misdirected() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), outside()).await;
        for (hello, host) in [
            ("bob.home.test", "ann.home.test"),
            ("ann.home.test", "bob.home.test"),
            ("bob.home.test", "bob.home.test"),
        ] {
            let (mut browser, _) = shake_hands(&mut twin, hello).await;
            assert_eq!(get(&mut browser, host).await.status, 421, "{hello} {host}");
        }
        twin.stop().await;
    });
}

#[test]
fn a_hello_on_loopback_makes_a_certificate_when_it_comes() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut twin = Twin::start(folder.path(), Setting::default()).await;
        let (mut browser, _) = shake_hands(&mut twin, "ann.localhost").await;
        let page = get(&mut browser, "ann.localhost:8080").await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-src https://ann.localhost:8080/x/;"), "{policy}");
        twin.stop().await;
    });
}
