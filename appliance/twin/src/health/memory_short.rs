//! The twin had used up the memory that it may have, was ended for that and started again. Told by
//! the node at the start; forgotten by it after a while.

use capability::health::v1::Weight;

use super::{Found, Looked};

pub(super) const NAME: &str = "memory_short";

pub(super) fn find(looked: &Looked) -> Option<Found> {
    looked.memory_short.then(|| Found::new(NAME, Weight::Soon).can_wait(7))
}
