//! The twin's TLS: ends here and nowhere else.
//!
//! The key never leaves the twin and its door's folder. Certificates are self-signed for now; the
//! fingerprint lets a person compare.

use std::sync::Arc;

use data_encoding::BASE64;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use store::Door;
use tokio_rustls::TlsAcceptor;

/// A twin's certificate, ready to be used.
#[derive(Clone)]
pub(crate) struct Certificate {
    /// Makes TLS connections of TCP ones.
    pub acceptor: TlsAcceptor,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The door's folder failed.
    #[error("certificate of {0} could not be read or kept")]
    Door(String, #[source] store::Error),
    /// It could not be made.
    #[error("certificate of {0} could not be made")]
    Making(String, #[source] rcgen::Error),
    /// It can't be used.
    #[error("certificate of {0} can't be used")]
    Using(String, #[source] rustls::Error),
}

/// How it is kept in the door.
#[derive(Deserialize, Serialize)]
struct Kept {
    host: String,
    key: String,
    certificate: String,
    /// Until when it is valid; an older release made some without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<i64>,
}

/// The certificate of a host name: the kept one, or a new one with the same key where there is none
/// or it is over.
pub(crate) fn certificate(door: &Door, host: &str) -> Result<Certificate, Error> {
    certificate_at(door, host, crate::clock_ms())
}

/// Until when the kept certificate is valid.
pub(crate) fn until_ms(door: &Door) -> Option<i64> {
    kept(door).ok()??.until_ms
}

/// Makes the next [`certificate`] a new one, with the same key.
pub(crate) fn renew(door: &Door) -> Result<(), store::Error> {
    let Some(mut kept) = kept(door)? else { return Ok(()) };
    kept.host.clear();
    door.put(KEY, &serde_json::to_vec(&kept).unwrap_or_default())
}

fn kept(door: &Door) -> Result<Option<Kept>, store::Error> {
    Ok(door.get(KEY)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn certificate_at(door: &Door, host: &str, now_ms: i64) -> Result<Certificate, Error> {
    let kept = kept(door).map_err(|error| Error::Door(host.to_owned(), error))?;
    let decoded = |text: &str| BASE64.decode(text.as_bytes()).ok();
    let key = kept.as_ref().and_then(|kept| decoded(&kept.key));
    let is_over = |kept: &&Kept| kept.until_ms.is_some_and(|until| until <= now_ms);
    let own = kept.as_ref().filter(|kept| kept.host == host).filter(|kept| !is_over(kept));
    if let (Some(key), Some(own)) = (&key, own.and_then(|own| decoded(&own.certificate))) {
        return ready(host, key.clone(), own);
    }
    let until_ms = now_ms.saturating_add(VALID_MS);
    let (key, certificate) = make(host, key.as_deref(), until_ms)
        .map_err(|error| Error::Making(host.to_owned(), error))?;
    let kept = Kept {
        host: host.to_owned(),
        key: BASE64.encode(&key),
        certificate: BASE64.encode(&certificate),
        until_ms: Some(until_ms),
    };
    let kept = serde_json::to_vec(&kept).unwrap_or_default();
    door.put(KEY, &kept).map_err(|error| Error::Door(host.to_owned(), error))?;
    ready(host, key, certificate)
}

fn make(host: &str, key: Option<&[u8]>, until_ms: i64) -> Result<(Vec<u8>, Vec<u8>), rcgen::Error> {
    let key = match key {
        Some(key) => KeyPair::try_from(key)?,
        None => KeyPair::generate()?,
    };
    let mut parameters = CertificateParams::new([host.to_owned()])?;
    let (year, month, day) = crate::day::of(until_ms);
    parameters.not_after = rcgen::date_time_ymd(year, month, day);
    let certificate = parameters.self_signed(&key)?;
    Ok((key.serialize_der(), certificate.der().to_vec()))
}

fn ready(host: &str, key: Vec<u8>, certificate: Vec<u8>) -> Result<Certificate, Error> {
    let fingerprint = sha256(&certificate);
    let chain = vec![CertificateDer::from(certificate)];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
    let using = |error| Error::Using(host.to_owned(), error);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(using)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(using)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificate { acceptor: TlsAcceptor::from(Arc::new(config)), fingerprint })
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    // The suite that every TLS 1.3 server has brings the hash along.
    let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13();
    let hash = suite.map(|suite| suite.common.hash_provider.hash(bytes));
    hash.and_then(|hash| hash.as_ref().try_into().ok()).unwrap_or_default()
}

const KEY: &[u8] = b"tls/certificate";
/// Phones refuse certificates that are valid for longer than 825 days.
const VALID_MS: i64 = 800 * crate::day::DAY_MS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_kept_and_a_new_name_gets_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let door = Door::open(folder.path()).unwrap();
        let first = certificate(&door, "ann.home.test").unwrap().fingerprint;
        assert_ne!(first, [0; 32]);
        assert_eq!(certificate(&door, "ann.home.test").unwrap().fingerprint, first);
        assert_ne!(certificate(&door, "bob.home.test").unwrap().fingerprint, first);
    }

    #[test]
    fn a_certificate_that_is_over_or_unwanted_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let door = Door::open(folder.path()).unwrap();
        let now = crate::clock_ms();
        let at = |time| certificate_at(&door, "ann.home.test", time).unwrap().fingerprint;
        let first = at(now);
        let until = until_ms(&door).unwrap();
        assert_eq!(until, now + VALID_MS);
        assert_eq!(at(until - 1), first);
        let second = at(until);
        assert_ne!(second, first);
        renew(&door).unwrap();
        assert_ne!(at(until), second);
    }

    #[test]
    fn the_fingerprint_is_sha_256() {
        let hex = data_encoding::HEXLOWER.encode(&sha256(b"abc"));
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
