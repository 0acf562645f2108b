//! So many strangers came to a sleeping twin that it is not woken for each any more: until that is
//! over, a first visit to it waits, and so does its own person's.
//!
//! Told by the gateway as it happens; forgotten after a while without.

use std::time::{Duration, Instant};

use handover::{Number, Trouble, Weight};

use crate::node::Node;

pub(super) const NAME: &str = "knocked_often";

pub(super) fn find(node: &Node, now: Instant) -> Vec<Trouble> {
    let recent = |at: Instant| now.saturating_duration_since(at) < REMEMBERED;
    let knocked = node.twins.iter().filter(|(_, twin)| twin.knocked.is_some_and(recent));
    let trouble = |number: &Number| {
        let name = node.registry.get(*number).map_or("node", |entry| entry.name.as_str());
        Trouble::new(NAME, Weight::Note).about(name)
    };
    knocked.map(|(number, _)| trouble(number)).collect()
}

const REMEMBERED: Duration = Duration::from_secs(60 * 60);
