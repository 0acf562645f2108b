//! An authenticator for tests: makes one passkey and signs with it. Never asks anybody.

use data_encoding::BASE64URL_NOPAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};

use super::answer::{ED25519_HEAD, P256_HEAD};

pub(crate) const HOST: &str = "ann.localhost";
pub(crate) const ORIGIN: &str = "http://ann.localhost:8080";

enum Secret {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

pub(crate) struct Device {
    pub(crate) credential: Vec<u8>,
    /// A `SubjectPublicKeyInfo`.
    pub(crate) public: Vec<u8>,
    secret: Secret,
    pub(crate) count: u32,
}

impl Device {
    pub(crate) fn p256() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).unwrap();
        let public = [P256_HEAD, pair.public_key().as_ref()].concat();
        Self::new(public, Secret::P256(pair))
    }

    pub(crate) fn ed25519() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let public = [ED25519_HEAD, pair.public_key().as_ref()].concat();
        Self::new(public, Secret::Ed25519(pair))
    }

    /// Always the same: `openssl genpkey -algorithm RSA`, and `openssl pkey -pubout`.
    pub(crate) fn rsa() -> Self {
        let pair = RsaKeyPair::from_pkcs8(include_bytes!("rsa-for-tests.pk8")).unwrap();
        let public = include_bytes!("rsa-for-tests.spki").to_vec();
        Self::new(public, Secret::Rsa(Box::new(pair)))
    }

    fn new(public: Vec<u8>, secret: Secret) -> Self {
        let credential = crate::session::random::<20>().to_vec();
        Self { credential, public, secret, count: 1 }
    }

    pub(crate) fn sign(&self, data: &[u8], client: &[u8]) -> Vec<u8> {
        let signed = [data, digest(&SHA256, client).as_ref()].concat();
        let random = SystemRandom::new();
        match &self.secret {
            Secret::P256(pair) => pair.sign(&random, &signed).unwrap().as_ref().to_vec(),
            Secret::Ed25519(pair) => pair.sign(&signed).as_ref().to_vec(),
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, &signed, &mut signature).unwrap();
                signature
            }
        }
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, HOST.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.count.to_be_bytes());
        data
    }

    /// The authenticator's data of a new passkey; what follows the id is not read.
    pub(crate) fn made(&self) -> Vec<u8> {
        let mut data = self.data(0x45);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.credential.len()).unwrap().to_be_bytes());
        data.extend(&self.credential);
        data.extend(b"COSE");
        data
    }

    pub(crate) fn client(kind: &str, challenge: &str) -> Vec<u8> {
        format!(r#"{{"type":"webauthn.{kind}","challenge":"{challenge}","origin":"{ORIGIN}"}}"#)
            .into_bytes()
    }

    /// The body of `add_passkey`.
    pub(crate) fn create(&self, challenge: &str) -> String {
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let client = encode(&Self::client("create", challenge));
        let (data, key) = (encode(&self.made()), encode(&self.public));
        format!(
            r#"{{"id":"00112233445566778899aabbccddeeff","client_data":"{client}","authenticator_data":"{data}","public_key":"{key}"}}"#
        )
    }

    /// The body of `sign_in`.
    pub(crate) fn get(&self, challenge: &str, user: &str) -> String {
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let (client, data) = (Self::client("get", challenge), self.data(0x05));
        let signature = encode(&self.sign(&data, &client));
        let (client, data, credential) = (encode(&client), encode(&data), encode(&self.credential));
        format!(
            r#"{{"credential":"{credential}","client_data":"{client}","authenticator_data":"{data}","signature":"{signature}","user":"{user}"}}"#
        )
    }
}
