//! The keys with which a computer's firmware verifies what it starts (Secure Boot): PK and KEK, which
//! may change its lists, and db, which signs kernels and boot loaders.
//!
//! RSA with 2048 bits, because that is what all firmware knows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// The keys of a folder.
pub(crate) struct Boot {
    folder: PathBuf,
}

impl Boot {
    /// Those below a folder of keys. A computer that starts only what is signed would start nothing of an
    /// image that was made without them.
    pub(crate) fn of(keys: &Path) -> Result<Self> {
        let folder = keys.join("boot");
        if folder.is_dir() {
            return Ok(Self { folder });
        }
        let (path, text) = (
            keys.to_owned(),
            "no keys for Secure Boot are there yet: make them with `keys new`, which leaves the others as they are",
        );
        Err(Error::File { path, source: io::Error::new(io::ErrorKind::NotFound, text) })
    }

    /// A key's secret and its certificate.
    pub(crate) fn pair(&self, name: &str) -> [PathBuf; 2] {
        ["key", "crt"].map(|ending| self.folder.join(format!("{name}.{ending}")))
    }

    /// The firmware's name for whoever owns the keys: always the same for the same keys.
    pub(crate) fn owner(&self) -> Result<String> {
        let [_, certificate] = self.pair(PK);
        let bytes = fs::read(&certificate).map_err(Error::file(&certificate))?;
        let hash = blake3::hash(&bytes);
        let id = std::array::from_fn(|at| hash.as_bytes()[at]);
        Ok(uuid::Builder::from_random_bytes(id).into_uuid().to_string())
    }
}

/// Makes them.
pub(super) fn make(folder: &Path) -> Result<()> {
    ALL.iter().try_for_each(|name| pair(name, folder))
}

fn pair(name: &str, folder: &Path) -> Result<()> {
    let mut command = Command::new("openssl");
    command.args(["req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256"]);
    command.args(["-days", "7300", "-subj", &format!("/CN=Home twin {name}/")]);
    command.arg("-keyout").arg(folder.join(format!("{name}.key")));
    command.arg("-out").arg(folder.join(format!("{name}.crt")));
    let done = command.stdin(Stdio::null()).output().map_err(|_| Error::Missing {
        programs: "openssl".to_owned(),
        packages: "openssl".to_owned(),
    })?;
    if done.status.success() {
        return Ok(());
    }
    Err(Error::image(format!("openssl made no key: {}", String::from_utf8_lossy(&done.stderr))))
}

/// Owns the firmware's lists.
pub(crate) const PK: &str = "PK";
/// May change the list of what is started.
pub(crate) const KEK: &str = "KEK";
/// Signs what is started.
pub(crate) const DB: &str = "db";
pub(crate) const ALL: [&str; 3] = [PK, KEK, DB];
