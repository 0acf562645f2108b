//! Loads kernel modules for the devices that this machine has.
//!
//! Each file goes from memory once it's loaded: what is left when systemd starts is lost room.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fs::{self, File};
use std::path::Path;

use initrd::modules::Modules;
use rustix::system::finit_module;

use crate::{Failure, say};

/// The devices seen so far, and the modules for them.
pub(crate) struct Devices {
    modules: Modules,
    seen: BTreeSet<String>,
    loaded: BTreeSet<String>,
}

impl Devices {
    /// Loads what every machine needs.
    pub(crate) fn read() -> Result<Self, Failure> {
        let list = Path::new(FOLDER).join("list");
        let text = fs::read_to_string(&list).map_err(Failure::file(&list))?;
        let modules = Modules::read(&text);
        let always = modules.always.clone();
        let mut devices = Self { modules, seen: BTreeSet::new(), loaded: BTreeSet::new() };
        for name in &always {
            devices.load(name);
        }
        Ok(devices)
    }

    /// Loads modules for devices that have come since the last time, and for those that these bring.
    pub(crate) fn look(&mut self) {
        for modalias in modaliases() {
            if self.seen.insert(modalias.clone()) {
                let found: Vec<String> =
                    self.modules.of_device(&modalias).map(str::to_owned).collect();
                for name in found {
                    self.load(&name);
                }
            }
        }
    }

    /// A module that can't be loaded may be one that this machine can do without.
    fn load(&mut self, name: &str) {
        let order: Vec<String> = self.modules.in_order(name).map(str::to_owned).collect();
        for name in order {
            if !self.loaded.insert(name.clone()) {
                continue;
            }
            let path = Path::new(FOLDER).join(format!("{name}.ko"));
            let loaded = File::open(&path).and_then(|file| Ok(finit_module(file, EMPTY, 0)?));
            let _ = fs::remove_file(&path);
            if let Err(error) = loaded {
                say(&format!("module {name} is not loaded: {error}"));
            }
        }
    }
}

/// What all devices are called, bus by bus.
fn modaliases() -> BTreeSet<String> {
    let inside = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let buses = inside(Path::new("/sys/bus")).map(|bus| bus.path().join("devices"));
    let devices = buses.flat_map(|folder| inside(&folder));
    let texts =
        devices.filter_map(|device| fs::read_to_string(device.path().join("modalias")).ok());
    texts.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}

const FOLDER: &str = "/modules";
const EMPTY: &CStr = c"";
