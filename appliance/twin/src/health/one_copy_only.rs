//! Everything is on one disk. True of every twin until there are backups; said, and then left alone.

use capability::health::v1::Weight;

use super::{Found, Looked};

pub(super) const NAME: &str = "one_copy_only";

pub(super) fn find(_: &Looked) -> Option<Found> {
    Some(Found::new(NAME, Weight::Note).can_wait(90))
}
