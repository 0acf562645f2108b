//! A wall between the node's processes is not there, because this machine or this user can't give it.
//!
//! Only counts: `hometwin node doctor` says line by line what is missing, and why.

use handover::{Figure, Trouble, Weight};

use crate::doctor::Finding;

pub(super) const NAME: &str = "wall_missing";

/// One for all walls together, from what the doctor found on this machine.
pub(super) fn find(ground: &[Finding]) -> Option<Trouble> {
    let missing = ground.iter().filter(|finding| !finding.holds);
    let count = missing.clone().count();
    if count == 0 {
        return None;
    }
    // Own users and control groups come with a service; without these two a twin can reach others.
    let bare = missing.clone().any(|finding| matches!(finding.part, "files" | "calls"));
    let weight = if bare { Weight::Soon } else { Weight::Note };
    Some(Trouble::new(NAME, weight).with("count", Figure::Count(count as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_user_could_have_weighs_more() {
        let finding = |part, holds| Finding { part, holds, how: "x", values: Vec::new() };
        assert_eq!(find(&[finding("files", true)]), None);
        let ordinary = find(&[finding("files", true), finding("users", false)]).unwrap();
        assert_eq!((ordinary.weight, &ordinary.values[0].1), (Weight::Note, &Figure::Count(1)));
        let bare = find(&[finding("files", false), finding("users", false)]).unwrap();
        assert_eq!((bare.weight, &bare.values[0].1), (Weight::Soon, &Figure::Count(2)));
    }
}
