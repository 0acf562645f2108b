//! Who has a twin on this node: names, numbers, ids. Written whole and atomically at each change.
//!
//! It never holds a key, and nothing of what a twin keeps.

use std::path::{Path, PathBuf};

use handover::{Number, Refusal};
use serde::{Deserialize, Serialize};

use crate::{DataFolder, Error, file_error, whole};

/// The list of twins.
#[derive(Debug)]
pub struct Registry {
    file: PathBuf,
    written: Written,
}

/// One twin of this node.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number: never used again after a removal.
    pub number: u32,
    /// Its name in the node's zone.
    pub name: String,
    /// Its twin id in hex, known after its first start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// SHA-256 of its certificate in hex, where TLS was spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Whether this person may change the node.
    pub owner: bool,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    /// The number that the next twin gets.
    next: u32,
    twins: Vec<Entry>,
}

impl Registry {
    /// Reads the list; a new folder has an empty one.
    ///
    /// # Errors
    /// When the file can't be read or is damaged: it is never replaced silently.
    pub fn open(folder: &DataFolder) -> Result<Self, Error> {
        let file = folder.registry_file();
        let written = match std::fs::read(&file) {
            Ok(bytes) => read(&file, &bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Written { format: FORMAT, next: 1, twins: Vec::new() }
            }
            Err(error) => return Err(file_error(file)(error)),
        };
        Ok(Self { file, written })
    }

    /// All twins, in the order in which they were made.
    #[must_use]
    pub fn twins(&self) -> &[Entry] {
        &self.written.twins
    }

    /// The twin of this name.
    ///
    /// # Errors
    /// [`Refusal::NameUnknown`].
    pub fn find(&self, name: &str) -> Result<&Entry, Refusal> {
        self.written.twins.iter().find(|twin| twin.name == name).ok_or(Refusal::NameUnknown)
    }

    /// The twin of this number.
    #[must_use]
    pub fn get(&self, twin: Number) -> Option<&Entry> {
        self.written.twins.iter().find(|entry| entry.number == twin.0)
    }

    /// Adds a twin; the first one belongs to the node's owner.
    ///
    /// # Errors
    /// When the name is refused or the list can't be written.
    pub fn add(&mut self, name: &str) -> Result<Number, Error> {
        self.check_free(name)?;
        let (number, owner) = (self.written.next, self.written.twins.is_empty());
        let name = name.to_owned();
        self.change(|written| {
            written.next += 1;
            written.twins.push(Entry { number, name, id: None, fingerprint: None, owner });
        })?;
        Ok(Number(number))
    }

    /// Gives a twin another name.
    ///
    /// # Errors
    /// When either name is refused or the list can't be written.
    pub fn rename(&mut self, name: &str, to: &str) -> Result<Number, Error> {
        let number = self.find(name).map_err(Error::Refused)?.number;
        self.check_free(to)?;
        self.edit(Number(number), |entry| {
            // Its certificate was for the name of before.
            (entry.name, entry.fingerprint) = (to.to_owned(), None);
        })?;
        Ok(Number(number))
    }

    /// Takes a twin off the list.
    ///
    /// # Errors
    /// When the list can't be written.
    pub fn remove(&mut self, twin: Number) -> Result<(), Error> {
        self.change(|written| written.twins.retain(|entry| entry.number != twin.0))
    }

    /// Notes what a twin told about itself.
    ///
    /// # Errors
    /// When the list can't be written.
    pub fn learn(
        &mut self,
        twin: Number,
        id: Option<String>,
        fingerprint: Option<String>,
    ) -> Result<(), Error> {
        let Some(entry) = self.get(twin) else {
            return Ok(());
        };
        // An id is for ever and one twin's only: who claims another's is not believed.
        let others = |id: &String| {
            self.twins().iter().any(|other| other.id.as_ref() == Some(id) && other.number != twin.0)
        };
        let changed = |id: &String| entry.id.as_ref().is_some_and(|known| known != id);
        if id.as_ref().is_some_and(|id| others(id) || changed(id)) {
            tracing::error!(%twin, "a twin claims an id that is not its own");
            return Err(Error::Refused(Refusal::NameTaken));
        }
        let fingerprint = fingerprint.or_else(|| entry.fingerprint.clone());
        let id = id.or_else(|| entry.id.clone());
        if entry.id == id && entry.fingerprint == fingerprint {
            return Ok(());
        }
        self.edit(twin, |entry| (entry.id, entry.fingerprint) = (id, fingerprint))
    }

    /// All have other certificates from now on, whether that can be written or not.
    ///
    /// # Errors
    /// When the list can't be written.
    pub(crate) fn forget_fingerprints(&mut self) -> Result<(), Error> {
        self.written.twins.iter_mut().for_each(|entry| entry.fingerprint = None);
        self.change(|_| ())
    }

    fn check_free(&self, name: &str) -> Result<(), Error> {
        check_name(name).map_err(Error::Refused)?;
        match self.find(name) {
            Ok(_) => Err(Error::Refused(Refusal::NameTaken)),
            Err(_) => Ok(()),
        }
    }

    fn edit(&mut self, twin: Number, edit: impl FnOnce(&mut Entry)) -> Result<(), Error> {
        self.change(|written| {
            if let Some(entry) = written.twins.iter_mut().find(|entry| entry.number == twin.0) {
                edit(entry);
            }
        })
    }

    /// Changes the list in memory only after it is safe on disk.
    fn change(&mut self, change: impl FnOnce(&mut Written)) -> Result<(), Error> {
        let mut next =
            Written { format: FORMAT, next: self.written.next, twins: self.written.twins.clone() };
        change(&mut next);
        write(&self.file, &next).map_err(file_error(&self.file))?;
        self.written = next;
        Ok(())
    }
}

/// Whether a name may be given to a twin.
///
/// # Errors
/// [`Refusal::NameForm`] or [`Refusal::NameReserved`].
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let form = (1..=32).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !form {
        return Err(Refusal::NameForm);
    }
    if RESERVED.contains(&name) { Err(Refusal::NameReserved) } else { Ok(()) }
}

fn read(file: &Path, bytes: &[u8]) -> Result<Written, Error> {
    let damaged = |reason: String| Error::Registry { file: file.to_owned(), reason };
    let written: Written =
        serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if written.format > FORMAT {
        return Err(damaged("a newer hometwin wrote it".to_owned()));
    }
    let fresh = written.twins.iter().all(|twin| twin.number > 0 && twin.number < written.next);
    if !fresh {
        return Err(damaged("a twin's number is out of range".to_owned()));
    }
    Ok(written)
}

fn write(file: &Path, written: &Written) -> std::io::Result<()> {
    // In one piece: written bit by bit, a list of thousands costs a system call for every word.
    let mut text = serde_json::to_vec_pretty(written)?;
    text.push(b'\n');
    whole::write(file, &text)
}

const FORMAT: u32 = 1;
const RESERVED: [&str; 5] = ["node", "www", "open", "lan", "relay"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, expected) in [
            ("ann", Ok(())),
            ("a", Ok(())),
            ("ann-2", Ok(())),
            ("", Err(Refusal::NameForm)),
            ("Ann", Err(Refusal::NameForm)),
            ("-ann", Err(Refusal::NameForm)),
            ("ann-", Err(Refusal::NameForm)),
            ("änn", Err(Refusal::NameForm)),
            ("a.b", Err(Refusal::NameForm)),
            ("../x", Err(Refusal::NameForm)),
            ("node", Err(Refusal::NameReserved)),
        ] {
            assert_eq!(check_name(name), expected, "{name}");
        }
        assert_eq!(check_name(&"x".repeat(33)), Err(Refusal::NameForm));
    }

    #[test]
    fn a_number_is_never_used_again() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        let mut registry = Registry::open(&folder).unwrap();
        let ann = registry.add("ann").unwrap();
        assert!(matches!(registry.add("ann"), Err(Error::Refused(Refusal::NameTaken))));
        registry.remove(ann).unwrap();
        let registry = &mut Registry::open(&folder).unwrap();
        assert_eq!(registry.add("ann").unwrap(), Number(2));
        assert_eq!(registry.rename("ann", "anna").unwrap(), Number(2));
        assert_eq!(Registry::open(&folder).unwrap().twins()[0].name, "anna");
    }

    #[test]
    fn an_id_is_for_ever_and_one_twins_only() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        let mut registry = Registry::open(&folder).unwrap();
        let (ann, bob) = (registry.add("ann").unwrap(), registry.add("bob").unwrap());
        registry.learn(ann, Some("aa".into()), None).unwrap();
        registry.learn(ann, Some("aa".into()), Some("ff".into())).unwrap();
        for (twin, id) in [(bob, "aa"), (ann, "bb")] {
            let claimed = registry.learn(twin, Some(id.into()), None);
            assert!(matches!(claimed, Err(Error::Refused(_))), "{id}");
        }
        assert_eq!(registry.get(bob).unwrap().id, None);
        assert_eq!(registry.get(ann).unwrap().id.as_deref(), Some("aa"));
    }

    #[test]
    fn the_certificate_of_another_name_is_never_shown() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        let mut registry = Registry::open(&folder).unwrap();
        let ann = registry.add("ann").unwrap();
        let known = |registry: &Registry| registry.get(ann).unwrap().fingerprint.clone();
        registry.learn(ann, None, Some("aa".into())).unwrap();
        registry.rename("ann", "anna").unwrap();
        assert_eq!(known(&registry), None);
        registry.learn(ann, None, Some("bb".into())).unwrap();
        // The node is called otherwise, and nothing can be written just now.
        std::fs::remove_dir_all(folder.path().join("node")).ok();
        registry.forget_fingerprints().ok();
        assert_eq!(known(&registry), None);
    }

    #[test]
    fn a_damaged_list_is_an_error_and_stays_as_it_is() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        for bytes in ["", "{", "{\"format\":9,\"next\":1,\"twins\":[]}", "[]"] {
            std::fs::write(folder.registry_file(), bytes).unwrap();
            assert!(matches!(Registry::open(&folder), Err(Error::Registry { .. })), "{bytes}");
            assert_eq!(std::fs::read_to_string(folder.registry_file()).unwrap(), bytes);
        }
    }

    #[test]
    fn a_folder_has_one_node() {
        let temporary = tempfile::tempdir().unwrap();
        let first = DataFolder::open(temporary.path()).unwrap();
        let socket =
            std::os::unix::net::UnixListener::bind(crate::folder::control_socket(temporary.path()));
        assert!(matches!(DataFolder::open(temporary.path()), Err(Error::InUse { .. })));
        // A child holds the lock by itself: what it lets go of is only its own.
        let child = first.lock_for_child().unwrap();
        drop((first, socket));
        assert!(matches!(DataFolder::open(temporary.path()), Err(Error::InUse { .. })));
        drop(child);
        assert!(DataFolder::open(temporary.path()).is_ok());
    }
}
