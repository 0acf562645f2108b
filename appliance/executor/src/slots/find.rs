//! Which disk the running system is on: the one below the verified device that is mounted as `/`.
//!
//! By what the kernel says in `/sys`, not by names or labels, which anybody's stick may have.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The disk of the running system.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    /// Its device.
    pub(crate) disk: PathBuf,
    /// Numbers of the two partitions that run.
    pub(crate) running: [u32; 2],
}

/// Looks for it; `None` where the system didn't come from an image.
pub(crate) fn system(sys: &Path, dev: &Path) -> io::Result<Option<Found>> {
    let device = fs::metadata("/")?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    Ok(below(&sys.join(format!("dev/block/{major}:{minor}")), dev))
}

fn below(device: &Path, dev: &Path) -> Option<Found> {
    let parts = names(&device.join("slaves"));
    let number = |part: &String| -> Option<(PathBuf, u32)> {
        let at = fs::canonicalize(device.join("slaves").join(part)).ok()?;
        let number = fs::read_to_string(at.join("partition")).ok()?.trim().parse().ok()?;
        Some((at.parent()?.to_owned(), number))
    };
    let numbers: Option<Vec<_>> = parts.iter().map(number).collect();
    match numbers?[..] {
        [(ref disk, a), (ref other, b)] if disk == other => {
            Some(Found { disk: dev.join(disk.file_name()?), running: [a, b] })
        }
        _ => None,
    }
}

/// Devices of sticks and cards that may hold a bundle: whatever can be taken out, and its partitions.
pub(crate) fn sticks(sys: &Path, dev: &Path, system: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for disk in names(&sys.join("class/block")) {
        let Ok(at) = fs::canonicalize(sys.join("class/block").join(&disk)) else { continue };
        let removable =
            fs::read_to_string(at.join("removable")).is_ok_and(|text| text.trim() == "1");
        let usb = at.components().any(|part| part.as_os_str().to_string_lossy().starts_with("usb"));
        let is_disk = !at.join("partition").exists();
        if is_disk && (removable || usb) && dev.join(&disk) != system {
            let parts =
                names(&at).into_iter().filter(|name| at.join(name).join("partition").exists());
            found.extend(parts.chain([disk]).map(|name| dev.join(name)));
        }
    }
    found.truncate(MOST);
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_disk_is_the_one_below() {
        let sys = tempfile::tempdir().unwrap();
        let path = |name: &str| sys.path().join(name);
        let make = |name: &str, file: &str, text: &str| {
            fs::create_dir_all(path(name)).unwrap();
            fs::write(path(name).join(file), text).unwrap();
        };
        make("devices/pci/vda", "removable", "0\n");
        make("devices/pci/vda/vda2", "partition", "2\n");
        make("devices/pci/vda/vda4", "partition", "4\n");
        make("devices/pci/usb1/sdb", "removable", "1\n");
        make("devices/pci/usb1/sdb/sdb1", "partition", "1\n");
        for folder in ["dev/block/254:0/slaves", "dev/block/254:1/slaves", "class/block"] {
            fs::create_dir_all(path(folder)).unwrap();
        }
        for (link, target) in [
            ("dev/block/254:0/slaves/vda2", "devices/pci/vda/vda2"),
            ("dev/block/254:0/slaves/vda4", "devices/pci/vda/vda4"),
            ("dev/block/254:1/slaves/vda2", "devices/pci/vda/vda2"),
            ("dev/block/254:1/slaves/sdb1", "devices/pci/usb1/sdb/sdb1"),
            ("class/block/vda", "devices/pci/vda"),
            ("class/block/vda2", "devices/pci/vda/vda2"),
            ("class/block/sdb", "devices/pci/usb1/sdb"),
            ("class/block/sdb1", "devices/pci/usb1/sdb/sdb1"),
        ] {
            symlink(path(target), path(link)).unwrap();
        }
        let dev = Path::new("/dev");
        let found = below(&path("dev/block/254:0"), dev).unwrap();
        assert_eq!(found, Found { disk: "/dev/vda".into(), running: [2, 4] });
        assert_eq!(below(&path("dev/block/254:1"), dev), None, "two disks");
        assert_eq!(below(&path("dev/block/8:1"), dev), None, "no verified device");
        let sticks = sticks(sys.path(), dev, &found.disk);
        assert_eq!(sticks, [PathBuf::from("/dev/sdb1"), "/dev/sdb".into()]);
    }
}
