//! Our own pre-keys: made at the first open, replaced after a week, kept for a month more so that
//! what was sealed to an old one can still be opened, then deleted for ever.

use super::{PeersError, vault};
use link::{PreKey, SignedPreKey, SigningKey, TwinId};
use store::{ReadAll as _, Store, Writer};
use zeroize::Zeroizing;

/// All pre-keys that open envelopes, each with the time it was made.
#[derive(Clone)]
pub(super) struct PreKeys {
    newest: Made,
    older: Vec<Made>,
}

type Made = (i64, PreKey);

impl PreKeys {
    pub(super) async fn open(store: &Store, now_ms: i64) -> Result<Self, PeersError> {
        let rows = store.read(|r| r.vault_prefix(&vault::all(vault::PRE_KEY)))?;
        let mut keys = Vec::new();
        for (key, value) in rows {
            let value = Zeroizing::new(value);
            let made = vault::number_in(&key).and_then(|n| i64::try_from(n).ok());
            let secret = value.first_chunk::<32>().and_then(PreKey::from_bytes);
            keys.push(made.zip(secret).ok_or(PeersError::Damaged("pre-key"))?);
        }
        Self::renewed(store, keys, now_ms).await
    }

    /// Whether `refreshed` has something to do.
    pub(super) fn is_due(&self, now_ms: i64) -> bool {
        !is_fresh(&self.newest, now_ms) || self.older.iter().any(|k| is_over(k, now_ms))
    }

    /// Makes a new one when it is time and deletes what is too old.
    pub(super) async fn refreshed(self, store: &Store, now_ms: i64) -> Result<Self, PeersError> {
        let mut keys = self.older;
        keys.push(self.newest);
        Self::renewed(store, keys, now_ms).await
    }

    /// Newest first.
    pub(super) fn secrets(&self) -> Vec<PreKey> {
        let older = self.older.iter().rev().map(|(_, key)| key.clone());
        std::iter::once(self.newest.1.clone()).chain(older).collect()
    }

    /// The public part of the newest.
    pub(super) fn public(&self, me: &TwinId, by: &SigningKey) -> SignedPreKey {
        let (made, key) = &self.newest;
        key.sign(me, made.saturating_add(FRESH_MS + KEPT_MS), by)
    }

    async fn renewed(store: &Store, keys: Vec<Made>, now_ms: i64) -> Result<Self, PeersError> {
        let (over, mut older): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|k| is_over(k, now_ms));
        let (mut newest, new) = match older.pop() {
            Some(last) if is_fresh(&last, now_ms) => (last, false),
            last => {
                // A clock that was set back must not give two keys one time.
                let after = last.as_ref().map_or(0, |(made, _)| made.saturating_add(1));
                older.extend(last);
                ((now_ms.max(after), PreKey::generate()?), true)
            }
        };
        if new || !over.is_empty() {
            let put = new.then(|| (row_key(newest.0), newest.1.to_bytes()));
            let replaced: Result<(), store::Error> =
                store.write(move |w| replace(w, &over, put)).await;
            if let Err(error) = replaced {
                tracing::warn!(error = &error as &dyn std::error::Error, "pre-keys not replaced");
                if new {
                    // No room for a new one: the last still opens what is sealed to it.
                    newest = older.pop().ok_or(error)?;
                }
            }
        }
        Ok(Self { newest, older })
    }
}

type Put = Option<(Vec<u8>, Zeroizing<[u8; 32]>)>;

fn replace(w: &mut Writer<'_>, over: &[Made], put: Put) -> Result<(), store::Error> {
    for (made, _) in over {
        w.vault_delete(&row_key(*made))?;
    }
    put.map_or(Ok(()), |(key, secret)| w.vault_put(&key, &secret[..]))
}

fn is_fresh((made, _): &Made, now_ms: i64) -> bool {
    now_ms.saturating_sub(*made) < FRESH_MS
}

fn is_over((made, _): &Made, now_ms: i64) -> bool {
    now_ms.saturating_sub(*made) >= FRESH_MS + KEPT_MS
}

fn row_key(made: i64) -> Vec<u8> {
    [&vault::all(vault::PRE_KEY)[..], &made.to_be_bytes()].concat()
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a pre-key is the current one.
pub(super) const FRESH_MS: i64 = 7 * DAY_MS;
/// How long after that it still opens.
pub(super) const KEPT_MS: i64 = 30 * DAY_MS;
