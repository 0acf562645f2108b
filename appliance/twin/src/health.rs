//! What is not as it should be with this twin: one file per problem, which finds it, says how
//! pressing it is and what can be done. The same list is shown wherever the person is.
//!
//! Looked for at the start, when data turn out to differ, and when somebody asks; never by a timer.
//! The node is told kinds and no more. Sentences are in the message files, under `health.<problem>`.

mod asked_too_much;
mod certificate_old;
mod clock_wrong;
mod compaction_due;
mod kept_copy;
mod memory_short;
mod one_copy_only;
mod quota_near;
mod say;
mod verify_failed;

use std::time::Instant;

use capability::health::v1::{Health, Weight};
use handover::{Figure, FromTwinExecutor, TwinProblem};

pub use say::{Spoken, spoken};
pub(crate) use say::{node as of_node, repaired};

use crate::day::DAY_MS;
use crate::http::problem::Trouble;
use crate::life::Condition;
use crate::limits::Refused;
use crate::messages::Language;
use crate::site::{Person, Site};
use crate::{clock_ms, tls};

/// Every problem there can be.
#[cfg(test)]
pub(crate) const PROBLEMS: &[&str] = &[
    asked_too_much::NAME,
    certificate_old::NAME,
    clock_wrong::NAME,
    compaction_due::NAME,
    kept_copy::NAME,
    memory_short::NAME,
    one_copy_only::NAME,
    quota_near::NAME,
    verify_failed::NAME,
];

/// Everything that can be done about one.
#[cfg(test)]
pub(crate) const REPAIRS: &[&str] =
    &["accept_clock", "check_again", "compact", "forget_copy", "rebuild", "renew", "try_again"];

/// What the problems are looked for in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Looked {
    now_ms: i64,
    /// Until when the certificate is valid, where one is used.
    certificate_until_ms: Option<i64>,
    condition: Condition,
    /// Bytes left for this twin, and of how many.
    room: Option<(u64, u64)>,
    /// Whether a process used up its memory not long ago.
    memory_short: bool,
    /// What was asked too fast lately.
    refused: Option<Refused>,
    /// The name under which the twin is served.
    host: String,
}

/// A problem that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) name: &'static str,
    pub(crate) weight: Weight,
    pub(crate) values: Vec<(&'static str, Figure)>,
    pub(crate) repairs: Vec<&'static str>,
    /// For how long it can be put off.
    pub(crate) can_wait_ms: Option<i64>,
    /// What an owner of the node is told.
    pub(crate) told: Option<TwinProblem>,
}

impl Found {
    fn new(name: &'static str, weight: Weight) -> Self {
        let (values, repairs) = (Vec::new(), Vec::new());
        Self { name, weight, values, repairs, can_wait_ms: None, told: None }
    }

    fn with(mut self, name: &'static str, value: Figure) -> Self {
        self.values.push((name, value));
        self
    }

    fn offering(mut self, repair: &'static str) -> Self {
        self.repairs.push(repair);
        self
    }

    fn can_wait(mut self, days: i64) -> Self {
        self.can_wait_ms = Some(days * DAY_MS);
        self
    }

    fn told(mut self, kind: TwinProblem) -> Self {
        self.told = Some(kind);
        self
    }
}

/// All problems, the most pressing first.
fn find(looked: &Looked) -> Vec<Found> {
    let finders = [
        asked_too_much::find,
        certificate_old::find,
        clock_wrong::find,
        compaction_due::find,
        kept_copy::find,
        memory_short::find,
        one_copy_only::find,
        quota_near::find,
        verify_failed::find,
    ];
    let mut found: Vec<_> = finders.iter().filter_map(|find| find(looked)).collect();
    found.sort_by_key(|one| (one.weight, one.name));
    found
}

/// Looks, and tells the node what kinds were found.
pub(crate) fn look(site: &Site, person: &Person) -> Result<Vec<Found>, Trouble> {
    let until = if site.place.tls() { tls::until_ms(&person.door) } else { None };
    let looked = Looked {
        now_ms: clock_ms(),
        certificate_until_ms: until,
        condition: person.life.condition()?,
        room: room(&person.folder),
        memory_short: person.memory_short,
        refused: site.limits.refused(Instant::now()),
        host: site.host(),
    };
    let found = find(&looked);
    let problems: Vec<_> = found.iter().filter_map(|one| one.told).collect();
    if person.told.replace(Some(problems.clone())).as_ref() != Some(&problems) {
        person.executor.tell(FromTwinExecutor::Health { problems });
    }
    Ok(found)
}

/// Looks when there is nobody to tell what went wrong with looking.
pub(crate) fn look_and_tell(site: &Site, person: &Person) {
    if let Err(trouble) = look(site, person) {
        tracing::warn!(code = trouble.code, "the twin's health can't be looked at");
    }
}

/// The list for the person.
pub(crate) fn list(
    site: &Site,
    person: &Person,
    language: Language<'_>,
) -> Result<Health, Trouble> {
    let now_ms = clock_ms();
    let item = |found: &Found| {
        let until = put_off_until(person, found.name).filter(|until| *until > now_ms);
        say::item(found, until.filter(|_| found.can_wait_ms.is_some()), language)
    };
    Ok(Health { items: look(site, person)?.iter().map(item).collect() })
}

/// The person does not want to be reminded of this for a while.
pub(crate) fn put_off(site: &Site, person: &Person, problem: &str) -> Result<(), Trouble> {
    let found = look(site, person)?.into_iter().find(|one| one.name == problem);
    let wait_ms = found.and_then(|one| one.can_wait_ms).ok_or_else(Trouble::not_found)?;
    let until = clock_ms().saturating_add(wait_ms);
    let put = person.door.put(&put_off_key(problem), &until.to_be_bytes());
    put.map_err(|error| Trouble::inside(&error))
}

fn put_off_until(person: &Person, problem: &str) -> Option<i64> {
    let row = person.door.get(&put_off_key(problem)).ok()??;
    row.try_into().ok().map(i64::from_be_bytes)
}

fn put_off_key(problem: &str) -> Vec<u8> {
    format!("health/put_off/{problem}").into_bytes()
}

/// Bytes free for the folder, and of how many: a quota on it counts as its size.
fn room(folder: &std::path::Path) -> Option<(u64, u64)> {
    // By descriptor: a twin's wall lets it ask about what it has open, and about nothing else.
    let disk = rustix::fs::fstatvfs(std::fs::File::open(folder).ok()?).ok()?;
    Some((disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize)))
}

#[cfg(test)]
mod tests;
