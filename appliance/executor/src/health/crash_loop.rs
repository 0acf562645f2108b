//! A twin stops again and again: the executor waits before it tries again.

use std::time::Instant;

use handover::{Figure, Number, Refusal, Trouble, Weight};

use crate::node::Node;

pub(super) const NAME: &str = "crash_loop";

pub(super) fn find(node: &Node, now: Instant) -> Vec<Trouble> {
    let waits = |(number, twin): (&Number, &crate::node::Twin)| {
        if twin.broken.is_some() || twin.process.is_some() {
            return None;
        }
        let wait = twin.restart.waits(now)?;
        let name = node.registry.get(*number).map_or("node", |entry| entry.name.as_str());
        let trouble = Trouble::new(NAME, Weight::Now).about(name).offering("try_again");
        Some(trouble.with("wait", Figure::Seconds(wait.as_secs())))
    };
    node.twins.iter().filter_map(waits).collect()
}

/// Forgets the deaths and starts it at once; if it dies again, the pauses begin anew.
pub(super) fn try_again(node: &mut Node, name: &str) -> Result<(), Refusal> {
    let twin = match name {
        "node" => Number::NODE,
        _ => Number(node.registry.find(name)?.number),
    };
    if let Some(known) = node.twins.get_mut(&twin) {
        known.restart.slept();
    }
    node.wake(twin);
    Ok(())
}
