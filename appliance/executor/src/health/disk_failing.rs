//! A disk says that it fails: what is on it can be gone any moment.

use handover::{Trouble, Weight};

use super::smart::Report;

pub(super) const NAME: &str = "disk_failing";

pub(super) fn find(reports: &[(String, Report)]) -> impl Iterator<Item = Trouble> {
    let failing = reports.iter().filter(|(_, report)| report.failing);
    failing.map(|(disk, report)| trouble(disk, &report.model))
}

/// For a card without a report, which the kernel asks itself.
pub(super) fn trouble(disk: &str, model: &str) -> Trouble {
    let model = if model.is_empty() { disk } else { model };
    Trouble::new(NAME, Weight::Now).about(disk).quoting("model", model)
}
