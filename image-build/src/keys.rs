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

/// Makes all keys, in a folder that only its owner may open. What is there already stays.
pub(crate) fn new(folder: &Path) -> Result<()> {
    make_folder(folder)?;
    update::new(&folder.join("update"))?;
    boot::new(&folder.join("boot"))
}

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
