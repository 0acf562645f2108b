//! Which disks this machine has, as the kernel tells it, and what each is used for.
//!
//! Opens no disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the kernel tells of disks. Tests have folders of their own for it.
#[derive(Clone, Debug)]
pub struct Disks {
    sys: PathBuf,
    proc: PathBuf,
}

/// One whole disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Disk {
    /// As the kernel calls it: `sda`, `nvme0n1`.
    pub name: String,
    /// What its maker calls it; empty if nobody says.
    pub model: String,
    /// Its size.
    pub bytes: u64,
    /// Bytes of the smallest piece that it writes.
    pub sector: u64,
    /// Whether it's made to be taken out: a stick, a card, a disk in a case.
    pub removable: bool,
    /// Whether it can't be written.
    pub read_only: bool,
    /// What it's used for now: where it is mounted, or what stands on it.
    pub used: Vec<String>,
}

impl Disk {
    /// Its device file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }

    /// Model and size, as a person knows it.
    #[must_use]
    pub fn title(&self) -> String {
        let model = if self.model.is_empty() { &self.name } else { &self.model };
        format!("{model}, {}", size(self.bytes))
    }
}

impl Disks {
    /// Those of this machine.
    #[must_use]
    pub fn of_machine() -> Self {
        Self::at("/sys", "/proc")
    }

    /// Those that two folders tell of.
    #[must_use]
    pub fn at(sys: impl Into<PathBuf>, proc: impl Into<PathBuf>) -> Self {
        Self { sys: sys.into(), proc: proc.into() }
    }

    /// All that hold something, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Disk> {
        let used = self.used();
        let mut names = children(&self.sys.join("block"));
        names.sort();
        names.iter().filter_map(|name| self.disk(name, &used)).collect()
    }

    /// The disk that a device file of this name is, or is a part of.
    #[must_use]
    pub fn of_device(&self, name: &str) -> Option<Disk> {
        let class = fs::canonicalize(self.sys.join("class/block").join(name)).ok()?;
        let whole = if class.join("partition").exists() { class.parent()? } else { &class };
        self.disk(whole.file_name()?.to_str()?, &self.used())
    }

    /// The disk below a mounted folder, however many layers are between.
    #[must_use]
    pub fn below(&self, folder: &str) -> Option<Disk> {
        let mounts = self.mounts();
        let (number, _) = mounts.iter().rev().find(|(_, on)| on == folder)?;
        let device = fs::canonicalize(self.sys.join("dev/block").join(number)).ok()?;
        self.lowest(&device)
    }

    /// The part of a disk that has this label in the disk's table.
    #[must_use]
    pub fn part(&self, disk: &str, label: &str) -> Option<String> {
        let folder = self.sys.join("block").join(disk);
        let wanted = format!("PARTNAME={label}");
        self.parts(disk).into_iter().find(|part| {
            let about = fs::read_to_string(folder.join(part).join("uevent")).unwrap_or_default();
            about.lines().any(|line| line == wanted)
        })
    }

    /// All parts of a disk.
    #[must_use]
    pub fn parts(&self, disk: &str) -> Vec<String> {
        let folder = self.sys.join("block").join(disk);
        let is_part = |part: &String| folder.join(part).join("partition").exists();
        children(&folder).into_iter().filter(is_part).collect()
    }

    fn lowest(&self, device: &Path) -> Option<Disk> {
        match children(&device.join("slaves")).first() {
            Some(below) => {
                let below = self.sys.join("class/block").join(below);
                self.lowest(&fs::canonicalize(below).ok()?)
            }
            None => self.of_device(device.file_name()?.to_str()?),
        }
    }

    fn disk(&self, name: &str, used: &BTreeMap<String, Vec<String>>) -> Option<Disk> {
        let folder = self.sys.join("block").join(name);
        let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let sectors: u64 = text("size").trim().parse().ok()?;
        let real = fs::canonicalize(&folder).unwrap_or_default();
        let real = real.to_string_lossy().into_owned();
        let on_usb = real.contains("/usb");
        // Disks of emulators have a number there.
        let vendor = text("device/vendor");
        let vendor = if vendor.starts_with("0x") { "" } else { vendor.as_str() };
        let mut all = used.get(name).cloned().unwrap_or_default();
        for part in self.parts(name) {
            all.extend(used.get(&part).cloned().unwrap_or_default());
        }
        all.sort();
        all.dedup();
        (sectors > 0).then(|| Disk {
            name: name.to_owned(),
            model: clean(&format!("{vendor} {}", text("device/model"))),
            bytes: sectors.saturating_mul(512),
            sector: text("queue/logical_block_size").trim().parse().unwrap_or(512),
            removable: text("removable").trim() == "1" || on_usb,
            read_only: text("ro").trim() == "1",
            used: all,
        })
    }

    /// By device: mounts and what is swapped to, also through what stands on it.
    fn used(&self) -> BTreeMap<String, Vec<String>> {
        let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut add = |device: &Path, what: &str| {
            for name in self.layers(device) {
                used.entry(name).or_default().push(what.to_owned());
            }
        };
        for (number, on) in self.mounts() {
            if let Ok(device) = fs::canonicalize(self.sys.join("dev/block").join(number)) {
                add(&device, &on);
            }
        }
        let swaps = fs::read_to_string(self.proc.join("swaps")).unwrap_or_default();
        for line in swaps.lines().skip(1) {
            let file = line.split_whitespace().next().unwrap_or_default();
            let name = file.strip_prefix("/dev/").unwrap_or_default();
            if let Ok(device) = fs::canonicalize(self.sys.join("class/block").join(name))
                && !name.is_empty()
            {
                add(&device, "swap");
            }
        }
        // What stands on a disk uses it, mounted or not.
        for name in children(&self.sys.join("class/block")) {
            let Ok(device) = fs::canonicalize(self.sys.join("class/block").join(&name)) else {
                continue;
            };
            for below in children(&device.join("slaves")) {
                if let Ok(below) = fs::canonicalize(self.sys.join("class/block").join(below)) {
                    add(&below, &name);
                }
            }
        }
        used
    }

    /// A device and everything that it stands on.
    fn layers(&self, device: &Path) -> Vec<String> {
        let mut names = Vec::new();
        let mut open = vec![device.to_owned()];
        while let Some(device) = open.pop() {
            let Some(name) = device.file_name().and_then(|name| name.to_str()) else { continue };
            if names.iter().any(|known| known == name) {
                continue;
            }
            names.push(name.to_owned());
            for below in children(&device.join("slaves")) {
                open.extend(fs::canonicalize(self.sys.join("class/block").join(below)).ok());
            }
        }
        names
    }

    /// Numbers of mounted devices, and where they are mounted.
    fn mounts(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.proc.join("self/mountinfo")).unwrap_or_default();
        let line = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            Some(((*words.get(2)?).to_owned(), (*words.get(4)?).to_owned()))
        };
        text.lines().filter_map(line).collect()
    }
}

/// As it is printed on the box: thousands of thousands, one digit behind the point.
#[must_use]
pub fn size(bytes: u64) -> String {
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    let (whole, rest) = (tenths / 10, tenths % 10);
    let unit = UNITS[unit];
    if rest == 0 { format!("{whole} {unit}") } else { format!("{whole}.{rest} {unit}") }
}

/// Firmware says what it likes: nothing of it may steer a terminal or fill a screen.
fn clean(text: &str) -> String {
    let words = text
        .split_whitespace()
        .map(|word| word.chars().filter(|c| c.is_ascii_graphic()).collect::<String>());
    words.collect::<Vec<_>>().join(" ").trim().chars().take(48).collect()
}

fn children(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

const UNITS: &[&str] = &["B", "kB", "MB", "GB", "TB", "PB"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A machine with a disk for its system, under encryption, and a stick.
    fn machine() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for (device, files) in [
            (
                "pci/sda",
                &[
                    ("size", "2000000"),
                    ("removable", "0"),
                    ("device/model", "Old  Disk\u{1b}[2J\n"),
                ][..],
            ),
            ("pci/sda/sda1", &[("partition", "1"), ("size", "1000")]),
            ("pci/sda/sda2", &[("partition", "2"), ("size", "1000")]),
            (
                "usb3/sdb",
                &[
                    ("size", "62500000"),
                    ("removable", "0"),
                    ("device/vendor", "Big "),
                    ("queue/logical_block_size", "4096\n"),
                    ("device/model", "Stick"),
                ],
            ),
            (
                "usb3/sdb/sdb1",
                &[("partition", "1"), ("uevent", "DEVTYPE=partition\nPARTNAME=data\n")],
            ),
            ("virtual/dm-0", &[("size", "900"), ("device/vendor", "0x1af4")]),
            ("virtual/loop0", &[("size", "0")]),
        ] {
            let home = at("sys/devices").join(device);
            fs::create_dir_all(home.join("device")).unwrap();
            fs::create_dir_all(home.join("queue")).unwrap();
            files.iter().for_each(|(name, text)| fs::write(home.join(name), text).unwrap());
            let name = home.file_name().unwrap().to_owned();
            fs::create_dir_all(at("sys/class/block")).unwrap();
            symlink(&home, at("sys/class/block").join(&name)).unwrap();
            if !home.join("partition").exists() {
                fs::create_dir_all(at("sys/block")).unwrap();
                symlink(&home, at("sys/block").join(&name)).unwrap();
            }
        }
        fs::create_dir_all(at("sys/devices/virtual/dm-0/slaves")).unwrap();
        symlink(at("sys/devices/pci/sda/sda2"), at("sys/devices/virtual/dm-0/slaves/sda2"))
            .unwrap();
        fs::create_dir_all(at("sys/dev/block")).unwrap();
        symlink(at("sys/devices/virtual/dm-0"), at("sys/dev/block/253:0")).unwrap();
        symlink(at("sys/devices/pci/sda/sda1"), at("sys/dev/block/8:1")).unwrap();
        fs::create_dir_all(at("proc/self")).unwrap();
        let mounts = "22 1 253:0 / / rw - ext4 /dev/dm-0 rw\n23 1 8:1 / /boot rw - vfat /dev/sda1 rw\n24 1 0:5 / /proc rw - proc proc rw\n";
        fs::write(at("proc/self/mountinfo"), mounts).unwrap();
        folder
    }

    #[test]
    fn a_disk_is_known_by_model_size_and_use() {
        let folder = machine();
        let disks = Disks::at(folder.path().join("sys"), folder.path().join("proc"));
        let all = disks.all();
        let names: Vec<&str> = all.iter().map(|disk| disk.name.as_str()).collect();
        assert_eq!(names, ["dm-0", "sda", "sdb"]);
        assert_eq!(all[0].title(), "dm-0, 460.8 kB");
        assert_eq!(all[1].used, ["/", "/boot", "dm-0"]);
        assert_eq!(all[1].title(), "Old Disk[2J, 1 GB");
        assert!(!all[1].removable && all[2].removable);
        assert_eq!((all[1].sector, all[2].sector), (512, 4096));
        assert_eq!((all[2].title().as_str(), all[2].used.len()), ("Big Stick, 32 GB", 0));
        assert_eq!(disks.of_device("sdb1").unwrap().name, "sdb");
        assert_eq!(disks.part("sdb", "data").as_deref(), Some("sdb1"));
        assert_eq!((disks.part("sda", "data"), disks.part("sdb", "dat")), (None, None));
        assert_eq!(disks.below("/").unwrap().name, "sda");
        assert_eq!(disks.below("/proc"), None);
    }

    #[test]
    fn sizes_are_those_on_the_box() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (31_914_983_424, "31.9 GB"),
            (1_000_204_886_016, "1 TB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
