//! How a node is, as its processes tell each other: names and numbers, never a sentence and never
//! what a twin keeps.

use serde::{Deserialize, Serialize};

use crate::MAX_HEADER;

/// How pressing a problem is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Something does not work, or is in danger.
    Now,
    /// Something will not work one day.
    Soon,
    /// Worth knowing.
    Note,
}

/// One problem of a node. The sentences for it are in message files, under its name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trouble {
    /// Its stable name, such as `disk_short`.
    pub problem: String,
    /// Which of several: the name of a twin, a disk or a wall; empty where there is one at most.
    pub about: String,
    /// How pressing it is.
    pub weight: Weight,
    /// What fills the sentences.
    pub values: Vec<(String, Figure)>,
    /// Names of what can be done about it.
    pub repairs: Vec<String>,
}

/// A value in a sentence.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Bytes.
    Bytes(u64),
    /// A number of things, or percent.
    Count(u64),
    /// Seconds.
    Seconds(u64),
    /// A name.
    Name(String),
}

impl Trouble {
    /// A problem without anything to fill in or to do yet.
    #[must_use]
    pub fn new(problem: &str, weight: Weight) -> Self {
        let (values, repairs) = (Vec::new(), Vec::new());
        Self { problem: problem.to_owned(), about: String::new(), weight, values, repairs }
    }

    /// Which of several.
    #[must_use]
    pub fn about(mut self, about: &str) -> Self {
        self.about = about.chars().take(NAME_MAX).collect();
        self
    }

    /// Fills something in.
    #[must_use]
    pub fn with(mut self, name: &str, value: Figure) -> Self {
        self.values.push((name.to_owned(), value));
        self
    }

    /// Fills in what somebody said: one line of it, and not all of a long one.
    #[must_use]
    pub fn quoting(self, name: &str, text: &str) -> Self {
        let line = text.split(char::is_control).collect::<Vec<_>>().join(" ");
        let mut said: String = line.chars().take(SAID_MAX).collect();
        if said.len() < line.len() {
            said.push('…');
        }
        self.with(name, Figure::Name(said))
    }

    /// Something that can be done.
    #[must_use]
    pub fn offering(mut self, repair: &str) -> Self {
        self.repairs.push(repair.to_owned());
        self
    }
}

/// As many of the first of them as one header holds.
#[must_use]
pub fn fitting(troubles: Vec<Trouble>) -> Vec<Trouble> {
    let mut room = MAX_HEADER - FRAME;
    let fits = |trouble: &Trouble| {
        let size = postcard::to_stdvec(trouble).map_or(usize::MAX, |bytes| bytes.len());
        let left = room.checked_sub(size);
        room = left.unwrap_or(0);
        left.is_some()
    };
    troubles.into_iter().take_while(fits).collect()
}

/// A kind of problem that a twin has with itself, as its node may know it: the kind and no more.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TwinProblem {
    /// It was asked so much that many requests were refused.
    AskedTooMuch,
    /// Its certificate ends soon.
    CertificateOld,
    /// Its newest entry is from a time that has not come yet.
    ClockWrong,
    /// Its data file should be compacted and could not be.
    CompactionDue,
    /// Its room on the disk is nearly used up.
    QuotaNear,
    /// Its data differ from its journal: it is not written any more.
    VerifyFailed,
}

impl TwinProblem {
    /// Its stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AskedTooMuch => "asked_too_much",
            Self::CertificateOld => "certificate_old",
            Self::ClockWrong => "clock_wrong",
            Self::CompactionDue => "compaction_due",
            Self::QuotaNear => "quota_near",
            Self::VerifyFailed => "verify_failed",
        }
    }
}

/// What is counted per node; nothing of it tells one twin from another.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Metric {
    /// Processes of twins that ended by themselves or were killed, since the node was started.
    Crashes,
    /// Bytes free for the data folder.
    DiskFree,
    /// Bytes of the file system of the data folder.
    DiskSize,
    /// Times that the gateway was started, since the node was.
    GatewayStarts,
    /// Jobs of workers since the node was started, by what came of them.
    Jobs,
    /// Problems that somebody should do something about, by name.
    Problems,
    /// Seconds since 1970 at which the node was started.
    Started,
    /// Twins that run now. Only told where there are many: with few it would show who is there.
    TwinsAwake,
    /// Twins of this node.
    TwinsRegistered,
    /// Starts of twins since the node was started. Only told where there are many.
    TwinStarts,
}

/// One value of a metric.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sample {
    /// What is counted.
    pub metric: Metric,
    /// Which of several, such as the name of a problem.
    pub label: Option<String>,
    /// How many.
    pub value: u64,
}

/// What a scrape token's hash is derived with (BLAKE3).
pub const SCRAPE_TOKEN: &str = "hometwin 2026-11 scrape token";
/// Longest name of a thing in a [`Trouble`], so that a list of them fits into one header.
const NAME_MAX: usize = 40;
/// Longest text of somebody else in one.
const SAID_MAX: usize = 200;
/// What a header has around a list: its kind, the request, the list's length.
const FRAME: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ToTwinExecutor;

    #[test]
    fn a_list_fits_into_one_header_whatever_is_in_it() {
        let long = "\u{10ffff}".repeat(5_000);
        let one = Trouble::new("data_broken", Weight::Now).about(&long).quoting("what", &long);
        let small = Trouble::new("disk_short", Weight::Now).with("free", Figure::Bytes(u64::MAX));
        for all in [vec![one; 100], vec![small; 1_000]] {
            let troubles = fitting(all.clone());
            assert!(troubles.len() > 2 && troubles.len() < all.len());
            let header = ToTwinExecutor::NodeHealth { request: u64::MAX, outcome: Ok(troubles) };
            assert!(postcard::to_stdvec(&header).unwrap().len() <= MAX_HEADER);
        }
    }

    #[test]
    fn what_somebody_said_is_one_short_line() {
        let said = |text: &str| {
            let trouble = Trouble::new("x", Weight::Note).quoting("what", text);
            let Figure::Name(said) = trouble.values[0].1.clone() else { panic!("{trouble:?}") };
            said
        };
        assert_eq!(said("cut short"), "cut short");
        assert_eq!(said("two\nlines\u{1b}[2J"), "two lines [2J");
        assert_eq!(said(&"ä".repeat(201)), format!("{}…", "ä".repeat(200)));
    }
}
