//! From what was found to sentences for people, for the twin's own problems and for the node's.

use capability::health::v1::{Health, Item, Offer, Repaired, Weight};
use handover::{Figure, Trouble};

use super::Found;
use crate::messages::Language;

/// One of the twin's own problems in words.
pub(super) fn item(found: &Found, put_off_until_ms: Option<i64>, language: Language<'_>) -> Item {
    let values: Vec<_> = found.values.iter().map(|(name, value)| (*name, value)).collect();
    let words = Words { language, problem: found.name, about: "", values: &values };
    let mut item = words.item(found.weight, &found.repairs);
    item.can_wait = found.can_wait_ms.is_some();
    item.put_off_until_ms = put_off_until_ms;
    item
}

/// One of the node's problems in words.
fn of_node(trouble: &Trouble, language: Language<'_>) -> Item {
    let values: Vec<_> = trouble.values.iter().map(|(name, value)| (&**name, value)).collect();
    let problem = &*trouble.problem;
    let words = Words { language, problem, about: &trouble.about, values: &values };
    let repairs: Vec<&str> = trouble.repairs.iter().map(String::as_str).collect();
    let weight = match trouble.weight {
        handover::Weight::Now => Weight::Now,
        handover::Weight::Soon => Weight::Soon,
        handover::Weight::Note => Weight::Note,
    };
    words.item(weight, &repairs)
}

/// The node's problems in words.
pub(crate) fn node(troubles: &[Trouble], language: Language<'_>) -> Health {
    Health { items: troubles.iter().map(|one| of_node(one, language)).collect() }
}

/// A problem of the node in words, for the command line.
pub struct Spoken {
    /// What it is.
    pub title: String,
    /// What happened and what it means.
    pub detail: String,
    /// What can be done.
    pub what_to_do: String,
}

/// Says a problem of the node.
#[must_use]
pub fn spoken(trouble: &Trouble, language: Language<'_>) -> Spoken {
    let Item { title, detail, what_to_do, .. } = of_node(trouble, language);
    Spoken { title, detail, what_to_do }
}

/// What came of a repair.
pub(crate) fn repaired(repair: &str, settled: bool, language: Language<'_>) -> Repaired {
    let end = if settled { "done" } else { "not_done" };
    let text = language.text(&format!("health.repair.{repair}.{end}")).to_owned();
    Repaired { settled, text }
}

struct Words<'a> {
    language: Language<'a>,
    problem: &'a str,
    about: &'a str,
    values: &'a [(&'a str, &'a Figure)],
}

impl Words<'_> {
    fn item(&self, weight: Weight, repairs: &[&str]) -> Item {
        Item {
            problem: self.problem.to_owned(),
            about: self.about.to_owned(),
            weight,
            title: self.say("title"),
            detail: self.say("detail"),
            what_to_do: self.say("do"),
            repairs: repairs.iter().map(|repair| self.offer(repair)).collect(),
            can_wait: false,
            put_off_until_ms: None,
        }
    }

    fn say(&self, part: &str) -> String {
        let key = format!("health.{}.{part}", self.problem);
        let values: Vec<_> =
            self.values.iter().map(|(name, value)| (*name, self.figure(value))).collect();
        let mut all: Vec<_> = values.iter().map(|(name, text)| (*name, text.as_str())).collect();
        all.push(("about", self.about));
        self.language.fill(&key, &all)
    }

    fn offer(&self, repair: &str) -> Offer {
        let text = |part| self.language.text(&format!("health.repair.{repair}.{part}")).to_owned();
        Offer { repair: repair.to_owned(), label: text("label"), what_happens: text("what") }
    }

    fn figure(&self, value: &Figure) -> String {
        match value {
            Figure::Bytes(bytes) => self.bytes(*bytes),
            Figure::Count(count) => count.to_string(),
            Figure::Seconds(seconds) => self.seconds(*seconds),
            Figure::Name(name) => name.clone(),
        }
    }

    fn bytes(&self, bytes: u64) -> String {
        const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
        let (mut tenths, mut unit) = (bytes / 100, 0);
        while tenths >= 10_000 && unit + 1 < UNITS.len() {
            (tenths, unit) = (tenths / 1000, unit + 1);
        }
        let decimal = self.language.text("decimal");
        format!("{}{decimal}{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }

    fn seconds(&self, seconds: u64) -> String {
        let (count, unit) = match seconds {
            0..=119 => (seconds, "s"),
            120..=7199 => (seconds / 60, "min"),
            7200..=172_799 => (seconds / 3600, "h"),
            _ => (seconds / 86_400, "d"),
        };
        self.language.fill(&format!("time.{unit}"), &[("n", &count.to_string())])
    }
}
