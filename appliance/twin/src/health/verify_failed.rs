//! The data differ from their own journal: nothing is written any more and everything is kept.

use capability::health::v1::Weight;
use handover::{Figure, TwinProblem};

use super::{Found, Looked};

pub(super) const NAME: &str = "verify_failed";

pub(super) fn find(looked: &Looked) -> Option<Found> {
    let stopped = looked.condition.stopped.as_ref()?;
    let what = Figure::Name(stopped.found.clone());
    let found = Found::new(NAME, Weight::Now).with("found", what).told(TwinProblem::VerifyFailed);
    // Tables are made of the journal, so a sound journal can make them again.
    let found = if stopped.can_be_rebuilt() { found.offering("rebuild") } else { found };
    Some(found.offering("check_again"))
}
