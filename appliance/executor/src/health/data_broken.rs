//! A twin can't open its data: it was stopped, and what is there was left as it is.
//!
//! Says what the twin said when it gave up, which is about files and never about what is in them.

use handover::{Figure, Number, Trouble, Weight};

use crate::node::{Node, Twin};

pub(super) const NAME: &str = "data_broken";

pub(super) fn find(node: &Node) -> Vec<Trouble> {
    let trouble = |(number, twin): (&Number, &Twin)| {
        let why = twin.broken.as_ref().filter(|_| twin.process.is_none())?;
        let name = node.registry.get(*number).map_or("node", |entry| entry.name.as_str());
        let trouble = Trouble::new(NAME, Weight::Now).about(name).offering("try_again");
        let folder = Figure::Name(format!("twins/{number}"));
        Some(trouble.quoting("what", why).with("folder", folder))
    };
    node.twins.iter().filter_map(trouble).collect()
}
