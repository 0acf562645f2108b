//! Keys for updates: a root key that signs statements about keys, the key that signs bundles, and all
//! statements so far. Once `root.key` is needed only for a change, it belongs on a stick in a drawer.

use std::fs;
use std::path::{Path, PathBuf};

use update::{SecretKey, Statement, Trust};

use super::write_secret;
use crate::{Error, Result};

/// What signs bundles, and what images trust.
pub(crate) struct Update {
    /// Signs bundles.
    pub(crate) key: SecretKey,
    /// All of them, the oldest first, each as a file.
    pub(crate) statements: Vec<Vec<u8>>,
}

/// Makes both keys, and the first statement.
pub(super) fn make(folder: &Path) -> Result<()> {
    let (root, key) = (secret()?, secret()?);
    let statement = Statement { number: 1, root: vec![root.public()], update: vec![key.public()] };
    write_secret(&folder.join(ROOT), root.to_text().as_bytes())?;
    write_secret(&folder.join(KEY), key.to_text().as_bytes())?;
    write_secret(&statement_file(folder, 1), &statement.sign(&[&root]))
}

/// Puts a new key in the place of the one that signs bundles.
pub(super) fn rotate(folder: &Path) -> Result<()> {
    let root = read_key(&folder.join(ROOT))?;
    let newest = Update::read_statements(folder)?.pop().unwrap_or_default();
    let newest = Trust::read(&newest).map_err(Error::image)?;
    let number = newest.statement().number.saturating_add(1);
    let key = secret()?;
    let root_keys = newest.statement().root.clone();
    let next = Statement { number, root: root_keys, update: vec![key.public()] };
    // The key first: a statement whose key was lost would be the end of all updates.
    let path = folder.join(KEY);
    fs::rename(&path, folder.join(format!("{KEY}-{}", number - 1))).map_err(Error::file(&path))?;
    write_secret(&path, key.to_text().as_bytes())?;
    write_secret(&statement_file(folder, number), &next.sign(&[&root]))
}

impl Update {
    /// Reads the folder that `keys new` made.
    pub(crate) fn read(keys: &Path) -> Result<Self> {
        let folder = keys.join("update");
        Ok(Self { key: read_key(&folder.join(KEY))?, statements: Self::read_statements(&folder)? })
    }

    /// What an image is told to trust.
    pub(crate) fn newest_statement(keys: &Path) -> Result<Vec<u8>> {
        Ok(Self::read_statements(&keys.join("update"))?.pop().unwrap_or_default())
    }

    fn read_statements(folder: &Path) -> Result<Vec<Vec<u8>>> {
        let mut statements = Vec::new();
        loop {
            let path =
                statement_file(folder, u32::try_from(statements.len() + 1).unwrap_or(u32::MAX));
            match fs::read(&path) {
                Ok(bytes) => statements.push(bytes),
                Err(_) if !statements.is_empty() => return Ok(statements),
                Err(error) => return Err(Error::file(&path)(error)),
            }
        }
    }
}

fn statement_file(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("statement-{number}"))
}

fn read_key(path: &Path) -> Result<SecretKey> {
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    let none = || Error::image(format!("{} holds no key", path.display()));
    SecretKey::from_text(&text).ok_or_else(none)
}

fn secret() -> Result<SecretKey> {
    SecretKey::generate().map_err(Error::image)
}

const ROOT: &str = "root.key";
const KEY: &str = "bundle.key";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Boot;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_made_once_and_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        crate::keys::new(&keys).unwrap();
        let first = Update::read(&keys).unwrap();
        for file in ["update", "update/root.key", "update/bundle.key", "boot", "boot/db.key"] {
            let mode = keys.join(file).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{file}: {mode:o}");
        }
        assert!(crate::keys::new(&keys).is_err(), "keys are never replaced unasked");
        assert_eq!(Update::read(&keys).unwrap().key.public(), first.key.public());
        // As an older program left it, or one that found no tool for the second kind.
        fs::remove_dir_all(keys.join("boot")).unwrap();
        let error = Boot::of(&keys).err().unwrap();
        assert!(crate::chain(&error).contains("keys new"), "{error}");
        fs::create_dir(keys.join("boot.making")).unwrap();
        crate::keys::new(&keys).unwrap();
        assert!(Boot::of(&keys).unwrap().pair("db").iter().all(|file| file.exists()));
        assert!(!keys.join("boot.making").exists());
        assert_eq!(Update::read(&keys).unwrap().key.public(), first.key.public());
        crate::keys::rotate(&keys).unwrap();
        let second = Update::read(&keys).unwrap();
        assert_ne!(second.key.public(), first.key.public());
        assert_eq!(second.statements.len(), 2);
        let trust = Trust::read(&Update::newest_statement(&keys).unwrap()).unwrap();
        assert_eq!(trust.statement().update, [second.key.public()]);
        assert!(Update::read(folder.path()).is_err());
    }
}
