//! What can be opened from the first page, and by which key.
//!
//! **To add a page**: a file beside this one with a type that is a `Page`, a `mod` line in
//! `console.rs`, a line here, and its sentences in both message files. Its digit is its place here. A
//! verb that it asks needs a `true` in `Verb::at_console`.

use twin::messages::Language;

use super::{Page, Seen, code, name, network, people, restart, style};

struct Entry {
    /// The message that names it.
    name: &'static str,
    offered: fn(&Seen) -> bool,
    open: fn() -> Box<dyn Page>,
}

const ENTRIES: &[Entry] = &[
    Entry { name: "console_code", offered: nobody_yet, open: || Box::new(code::Code) },
    Entry {
        name: "console_people",
        offered: has_people,
        open: || Box::new(people::People::default()),
    },
    Entry { name: "console_style", offered: has_node, open: || Box::new(style::Choose) },
    Entry { name: "console_name", offered: has_node, open: || Box::new(name::Rename::default()) },
    Entry { name: "console_network", offered: has_node, open: || Box::new(network::Network) },
    Entry { name: "console_restart", offered: has_node, open: || Box::new(restart::Restart) },
];

/// Opens what this digit stands for.
pub(super) fn open(digit: char, seen: &Seen) -> Option<Box<dyn Page>> {
    let at = usize::try_from(digit.to_digit(10)?).ok()?.checked_sub(1)?;
    let entry = ENTRIES.get(at).filter(|entry| (entry.offered)(seen))?;
    Some((entry.open)())
}

/// The digits, and what they open.
pub(super) fn line(seen: &Seen, language: Language<'_>) -> String {
    let offered = ENTRIES.iter().zip(1..).filter(|(entry, _)| (entry.offered)(seen));
    let named = offered.map(|(entry, digit)| format!("[{digit}] {}", language.text(entry.name)));
    named.collect::<Vec<_>>().join("  ")
}

fn has_node(seen: &Seen) -> bool {
    seen.screen.is_some()
}

fn nobody_yet(seen: &Seen) -> bool {
    seen.screen.as_ref().is_some_and(|screen| screen.people == 0)
}

fn has_people(seen: &Seen) -> bool {
    seen.screen.as_ref().is_some_and(|screen| screen.people > 0)
}
