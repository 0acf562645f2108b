//! Whoever publishes updates: has keys, and makes bundles around the program that all tests use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Result, node};

/// Somebody with keys.
pub struct Publisher {
    keys: PathBuf,
}

impl Publisher {
    /// With keys in this folder, made if there are none: what was built with them is in the cache.
    ///
    /// # Errors
    /// If keys can't be made.
    pub fn new(folder: &Path) -> Result<Self> {
        let keys = folder.to_owned();
        if !keys.join("boot").exists() {
            let made =
                Command::new(node::image_build()?).args(["keys", "new"]).arg(&keys).status()?;
            if !made.success() {
                return Err("no keys".into());
            }
        }
        Ok(Self { keys })
    }

    /// Words for a build that trusts these keys.
    #[must_use]
    pub fn words(&self, version: &str) -> Vec<String> {
        let keys = self.keys.display().to_string();
        ["--quick", "--version", version, "--sign-with", &keys].map(str::to_owned).to_vec()
    }

    /// A bundle of this version.
    ///
    /// # Errors
    /// If the build fails.
    pub fn bundle(&self, version: &str, more: &[&str]) -> Result<Vec<u8>> {
        let out = tempfile::tempdir()?;
        let file = out.path().join("bundle");
        let mut command = Command::new(node::image_build()?);
        command.args(["bundle", "--flavour", "headless", "--arch", "x86_64", "--unlocked"]);
        command.args(self.words(version)).args(more).arg("--out").arg(&file);
        let said = command.arg("--program").arg(crate::program()?).stdin(Stdio::null()).output()?;
        if !said.status.success() {
            return Err(format!("no bundle: {}", String::from_utf8_lossy(&said.stderr)).into());
        }
        Ok(fs::read(file)?)
    }
}
