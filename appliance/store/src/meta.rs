//! The store's notes about itself: fold version, rebuild progress, pending erase. Never part of
//! the history.
use heed::{RoTxn, RwTxn};

use crate::Error;
use crate::error::engine;
use crate::handles::Handles;

/// Version of the fold that made the tables; missing while they are being rebuilt.
const FOLD: &[u8] = b"fold";
/// The highest version of a fold that ever made the tables.
const HIGHEST: &[u8] = b"fold.highest";
/// Fold version and last entry of an unfinished rebuild.
const REBUILD: &[u8] = b"rebuild";
/// When the bytes of the oldest pending erase have to be gone, ms since 1970.
pub(crate) const ERASE_DUE: &[u8] = b"erase";

/// How long erased bytes may stay on the disk before a compacting copy drops them: 24 hours, so
/// that a day of clearing up costs one copy.
pub const ERASE_WITHIN_MS: i64 = 24 * 60 * 60 * 1000;

pub(crate) fn fold_version(handles: &Handles, txn: &RoTxn<'_>) -> Result<Option<u32>, Error> {
    let value = handles.meta.get(txn, FOLD).map_err(engine)?;
    Ok(value.and_then(|value| value.try_into().ok()).map(u32::from_be_bytes))
}

/// The last entry applied by an unfinished rebuild with this fold version.
pub(crate) fn rebuilt_to(
    handles: &Handles,
    txn: &RoTxn<'_>,
    version: u32,
) -> Result<Option<u64>, Error> {
    let value = handles.meta.get(txn, REBUILD).map_err(engine)?.unwrap_or_default();
    let found = value.split_first_chunk::<4>().and_then(|(found, seq)| {
        (u32::from_be_bytes(*found) == version).then_some(u64::from_be_bytes(seq.try_into().ok()?))
    });
    Ok(found)
}

pub(crate) fn note_rebuild(
    handles: &Handles,
    txn: &mut RwTxn<'_>,
    version: u32,
    seq: u64,
) -> Result<(), Error> {
    handles.delete(handles.meta, txn, FOLD)?;
    let value = [version.to_be_bytes().as_slice(), &seq.to_be_bytes()].concat();
    handles.put(handles.meta, txn, REBUILD, &value)
}

pub(crate) fn note_rebuilt(
    handles: &Handles,
    txn: &mut RwTxn<'_>,
    version: u32,
) -> Result<(), Error> {
    handles.delete(handles.meta, txn, REBUILD)?;
    let highest = highest_fold(handles, txn)?.unwrap_or_default().max(version);
    handles.put(handles.meta, txn, HIGHEST, &highest.to_be_bytes())?;
    handles.put(handles.meta, txn, FOLD, &version.to_be_bytes())
}

/// The highest version of a fold that has had this store: lower ones may not know all of it.
pub(crate) fn highest_fold(handles: &Handles, txn: &RoTxn<'_>) -> Result<Option<u32>, Error> {
    let value = handles.meta.get(txn, HIGHEST).map_err(engine)?;
    Ok(value.and_then(|value| value.try_into().ok()).map(u32::from_be_bytes))
}

/// Remembers that erased bytes wait for a compacting copy; the oldest erase sets the date.
pub(crate) fn note_erase(
    handles: &Handles,
    txn: &mut RwTxn<'_>,
    time_ms: i64,
) -> Result<(), Error> {
    if erase_due(handles, txn)?.is_some() {
        return Ok(());
    }
    let due = time_ms.saturating_add(ERASE_WITHIN_MS);
    handles.put(handles.meta, txn, ERASE_DUE, &due.to_be_bytes())
}

pub(crate) fn erase_due(handles: &Handles, txn: &RoTxn<'_>) -> Result<Option<i64>, Error> {
    let value = handles.meta.get(txn, ERASE_DUE).map_err(engine)?;
    Ok(value.and_then(|value| value.try_into().ok()).map(i64::from_be_bytes))
}
