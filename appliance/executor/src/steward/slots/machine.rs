//! The machine as it was before anybody asked: its disk and sticks, open; what system runs, and whom it
//! trusts.

use std::fs::{self, File};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use update::{Here, Trust};

use super::super::Error;
use crate::slots::{self, find};

/// What one conversation is about.
pub(super) struct Machine {
    disk: Option<(File, [u32; 2])>,
    pub(super) sticks: Vec<File>,
    /// Nobody, where the image was built without keys.
    pub(super) trust: Option<Trust>,
    here: Here,
}

impl Machine {
    /// Opens everything that can be needed; nothing can be opened later.
    pub(super) fn open() -> Result<Self, Error> {
        let (sys, dev) = (Path::new("/sys"), Path::new("/dev"));
        let found = find::system(sys, dev)?;
        let path = found.as_ref().map(|found| found.disk.clone()).unwrap_or_default();
        let disk = found.map(|found| {
            let disk = File::options().read(true).write(true).open(&found.disk);
            disk.map(|disk| (disk, found.running))
        });
        let sticks = find::sticks(sys, dev, &path);
        let sticks = sticks.iter().filter_map(|stick| File::open(stick).ok()).collect();
        let trust = fs::read(TRUSTED).ok().and_then(|file| Trust::read(&file).ok());
        let about = fs::read_to_string("/etc/os-release")?;
        Ok(Self {
            disk: disk.transpose()?,
            sticks,
            trust,
            here: here(&about).ok_or(Error::System)?,
        })
    }

    /// The slots of the disk, if the system came from an image.
    pub(super) fn slots(&self) -> Result<slots::Slots<&File>, slots::Error> {
        let (disk, running) = self.disk.as_ref().ok_or(NONE)?;
        Ok(slots::Slots::new(disk, *running))
    }

    pub(super) fn disk(&self) -> Result<&File, slots::Error> {
        self.disk.as_ref().map(|(disk, _)| disk).ok_or(NONE)
    }

    pub(super) fn here(&self) -> Here {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Here { now, ..self.here.clone() }
    }
}

fn here(about: &str) -> Option<Here> {
    let value = |key: &str| {
        let mut lines = about.lines().filter_map(|line| line.split_once('='));
        let found = lines.find(|(name, _)| *name == key);
        found.map(|(_, value)| value.trim_matches('"').to_owned())
    };
    let version = value("VERSION_ID").unwrap_or_default().parse();
    Some(Here {
        flavour: value("VARIANT_ID").unwrap_or_default(),
        arch: std::env::consts::ARCH.to_owned(),
        // Another system than an image has no slots, and asks only what it has.
        version: version.unwrap_or(update::Version::FIRST),
        now: 0,
    })
}

const NONE: slots::Error = slots::Error::NoSlots("this system didn't come from an image");
/// In the verified system; `image-build` puts it there.
const TRUSTED: &str = "/usr/lib/hometwin/update-keys";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_says_what_it_is() {
        let here = here("NAME=\"x\"\nVERSION_ID=1.2.3\nVARIANT_ID=headless\n").unwrap();
        assert_eq!((here.flavour.as_str(), here.version), ("headless", update::Version(1, 2, 3)));
    }
}
