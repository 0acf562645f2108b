//! A repair kept the data as they were before it: they take room, and hold what was erased since.

use capability::health::v1::Weight;
use handover::Figure;

use super::{Found, Looked};

pub(super) const NAME: &str = "kept_copy";

pub(super) fn find(looked: &Looked) -> Option<Found> {
    let bytes = looked.condition.kept_bytes;
    if bytes == 0 || looked.condition.stopped.is_some() {
        return None;
    }
    let found = Found::new(NAME, Weight::Note).with("bytes", Figure::Bytes(bytes));
    Some(found.offering("forget_copy").can_wait(90))
}
