//! Which workspace crate may use which: an unlisted crate or edge is a violation.
//!
//! A new edge is a rare event: it is added here, with its reason in `appliance/ARCHITECTURE.md`.

use crate::metadata::Edges;

/// One sentence per crate or edge that the table doesn't know.
pub(crate) fn broken(edges: &Edges) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, used) in edges {
        let Some((_, may_use)) = MAY_USE.iter().find(|(listed, _)| listed == name) else {
            broken.push(format!("{name} is in no layer: list it in .ci/tidy/src/layers.rs"));
            continue;
        };
        for other in used.iter().filter(|other| !may_use.contains(&other.as_str())) {
            broken.push(format!("{name} may not use {other}"));
        }
    }
    for (name, _) in MAY_USE.iter().filter(|(name, _)| !edges.contains_key(*name)) {
        broken.push(format!("{name} has a layer but doesn't exist"));
    }
    broken
}

const MAY_USE: &[(&str, &[&str])] = &[
    // Layer 0: nothing of ours. Ids are plain newtypes per crate; the twin converts.
    ("capability", &[]),
    ("disks", &[]),
    ("handover", &[]),
    ("link", &[]),
    ("store", &[]),
    ("update", &[]),
    // Programs: never one another.
    ("executor", &["handover", "update"]),
    ("fetcher", &["handover", "update"]),
    ("gateway", &["handover", "link"]),
    ("twin", &["capability", "handover", "link", "store"]),
    ("worker", &["handover"]),
    // The one program file.
    ("hometwin", &["disks", "executor", "fetcher", "gateway", "twin", "handover", "worker"]),
    // The image: a program that makes it, and the first program inside it. Neither is linked with the
    // product, which the one puts in as a file.
    ("initrd", &[]),
    ("image-build", &["disks", "initrd", "update"]),
    // Tests see the product from outside.
    ("hw-tests", &["capability"]),
    // An intruder sees it from inside: it is the product, with one process that does as it likes.
    ("red-team", &["executor", "handover", "hometwin"]),
    ("tidy", &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Edges {
        MAY_USE.iter().map(|(name, _)| ((*name).to_owned(), Default::default())).collect()
    }

    #[test]
    fn the_listed_crates_pass() {
        assert_eq!(broken(&listed()), Vec::<String>::new());
    }

    #[test]
    fn an_unlisted_edge_is_caught() {
        let mut edges = listed();
        edges.entry("gateway".into()).or_default().insert("store".into());
        assert_eq!(broken(&edges), ["gateway may not use store"]);
    }

    #[test]
    fn an_unlisted_crate_is_caught() {
        let mut edges = listed();
        edges.insert("helpers".into(), Default::default());
        assert_eq!(broken(&edges).len(), 1);
    }

    #[test]
    fn a_crate_that_is_gone_is_caught() {
        let mut edges = listed();
        edges.remove("link");
        assert_eq!(broken(&edges), ["link has a layer but doesn't exist"]);
    }
}
