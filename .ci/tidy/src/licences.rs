//! Licences of all crates in the tree: only permissive ones, each allowed by its name.
//!
//! Judges the expression in a crate's manifest and never its licence texts.

/// One sentence per crate that no allowed licence covers.
pub(crate) fn broken(crates: &[(String, Option<String>)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, licence) in crates {
        match licence {
            None => broken.push(format!("{name} states no licence")),
            Some(expression) if !allowed(expression) => {
                broken.push(format!("{name} is under {expression:?}, which is not on the list"));
            }
            Some(_) => {}
        }
    }
    broken
}

const ALLOWED: &[&str] =
    &["Apache-2.0", "BSD-3-Clause", "CDLA-Permissive-2.0", "ISC", "MIT", "Unicode-3.0", "Zlib"];

/// SPDX: `OR` binds looser than `AND`; `/` is an old way to write `OR`.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    either(&mut rest) && rest.is_empty()
}

fn either(rest: &mut &[&str]) -> bool {
    let mut ok = both(rest);
    while take(rest, "OR") {
        ok |= both(rest);
    }
    ok
}

fn both(rest: &mut &[&str]) -> bool {
    let mut ok = one(rest);
    while take(rest, "AND") {
        ok &= one(rest);
    }
    ok
}

fn one(rest: &mut &[&str]) -> bool {
    if take(rest, "(") {
        let ok = either(rest);
        return take(rest, ")") && ok;
    }
    let Some((licence, after)) = rest.split_first() else {
        return false;
    };
    *rest = after;
    if take(rest, "WITH") {
        // An exception only ever adds permissions.
        *rest = rest.get(1..).unwrap_or_default();
    }
    ALLOWED.contains(licence)
}

fn take(rest: &mut &[&str], token: &str) -> bool {
    let found = rest.first() == Some(&token);
    if found {
        *rest = &rest[1..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_judged_as_spdx_reads_them() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in
            ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND SSPL-1.0", "", "MIT MIT", "(MIT"]
        {
            assert!(!allowed(bad), "{bad}");
        }
    }

    #[test]
    fn a_foreign_and_a_missing_licence_are_caught() {
        let crates = [
            ("a".to_owned(), Some("AGPL-3.0".to_owned())),
            ("b".to_owned(), None),
            ("c".to_owned(), Some("MIT".to_owned())),
        ];
        assert_eq!(broken(&crates).len(), 2);
    }
}
