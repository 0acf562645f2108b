//! The network door stops again and again, so nobody can reach anything while it is away.

use std::time::Instant;

use handover::{Figure, Trouble, Weight};

use crate::node::Node;

pub(super) const NAME: &str = "gateway_down";

pub(super) fn find(node: &Node, now: Instant) -> Option<Trouble> {
    let wait = node.gateway_restart.waits(now).unwrap_or_default();
    let trouble = Trouble::new(NAME, Weight::Now).with("wait", Figure::Seconds(wait.as_secs()));
    (node.gateway.is_none() || !wait.is_zero()).then_some(trouble)
}
