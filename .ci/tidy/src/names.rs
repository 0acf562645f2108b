//! Nothing in the tree names a place that exists only where it was written.
//!
//! Machine paths, and registries other than the public ones, which a lock file may pick up.

use crate::tree::Tree;

/// One sentence per line that names such a place.
pub(crate) fn broken(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.all() {
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(place) = PLACES.iter().find(|place| line.contains(**place)) {
                broken.push(format!("{path}:{number} names {place}"));
            }
            let foreign = match path.rsplit('/').next() {
                Some("Cargo.lock") => line.starts_with("source = ") && !line.contains(CRATES_IO),
                Some("package-lock.json") => line.contains("\"resolved\""),
                _ => false,
            };
            if foreign {
                broken.push(format!("{path}:{number} names a registry: {}", line.trim()));
            }
        }
    }
    broken
}

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Written in halves so that this file doesn't break its own rule.
const PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/tmp/", "plan"),
    concat!("/ro", "ot/."),
    concat!("/ho", "me/user"),
    concat!("artif", "actory"),
    concat!(".inter", "nal/"),
    concat!(".co", "rp/"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_and_foreign_registries_are_caught() {
        let path = format!("// see {}main\n", PLACES[0]);
        assert_eq!(broken(&Tree::of(&[("a.rs", "// fine\n")])), Vec::<String>::new());
        assert_eq!(broken(&Tree::of(&[("a.rs", &path)])).len(), 1);
        let lock = format!("source = \"{CRATES_IO}\"\nsource = \"registry+https://else.where/\"\n");
        assert_eq!(broken(&Tree::of(&[("Cargo.lock", &lock)])).len(), 1);
        let npm = "{\n\"resolved\": \"https://else.where/x.tgz\"\n}\n";
        assert_eq!(broken(&Tree::of(&[("b/package-lock.json", npm)])).len(), 1);
    }
}
