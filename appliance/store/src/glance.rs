//! A look at the end of the journal that costs next to nothing, so that it can be had at every
//! opening: a whole check takes seconds per million entries. Never reads content.
use std::ops::Bound;

use crate::checkpoint;
use crate::entry::EntryRow;
use crate::error::engine;
use crate::read::{ReadAll as _, Reader, seq_of};
use crate::verify::VerifyError;
use crate::{Difference, Error};

/// Newest entries whose links are looked at.
const LINKS: usize = 32;

/// The number of entries, the links of the newest, and what was signed last.
pub(crate) fn glance(r: &Reader<'_>) -> Result<(), VerifyError> {
    let head: crate::Head = r.head()?;
    let count = r.handles.journal.len(r.txn).map_err(engine)?;
    if count != head.seq {
        return Err(Difference::Missing { seq: count.min(head.seq) + 1 }.into());
    }
    if let Some(signed) = checkpoint::all(r)?.pop() {
        let seq = signed.checkpoint.seq;
        let row = if seq > 0 { r.row(seq) } else { Ok(None) };
        let row = row.map_err(|source| unreadable(seq, source))?;
        if seq > 0 && row.map(|row| row.hash()) != Some(signed.checkpoint.head) {
            return Err(Difference::History { seq }.into());
        }
    }
    links(r, head.seq.saturating_sub(LINKS as u64))
}

/// Walks the links of all entries after `from`.
pub(crate) fn links(r: &Reader<'_>, from: u64) -> Result<(), VerifyError> {
    let mut before = None;
    let start = from.max(1).to_be_bytes();
    let range = (Bound::Included(&start[..]), Bound::Unbounded);
    let rows = r.handles.journal.range(r.txn, &range).map_err(engine)?;
    for row in rows {
        let (key, row) = row.map_err(engine)?;
        let seq = seq_of(key)?;
        if before.is_some_and(|(last, _)| last + 1 != seq) {
            return Err(Difference::Missing { seq: seq - 1 }.into());
        }
        let row = EntryRow::new(seq, row).map_err(|source| unreadable(seq, source))?;
        match row.entry() {
            Ok(entry) if before.is_some_and(|(_, hash)| hash != entry.prev_hash) => {
                return Err(Difference::Chain { seq }.into());
            }
            // What a newer release wrote is kept and not judged.
            Ok(_) | Err(Error::NewerEntry { .. }) => {}
            Err(source) => return Err(unreadable(seq, source).into()),
        }
        before = Some((seq, row.hash()));
    }
    Ok(())
}

fn unreadable(seq: u64, source: Error) -> Difference {
    Difference::Unreadable { seq, source: Box::new(source) }
}
