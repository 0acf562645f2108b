//! `unsafe` stands only in files that are listed here, each with the reason why it has to.
//!
//! The compiler denies it too; this keeps the list short and in one place.

use crate::tree::Tree;

/// Files that may hold `unsafe`, and why.
pub(crate) const LISTED: &[(&str, &str)] = &[
    (
        "appliance/executor/src/steward/set_quota/kernel.rs",
        "project quotas are calls of the kernel that no crate has",
    ),
    (
        "appliance/executor/src/walls/inherited.rs",
        "takes and marks descriptors that nobody in this program owns, before anything is started",
    ),
    (
        "appliance/store/src/env.rs",
        "LMDB is a memory map: opening it promises that no other process writes",
    ),
    (
        "appliance/store/tests/it/raw.rs",
        "the tests open the data file past the store, to plant faults in it",
    ),
    (
        "image-build/initrd/src/mapper/kernel.rs",
        "no safe function asks the kernel's device mapper for a verified disk",
    ),
    (
        "hw-tests/red-team/src/attempts.rs",
        "an intruder makes system calls that no safe function makes",
    ),
];

/// One sentence per file with `unsafe` that isn't listed, and per listed file without.
pub(crate) fn broken(tree: &Tree, listed: &[(&str, &str)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.ending("", &[".rs"]) {
        let is_listed = listed.iter().any(|(file, _)| *file == path);
        let lines: Vec<usize> =
            (1..).zip(text.lines()).filter(|(_, code)| is_unsafe(code)).map(|(n, _)| n).collect();
        match lines.first() {
            Some(line) if !is_listed => broken.push(format!("{path}:{line} is unsafe")),
            None if is_listed => broken.push(format!("{path} is listed but not unsafe any more")),
            Some(_) | None => {}
        }
    }
    for (file, _) in listed.iter().filter(|(file, _)| !tree.paths().contains(*file)) {
        broken.push(format!("{file} is listed but doesn't exist"));
    }
    broken
}

fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    BLOCKS.iter().any(|block| code.contains(block))
}

const BLOCKS: &[&str] = &[
    concat!("unsa", "fe {"),
    concat!("unsa", "fe fn"),
    concat!("unsa", "fe impl"),
    concat!("unsa", "fe extern"),
    concat!("expect(unsa", "fe_code"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unlisted_block_and_a_stale_listing_are_caught() {
        let block = format!("//! For a.\nfn f() {{ {} }} }}\n", BLOCKS[0]);
        let tree = Tree::of(&[("a.rs", &block), ("b.rs", "//! For b; not unsafe.\n")]);
        assert_eq!(broken(&tree, &[("a.rs", "it opens a map")]), Vec::<String>::new());
        assert_eq!(broken(&tree, &[]), ["a.rs:2 is unsafe"]);
        assert_eq!(broken(&tree, &[("a.rs", ""), ("b.rs", "")]).len(), 1);
        assert_eq!(broken(&tree, &[("a.rs", ""), ("gone.rs", "")]).len(), 1);
    }
}
