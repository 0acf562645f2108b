//! Free space or erased bytes wait in the data file for a compacting copy, which every start makes
//! when it is due: still due means that there was no room for it, or no start.

use capability::health::v1::Weight;
use handover::{Figure, TwinProblem};

use super::{Found, Looked};

pub(super) const NAME: &str = "compaction_due";

pub(super) fn find(looked: &Looked) -> Option<Found> {
    let usage = looked.condition.usage;
    if !usage.is_copy_due(looked.now_ms) || looked.condition.stopped.is_some() {
        return None;
    }
    // What was to be gone by a date and is still there is more than a waste of space.
    let late = usage.erase_due_ms.is_some_and(|due| due <= looked.now_ms);
    let weight = if late { Weight::Soon } else { Weight::Note };
    let found = Found::new(NAME, weight).with("free", Figure::Bytes(usage.free));
    let found = found.with("need", Figure::Bytes(usage.length.saturating_sub(usage.free)));
    Some(found.offering("compact").can_wait(7).told(TwinProblem::CompactionDue))
}
