//! The experiences of one twin as they are served: those that are installed, and those that were given
//! to it as folders (`hometwin run --experience FOLDER`), read once at the start.
//!
//! What comes with the program is packed and installed like what anybody else made; its files are then
//! served from the program. A given folder can never take the name of an installed one, and nothing
//! outside a folder is read: links are left out, and so is whatever is over the limits.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use capability::manifest::Manifest;
use data_encoding::HEXLOWER;
use hyper::header::HeaderValue;
use store::Actor;

use super::files::{self, File};
use crate::frames::Frame;
use crate::life::packages::{InUse, judged};
use crate::life::{self, Fault, Life};
use crate::package::{self, BYTES_MAX, DEPTH_MAX, FILES_MAX, Folder, MANIFEST, Package};

/// Releases of which the paths are kept in memory.
const KNOWN_MAX: usize = 64;

/// All experiences by name.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    given: BTreeMap<String, Rc<Shown>>,
    /// Releases that were asked for, without their files.
    installed: RefCell<BTreeMap<(String, u64), Rc<Shown>>>,
    /// What an author tries out, instead of what is installed.
    tried: RefCell<BTreeMap<String, Rc<Shown>>>,
}

/// An experience that can be opened.
#[derive(Debug)]
pub(crate) struct Shown {
    /// What it says about itself.
    pub manifest: Manifest,
    files: Files,
}

#[derive(Debug)]
enum Files {
    /// They come with the program.
    Program,
    /// They lie in memory, under their paths.
    Folder(BTreeMap<String, Bytes>),
    /// They lie in a package that is tried out.
    Tried { bytes: Bytes, package: Box<Package> },
    /// They lie in the package of a release, and are read when they are asked for.
    Release { used: InUse, package: Box<Package> },
}

/// An experience and, if it is installed, its release.
pub(crate) struct Found {
    pub(crate) shown: Rc<Shown>,
    pub(crate) used: Option<InUse>,
}

impl Shelf {
    /// Reads the given experiences; a folder that is not there is an empty one.
    pub(crate) fn open(folder: &Path) -> Self {
        let mut given = BTreeMap::new();
        for item in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (item.path(), item.file_name().to_string_lossy().into_owned());
            let found = match read_folder(&path) {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(name, %error, "an experience is left out");
                    continue;
                }
            };
            match found.get(MANIFEST).and_then(|text| manifest(&name, text)) {
                Some(manifest) => {
                    let found = found.into_iter().map(|(path, file)| (path, Bytes::from(file)));
                    let files = Files::Folder(found.collect());
                    given.insert(name, Rc::new(Shown { manifest, files }));
                }
                None => tracing::warn!(name, "an experience without a manifest is left out"),
            }
        }
        Self { given, installed: RefCell::default(), tried: RefCell::default() }
    }

    /// All of them by name; what can't be read is left out.
    pub(crate) async fn all(&self, life: &Life) -> Result<Vec<Found>, Fault> {
        let mut all = Vec::new();
        for used in life.installed()? {
            if let Some(shown) = self.shown(life, &used).await {
                all.push(Found { shown, used: Some(used) });
            }
        }
        let tried = self.tried.borrow();
        all.retain(|found| !tried.contains_key(found.shown.manifest.name.as_str()));
        for (name, shown) in tried.iter().chain(&self.given) {
            if !all.iter().any(|found| found.shown.manifest.name.as_str() == name) {
                all.push(Found { shown: shown.clone(), used: None });
            }
        }
        all.sort_by(|a, b| a.shown.manifest.name.cmp(&b.shown.manifest.name));
        Ok(all)
    }

    /// One of them.
    pub(crate) async fn find(&self, life: &Life, name: &str) -> Result<Option<Found>, Fault> {
        let shown = self.tried.borrow().get(name).cloned();
        if let Some(shown) = shown {
            return Ok(Some(Found { shown, used: None }));
        }
        let used = life.installed()?.into_iter().find(|used| used.name == name);
        let Some(used) = used else {
            let given = self.given.get(name).cloned();
            return Ok(given.map(|shown| Found { shown, used: None }));
        };
        let shown = self.shown(life, &used).await;
        Ok(shown.map(|shown| Found { shown, used: Some(used) }))
    }

    /// What an open frame shows: the release with which it was opened, as long as that is installed.
    pub(crate) async fn of_frame(
        &self,
        life: &Life,
        frame: &Frame,
    ) -> Result<Option<Rc<Shown>>, Fault> {
        let Some(release) = frame.release else {
            return Ok(self.find(life, &frame.experience).await?.map(|found| found.shown));
        };
        match life.release(&frame.experience, release)? {
            Some(used) => Ok(self.shown(life, &used).await),
            None => Ok(None),
        }
    }

    /// Shows a package until the process ends; its name and version.
    pub(crate) async fn try_out(&self, bytes: Vec<u8>) -> Result<String, Fault> {
        let (bytes, package) = judged(bytes).await?;
        let (bytes, package) = (Bytes::from(bytes), Box::new(package));
        let manifest = package.manifest.clone();
        let name = manifest.name.to_string();
        let said = format!("{name} {}", manifest.version);
        let files = Files::Tried { bytes, package };
        self.tried.borrow_mut().insert(name, Rc::new(Shown { manifest, files }));
        Ok(said)
    }

    /// A release, read and verified once.
    async fn shown(&self, life: &Life, used: &InUse) -> Option<Rc<Shown>> {
        let key = (used.name.clone(), used.seq);
        let known = self.installed.borrow().get(&key).cloned();
        if known.is_some() {
            return known;
        }
        let shown = match program(&used.name, &used.release.hash) {
            Some(shown) => shown,
            None => {
                let bytes = life.release_bytes(used).await;
                let bytes = bytes.inspect_err(|fault| {
                    tracing::error!(name = used.name, code = fault.code, "a package can't be read");
                });
                let (_, package) = judged(bytes.ok()?).await.ok()?;
                let (manifest, package) = (package.manifest.clone(), Box::new(package));
                Shown { manifest, files: Files::Release { used: used.clone(), package } }
            }
        };
        let shown = Rc::new(shown);
        let mut installed = self.installed.borrow_mut();
        if installed.len() >= KNOWN_MAX {
            installed.clear();
        }
        installed.insert(key, shown.clone());
        Some(shown)
    }
}

impl Shown {
    /// Whether it comes with the program.
    pub(crate) fn is_of_program(&self) -> bool {
        matches!(self.files, Files::Program)
    }

    /// A file of it.
    pub(crate) fn file(&self, path: &str) -> Option<File> {
        match &self.files {
            Files::Program => files::built_in(self.manifest.name.as_str(), path),
            Files::Folder(files) => File::of(files.get(path)?.clone(), path),
            Files::Tried { bytes, package } => {
                let stored = package.files().get(path)?;
                tagged(File::of(bytes.slice(stored.at.clone()), path)?, &stored.hash)
            }
            Files::Release { package, .. } => {
                let stored = package.files().get(path)?;
                let at = u64::try_from(stored.at.start).ok()?..u64::try_from(stored.at.end).ok()?;
                tagged(File::of_release(at, path)?, &stored.hash)
            }
        }
    }

    /// The package in which its files lie, if they don't lie in memory.
    pub(crate) async fn contents(&self, life: &Life) -> Option<life::Bytes> {
        let Files::Release { used, .. } = &self.files else { return None };
        let contents = life.release_contents(used).await;
        let failed = |fault: &Fault| {
            tracing::error!(name = used.name, code = fault.code, "a package can't be read");
        };
        contents.inspect_err(failed).ok()
    }
}

/// A file whose content has this hash.
fn tagged(file: File, hash: &str) -> Option<File> {
    let tag = HeaderValue::from_str(&format!("\"{}\"", hash.get(..32)?));
    Some(file.tagged(tag.ok()?))
}

/// Packs and installs what comes with the program: what is new, and what was not removed.
pub(crate) async fn install_own(life: &Life) {
    for (name, folder) in files::built_in_folders() {
        let installed = install_one(life, name, &folder).await;
        if let Err(fault) = installed {
            tracing::error!(name, code = fault.code, "an experience was not installed");
        }
    }
}

async fn install_one(life: &Life, name: &str, folder: &Folder) -> Result<(), Fault> {
    let unsigned = package::pack(folder).map_err(|flaws| {
        tracing::error!(name, ?flaws, "an experience of the program has flaws");
        Fault::bad_package()
    })?;
    let hash = package::hash_of(&unsigned).ok_or_else(Fault::bad_package)?;
    let (known, here) = life.knows(name, &hash)?;
    let removed = known && !life.installed()?.iter().any(|used| used.name == name);
    if here || removed {
        return Ok(());
    }
    let signed = life.sign_package(&unsigned).map_err(|_| Fault::bad_package())?;
    life.install(Actor::System, signed).await.map(drop)
}

/// The experience of the program, if this is its release.
fn program(name: &str, hash: &str) -> Option<Shown> {
    let (_, folder) = files::built_in_folders().find(|(known, _)| *known == name)?;
    let unsigned = package::pack(&folder).ok()?;
    let same = package::hash_of(&unsigned).is_some_and(|own| HEXLOWER.encode(&own) == hash);
    let manifest = manifest(name, folder.get(MANIFEST)?).filter(|_| same)?;
    Some(Shown { manifest, files: Files::Program })
}

fn manifest(name: &str, text: &[u8]) -> Option<Manifest> {
    let read = serde_json::from_slice::<Manifest>(text);
    let manifest =
        read.inspect_err(|error| tracing::error!(name, %error, "a manifest is broken")).ok()?;
    (manifest.name.as_str() == name).then_some(manifest)
}

/// The files of a folder and of those in it; what begins with a dot is left out.
///
/// # Errors
/// When it can't be read, or has more than fits.
pub fn read_folder(folder: &Path) -> io::Result<Folder> {
    let mut found = Folder::new();
    read(folder, "", &mut found)?;
    Ok(found)
}

fn read(folder: &Path, prefix: &str, found: &mut Folder) -> io::Result<()> {
    for item in std::fs::read_dir(folder)? {
        let item = item?;
        let (kind, name) = (item.file_type()?, item.file_name().to_string_lossy().into_owned());
        let path = format!("{prefix}{name}");
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() && path.matches('/').count() < DEPTH_MAX {
            read(&item.path(), &format!("{path}/"), found)?;
        } else if kind.is_file() {
            let total: usize = found.values().map(Vec::len).sum();
            let size = usize::try_from(item.metadata()?.len()).unwrap_or(usize::MAX);
            if found.len() >= FILES_MAX || total.saturating_add(size) > BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than fits"));
            }
            found.insert(path, std::fs::read(item.path())?);
        }
    }
    Ok(())
}

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

    #[test]
    fn a_given_experience_is_shown_and_links_in_it_are_not() {
        let manifest = r#"{"name":"garden","version":"1.0.0","title":{"en":"Garden"}}"#;
        let (_folder, shelf) = shelf("garden", manifest);
        let garden = &shelf.given["garden"];
        assert!(garden.file("parts/a.js").is_some());
        assert!(garden.file("passwd.txt").is_none(), "a link is not followed");
        assert!(garden.file("../garden/parts/a.js").is_none());
    }

    #[test]
    fn a_broken_or_borrowed_name_is_left_out() {
        let chat = r#"{"name":"chat","version":"9.0.0","title":{"en":"x"}}"#;
        for (name, manifest) in [("garden", "{"), ("garden", chat)] {
            let (_folder, shelf) = shelf(name, manifest);
            assert!(shelf.given.is_empty(), "{name}");
        }
    }

    #[test]
    fn what_comes_with_the_program_has_no_flaw() {
        for (name, folder) in files::built_in_folders() {
            assert_eq!(package::check(&folder), [], "{name}");
            let hash =
                HEXLOWER.encode(&package::hash_of(&package::pack(&folder).unwrap()).unwrap());
            assert!(program(name, &hash).is_some(), "{name}");
            assert!(program(name, "00").is_none(), "{name}");
        }
    }
}
