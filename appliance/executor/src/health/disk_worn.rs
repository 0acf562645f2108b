//! The disk below the data folder says of itself that it is worn, or the file system met errors.
//!
//! Reads what the kernel shows to everybody under `/sys`: wear of eMMC and UFS, errors that ext4
//! counted, mirrors that lost a disk. Health logs of NVMe and SATA disks need privileges that the
//! executor does not have; they are left to the image's helper. Never opens a device.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use handover::{Figure, Trouble, Weight};

pub(super) const DEGRADED: &str = "disk_degraded";
pub(super) const ERRORS: &str = "disk_errors";
pub(super) const WORN: &str = "disk_worn";

pub(super) fn find(data: &Path, sys: &Path) -> Vec<Trouble> {
    let Ok(found) = fs::metadata(data) else { return Vec::new() };
    let (major, minor) = (rustix::fs::major(found.dev()), rustix::fs::minor(found.dev()));
    of_device(sys, major, minor)
}

fn of_device(sys: &Path, major: u32, minor: u32) -> Vec<Trouble> {
    // Memory and overlays have no device.
    let Ok(block) = fs::canonicalize(sys.join(format!("dev/block/{major}:{minor}"))) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let name = name_of(&block);
    let counted = number(&sys.join("fs/ext4").join(&name).join("errors_count"));
    if let Some(count @ 1..) = counted {
        let trouble = Trouble::new(ERRORS, Weight::Now).about(&name);
        found.push(trouble.with("count", Figure::Count(count)));
    }
    for disk in below(&block, 0) {
        let name = name_of(&disk);
        if let Some(percent) = worn(&disk) {
            let weight = if percent > 100 { Weight::Now } else { Weight::Soon };
            let trouble = Trouble::new(WORN, weight).about(&name);
            found.push(trouble.with("percent", Figure::Count(percent.min(100))));
        }
        if let Some(missing @ 1..) = number(&disk.join("md/degraded")) {
            let trouble = Trouble::new(DEGRADED, Weight::Now).about(&name);
            found.push(trouble.with("count", Figure::Count(missing)));
        }
    }
    found
}

/// The disks that a partition or a mapped device stands on, itself included where it is one.
fn below(block: &Path, depth: u32) -> Vec<PathBuf> {
    let whole = if block.join("partition").exists() { block.parent() } else { Some(block) };
    let Some(whole) = whole.filter(|_| depth < 4) else { return Vec::new() };
    let mut all = vec![whole.to_owned()];
    for slave in fs::read_dir(whole.join("slaves")).into_iter().flatten().flatten() {
        if let Ok(slave) = fs::canonicalize(slave.path()) {
            all.extend(below(&slave, depth + 1));
        }
    }
    all
}

/// How much of its life is used, in percent, when that is 90 or more: the standards count in tenths,
/// 0x0A is 90 to 100 and 0x0B beyond (JESD84-B51 7.4.29, JESD220 14.1.4.5).
fn worn(disk: &Path) -> Option<u64> {
    let tenths = |file: &str| {
        let text = fs::read_to_string(disk.join(file)).ok()?;
        text.split_whitespace().filter_map(hex).max()
    };
    let emmc = tenths("device/life_time");
    let ufs = tenths("device/../../../health_descriptor/life_time_estimation_a");
    // 0x02: most of the spare blocks are used, 0x03: nearly all.
    let spare = tenths("device/pre_eol_info").filter(|state| (2..=3).contains(state));
    match emmc.into_iter().chain(ufs).max() {
        Some(11..) => Some(101),
        Some(10) => Some(100),
        _ => spare.map(|state| if state == 3 { 101 } else { 90 }),
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn name_of(block: &Path) -> String {
    block.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn put(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A card with a partition, and an encrypted device on it.
    fn card() -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let root = sys.path();
        put(root, "devices/mmc/block/mmcblk0/device/life_time", "0x02 0x01\n");
        put(root, "devices/mmc/block/mmcblk0/device/pre_eol_info", "0x01\n");
        put(root, "devices/mmc/block/mmcblk0/mmcblk0p2/partition", "2\n");
        put(root, "devices/virtual/block/dm-0/size", "1\n");
        fs::create_dir_all(root.join("devices/virtual/block/dm-0/slaves")).unwrap();
        fs::create_dir_all(root.join("dev/block")).unwrap();
        let partition = root.join("devices/mmc/block/mmcblk0/mmcblk0p2");
        symlink(&partition, root.join("devices/virtual/block/dm-0/slaves/mmcblk0p2")).unwrap();
        symlink(root.join("devices/virtual/block/dm-0"), root.join("dev/block/253:0")).unwrap();
        sys
    }

    fn found(sys: &Path) -> Vec<(String, String, Weight)> {
        let all = of_device(sys, 253, 0).into_iter();
        all.map(|one| (one.problem, one.about, one.weight)).collect()
    }

    #[test]
    fn a_sound_card_says_nothing_and_a_worn_one_does() {
        let sys = card();
        assert_eq!(found(sys.path()), []);
        let life = "devices/mmc/block/mmcblk0/device/life_time";
        put(sys.path(), life, "0x01 0x0a\n");
        assert_eq!(found(sys.path()), [(WORN.to_owned(), "mmcblk0".to_owned(), Weight::Soon)]);
        put(sys.path(), life, "0x0b 0x01\n");
        assert_eq!(found(sys.path()), [(WORN.to_owned(), "mmcblk0".to_owned(), Weight::Now)]);
        put(sys.path(), life, "nonsense\n");
        assert_eq!(found(sys.path()), []);
        put(sys.path(), "devices/mmc/block/mmcblk0/device/pre_eol_info", "0x03\n");
        assert_eq!(found(sys.path()), [(WORN.to_owned(), "mmcblk0".to_owned(), Weight::Now)]);
    }

    #[test]
    fn errors_of_the_file_system_and_lost_mirrors_are_seen() {
        let sys = card();
        put(sys.path(), "fs/ext4/dm-0/errors_count", "3\n");
        put(sys.path(), "devices/virtual/block/dm-0/md/degraded", "1\n");
        let names: Vec<_> = found(sys.path()).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, [ERRORS, DEGRADED]);
    }

    #[test]
    fn no_device_is_no_problem() {
        assert_eq!(of_device(Path::new("/nowhere"), 0, 30), []);
        find(Path::new("/"), Path::new("/sys"));
    }
}
