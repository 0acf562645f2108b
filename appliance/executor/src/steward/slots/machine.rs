//! The machine as it was before anybody asked: its disk and sticks, open; what system runs, and whom it
//! trusts.

use std::fs::File;
use std::path::Path;

use update::{Here, Trust};

use super::super::Error;
use crate::slots::{self, find};
use crate::system;

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
        let (trust, here) = system::read()?;
        Ok(Self { disk: disk.transpose()?, sticks, trust, here })
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
        Here { now: system::now(), ..self.here.clone() }
    }
}

const NONE: slots::Error = slots::Error::NoSlots("this system didn't come from an image");
