//! A disk has places that it can't read, or had some and replaced them. A few that were replaced mean
//! little by themselves; that their number grows would mean more, but nobody here writes it down.

use handover::{Figure, Trouble, Weight};

use super::smart::Report;

pub(super) const UNREADABLE: &str = "disk_unreadable";
pub(super) const REPLACED: &str = "disk_replaced";

pub(super) fn find(reports: &[(String, Report)]) -> impl Iterator<Item = Trouble> {
    reports.iter().filter_map(|(disk, report)| {
        let (problem, weight, count) = match report {
            Report { unreadable: 1.., .. } => (UNREADABLE, Weight::Soon, report.unreadable),
            Report { replaced: 1.., .. } => (REPLACED, Weight::Note, report.replaced),
            _ => return None,
        };
        Some(Trouble::new(problem, weight).about(disk).with("count", Figure::Count(count)))
    })
}
