//! So much was asked of this twin that many requests were refused: an experience that asks without
//! end, or somebody who has no business here.

use capability::health::v1::Weight;
use handover::{Figure, TwinProblem};

use super::{Found, Looked};

pub(super) const NAME: &str = "asked_too_much";

pub(super) fn find(looked: &Looked) -> Option<Found> {
    let refused = looked.refused.as_ref().filter(|refused| refused.is_much())?;
    let who = Figure::Name(refused.most_by(&looked.host).to_owned());
    let found = Found::new(NAME, Weight::Soon).with("count", Figure::Count(refused.count));
    Some(found.with("who", who).can_wait(7).told(TwinProblem::AskedTooMuch))
}
