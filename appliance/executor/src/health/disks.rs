//! The disks below the data folder, as the kernel shows them to everybody under `/sys`. Never opens a
//! device.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A disk, or what is made of some: an encrypted device, a mirror.
pub(crate) struct Disk {
    /// As the kernel names it.
    pub(crate) name: String,
    pub(super) path: PathBuf,
}

/// The device of the file system with this folder. Memory, overlays and file systems over several
/// disks have none.
pub(super) fn device(data: &Path, sys: &Path) -> Option<PathBuf> {
    let found = fs::metadata(data).ok()?;
    let (major, minor) = (rustix::fs::major(found.dev()), rustix::fs::minor(found.dev()));
    numbered(sys, major, minor)
}

pub(super) fn numbered(sys: &Path, major: u32, minor: u32) -> Option<PathBuf> {
    fs::canonicalize(sys.join(format!("dev/block/{major}:{minor}"))).ok()
}

/// What a device stands on, itself included where it is no partition.
pub(super) fn below(device: &Path) -> Vec<Disk> {
    let mut all = Vec::new();
    collect(device, 0, &mut all);
    all
}

/// The disks that the folder's file system stands on, without what is made of them.
pub(crate) fn under(data: &Path, sys: &Path) -> Vec<Disk> {
    let all = device(data, sys).map(|device| below(&device)).unwrap_or_default();
    all.into_iter().filter(|disk| slaves(&disk.path).next().is_none()).collect()
}

/// Whether what is written in this folder is encrypted before it reaches a disk: by dm-crypt, which
/// LUKS is opened by.
pub(crate) fn is_encrypted(data: &Path, sys: &Path) -> bool {
    let all = device(data, sys).map(|device| below(&device)).unwrap_or_default();
    all.iter().any(|disk| {
        let kind = fs::read_to_string(disk.path.join("dm/uuid")).unwrap_or_default();
        kind.starts_with("CRYPT-")
    })
}

fn collect(block: &Path, depth: u32, all: &mut Vec<Disk>) {
    let whole = if block.join("partition").exists() { block.parent() } else { Some(block) };
    let Some(whole) = whole.filter(|_| depth < 4) else { return };
    let name = name_of(whole);
    if all.iter().any(|disk| disk.name == name) {
        return;
    }
    all.push(Disk { name, path: whole.to_owned() });
    for slave in slaves(whole) {
        collect(&slave, depth + 1, all);
    }
}

fn slaves(whole: &Path) -> impl Iterator<Item = PathBuf> {
    let slaves = fs::read_dir(whole.join("slaves")).into_iter().flatten().flatten();
    slaves.filter_map(|slave| fs::canonicalize(slave.path()).ok())
}

pub(super) fn name_of(block: &Path) -> String {
    block.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What the kernel knows of the wear of eMMC and UFS, which it asks itself.
pub(crate) struct Wear {
    /// Tenths of its life, counted from 1, so that 10 is 90 to 100 percent, and 11 is beyond
    /// (JESD84-B51 7.4.29, JESD220 14.1.4.5).
    pub(super) tenth: Option<u64>,
    /// Of the spare blocks: 1 is well, 2 most are used, 3 nearly all.
    pub(super) spare: Option<u64>,
}

impl Disk {
    /// Its wear, where the kernel knows it.
    pub(crate) fn wear(&self) -> Option<Wear> {
        let largest = |file: &str| {
            let text = fs::read_to_string(self.path.join(file)).ok()?;
            text.split_whitespace().filter_map(hex).max()
        };
        let ufs = "device/../../../health_descriptor/life_time_estimation_a";
        // 0 is "not said".
        let said = |file| largest(file).filter(|number| *number > 0);
        let tenth = said("device/life_time").into_iter().chain(said(ufs)).max();
        let spare = said("device/pre_eol_info");
        (tenth.is_some() || spare.is_some()).then_some(Wear { tenth, spare })
    }

    /// What a card's maker calls it.
    pub(super) fn model(&self) -> String {
        let name = fs::read_to_string(self.path.join("device/name")).unwrap_or_default();
        name.trim().to_owned()
    }

    /// How many disks a mirror lacks.
    pub(super) fn lacks(&self) -> Option<u64> {
        number(&self.path.join("md/degraded"))
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
}

pub(super) fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Where the kernel shows them.
pub(crate) const SYS: &str = "/sys";
