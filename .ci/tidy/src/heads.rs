//! Every Rust file opens with `//!`, and lints are excepted by `expect`, never by `allow`.
//!
//! Can't judge whether the text is good; that it's there is the least.

use crate::tree::Tree;

/// One sentence per file that starts with anything else, or that allows a lint.
pub(crate) fn broken(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.ending("", &[".rs"]) {
        if !text.starts_with("//! ") {
            broken.push(format!("{path} doesn't open with `//!` and what it is for"));
        }
        for (line, code) in (1..).zip(text.lines()) {
            if code.trim_start().starts_with(ALLOW) || code.trim_start().starts_with(ALLOW_ALL) {
                broken.push(format!("{path}:{line} allows a lint; `expect` it with a reason"));
            }
        }
    }
    broken
}

const ALLOW: &str = concat!("#[al", "low");
const ALLOW_ALL: &str = concat!("#![al", "low");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headless_file_and_an_allowed_lint_are_caught() {
        let good = ("a.rs", "//! For a.\nfn f() {}\n");
        assert_eq!(broken(&Tree::of(&[good])), Vec::<String>::new());
        assert_eq!(broken(&Tree::of(&[good, ("b.rs", "fn f() {}\n")])).len(), 1);
        let allows = format!("//! For b.\n    {ALLOW}(dead_code)]\nfn f() {{}}\n");
        assert_eq!(broken(&Tree::of(&[good, ("b.rs", &allows)])).len(), 1);
    }
}
