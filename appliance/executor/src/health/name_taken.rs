//! Another machine in the home's network has the name that this node was given, so it is called
//! otherwise and has other addresses.

use handover::{Figure, Trouble, Weight};

use crate::node::Node;

pub(super) const NAME: &str = "name_taken";

pub(super) fn find(node: &Node) -> Option<Trouble> {
    let (taken, name) = node.lan.taken().filter(|_| node.place.is_lan())?;
    let trouble = Trouble::new(NAME, Weight::Soon).with("taken", Figure::Name(taken.to_owned()));
    Some(trouble.with("name", Figure::Name(name)))
}
