//! `keys new DIR` and `keys rotate DIR`: the secrets of whoever publishes images. One file below for
//! each kind of key; nothing here is ever put into an image but public halves.

pub(crate) mod boot;
mod update;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub(crate) use self::boot::Boot;
pub(crate) use self::update::Update;
use crate::{Error, Result};

/// Makes the keys that are missing, in a folder that only its owner may open. What is there stays: an older
/// program made fewer, and a tool may have failed half-way.
pub(crate) fn new(folder: &Path) -> Result<()> {
    make_folder(folder)?;
    let kinds: [(&str, Make); 2] = [("update", update::make), ("boot", boot::make)];
    let mut missing = kinds.iter().filter(|(kind, _)| !folder.join(kind).exists()).peekable();
    if missing.peek().is_none() {
        return Err(in_use(folder));
    }
    missing.try_for_each(|(kind, make)| {
        let (half, whole) = (folder.join(format!("{kind}.making")), folder.join(kind));
        crate::cache::remove(&half)?;
        make_folder(&half)?;
        make(&half)?;
        fs::rename(&half, &whole).map_err(Error::file(&whole))
    })
}

/// Fills a folder with keys of one kind.
type Make = fn(&Path) -> Result<()>;

/// Makes a new key for manifests; the old one signs nothing any more.
pub(crate) fn rotate(folder: &Path) -> Result<()> {
    update::rotate(&folder.join("update"))
}

fn make_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(Error::file(path))
}

/// A file that only its owner may read, complete or not there.
fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    let half = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut options = File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&half)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&half, path)
    };
    write().map_err(Error::file(path))
}

fn in_use(path: &Path) -> Error {
    let path: PathBuf = path.to_owned();
    let text = "keys are there already: images that are out trust them. Name another folder, or `keys rotate` this one";
    Error::File { path, source: io::Error::new(io::ErrorKind::AlreadyExists, text) }
}
