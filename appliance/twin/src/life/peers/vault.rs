//! The vault rows of peers: their keys, their forms, and small counters. Never a journal entry.
//!
//! | key after `peers/` | value |
//! |---|---|
//! | `me` | our epoch (4 bytes) and twin id (32) |
//! | `pre-key/` when made (8) | secret (32) |
//! | `known/` id | what the person last introduced themselves with |
//! | `stranger/` id | where they came from (8) and when (8); our person has not decided yet |
//! | `mark/` id | `Marks` of what came from them |
//! | `last/` id | number of the last letter to them (8) |
//! | `pending/` id | empty; letters to them wait |
//! | `out/` id number | a letter that waits |
//! | `parked/` id number | reason (2) and the letter |
//! | `away/` id | when to try again (8) and failures so far (4) |
//! | `held/` id epoch number | seq of the entry that keeps the body (8) and the rest of it |
//! | `refused/` code | how many we refused for that reason (8) |
//! | `repeated/` what | how many came that had taken effect before (8) |
//! | `returned/` code | how many of ours were refused for that reason (8) |
//! | `unproven/` what | how many answers came without proof (8) |

use super::PeersError;
use link::TwinId;
use std::collections::BTreeMap;
use store::{ReadAll as _, Reader, Store, Writer};

pub(super) const OUT: &str = "out";
pub(super) const PARKED: &str = "parked";
pub(super) const PENDING: &str = "pending";
pub(super) const LAST: &str = "last";
pub(super) const KNOWN: &str = "known";
pub(super) const STRANGER: &str = "stranger";
pub(super) const MARK: &str = "mark";
pub(super) const AWAY: &str = "away";
pub(super) const HELD: &str = "held";
pub(super) const PRE_KEY: &str = "pre-key";
pub(super) const REFUSED: &str = "refused";
pub(super) const REPEATED: &str = "repeated";
pub(super) const RETURNED: &str = "returned";
pub(super) const UNPROVEN: &str = "unproven";

/// The start of all keys of one kind.
pub(super) fn all(kind: &str) -> Vec<u8> {
    format!("peers/{kind}/").into_bytes()
}

/// The key of a kind and an id, or the start of several.
pub(super) fn of(kind: &str, id: &TwinId) -> Vec<u8> {
    [&all(kind)[..], id.as_bytes()].concat()
}

/// The key of one letter.
pub(super) fn numbered(kind: &str, id: &TwinId, number: u64) -> Vec<u8> {
    [&of(kind, id)[..], &number.to_be_bytes()].concat()
}

/// The id in a key of this kind.
pub(super) fn id_in(kind: &str, key: &[u8]) -> Option<TwinId> {
    let rest = key.strip_prefix(&all(kind)[..])?;
    rest.first_chunk::<32>().map(|id| TwinId::from_bytes(*id))
}

/// The number at the end of a key.
pub(super) fn number_in(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|n| u64::from_be_bytes(*n))
}

pub(super) fn number(value: Option<&[u8]>) -> u64 {
    value.and_then(number_in).unwrap_or_default()
}

/// Writes who we are at the first open, and refuses a vault that is another twin's.
pub(super) async fn begin(store: &Store, me: &TwinId) -> Result<(), PeersError> {
    let wanted = [&FIRST_EPOCH.to_be_bytes()[..], me.as_bytes()].concat();
    match store.read(|r| r.vault_get(ME))? {
        Some(row) if row.get(4..) == Some(&me.as_bytes()[..]) => Ok(()),
        Some(_) => Err(PeersError::Damaged("me")),
        None => store.write(move |w| Ok(w.vault_put(ME, &wanted)?)).await,
    }
}

/// Our epoch and our id.
pub(super) fn me(r: &Reader<'_>) -> Result<Option<(u32, TwinId)>, store::Error> {
    let row = r.vault_get(ME)?;
    Ok(row.as_deref().and_then(|row| {
        let (epoch, id) = row.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*epoch), TwinId::from_bytes(id.try_into().ok()?)))
    }))
}

/// Counts by a code: refusals of ours (`REFUSED`), those of others (`RETURNED`), answers that prove
/// nothing (`UNPROVEN`).
pub(super) fn count(
    w: &mut Writer<'_>,
    kind: &str,
    code: &str,
    more: u64,
) -> Result<(), store::Error> {
    let key = [&all(kind)[..], code.as_bytes()].concat();
    let sum = number(w.vault_get(&key)?.as_deref()).saturating_add(more);
    w.vault_put(&key, &sum.to_be_bytes())
}

/// What was counted of one kind, by its code.
pub(super) fn counted(r: &Reader<'_>, kind: &str) -> Result<BTreeMap<String, u64>, store::Error> {
    let start = all(kind);
    let rows = r.vault_prefix(&start)?;
    let named = |(key, value): (Vec<u8>, Vec<u8>)| {
        let code = key.strip_prefix(&start[..]).and_then(|c| std::str::from_utf8(c).ok())?;
        Some((code.to_owned(), number(Some(&value))))
    };
    Ok(rows.into_iter().filter_map(named).collect())
}

const ME: &[u8] = b"peers/me";
const FIRST_EPOCH: u32 = 1;
