//! The room for this twin is nearly used up: its share where there is one, else the disk itself.

use capability::health::v1::Weight;
use handover::{Figure, TwinProblem};

use super::{Found, Looked};

pub(super) const NAME: &str = "quota_near";

pub(super) fn find(looked: &Looked) -> Option<Found> {
    let (free, size) = looked.room?;
    let weight = if free < FULL {
        Weight::Now
    } else if free < LITTLE && free < size / 10 {
        Weight::Soon
    } else {
        return None;
    };
    let used = Figure::Bytes(looked.condition.usage.length);
    let found = Found::new(NAME, weight).with("free", Figure::Bytes(free)).with("used", used);
    let found = found.told(TwinProblem::QuotaNear);
    let found = if weight == Weight::Soon { found.can_wait(7) } else { found };
    let can_shrink = looked.condition.usage.free > WORTH_IT && looked.condition.stopped.is_none();
    Some(if can_shrink { found.offering("compact") } else { found })
}

const FULL: u64 = 32 << 20;
const LITTLE: u64 = 1 << 30;
/// Less is not worth a copy.
const WORTH_IT: u64 = 1 << 20;
