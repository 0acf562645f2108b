//! A disk says of itself that it is worn, the file system met errors, or a mirror lost a disk.
//!
//! From what the kernel shows of eMMC, UFS, ext4 and mirrors below the data folder, and from what NVMe
//! and SATA disks of this machine reported to who may ask them (`health/smart.rs`).

use std::path::Path;

use handover::{Figure, Trouble, Weight};

use super::smart::Report;
use super::{disk_failing, disk_sectors, disks, smart};

pub(super) const DEGRADED: &str = "disk_degraded";
pub(super) const ERRORS: &str = "disk_errors";
pub(super) const WORN: &str = "disk_worn";

/// Everything that is wrong with disks.
pub(super) fn find(data: &Path, sys: &Path, reports: &Path) -> Vec<Trouble> {
    of_all(disks::device(data, sys).as_deref(), sys, &smart::all(reports))
}

fn of_all(device: Option<&Path>, sys: &Path, reports: &[(String, Report)]) -> Vec<Trouble> {
    let mut found = device.map(|device| of_device(device, sys)).unwrap_or_default();
    for (disk, report) in reports {
        let known = |one: &Trouble| one.problem == WORN && one.about == *disk;
        if let Some(percent @ 90..) = report.used
            && !found.iter().any(known)
        {
            found.push(worn(disk, percent, percent >= 100));
        }
    }
    found.extend(disk_failing::find(reports));
    found.extend(disk_sectors::find(reports));
    found
}

fn of_device(device: &Path, sys: &Path) -> Vec<Trouble> {
    let mut found = Vec::new();
    let name = disks::name_of(device);
    let counted = disks::number(&sys.join("fs/ext4").join(&name).join("errors_count"));
    if let Some(count @ 1..) = counted {
        let trouble = Trouble::new(ERRORS, Weight::Now).about(&name);
        found.push(trouble.with("count", Figure::Count(count)));
    }
    for disk in disks::below(device) {
        if let Some(wear) = disk.wear() {
            match (wear.spare, wear.tenth) {
                (Some(3), _) => found.push(disk_failing::trouble(&disk.name, &disk.model())),
                (_, Some(11..)) => found.push(worn(&disk.name, 100, true)),
                (_, Some(10)) => found.push(worn(&disk.name, 100, false)),
                (Some(2), _) => found.push(worn(&disk.name, 90, false)),
                (_, _) => {}
            }
        }
        if let Some(missing @ 1..) = disk.lacks() {
            let trouble = Trouble::new(DEGRADED, Weight::Now).about(&disk.name);
            found.push(trouble.with("count", Figure::Count(missing)));
        }
    }
    found
}

/// Beyond what its maker promised, or nearly.
fn worn(disk: &str, percent: u64, beyond: bool) -> Trouble {
    let weight = if beyond { Weight::Now } else { Weight::Soon };
    Trouble::new(WORN, weight).about(disk).with("percent", Figure::Count(percent))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::health::disk_failing::NAME as FAILING;

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
        let device = disks::numbered(sys, 253, 0);
        let all = of_device(&device.unwrap(), sys).into_iter();
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
        assert_eq!(found(sys.path()), [(FAILING.to_owned(), "mmcblk0".to_owned(), Weight::Now)]);
    }

    #[test]
    fn what_disks_reported_is_said_once_for_each() {
        let sys = card();
        let life = "devices/mmc/block/mmcblk0/device/life_time";
        put(sys.path(), life, "0x0a 0x01\n");
        let report = |name: &str| smart::read(&smart::tests::document(name)).unwrap();
        let reports = ["nvme-worn", "nvme-failing", "ata-sound", "ata-failing"];
        let mut reports: Vec<_> = reports.map(|name| (name.to_owned(), report(name))).into();
        let mut over = report("ata-worn");
        over.used = Some(100);
        // Should the kernel and a report both speak of it, the card is still one.
        reports.extend([("over".to_owned(), over.clone()), ("mmcblk0".to_owned(), over)]);
        let device = disks::numbered(sys.path(), 253, 0);
        let found = of_all(device.as_deref(), sys.path(), &reports);
        let found: Vec<_> = found.iter().map(|t| (&*t.problem, &*t.about, t.weight)).collect();
        assert_eq!(
            found,
            [
                (WORN, "mmcblk0", Weight::Soon),
                (WORN, "nvme-worn", Weight::Soon),
                (WORN, "over", Weight::Now),
                (FAILING, "nvme-failing", Weight::Now),
                (FAILING, "ata-failing", Weight::Now),
                (disk_sectors::UNREADABLE, "nvme-worn", Weight::Soon),
                (disk_sectors::UNREADABLE, "ata-failing", Weight::Soon),
            ]
        );
        let found = of_all(None, sys.path(), &reports);
        assert_eq!(found.iter().filter(|trouble| trouble.problem == WORN).count(), 3);
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
        assert_eq!(disks::numbered(Path::new("/nowhere"), 0, 30), None);
        assert_eq!(find(Path::new("/nowhere"), Path::new("/sys"), Path::new("/nowhere")), []);
        find(Path::new("/"), Path::new("/sys"), Path::new("/run"));
    }
}
