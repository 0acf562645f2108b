//! The repository as data: paths and texts.
//!
//! Reads what a clone would hold and never what a build or a test run leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Text files by their path from the root, with `/` between the parts.
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// The tree that this crate stands in.
    pub(crate) fn read() -> Self {
        let mut files = BTreeMap::new();
        walk(&root(), "", &mut files);
        Self { files }
    }

    /// A tree for a test of a rule.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let own = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self { files: files.iter().map(own).collect() }
    }

    /// A file's text; empty if there is no such file, so that the rule that needs it speaks up.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.get(path).map_or("", String::as_str)
    }

    /// Files below a folder whose name ends with one of these.
    pub(crate) fn ending<'a>(
        &'a self,
        folder: &'a str,
        endings: &'a [&str],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.starts_with(folder))
            .filter(move |(path, _)| endings.iter().any(|end| path.ends_with(end)))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every file.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending("", &[""])
    }

    /// Every path.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        self.files.keys().cloned().collect()
    }

    /// Every folder that holds a file somewhere below it, with a `/` at its end.
    pub(crate) fn folders(&self) -> BTreeSet<String> {
        let ends = |path: &String| -> Vec<String> {
            path.match_indices('/').map(|(at, _)| path[..=at].to_owned()).collect()
        };
        self.files.keys().flat_map(ends).collect()
    }
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn walk(folder: &Path, inside: &str, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{inside}{name}");
        let kind = entry.file_type().unwrap();
        if LEFT_BEHIND.contains(&name.as_str()) || LEFT_BEHIND.contains(&path.as_str()) {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file() {
            // Bytes that are no text still count as a file that exists.
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            files.insert(path, String::from_utf8(bytes).unwrap_or_default());
        }
    }
}

/// What builds, editors and test runs leave behind; the same as `.gitignore` and git's own.
const LEFT_BEHIND: &[&str] =
    &[".git", "node_modules", "target", "screenshots", ".DS_Store", ".idea", ".vscode"];
