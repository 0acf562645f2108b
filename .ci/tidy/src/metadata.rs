//! What cargo knows about the crates of this workspace, boiled down to plain lists.
//!
//! Never downloads on purpose: the build that started these tests has fetched everything already.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{Metadata, MetadataCommand};

/// One workspace crate may use another: (who, whom).
pub(crate) type Edges = BTreeMap<String, BTreeSet<String>>;

/// The crates that a build for Linux really uses.
pub(crate) fn read() -> Metadata {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    MetadataCommand::new()
        .manifest_path(crate::tree::root().join("Cargo.toml"))
        .other_options(["--filter-platform".to_owned(), target])
        .exec()
        .unwrap()
}

/// Every workspace crate with the workspace crates that it depends on, tests included.
pub(crate) fn edges(metadata: &Metadata) -> Edges {
    let members = metadata.workspace_packages();
    let names: BTreeSet<String> = members.iter().map(|p| p.name.to_string()).collect();
    members
        .iter()
        .map(|package| {
            let used = package.dependencies.iter().map(|d| d.name.clone());
            (package.name.to_string(), used.filter(|name| names.contains(name)).collect())
        })
        .collect()
}

/// Every crate with its licence as its manifest states it.
pub(crate) fn licences(metadata: &Metadata) -> Vec<(String, Option<String>)> {
    metadata.packages.iter().map(|p| (p.name.to_string(), p.license.clone())).collect()
}

/// Every crate with its versions.
pub(crate) fn versions(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in &metadata.packages {
        versions.entry(package.name.to_string()).or_default().insert(package.version.to_string());
    }
    versions
}
