//! Crates that may not be in the tree, and crates that may be in it twice.
//!
//! Every exception has a reason, and an exception that nothing needs any more is a violation too.

use std::collections::{BTreeMap, BTreeSet};

/// Crate name to its versions.
type Versions = BTreeMap<String, BTreeSet<String>>;

/// One sentence per banned crate found.
pub(crate) fn broken_banned(versions: &Versions) -> Vec<String> {
    BANNED
        .iter()
        .filter(|(name, _)| versions.contains_key(*name))
        .map(|(name, instead)| format!("{name} is banned: {instead}"))
        .collect()
}

/// One sentence per crate that is in the tree more than once for no listed reason.
pub(crate) fn broken_duplicates(versions: &Versions) -> Vec<String> {
    let twice = |name: &str| versions.get(name).is_some_and(|v| v.len() > 1);
    let mut broken = Vec::new();
    for (name, found) in versions.iter().filter(|(name, _)| twice(name)) {
        if !TWICE.iter().any(|(listed, _)| listed == name) {
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            broken.push(format!("{name} is in the tree as {}", found.join(" and ")));
        }
    }
    for (name, _) in TWICE.iter().filter(|(name, _)| !twice(name)) {
        broken.push(format!("{name} is in the tree once: take it off the list in crates.rs"));
    }
    broken
}

const BANNED: &[(&str, &str)] = &[
    ("actix-web", "hyper serves a twin"),
    ("async-std", "tokio is the one runtime"),
    ("aws-lc-rs", "rustls stands on ring"),
    ("aws-lc-sys", "rustls stands on ring"),
    ("bincode", "postcard is the one format inside the box"),
    ("chrono", "times are milliseconds since 1970; the browser formats them"),
    ("clap", "lexopt reads arguments, and texts come from the message files"),
    ("libsqlite3-sys", "LMDB is the one store"),
    ("native-tls", "rustls is the one TLS"),
    ("openssl", "rustls is the one TLS"),
    ("openssl-sys", "rustls is the one TLS"),
    ("reqwest", "the product opens no HTTP connections; tests use ureq"),
    ("serde_yaml", "settings are TOML, everything else is JSON"),
    ("smol", "tokio is the one runtime"),
];

/// In the tree in two versions, and why that can't be helped now.
const TWICE: &[(&str, &str)] = &[
    ("bitflags", "fatfs, which only makes images, still takes 1"),
    ("constant_time_eq", "zip has moved on before blake3"),
    ("embedded-io", "postcard takes both for its optional readers"),
    ("fearless_simd", "hayro and the renderer below it are a release apart"),
    ("getrandom", "ring still takes 0.2"),
    ("miniz_oxide", "png takes 0.8 beside flate2, which has moved on"),
    ("phf", "a build-time table below lmdb's bindings still takes 0.11"),
    ("phf_generator", "comes with both phf"),
    ("phf_macros", "comes with both phf"),
    ("phf_shared", "comes with both phf"),
    ("rand", "phf_generator, behind a build-time table, still takes 0.8"),
    ("rand_core", "comes with both rand"),
    ("read-fonts", "comes with both skrifa"),
    ("skrifa", "hayro has moved on before the renderer's text, which is not built"),
    ("syn", "derive macros are moving from 2 to 3; build time only"),
    ("synstructure", "derive macros are moving from 0.13 to 0.14; build time only"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(crates: &[(&str, &[&str])]) -> Versions {
        let set = |v: &&[&str]| v.iter().map(|v| (*v).to_owned()).collect();
        crates.iter().map(|(name, v)| ((*name).to_owned(), set(v))).collect()
    }

    #[test]
    fn a_banned_crate_is_caught() {
        assert_eq!(broken_banned(&of(&[("tokio", &["1.0.0"])])), Vec::<String>::new());
        assert_eq!(broken_banned(&of(&[("openssl", &["0.10.0"])])).len(), 1);
    }

    #[test]
    fn a_second_version_and_a_stale_exception_are_caught() {
        let mut all: Versions = of(&[("bytes", &["1.0.0"])]);
        for (name, _) in TWICE {
            all.extend(of(&[(name, &["1.0.0", "2.0.0"])]));
        }
        assert_eq!(broken_duplicates(&all), Vec::<String>::new());
        all.extend(of(&[("bytes", &["0.5.0", "1.0.0"])]));
        assert_eq!(broken_duplicates(&all), ["bytes is in the tree as 0.5.0 and 1.0.0"]);
        all.extend(of(&[("bytes", &["1.0.0"]), ("syn", &["3.0.0"])]));
        assert_eq!(broken_duplicates(&all).len(), 1);
    }
}
