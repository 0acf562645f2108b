//! The experiences of one twin: those in the program, and those that were given to it as folders
//! (`hometwin run --experience FOLDER`), read once at the start.
//!
//! A given one can never take the name of one in the program, and nothing outside its folder is
//! read: links are left out, and so is whatever is over the limits.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::Bytes;
use capability::wire::Word;
use serde::Deserialize;

use super::files::{self, File};

/// All experiences by name.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    given: BTreeMap<String, Files>,
}

type Files = BTreeMap<String, Bytes>;

/// What an experience says about itself in its `experience.json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Manifest {
    /// Its name: the name of its folder.
    pub name: Word,
    /// Its version, for people.
    pub version: String,
    /// What it is called, by language.
    pub title: BTreeMap<String, String>,
    /// The file to open; `index.html` unless given.
    #[serde(default = "usual_entry")]
    pub entry: String,
    /// The kinds of things it works with.
    #[serde(default)]
    pub wants: Vec<Word>,
}

impl Shelf {
    /// Reads the given experiences; a folder that is not there is an empty one.
    pub(crate) fn open(folder: &Path) -> Self {
        let mut given = BTreeMap::new();
        for item in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (item.path(), item.file_name().to_string_lossy().into_owned());
            if files::built_in(&name, MANIFEST).is_some() {
                tracing::warn!(name, "an experience with the name of a built-in one is left out");
                continue;
            }
            let mut found = Files::new();
            match read(&path, "", &mut found) {
                Ok(()) => drop(given.insert(name, found)),
                Err(error) => tracing::warn!(name, %error, "an experience is left out"),
            }
        }
        Self { given }
    }

    /// A file of an experience.
    pub(crate) fn file(&self, experience: &str, path: &str) -> Option<File> {
        let given = self.given.get(experience).and_then(|files| files.get(path));
        match given {
            Some(bytes) => File::of(bytes.clone(), path),
            None => files::built_in(experience, path),
        }
    }

    /// All of them by name; one whose manifest is broken or misnamed is left out.
    pub(crate) fn manifests(&self) -> Vec<Manifest> {
        let given = self
            .given
            .iter()
            .filter_map(|(name, files)| Some((name.as_str(), files.get(MANIFEST)?.as_ref())));
        let mut all: Vec<Manifest> = files::manifests()
            .chain(given)
            .filter_map(|(name, text)| manifest(name, text))
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

fn manifest(name: &str, text: &[u8]) -> Option<Manifest> {
    let read = serde_json::from_slice::<Manifest>(text);
    let manifest =
        read.inspect_err(|error| tracing::error!(name, %error, "a manifest is broken")).ok()?;
    (manifest.name.as_str() == name).then_some(manifest)
}

/// Reads a folder and those in it.
fn read(folder: &Path, prefix: &str, found: &mut Files) -> io::Result<()> {
    for item in std::fs::read_dir(folder)? {
        let item = item?;
        let (kind, name) = (item.file_type()?, item.file_name().to_string_lossy().into_owned());
        let path = format!("{prefix}{name}");
        if kind.is_dir() && path.matches('/').count() < MAX_DEPTH {
            read(&item.path(), &format!("{path}/"), found)?;
        } else if kind.is_file() {
            let total: usize = found.values().map(Bytes::len).sum();
            let size = usize::try_from(item.metadata()?.len()).unwrap_or(usize::MAX);
            if found.len() >= MAX_FILES || total.saturating_add(size) > MAX_BYTES {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than fits"));
            }
            found.insert(path, Bytes::from(std::fs::read(item.path())?));
        }
    }
    Ok(())
}

fn usual_entry() -> String {
    "index.html".to_owned()
}

/// The file in which an experience says what it is.
pub(crate) const MANIFEST: &str = "experience.json";
const MAX_BYTES: usize = 16 * 1024 * 1024;
const MAX_DEPTH: usize = 8;
const MAX_FILES: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(name: &str, manifest: &str) -> (tempfile::TempDir, Shelf) {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join(name);
        std::fs::create_dir_all(inside.join("parts")).unwrap();
        std::fs::write(inside.join(MANIFEST), manifest).unwrap();
        std::fs::write(inside.join("parts/a.js"), "1").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", inside.join("passwd.txt")).unwrap();
        let shelf = Shelf::open(folder.path());
        (folder, shelf)
    }

    fn names(shelf: &Shelf) -> Vec<String> {
        shelf.manifests().iter().map(|one| one.name.to_string()).collect()
    }

    #[test]
    fn a_given_experience_stands_beside_the_built_in_ones() {
        let manifest = r#"{"name":"garden","version":"1","title":{"en":"Garden"}}"#;
        let (_folder, shelf) = shelf("garden", manifest);
        assert_eq!(names(&shelf), ["chat", "files", "garden", "todo"]);
        assert!(shelf.file("garden", "parts/a.js").is_some());
        assert!(shelf.file("garden", "passwd.txt").is_none(), "a link is not followed");
        assert!(shelf.file("garden", "../garden/parts/a.js").is_none());
        assert!(shelf.file("chat", "index.html").is_some());
    }

    #[test]
    fn a_broken_or_borrowed_name_is_left_out() {
        let chat = r#"{"name":"chat","version":"9","title":{}}"#;
        for (name, manifest) in [("garden", "{"), ("garden", chat), ("chat", chat)] {
            let (_folder, shelf) = shelf(name, manifest);
            assert_eq!(names(&shelf), ["chat", "files", "todo"], "{name}");
            assert_ne!(shelf.manifests()[0].version, "9");
        }
    }
}
