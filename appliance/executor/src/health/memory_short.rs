//! A twin had used up all the memory that it may have, and was ended for that. It was started again,
//! and what it had acknowledged is there; what was just asked of it was not done.
//!
//! Found by how its process ended; forgotten after a while without.

use std::time::{Duration, Instant};

use handover::{Figure, Number, Trouble, Weight};

use crate::node::{Node, Twin};

pub(super) const NAME: &str = "twin_memory_short";

pub(super) fn find(node: &Node, now: Instant) -> Vec<Trouble> {
    let memory = Figure::Bytes(node.config.limits.memory);
    let short = |(_, twin): &(&Number, &Twin)| is_recent(twin.memory_short, now);
    let trouble = |(number, _): (&Number, &Twin)| {
        let name = node.registry.get(*number).map_or("node", |entry| entry.name.as_str());
        Trouble::new(NAME, Weight::Soon).about(name).with("memory", memory.clone())
    };
    node.twins.iter().filter(short).map(trouble).collect()
}

/// Whether that is still worth telling.
pub(crate) fn is_recent(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| now.saturating_duration_since(at) < REMEMBERED)
}

const REMEMBERED: Duration = Duration::from_secs(60 * 60);
