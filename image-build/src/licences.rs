//! The terms under which everything in the image may be passed on, in one file of the system: those of
//! Debian's packages, and of the crates that our own programs are linked from. Each text stands there
//! once, with all that it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::cargo::{self, Crate};
use crate::lock::Lock;
use crate::{Error, Result};

/// Where it is in the system, as in every Debian.
pub(crate) const FILE: &str = "usr/share/doc/hometwin/copyright";

/// The file, for a stage of Debian's packages.
pub(crate) fn text(packages: &Path, installed: &Lock, arch: &str) -> Result<String> {
    let mut texts = Texts::default();
    for (name, _, _) in installed.iter() {
        texts.debian(packages, name)?;
    }
    let told = cargo::metadata(arch)?;
    let told: Metadata = serde_json::from_slice(&told).map_err(Error::image)?;
    for one in cargo::linked(arch)? {
        texts.of_crate(&told, &one)?;
    }
    Ok(texts.to_text())
}

/// Texts, and what each is for.
#[derive(Default)]
struct Texts(BTreeMap<String, BTreeSet<String>>);

impl Texts {
    fn add(&mut self, text: &str, of: String) {
        self.0.entry(text.trim().to_owned()).or_default().insert(of);
    }

    fn debian(&mut self, packages: &Path, name: &str) -> Result<()> {
        let trees = [packages.join("tree"), packages.join("kernel")];
        let places = trees.each_ref().map(|tree| tree.join("usr/share/doc").join(name));
        let file = places.iter().map(|place| place.join("copyright")).find(|file| file.exists());
        let Some(file) = file else {
            return Err(Error::image(format!("Debian's {name} doesn't say its licence")));
        };
        let text = lossy(&file)?;
        for shared in named(&text) {
            let file = trees[0].join(COMMON).join(&shared);
            // Some name a version that Debian hasn't, and have its text themselves.
            if file.is_file() {
                self.add(&lossy(&file)?, format!("/{COMMON}/{shared}"));
            }
        }
        self.add(&text, name.to_owned());
        Ok(())
    }

    fn of_crate(&mut self, told: &Metadata, one: &Crate) -> Result<()> {
        let of = format!("{} {}", one.name, one.version);
        let same = |known: &&Told| known.name == one.name && known.version == one.version;
        let Some(known) = told.packages.iter().find(same) else {
            return Err(Error::image(format!("cargo knows nothing of {of}")));
        };
        let folder = known.manifest_path.parent().unwrap_or(&known.manifest_path);
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
            entries.push(entry.map_err(Error::file(folder))?.path());
        }
        entries.retain(|file| is_licence(file) && file.is_file());
        entries.sort();
        let licence = known.license.as_deref().unwrap_or("see its text");
        // Some have their text at home only, and say here which one it is.
        let short = format!("{licence}\nBy {}", known.authors.join(", "));
        if entries.is_empty() {
            self.add(&short, of.clone());
        }
        for file in entries {
            self.add(&lossy(&file)?, format!("{of} ({licence})"));
        }
        Ok(())
    }

    fn to_text(&self) -> String {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, of)| of.first());
        let mut text = HEAD.to_owned();
        for (terms, of) in all {
            let of: Vec<&str> = of.iter().map(String::as_str).collect();
            text.push_str(&format!("\n{LINE}\n{}\n{LINE}\n\n{terms}\n", of.join("\n")));
        }
        text
    }
}

/// Texts that a Debian package leaves to a file of all.
fn named(text: &str) -> BTreeSet<String> {
    let rests = text.split(COMMON).skip(1).filter_map(|rest| rest.strip_prefix('/'));
    let name = |rest: &str| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-._".contains(c)));
        rest[..end.unwrap_or(rest.len())].trim_end_matches('.').to_owned()
    };
    rests.map(name).filter(|name| !name.is_empty()).collect()
}

fn is_licence(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn lossy(file: &Path) -> Result<String> {
    let bytes = fs::read(file).map_err(Error::file(file))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What cargo says of all crates.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    name: String,
    version: String,
    license: Option<String>,
    authors: Vec<String>,
    manifest_path: std::path::PathBuf,
}

const COMMON: &str = "usr/share/common-licenses";
const HEAD: &str = "What this system is made of, and the terms under which it may be passed on. The \
    home twin itself is under the Apache License 2.0, which stands below.\n";
const LINE: &str = "------------------------------------------------------------------------";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_there_once_and_names_all_that_it_is_for() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("tree/usr/share/doc/a/copyright", "ours, see /usr/share/common-licenses/GPL-2.");
        write("tree/usr/share/doc/b/copyright", "ours, see /usr/share/common-licenses/GPL-2.");
        write("kernel/usr/share/doc/linux/copyright", "Linus, see usr/share/common-licenses/X-9");
        write("tree/usr/share/common-licenses/GPL-2", "the GPL");
        let mut texts = Texts::default();
        for name in ["linux", "b", "a"] {
            texts.debian(folder.path(), name).unwrap();
        }
        let text = texts.to_text();
        assert!(text.contains("\na\nb\n"), "{text}");
        assert_eq!(text.matches("the GPL").count(), 1);
        assert!(text.contains("\nlinux\n") && text.contains("Linus"));
        let missing = texts.debian(folder.path(), "c").unwrap_err().to_string();
        assert!(missing.contains("Debian's c doesn't say its licence"), "{missing}");
    }

    #[test]
    fn every_crate_that_is_linked_says_its_terms() {
        let told: Metadata = serde_json::from_slice(&cargo::metadata("x86_64").unwrap()).unwrap();
        let mut texts = Texts::default();
        for one in cargo::linked("x86_64").unwrap() {
            texts.of_crate(&told, &one).unwrap();
        }
        let text = texts.to_text();
        assert!(text.contains("\nrustls ") && text.contains("heed "), "{}", &text[..2000]);
        assert!(!text.contains("see its text"), "a crate has no licence");
    }
}
