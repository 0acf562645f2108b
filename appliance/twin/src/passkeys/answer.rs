//! What an authenticator and its browser say, by W3C Web Authentication Level 3: client data, the
//! authenticator's data, a public key, a signature. All of it is foreign.
//!
//! Never reads CBOR and never looks at an attestation: nobody asks who made an authenticator, and of
//! the rest the browser gives the two parts that are needed, `getAuthenticatorData()` and
//! `getPublicKey()` (section 5.2.1.1). No I/O, no clock.

use data_encoding::BASE64URL_NOPAD;
use ring::digest;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde::{Deserialize, Serialize};

/// What was said is not what it should be, in words for the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Bad(pub &'static str);

/// Which ceremony it is from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ceremony {
    /// A passkey is made.
    Create,
    /// Somebody signs in.
    Get,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

/// Checks what the browser says about a ceremony; gives the challenge.
pub(crate) fn client_data(bytes: &[u8], ceremony: Ceremony, origin: &str) -> Result<Vec<u8>, Bad> {
    let said: ClientData =
        serde_json::from_slice(bytes).map_err(|_| Bad("the client data can't be read"))?;
    let kind = match ceremony {
        Ceremony::Create => "webauthn.create",
        Ceremony::Get => "webauthn.get",
    };
    if said.kind != kind {
        return Err(Bad("it is from another ceremony"));
    }
    if said.origin != origin || said.cross_origin {
        return Err(Bad("it is from a page of another origin"));
    }
    BASE64URL_NOPAD
        .decode(said.challenge.as_bytes())
        .map_err(|_| Bad("the challenge can't be read"))
}

/// What an authenticator says.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Authenticator<'a> {
    /// How often it has signed; 0 where it doesn't count.
    pub count: u32,
    /// Whether the passkey is kept on several devices just now.
    pub synced: bool,
    /// The new credential's id, if one was made.
    pub credential: Option<&'a [u8]>,
}

/// Reads and checks the authenticator's data: it is for this host, and a person was there and proved
/// to it who they are.
pub(crate) fn authenticator<'a>(bytes: &'a [u8], host: &str) -> Result<Authenticator<'a>, Bad> {
    let short = Bad("the authenticator's data are too short");
    let (about, rest) = bytes.split_at_checked(32).ok_or(short)?;
    let (&flags, rest) = rest.split_first().ok_or(short)?;
    let (count, rest) = rest.split_first_chunk::<4>().ok_or(short)?;
    if about != digest::digest(&digest::SHA256, host.as_bytes()).as_ref() {
        return Err(Bad("it is for another host"));
    }
    if flags & PRESENT == 0 || flags & VERIFIED == 0 {
        return Err(Bad("the authenticator did not ask who is there"));
    }
    if flags & BACKED_UP != 0 && flags & MAY_BACK_UP == 0 {
        return Err(Bad("it says that it is kept elsewhere and can't be"));
    }
    let credential = (flags & HAS_CREDENTIAL != 0).then(|| credential(rest)).transpose()?;
    let synced = flags & BACKED_UP != 0;
    Ok(Authenticator { count: u32::from_be_bytes(*count), synced, credential })
}

/// The id in what follows the head: after the model (16 bytes) its length, then the id.
fn credential(rest: &[u8]) -> Result<&[u8], Bad> {
    let short = Bad("the new credential is cut off");
    let (_, rest) = rest.split_at_checked(16).ok_or(short)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(short)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 || length > MAX_CREDENTIAL {
        return Err(Bad("the credential's id has no length that one may have"));
    }
    rest.split_at_checked(length).map(|(id, _)| id).ok_or(short)
}

/// A public key of a kind that is understood.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Key {
    kind: Kind,
    /// As its algorithm takes it.
    bytes: Vec<u8>,
}

/// Kinds of keys, by COSE number.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Kind {
    Es256,
    Ed25519,
    Rs256,
}

/// What is asked for, as COSE numbers, the best first. Windows offers nothing but the last.
pub(crate) const ALGORITHMS: [i32; 3] = [-7, -8, -257];

impl Key {
    /// Reads a `SubjectPublicKeyInfo` (RFC 5280): of these three kinds it has a fixed form each.
    pub(crate) fn read(spki: &[u8]) -> Result<Self, Bad> {
        let of = |head: &[u8], kind| {
            spki.strip_prefix(head).map(|bytes| Self { kind, bytes: bytes.to_vec() })
        };
        let unknown = Bad("the public key is of no kind that is understood");
        let key = of(P256_HEAD, Kind::Es256)
            .or_else(|| of(ED25519_HEAD, Kind::Ed25519))
            .or_else(|| Some(Self { kind: Kind::Rs256, bytes: rsa(spki)?.to_vec() }))
            .ok_or(unknown)?;
        let fits = match key.kind {
            Kind::Es256 => key.bytes.len() == 65 && key.bytes[0] == 4,
            Kind::Ed25519 => key.bytes.len() == 32,
            // From 2048 bits on, with what is around the numbers.
            Kind::Rs256 => (256..=1100).contains(&key.bytes.len()),
        };
        if fits { Ok(key) } else { Err(unknown) }
    }

    /// Whether somebody with its secret half signed this.
    pub(crate) fn verify(&self, authenticator: &[u8], client: &[u8], signature: &[u8]) -> bool {
        let kind: &'static dyn VerificationAlgorithm = match self.kind {
            Kind::Es256 => &ECDSA_P256_SHA256_ASN1,
            Kind::Ed25519 => &ED25519,
            Kind::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        let client = digest::digest(&digest::SHA256, client);
        let signed = [authenticator, client.as_ref()].concat();
        UnparsedPublicKey::new(kind, &self.bytes).verify(&signed, signature).is_ok()
    }
}

/// The numbers of an RSA key (RFC 3279, 2.3.1): a sequence of the algorithm and a string of bits.
fn rsa(spki: &[u8]) -> Option<&[u8]> {
    let (inside, after) = long(0x30, spki)?;
    let (bits, rest) = long(0x03, inside.strip_prefix(RSA_ALGORITHM)?)?;
    if after.is_empty() && rest.is_empty() { bits.strip_prefix(&[0]) } else { None }
}

/// A value of this tag with its length in two bytes, as all of a key have from 256 bytes on.
fn long(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    if head[0] == tag && head[1] == 0x82 { rest.split_at_checked(length) } else { None }
}

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const MAY_BACK_UP: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
/// By the specification's section 6.5.1.1.
const MAX_CREDENTIAL: usize = 1023;

/// A sequence of `id-ecPublicKey` with `prime256v1`, and the head of 65 bytes (RFC 5480).
pub(crate) const P256_HEAD: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// A sequence of `id-Ed25519`, and the head of 32 bytes (RFC 8410).
pub(crate) const ED25519_HEAD: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// `rsaEncryption` without parameters (RFC 3279).
const RSA_ALGORITHM: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

#[cfg(test)]
mod tests {
    use super::super::device::{Device, HOST, ORIGIN};
    use super::*;

    #[test]
    fn client_data_are_for_one_ceremony_at_one_origin() {
        let said = |kind: &str, origin: &str, more: &str| {
            format!(r#"{{"type":"{kind}","challenge":"YWJj","origin":"{origin}"{more}}}"#)
        };
        let read = |text: &str| client_data(text.as_bytes(), Ceremony::Get, ORIGIN);
        let more = r#","crossOrigin":false,"other_keys_can_be_added_here":1"#;
        assert_eq!(read(&said("webauthn.get", ORIGIN, more)), Ok(b"abc".to_vec()));
        for wrong in [
            said("webauthn.create", ORIGIN, ""),
            said("webauthn.get", "https://ann.localhost:8080", ""),
            said("webauthn.get", "http://ann.localhost", ""),
            said("webauthn.get", ORIGIN, r#","crossOrigin":true"#),
            said("webauthn.get", ORIGIN, r#","origin":"http://evil.example""#),
            said("webauthn.get", ORIGIN, "").replace("YWJj", "YWJj="),
            "[]".to_owned(),
            String::new(),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_authenticator_speaks_of_one_host_and_of_a_person_who_was_there() {
        let device = Device::p256();
        let whole = device.made();
        let read = authenticator(&whole, HOST).unwrap();
        assert_eq!(read.credential, Some(device.credential.as_slice()));
        assert_eq!((read.count, read.synced), (1, false));
        assert!(authenticator(&whole, "bob.localhost").is_err());
        for (flags, good) in
            [(0x45, true), (0x5d, true), (0x55, false), (0x41, false), (0x44, false)]
        {
            let mut other = whole.clone();
            other[32] = flags;
            assert_eq!(authenticator(&other, HOST).is_ok(), good, "{flags:x}");
        }
        let end = 32 + 1 + 4 + 16 + 2 + device.credential.len();
        for length in 0..end {
            assert!(authenticator(&whole[..length], HOST).is_err(), "{length}");
        }
        let mut none = whole.clone();
        none[53..55].fill(0);
        assert!(authenticator(&none, HOST).is_err());
        none[53..55].fill(0xff);
        assert!(authenticator(&none, HOST).is_err());
    }

    #[test]
    fn keys_of_three_kinds_verify_and_nothing_else_does() {
        for device in [Device::p256(), Device::ed25519(), Device::rsa()] {
            let key = Key::read(&device.public).unwrap();
            let signature = device.sign(b"data", b"client");
            assert!(key.verify(b"data", b"client", &signature));
            assert!(!key.verify(b"dat", b"aclient", &signature));
            assert!(!key.verify(b"data", b"clienu", &signature));
            let mut wrong = signature.clone();
            *wrong.last_mut().unwrap() ^= 1;
            assert!(!key.verify(b"data", b"client", &wrong));
            assert!(!key.verify(b"data", b"client", &[]));
            for length in 0..device.public.len() {
                assert!(Key::read(&device.public[..length]).is_err(), "{length}");
            }
            let longer = [&device.public[..], &[0]].concat();
            assert!(Key::read(&longer).is_err());
        }
        let other = Key::read(&Device::p256().public).unwrap();
        assert!(!other.verify(b"data", b"client", &Device::p256().sign(b"data", b"client")));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0_u8.., 0..700)) {
            let _ = client_data(&bytes, Ceremony::Create, ORIGIN);
            let _ = authenticator(&bytes, HOST);
            if let Ok(key) = Key::read(&bytes) {
                let _ = key.verify(&bytes, &bytes, &bytes);
            }
        }

        #[test]
        fn a_key_with_one_byte_changed_does_no_harm(at in 0_usize..294, byte: u8) {
            let device = Device::rsa();
            let mut public = device.public.clone();
            let same = public[at] == byte;
            public[at] = byte;
            let signed = device.sign(b"data", b"client");
            let good = Key::read(&public).is_ok_and(|key| key.verify(b"data", b"client", &signed));
            proptest::prop_assert!(!good || same);
        }
    }
}
