//! The passkeys of one twin: which there are, and whether somebody who signs in holds one.
//!
//! Never keeps anything that lets somebody in: of a passkey the door has the public half. What nobody
//! here can make is never counted against the person, so no stranger can use up their tries.

mod answer;
mod challenge;
#[cfg(test)]
pub(crate) mod device;

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use capability::identity::v1 as identity;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use store::Door;

pub(crate) use self::answer::ALGORITHMS;
use self::answer::{Bad, Ceremony, Key};
use self::challenge::Stale;
use crate::session::{Hash, random};

/// All passkeys of one twin.
pub(crate) struct Passkeys {
    door: Rc<Door>,
    secrets: OnceCell<Secrets>,
    by_hash: RefCell<HashMap<Hash, Kept>>,
}

/// What all passkeys of a twin have in common.
#[derive(Clone, Deserialize, Serialize)]
struct Secrets {
    /// Proves challenges.
    challenges: [u8; 32],
    /// The user handle: random, so that an authenticator tells nobody whose twin it is for.
    user: [u8; 32],
}

/// A passkey as it is kept in the door.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Kept {
    /// Its public id.
    pub id: String,
    /// The host name that it fits.
    pub host: String,
    /// What the browser it was made in said it is.
    pub device: String,
    /// What the person calls it.
    pub name: Option<String>,
    /// The public id of the session that made it.
    pub session: String,
    /// When it was made.
    pub made_ms: i64,
    /// When somebody came in with it last.
    pub last_used_ms: Option<i64>,
    /// Whether it is kept on several devices.
    pub synced: bool,
    credential: Vec<u8>,
    key: Key,
    count: u32,
    /// Challenges that were answered and are not too old yet to be answered again.
    answered: Vec<(i64, Vec<u8>)>,
}

/// Why a passkey was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// What came is not what an authenticator would say here.
    #[error("a passkey was refused: {0}")]
    Bad(&'static str),
    /// It took too long.
    #[error("a passkey came too late")]
    Late,
    /// It was removed, or is another twin's.
    #[error("no such passkey")]
    Unknown,
    /// It is there already.
    #[error("the passkey is there already")]
    Known,
    /// There are as many as there may be.
    #[error("too many passkeys")]
    TooMany,
    /// It could not be kept.
    #[error("the passkey could not be kept")]
    Door(#[from] store::Error),
}

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a> {
    /// The twin's own host name: the *relying party id*.
    pub host: &'a str,
    /// The origin of its pages.
    pub origin: &'a str,
    pub now_ms: i64,
}

/// What a new passkey is kept with.
pub(crate) struct Maker<'a> {
    /// The public id of the session.
    pub session: &'a str,
    /// What the browser said it is.
    pub device: &'a str,
}

impl Passkeys {
    pub(crate) fn open(door: Rc<Door>) -> Result<Self, store::Error> {
        let mut by_hash = HashMap::new();
        for (_, value) in door.prefix(PREFIX)? {
            if let Ok(kept) = serde_json::from_slice::<Kept>(&value) {
                by_hash.insert(hash_of(&kept.credential), kept);
            } else {
                tracing::error!("a passkey that can't be read was left out");
            }
        }
        Ok(Self { door, secrets: OnceCell::new(), by_hash: RefCell::new(by_hash) })
    }

    /// Whether there is a passkey that fits the host name.
    pub(crate) fn any(&self, host: &str) -> bool {
        self.by_hash.borrow().values().any(|kept| kept.host == host)
    }

    /// All of them, the newest first.
    pub(crate) fn list(&self) -> Vec<Kept> {
        let mut all: Vec<_> = self.by_hash.borrow().values().cloned().collect();
        all.sort_by(|a, b| b.made_ms.cmp(&a.made_ms).then_with(|| a.id.cmp(&b.id)));
        all
    }

    /// How many were made in a session.
    pub(crate) fn made_in(&self, session: &str) -> usize {
        self.by_hash.borrow().values().filter(|kept| kept.session == session).count()
    }

    /// A challenge for making one in this session.
    pub(crate) fn begin_adding(&self, session: &str, at: At<'_>) -> Result<Begun, store::Error> {
        let secrets = self.secrets()?;
        let challenge = challenge::make(&secrets.challenges, &adding(session, at), at.now_ms);
        let known = self.by_hash.borrow();
        let here = known.values().filter(|kept| kept.host == at.host);
        Ok(Begun {
            challenge: BASE64URL_NOPAD.encode(&challenge),
            user: BASE64URL_NOPAD.encode(&secrets.user),
            exclude: here.map(|kept| BASE64URL_NOPAD.encode(&kept.credential)).collect(),
        })
    }

    /// Keeps one that was just made.
    pub(crate) fn add(
        &self,
        asked: &identity::AddPasskey,
        by: &Maker<'_>,
        at: At<'_>,
    ) -> Result<(), Refused> {
        let client = decode(&asked.client_data)?;
        let data = decode(&asked.authenticator_data)?;
        let challenge = answer::client_data(&client, Ceremony::Create, at.origin)?;
        let secrets = self.secrets()?;
        challenge::check(&secrets.challenges, &adding(by.session, at), &challenge, at.now_ms)?;
        let said = answer::authenticator(&data, at.host)?;
        let credential = said.credential.ok_or(Refused::Bad("there is no credential in it"))?;
        let key = Key::read(&decode(&asked.public_key)?)?;
        let hash = hash_of(credential);
        let mut all = self.by_hash.borrow_mut();
        if all.contains_key(&hash) {
            return Err(Refused::Known);
        }
        if all.len() >= MAX {
            return Err(Refused::TooMany);
        }
        let kept = Kept {
            id: HEXLOWER.encode(&random::<8>()),
            host: at.host.to_owned(),
            device: by.device.to_owned(),
            name: None,
            session: by.session.to_owned(),
            made_ms: at.now_ms,
            last_used_ms: None,
            synced: said.synced,
            credential: credential.to_vec(),
            key,
            count: said.count,
            answered: Vec::new(),
        };
        self.door.put(&key_of(&hash), &kept.bytes())?;
        all.insert(hash, kept);
        Ok(())
    }

    /// A challenge for signing in.
    pub(crate) fn begin_sign_in(&self, at: At<'_>) -> Result<String, store::Error> {
        let key = &self.secrets()?.challenges;
        Ok(BASE64URL_NOPAD.encode(&challenge::make(key, &signing_in(at), at.now_ms)))
    }

    /// Which passkey somebody proves to hold: its public id.
    pub(crate) fn sign_in(&self, asked: &identity::SignIn, at: At<'_>) -> Result<String, Refused> {
        let credential = decode(&asked.credential)?;
        let (client, data) = (decode(&asked.client_data)?, decode(&asked.authenticator_data)?);
        let challenge = answer::client_data(&client, Ceremony::Get, at.origin)?;
        let secrets = self.secrets()?;
        let time = challenge::check(&secrets.challenges, &signing_in(at), &challenge, at.now_ms)?;
        let said = answer::authenticator(&data, at.host)?;
        let hash = hash_of(&credential);
        let mut all = self.by_hash.borrow_mut();
        let kept = all.get_mut(&hash).filter(|kept| kept.host == at.host);
        let kept = kept.ok_or(Refused::Unknown)?;
        if !kept.key.verify(&data, &client, &decode(&asked.signature)?) {
            return Err(Refused::Bad("the signature is not this passkey's"));
        }
        if decode(&asked.user)? != secrets.user {
            return Err(Refused::Bad("it is for somebody else"));
        }
        if kept.answered.iter().any(|(_, other)| *other == challenge) {
            return Err(Refused::Bad("it was used already"));
        }
        // One that counts can't have counted less before: that is a copy, or its original.
        if (said.count, kept.count) != (0, 0) && said.count <= kept.count {
            return Err(Refused::Bad("its counter went back: somebody has a copy"));
        }
        let mut next = kept.clone();
        next.count = said.count;
        next.synced = said.synced;
        next.last_used_ms = Some(at.now_ms);
        let fresh = |time: i64| at.now_ms.saturating_sub(time) <= challenge::LIVES_MS;
        next.answered.retain(|(time, _)| fresh(*time));
        if next.answered.len() >= MAX_ANSWERED {
            return Err(Refused::Late);
        }
        next.answered.push((time, challenge));
        self.door.put(&key_of(&hash), &next.bytes())?;
        *kept = next;
        Ok(kept.id.clone())
    }

    /// Calls one something; tells whether it is there.
    pub(crate) fn rename(&self, id: &str, name: &str) -> Result<bool, store::Error> {
        let mut all = self.by_hash.borrow_mut();
        let Some((hash, kept)) = all.iter_mut().find(|(_, kept)| kept.id == id) else {
            return Ok(false);
        };
        let next = Kept { name: Some(name.to_owned()), ..kept.clone() };
        self.door.put(&key_of(hash), &next.bytes())?;
        *kept = next;
        Ok(true)
    }

    /// Removes those that fit; the public ids of those that are gone.
    pub(crate) fn remove(&self, fits: impl Fn(&Kept) -> bool) -> Result<Vec<String>, store::Error> {
        let mut all = self.by_hash.borrow_mut();
        let gone: Vec<_> =
            all.iter().filter(|(_, kept)| fits(kept)).map(|(hash, _)| *hash).collect();
        self.door.write(|door| {
            gone.iter().try_for_each(|hash| door.delete(&key_of(hash)).map(|_| ()))
        })?;
        Ok(gone.iter().filter_map(|hash| all.remove(hash)).map(|kept| kept.id).collect())
    }

    fn secrets(&self) -> Result<&Secrets, store::Error> {
        if let Some(secrets) = self.secrets.get() {
            return Ok(secrets);
        }
        let kept = self.door.get(SECRETS)?;
        let kept = kept.and_then(|bytes| serde_json::from_slice::<Secrets>(&bytes).ok());
        let secrets = if let Some(secrets) = kept {
            secrets
        } else {
            let new = Secrets { challenges: random(), user: random() };
            self.door.put(SECRETS, &serde_json::to_vec(&new).unwrap_or_default())?;
            new
        };
        Ok(self.secrets.get_or_init(|| secrets))
    }
}

/// What a browser needs to make a passkey.
pub(crate) struct Begun {
    pub challenge: String,
    pub user: String,
    pub exclude: Vec<String>,
}

impl Kept {
    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl From<Bad> for Refused {
    fn from(Bad(why): Bad) -> Self {
        Self::Bad(why)
    }
}

impl From<Stale> for Refused {
    fn from(stale: Stale) -> Self {
        match stale {
            Stale::Foreign => Self::Bad("the challenge is not of this twin"),
            Stale::Late => Self::Late,
        }
    }
}

/// Whatever bytes a browser says: for fuzzing. The secret half of no passkey is in them.
pub(crate) fn fuzz(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (client, key, data) = (part(), part(), part());
    for ceremony in [Ceremony::Create, Ceremony::Get] {
        if let Ok(challenge) = answer::client_data(client, ceremony, "http://ann.localhost:8080") {
            let proven = challenge::check(&[7; 32], "fuzz", &challenge, 0);
            assert!(proven.is_err(), "a challenge was made without the key");
        }
    }
    let said = answer::authenticator(data, "ann.localhost");
    if let Ok(Some(credential)) = said.map(|said| said.credential) {
        assert!((1..=1023).contains(&credential.len()));
    }
    for spki in [key, data] {
        let _ = Key::read(spki).map(|key| key.verify(data, client, key_part(data)));
    }
}

fn key_part(data: &[u8]) -> &[u8] {
    data.get(37..).unwrap_or_default()
}

fn decode(text: &str) -> Result<Vec<u8>, Refused> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes());
    bytes.map_err(|_| Refused::Bad("it is not base64url"))
}

fn adding(session: &str, at: At<'_>) -> String {
    format!("add {session} {}", at.host)
}

fn signing_in(at: At<'_>) -> String {
    format!("sign in {}", at.host)
}

fn hash_of(credential: &[u8]) -> Hash {
    blake3::derive_key("hometwin passkey credential 1", credential)
}

fn key_of(hash: &Hash) -> Vec<u8> {
    [PREFIX, hash].concat()
}

const PREFIX: &[u8] = b"passkey/";
const SECRETS: &[u8] = b"passkeys";
/// Nobody has as many; each is read at every start.
const MAX: usize = 32;

/// Of one passkey in five minutes.
const MAX_ANSWERED: usize = 256;

#[cfg(test)]
mod tests;
