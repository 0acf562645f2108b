//! Signs what the firmware starts, and makes the lists with which a computer learns to start nothing
//! else. The last stage before the disk: a signature holds the time, so it is never the same twice.
//!
//! The secrets are only ever in a folder in memory, while the tools run, and in none of the cache.

use std::fs;
use std::path::Path;

use crate::keys::Boot;
use crate::keys::boot::{ALL, DB, KEK, PK};
use crate::tools::Tools;
use crate::{Error, Result, start};

/// Makes signed files of those that `start` made, and a list for each key.
pub(crate) fn make(start: &Path, keys: &Boot, tools: &Tools, out: &Path, log: &Path) -> Result<()> {
    let work = tempfile::Builder::new().prefix("hometwin-sign").tempdir_in(MEMORY);
    let work = work.map_err(Error::file(MEMORY))?;
    let work = work.path();
    let tool = |words: &[&str]| tools.run(work, log, words);
    for name in ALL {
        for path in keys.pair(name) {
            copy(&path, &work.join(path.file_name().unwrap_or_default()))?;
        }
    }
    for name in [start::KERNEL, start::LOADER] {
        copy(&start.join(name), &work.join(name))?;
        let signed = format!("{name}.signed");
        tool(&["sbsign", "--key", "db.key", "--cert", "db.crt", "--output", &signed, name])?;
        copy(&work.join(&signed), &out.join(name))?;
    }
    let owner = keys.owner()?;
    // Who may change each list: the firmware asks for a signature on all but the first.
    for (name, by) in [(PK, PK), (KEK, PK), (DB, KEK)] {
        let (certificate, list) = (format!("{name}.crt"), format!("{name}.esl"));
        tool(&["cert-to-efi-sig-list", "-g", &owner, &certificate, &list])?;
        let (key, signer, to) = (format!("{by}.key"), format!("{by}.crt"), enrolled(name));
        tool(&["sign-efi-sig-list", "-g", &owner, "-k", &key, "-c", &signer, name, &list, &to])?;
        copy(&work.join(&to), &out.join(&to))?;
    }
    Ok(())
}

/// How the boot loader calls a list that it puts into a firmware without keys.
pub(crate) fn enrolled(name: &str) -> String {
    format!("{name}.auth")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(Error::file(from))
}

/// A file system that is never on a disk. Without it nothing is signed.
const MEMORY: &str = "/dev/shm";
