//! Every write is done once: its id and its answer are kept in the same transaction, and the same
//! id sent again gets the same answer. Only the newest answers are kept, for each caller its own:
//! none can push out another's.
//!
//! Answers lie on shelves, each full before the next begins, and the oldest shelf goes as a whole:
//! what is written at about the same time lies on the same pages of the disk.

use capability::wire::WriteId;
use serde::Deserialize;
use serde_json::Value;
use store::{Direction, ReadAll as _, Writer};

use super::{Call, Caller, Context, names};
use crate::life::Fault;

/// Full shelves that are kept beside the one that is being filled.
const SHELVES: u64 = 8;
/// Answers on a shelf of the person, and of an experience: all of them are more than any of their
/// pages has waiting.
const SHELF: usize = 128;
const SHELF_OF_EXPERIENCE: usize = 32;

/// Runs `act` unless a write of this id was done already.
pub(super) fn only(
    context: &Context,
    w: &mut Writer<'_>,
    call: &Call,
    act: impl FnOnce(&mut Writer<'_>) -> Result<Vec<u8>, Fault>,
) -> Result<Vec<u8>, Fault> {
    let request: Value = serde_json::from_slice(&call.body).map_err(|e| Fault::unread(&e))?;
    let Named { id } = Named::deserialize(&request).map_err(|error| Fault::unread(&error))?;
    let scope = scope(&context.caller);
    let key = key(scope, &id);
    let print = fingerprint(scope, call, &request);
    let newest = newest(w, scope)?;
    for shelf in newest.saturating_sub(SHELVES)..=newest {
        let Some(known) = w.vault_get(&names::once(scope, shelf, key))? else { continue };
        return match known.split_first_chunk::<16>() {
            Some((same, answer)) if *same == print && !answer.is_empty() => Ok(answer.to_vec()),
            _ => Err(Fault::id_taken()),
        };
    }
    let answer = act(w)?;
    let shelf = room(w, scope, newest)?;
    w.vault_put(&names::once(scope, shelf, key), &[&print[..], &answer].concat())?;
    Ok(answer)
}

/// Forgets the answers, which can have content that was erased, but not that they were given.
pub(super) fn blank(w: &mut Writer<'_>) -> Result<(), Fault> {
    for (key, row) in w.vault_prefix(names::ONCE)? {
        if let Some(print) = row.get(..16) {
            w.vault_put(&key, print)?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Named {
    id: WriteId,
}

/// Experiences must not learn from each other's ids.
fn scope(caller: &Caller) -> &str {
    match caller {
        Caller::Person { .. } => "",
        Caller::Experience { name, .. } => name,
    }
}

fn key(scope: &str, id: &WriteId) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("hometwin 2026-11 write id");
    hasher.update(&id.bytes()).update(scope.as_bytes());
    first16(&hasher)
}

/// What was asked, whatever its white space and the order of its fields.
fn fingerprint(scope: &str, call: &Call, request: &Value) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("hometwin 2026-11 write request");
    let text = request.to_string();
    for part in [scope, &call.capability, &call.method, &text] {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part.as_bytes());
    }
    first16(&hasher)
}

fn first16(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut first = [0; 16];
    hasher.finalize_xof().fill(&mut first);
    first
}

/// The shelf that is being filled.
fn newest(w: &Writer<'_>, scope: &str) -> Result<u64, Fault> {
    let all = names::once_of(scope);
    let last = w.vault_page(&all, None, 1, Direction::Backward)?;
    let number = last.first().and_then(|(key, _)| key.get(all.len()..)?.first_chunk());
    Ok(number.map_or(0, |number| u64::from_be_bytes(*number)))
}

/// A shelf with room for one more.
fn room(w: &mut Writer<'_>, scope: &str, newest: u64) -> Result<u64, Fault> {
    let most = if scope.is_empty() { SHELF } else { SHELF_OF_EXPERIENCE };
    if w.vault_count(&names::once_shelf(scope, newest), most)? < most {
        return Ok(newest);
    }
    let next = newest.saturating_add(1);
    if let Some(oldest) = next.checked_sub(SHELVES + 1) {
        for (key, _) in w.vault_prefix(&names::once_shelf(scope, oldest))? {
            w.vault_delete(&key)?;
        }
    }
    Ok(next)
}
