//! The room for this twin is nearly used up: its share where there is one, or the disk itself.

use capability::health::v1::Weight;
use handover::{Figure, TwinProblem};
use store::Room;

use super::{Found, Looked};

pub(super) const NAME: &str = "quota_near";

pub(super) fn find(looked: &Looked) -> Option<Found> {
    let usage = &looked.condition.usage;
    let of_disk = looked.room.and_then(|(free, size)| Some((of_disk(free, size)?, free)));
    let of_share = usage.quota.and_then(|quota| {
        let weight = of_share(Room::of(usage.used(), usage.quota))?;
        Some((weight, quota.saturating_sub(usage.used())))
    });
    let (weight, free) = of_disk.into_iter().chain(of_share).min()?;
    let used = Figure::Bytes(usage.used());
    let found = Found::new(NAME, weight).with("free", Figure::Bytes(free)).with("used", used);
    let found = found.told(TwinProblem::QuotaNear);
    let found = if weight == Weight::Soon { found.can_wait(7) } else { found };
    // What is free in the file counts for the disk only.
    let can_shrink = of_disk.is_some() && usage.free > WORTH_IT;
    Some(if can_shrink && looked.condition.stopped.is_none() {
        found.offering("compact")
    } else {
        found
    })
}

fn of_share(room: Room) -> Option<Weight> {
    match room {
        Room::Enough => None,
        Room::Little => Some(Weight::Soon),
        Room::Full => Some(Weight::Now),
    }
}

fn of_disk(free: u64, size: u64) -> Option<Weight> {
    if free < FULL {
        Some(Weight::Now)
    } else if free < LITTLE && free < size / 10 {
        Some(Weight::Soon)
    } else {
        None
    }
}

const FULL: u64 = 32 << 20;
const LITTLE: u64 = 1 << 30;
/// Less is not worth a copy.
const WORTH_IT: u64 = 1 << 20;
