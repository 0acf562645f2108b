//! Every write is done once: its id and its answer are kept in the same transaction, and the same
//! id sent again gets the same answer. Only the newest answers are kept, for each caller its own:
//! none can push out another's.

use capability::wire::WriteId;
use serde::Deserialize;
use serde_json::Value;
use store::{ReadAll as _, Writer};

use super::{Call, Caller, Context, names};
use crate::life::Fault;

/// Answers that are kept for the person, and for each experience: more than any of their pages has
/// waiting.
const KEPT: u64 = 1024;
const KEPT_OF_EXPERIENCE: u64 = 256;

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
    if let Some(known) = w.vault_get(&names::once(key))? {
        return match known.split_first_chunk::<16>() {
            Some((same, answer)) if *same == print && !answer.is_empty() => Ok(answer.to_vec()),
            _ => Err(Fault::id_taken()),
        };
    }
    let answer = act(w)?;
    keep(w, scope, key, &[&print[..], &answer].concat())?;
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

fn keep(w: &mut Writer<'_>, scope: &str, key: [u8; 16], answer: &[u8]) -> Result<(), Fault> {
    let most = if scope.is_empty() { KEPT } else { KEPT_OF_EXPERIENCE };
    let range = w.vault_get(&names::once_range(scope))?;
    let (mut first, next) = range.as_deref().and_then(numbers).unwrap_or_default();
    w.vault_put(&names::once(key), answer)?;
    w.vault_put(&names::once_nth(scope, next), &key)?;
    if next - first >= most {
        let nth = names::once_nth(scope, first);
        let oldest = w.vault_get(&nth)?;
        if let Some(oldest) = oldest.and_then(|key| key.try_into().ok()) {
            w.vault_delete(&names::once(oldest))?;
        }
        w.vault_delete(&nth)?;
        first += 1;
    }
    let range = [first.to_be_bytes(), (next + 1).to_be_bytes()].concat();
    Ok(w.vault_put(&names::once_range(scope), &range)?)
}

fn numbers(range: &[u8]) -> Option<(u64, u64)> {
    let (first, next) = range.split_first_chunk::<8>()?;
    let next = u64::from_be_bytes(next.try_into().ok()?);
    let first = u64::from_be_bytes(*first);
    (first <= next).then_some((first, next))
}
