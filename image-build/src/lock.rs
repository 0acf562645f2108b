//! Which packages an image was made of: `recipe/FLAVOUR.ARCH.lock`, one `TREE NAME VERSION SHA256`
//! a line. Debian's mirrors move on; the lock says what they had when it was written.

use std::collections::{BTreeMap, BTreeSet};

/// Packages by tree and name, each with its version and the hash of its file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Lock {
    packages: BTreeMap<(String, String), (String, String)>,
}

impl Lock {
    /// Reads a lock file; empty lines and comments are passed over.
    pub(crate) fn read(text: &str) -> Self {
        let mut packages = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [tree, name, version, hash] = words[..]
                && !tree.starts_with('#')
            {
                let key = (tree.to_owned(), name.to_owned());
                packages.insert(key, (version.to_owned(), hash.to_owned()));
            }
        }
        Self { packages }
    }

    /// The file.
    pub(crate) fn to_text(&self) -> String {
        let mut text = HEAD.to_owned();
        for ((tree, name), (version, hash)) in &self.packages {
            text.push_str(&format!("{tree} {name} {version} {hash}\n"));
        }
        text
    }

    /// What a tree holds, from dpkg's list of `name version arch` and apt's list of what there is.
    pub(crate) fn of_tree(tree: &str, installed: &str, available: &str) -> Self {
        let known = hashes(available);
        let mut packages = BTreeMap::new();
        for line in installed.lines() {
            if let [name, version, arch] = line.split_whitespace().collect::<Vec<_>>()[..] {
                let key = [name, version, arch].map(str::to_owned);
                let hash = known.get(&key).cloned().unwrap_or_else(|| "unknown".to_owned());
                packages.insert((tree.to_owned(), name.to_owned()), (version.to_owned(), hash));
            }
        }
        Self { packages }
    }

    /// Name, version and hash of every package.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.packages
            .iter()
            .map(|((_, name), (version, hash))| (name.as_str(), version.as_str(), hash.as_str()))
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.packages.extend(other.packages);
    }

    /// The part about one tree.
    pub(crate) fn tree(&self, tree: &str) -> Self {
        let ours = |((of, _), _): &(&(String, String), &(String, String))| of == tree;
        let own =
            |(key, value): (&(String, String), &(String, String))| (key.clone(), value.clone());
        Self { packages: self.packages.iter().filter(ours).map(own).collect() }
    }

    /// One line for every package that is not the same in both.
    pub(crate) fn differences(&self, found: &Self) -> Vec<String> {
        let keys: BTreeSet<_> = self.packages.keys().chain(found.packages.keys()).collect();
        let version = |lock: &Self, key: &(String, String)| {
            lock.packages.get(key).map_or("-".to_owned(), |(version, _)| version.clone())
        };
        let differ =
            keys.into_iter().filter(|key| self.packages.get(key) != found.packages.get(key));
        differ
            .map(|key| {
                format!("  {} {}: {} -> {}", key.0, key.1, version(self, key), version(found, key))
            })
            .collect()
    }
}

/// Name, version and architecture to the hash, out of apt's list.
fn hashes(available: &str) -> BTreeMap<[String; 3], String> {
    let mut all = BTreeMap::new();
    for package in available.split("\n\n") {
        let field = |name: &str| {
            let mut lines = package.lines().filter_map(|line| line.strip_prefix(name));
            lines.find_map(|rest| rest.strip_prefix(": ")).unwrap_or_default().to_owned()
        };
        let key = [field("Package"), field("Version"), field("Architecture")];
        all.insert(key, field("SHA256"));
    }
    all
}

const HEAD: &str = "\
# The packages of this image and of the tools that make it: tree, name, version, SHA-256 of the file.
# Written by `image-build lock`.
";

#[cfg(test)]
mod tests {
    use super::*;

    const AVAILABLE: &str = "Package: a\nVersion: 1\nArchitecture: amd64\nSHA256: 11\n\n\
        Package: a\nVersion: 2\nArchitecture: amd64\nSize: 3\nSHA256: 22\n\n\
        Package: b\nVersion: 1\nArchitecture: all\nSHA256: 33\n";

    #[test]
    fn a_lock_says_what_differs() {
        let old = Lock::of_tree("system", "a 1 amd64\nb 1 all\n", AVAILABLE);
        let new = Lock::of_tree("system", "a 2 amd64\nb 1 all\nc 1 all\n", AVAILABLE);
        assert_eq!(Lock::read(&old.to_text()), old);
        assert_eq!(old.differences(&old), Vec::<String>::new());
        assert_eq!(old.differences(&new), ["  system a: 1 -> 2", "  system c: - -> 1"]);
        assert!(old.to_text().contains("system a 1 11\n"));
        let mut both = old.clone();
        both.merge(Lock::of_tree("tools", "b 1 all\n", AVAILABLE));
        assert_eq!(both.tree("system"), old);
    }
}
