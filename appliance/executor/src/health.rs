//! How the node is: one file per problem, which finds it, says how pressing it is, and does what can
//! be done about it.
//!
//! Looked for when somebody asks, and remembered when something happens: there is no timer and
//! nothing wakes up to look. Of a twin it knows at most the kind of a problem that the twin told,
//! never what is in it. The sentences are in message files, under the problem's name.

mod clock_wrong;
mod crash_loop;
mod data_broken;
mod disk_failing;
mod disk_sectors;
mod disk_short;
mod disk_worn;
pub(crate) mod disks;
mod gateway_down;
pub(crate) mod key_unknown;
mod knocked_often;
pub(crate) mod memory_short;
mod name_taken;
mod of_twin;
mod remembered;
pub(crate) mod smart;
mod wall_missing;

use std::path::Path;
use std::time::Instant;

use handover::{Metric, Number, Refusal, Sample, ToTwinExecutor, Trouble, Weight, fitting};

use crate::control::Answer;
use crate::node::Node;
use crate::{Config, DataFolder, Notice, Registry, scrape};

pub use key_unknown::Opens;
pub(crate) use remembered::Remembered;

/// Every problem there can be; the message files have sentences for each.
pub const PROBLEMS: &[&str] = &[
    clock_wrong::NAME,
    crash_loop::NAME,
    data_broken::NAME,
    disk_failing::NAME,
    disk_sectors::REPLACED,
    disk_sectors::UNREADABLE,
    disk_short::NAME,
    disk_worn::DEGRADED,
    disk_worn::ERRORS,
    disk_worn::WORN,
    gateway_down::NAME,
    knocked_often::NAME,
    memory_short::NAME,
    key_unknown::NAME,
    name_taken::NAME,
    wall_missing::NAME,
    "twin_asked_too_much",
    "twin_certificate_old",
    "twin_clock_wrong",
    "twin_compaction_due",
    "twin_quota_near",
    "twin_verify_failed",
];

/// What is wrong with the node of this data folder while it does not run.
///
/// # Errors
/// When the list of twins can't be read.
pub fn of_folder(config: &Config, folder: &DataFolder) -> Result<Vec<Trouble>, crate::Error> {
    let registry = Registry::open(folder)?;
    let remembered = Remembered::open(folder);
    let mut found = of_machine(config, folder.path(), &remembered);
    found.extend(of_twin::find(&remembered, &registry));
    Ok(sorted(found))
}

/// What does not depend on any process of the node.
fn of_machine(config: &Config, data: &Path, remembered: &Remembered) -> Vec<Trouble> {
    let mut found = Vec::new();
    found.extend(clock_wrong::find(crate::node::now_ms(), remembered.seen_ms()));
    found.extend(disk_short::find(data));
    found.extend(key_unknown::find(&config.disk_reports));
    found.extend(disk_worn::find(data, Path::new(disks::SYS), &config.disk_reports));
    found
}

fn sorted(mut found: Vec<Trouble>) -> Vec<Trouble> {
    found.sort_by(|a, b| (a.weight, &a.problem, &a.about).cmp(&(b.weight, &b.problem, &b.about)));
    found
}

impl Node {
    /// All that is wrong now, the most pressing first.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        let now = Instant::now();
        let mut found = of_machine(&self.config, self.folder.path(), &self.remembered);
        found.extend(wall_missing::find(&self.ground));
        found.extend(gateway_down::find(self, now));
        found.extend(crash_loop::find(self, now));
        found.extend(data_broken::find(self));
        found.extend(knocked_often::find(self, now));
        found.extend(memory_short::find(self, now));
        found.extend(name_taken::find(self));
        found.extend(of_twin::find(&self.remembered, &self.registry));
        sorted(found)
    }

    /// Does what was offered for a problem.
    pub(crate) fn mend(&mut self, problem: &str, about: &str, repair: &str) -> Result<(), Refusal> {
        let is_offered = |one: &Trouble| {
            one.problem == problem && one.about == about && one.repairs.iter().any(|r| r == repair)
        };
        if !self.troubles().iter().any(is_offered) {
            return Err(Refusal::NotOffered);
        }
        match problem {
            clock_wrong::NAME => self.remembered.forget_time(),
            crash_loop::NAME | data_broken::NAME => crash_loop::try_again(self, about)?,
            _ => return Err(Refusal::NotOffered),
        }
        tracing::info!(problem, about, repair, "a repair was asked for");
        Ok(())
    }

    /// A twin told what is wrong with itself.
    pub(crate) fn twin_told(&mut self, twin: Number, problems: &[handover::TwinProblem]) {
        let new = self.remembered.told(twin, problems);
        for problem in new {
            let name = self.registry.get(twin).map_or("", |entry| entry.name.as_str());
            let trouble = of_twin::trouble(name, problem);
            tracing::warn!(%twin, problem = problem.name(), "a twin has a problem");
            if trouble.weight == Weight::Now {
                self.tell(&Notice::Trouble { trouble });
            }
        }
    }

    /// An owner asks in their own twin's shell. The first of the list fit into one header.
    pub(crate) fn asked_by_twin(&mut self, twin: Number, request: u64) {
        let outcome =
            if self.is_owner(twin) { Ok(fitting(self.troubles())) } else { Err(Refusal::NotOwner) };
        self.answer_twin(twin, ToTwinExecutor::NodeHealth { request, outcome });
    }

    /// An owner asks in their own twin's shell for a repair.
    pub(crate) fn mend_for_twin(&mut self, twin: Number, request: u64, what: [&str; 3]) {
        let [problem, about, repair] = what;
        let outcome = if self.is_owner(twin) {
            self.mend(problem, about, repair)
        } else {
            Err(Refusal::NotOwner)
        };
        self.answer_twin(twin, ToTwinExecutor::NodeRepaired { request, outcome });
    }

    /// Somebody shows a token to the node twin.
    pub(crate) fn scraped(&self, twin: Number, request: u64, token: &[u8; 32]) {
        if twin != Number::NODE {
            return;
        }
        let outcome = match scrape::is_right(&self.folder, token) {
            true => Ok(self.samples()),
            false => Err(Refusal::WrongCode),
        };
        self.answer_twin(twin, ToTwinExecutor::Scraped { request, outcome });
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut say = |metric, value| samples.push(Sample { metric, label: None, value });
        let people = self.twins.iter().filter(|(number, _)| **number != Number::NODE);
        let registered = self.registry.twins().len();
        say(Metric::Started, self.remembered.started_s());
        say(Metric::TwinsRegistered, registered as u64);
        if registered >= MANY {
            let awake = people.clone().filter(|(_, twin)| twin.process.is_some()).count();
            say(Metric::TwinsAwake, awake as u64);
            say(Metric::TwinStarts, people.map(|(_, twin)| u64::from(twin.starts)).sum());
        }
        say(Metric::Crashes, self.remembered.crashes);
        say(Metric::GatewayStarts, self.remembered.gateway_starts);
        if let Some((free, size)) = disk_short::room(self.folder.path()) {
            say(Metric::DiskFree, free);
            say(Metric::DiskSize, size);
        }
        for (outcome, value) in self.workers.counts.each() {
            let label = Some(outcome.to_owned());
            samples.push(Sample { metric: Metric::Jobs, label, value });
        }
        let troubles = self.troubles();
        for problem in PROBLEMS {
            let count = troubles.iter().filter(|one| one.problem == *problem).count();
            let label = Some((*problem).to_owned());
            samples.push(Sample { metric: Metric::Problems, label, value: count as u64 });
        }
        samples
    }

    fn is_owner(&self, twin: Number) -> bool {
        self.registry.get(twin).is_some_and(|entry| entry.owner)
    }

    fn answer_twin(&self, twin: Number, header: ToTwinExecutor) {
        if let Some(process) = self.twins.get(&twin).and_then(|twin| twin.process.as_ref()) {
            process.tell(header, Vec::new());
        }
    }

    /// As [`Node::mend`], for the control socket.
    pub(crate) fn mended(&mut self, problem: &str, about: &str, repair: &str) -> Answer {
        match self.mend(problem, about, repair) {
            Ok(()) => Answer::Repaired,
            Err(refusal) => Answer::Refused { refusal },
        }
    }
}

/// From so many twins on, how many are awake says nothing about anybody.
const MANY: usize = 10;
