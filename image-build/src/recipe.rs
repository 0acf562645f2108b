//! The recipe: `recipe/FLAVOUR.toml`, and the files beside it. What is not in it, no image has.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Error, Result};

/// One flavour of the image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// Seconds since 1970 that all files and programs are told.
    pub(crate) epoch: u64,
    pub(crate) debian: Debian,
    pub(crate) disk: Disk,
    pub(crate) kernel: Kernel,
    pub(crate) modules: Modules,
    pub(crate) programs: Programs,
    pub(crate) remove: Remove,
    pub(crate) units: Units,
    /// The text itself, for the hashes of stages.
    #[serde(skip)]
    pub(crate) text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Debian {
    pub(crate) suite: String,
    pub(crate) packages: Vec<String>,
    pub(crate) kernel: String,
    pub(crate) tools: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kernel {
    pub(crate) command_line: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Modules {
    /// Folders and modules below `kernel/`; what they need comes too.
    pub(crate) keep: Vec<String>,
    pub(crate) leave: Vec<String>,
    /// Loaded at every start, in this order.
    pub(crate) always: Vec<String>,
    /// Loaded before the system is there, for the devices that need them.
    pub(crate) for_disks: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Programs {
    /// By folder: the only files that stay in it.
    pub(crate) keep: Vec<Keep>,
    /// Libraries that programs open by name; those that they are linked with come by themselves.
    pub(crate) libraries: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keep {
    pub(crate) folder: String,
    pub(crate) files: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remove {
    /// With `*` for any part of a name.
    pub(crate) paths: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Units {
    /// As `systemctl enable` would.
    pub(crate) enable: Vec<String>,
    pub(crate) mask: Vec<String>,
}

/// Sizes of partitions; what is left of a disk is for the data.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disk {
    pub(crate) boot_mib: u64,
    pub(crate) system_mib: u64,
    pub(crate) hashes_mib: u64,
}

impl Recipe {
    /// Reads a flavour's page.
    pub(crate) fn read(flavour: &str) -> Result<Self> {
        let file = folder().join(format!("{flavour}.toml"));
        let text = fs::read_to_string(&file).map_err(Error::file(&file))?;
        Self::parse(text).map_err(|error| Error::Recipe { file, reason: error.to_string() })
    }

    fn parse(text: String) -> std::result::Result<Self, toml::de::Error> {
        let mut recipe: Self = toml::from_str(&text)?;
        recipe.text = text;
        Ok(recipe)
    }
}

/// Where recipes are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_can_be_read_and_a_word_too_much_is_said() {
        let recipe = Recipe::read("headless").unwrap();
        assert!(recipe.debian.packages.contains(&"systemd".to_owned()));
        assert!(Recipe::parse(format!("colour = 1\n{}", recipe.text)).is_err());
    }

    #[test]
    fn every_unit_of_ours_is_switched_on() {
        let recipe = Recipe::read("headless").unwrap();
        for entry in fs::read_dir(folder().join("units")).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            // What can't be switched on is started by another.
            let is_switched = text.contains("[Install]") && !name.contains('@');
            assert_eq!(is_switched, recipe.units.enable.contains(&name), "{name}");
        }
    }
}
