//! The newest entry is from a time that has not come yet: the clock was wrong then, or is now.

use capability::health::v1::Weight;
use handover::{Figure, TwinProblem};

use super::{Found, Looked};
use crate::day;

pub(super) const NAME: &str = "clock_wrong";

pub(super) fn find(looked: &Looked) -> Option<Found> {
    let newest = looked.condition.newest_ms?;
    if newest.saturating_sub(looked.now_ms) < TOLERATED_MS {
        return None;
    }
    let dates = [("newest", newest), ("now", looked.now_ms)];
    let found = dates.into_iter().fold(Found::new(NAME, Weight::Soon), |found, (name, time)| {
        found.with(name, Figure::Name(day::text(time)))
    });
    Some(found.can_wait(7).told(TwinProblem::ClockWrong))
}

/// Clocks are set right by a little now and then.
const TOLERATED_MS: i64 = 5 * 60 * 1000;
