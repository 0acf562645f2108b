//! A twin can't open its data: it was stopped, and what is there was left as it is.

use handover::{Number, Trouble, Weight};

use crate::node::Node;

pub(super) const NAME: &str = "data_broken";

pub(super) fn find(node: &Node) -> Vec<Trouble> {
    let broken = node.twins.iter().filter(|(_, twin)| twin.broken && twin.process.is_none());
    let trouble = |number: &Number| {
        let name = node.registry.get(*number).map_or("node", |entry| entry.name.as_str());
        Trouble::new(NAME, Weight::Now).about(name).offering("try_again")
    };
    broken.map(|(number, _)| trouble(number)).collect()
}
