//! The certificate ends soon, and then browsers warn. A new one costs a warning too, because it is
//! self-signed: so the person chooses when.

use capability::health::v1::Weight;
use handover::{Figure, TwinProblem};

use super::{Found, Looked};
use crate::day::{self, DAY_MS};

pub(super) const NAME: &str = "certificate_old";

pub(super) fn find(looked: &Looked) -> Option<Found> {
    let until = looked.certificate_until_ms?;
    if until.saturating_sub(looked.now_ms) > SOON_MS {
        return None;
    }
    let found = Found::new(NAME, Weight::Soon).with("date", Figure::Name(day::text(until)));
    Some(found.offering("renew").can_wait(7).told(TwinProblem::CertificateOld))
}

const SOON_MS: i64 = 30 * DAY_MS;
