//! A disk in memory that remembers every write, and what starts from it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use gpt::GptConfig;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{EFI, OperatingSystem, Type};
use update::{About, Bundle, Contents, SecretKey, Statement, Trust, Version, make};
use uuid::Uuid;

use crate::slots::blocks::Blocks;

const SECTOR: usize = 512;
const MIB: u64 = 1 << 20;
const BOOT_MIB: u64 = 36;

/// What was done to a disk.
#[derive(Clone)]
pub(super) enum Op {
    Write(u64, Vec<u8>),
    Sync,
}

pub(super) struct Disk {
    /// As it was flashed; the same for all copies.
    base: Rc<Vec<u8>>,
    changed: RefCell<BTreeMap<u64, [u8; SECTOR]>>,
    log: RefCell<Vec<Op>>,
    /// A sector that takes every write and keeps none.
    broken: Cell<Option<u64>>,
    /// One that takes none.
    worn: Cell<Option<u64>>,
}

impl Disk {
    /// As it is flashed, with one system.
    pub(super) fn new(version: Version) -> Self {
        let size = BOOT_MIB + 2 * 2 + 2 + 3;
        let base = vec![0; usize::try_from(size * MIB).unwrap()];
        let disk = Self::of(Rc::new(base));
        disk.write_table(version);
        let fat = FormatVolumeOptions::new().fat_type(FatType::Fat32).bytes_per_cluster(512);
        format_volume(disk.part(1), fat).unwrap();
        let boot = FileSystem::new(disk.part(1), FsOptions::new()).unwrap();
        let root = boot.root_dir();
        for folder in ["EFI", "EFI/BOOT", "EFI/Linux", "loader"] {
            root.create_dir(folder).unwrap();
        }
        let name = format!("EFI/Linux/hometwin_{version}.efi");
        for (name, bytes) in
            [("EFI/BOOT/BOOTX64.EFI", vec![1; 5000]), (name.as_str(), kernel(version))]
        {
            root.create_file(name).unwrap().write_all(&bytes).unwrap();
        }
        drop(root);
        boot.unmount().unwrap();
        disk.part(2).write_all(&system(version)).unwrap();
        disk.part(4).write_all(&hashes(version)).unwrap();
        disk.settled()
    }

    fn of(base: Rc<Vec<u8>>) -> Self {
        let (changed, log) = Default::default();
        Self { base, changed, log, broken: Cell::new(None), worn: Cell::new(None) }
    }

    /// As it is now, and as if nothing had ever been written.
    pub(super) fn settled(&self) -> Self {
        let mut base = self.base.as_ref().clone();
        for (sector, bytes) in self.changed.borrow().iter() {
            let at = usize::try_from(*sector).unwrap() * SECTOR;
            base[at..at + SECTOR].copy_from_slice(bytes);
        }
        Self::of(Rc::new(base))
    }

    /// The same once more.
    pub(super) fn again(&self) -> Self {
        Self::of(Rc::clone(&self.base))
    }

    pub(super) fn log(&self) -> Vec<Op> {
        self.log.borrow().clone()
    }

    pub(super) fn forget_writes_at(&self, sector: u64) {
        self.broken.set(Some(sector));
    }

    pub(super) fn refuse_writes_at(&self, sector: u64) {
        self.worn.set(Some(sector));
    }

    /// After these writes, of which those after the last sync arrived sector by sector, or not.
    pub(super) fn replay(&self, log: &[Op], mut arrives: impl FnMut(u64) -> bool) -> Self {
        let disk = self.again();
        let synced = log.iter().rposition(|op| matches!(op, Op::Sync)).unwrap_or(0);
        for (number, op) in log.iter().enumerate() {
            let Op::Write(sector, bytes) = op else { continue };
            for (sector, bytes) in (*sector..).zip(bytes.chunks(SECTOR)) {
                if number < synced || arrives(sector) {
                    disk.changed.borrow_mut().insert(sector, bytes.try_into().unwrap());
                }
            }
        }
        disk
    }

    /// Start and length of a partition, in bytes.
    pub(super) fn place(&self, number: u32) -> (u64, u64) {
        let table = table(Version::FIRST);
        let part = &table[&number];
        (part.first_lba * 512, (part.last_lba - part.first_lba + 1) * 512)
    }

    fn part(&self, number: u32) -> Part<'_> {
        let (start, length) = self.place(number);
        Part { disk: self, start, length, at: 0 }
    }

    pub(super) fn bytes(&self, at: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.read_at(at, &mut bytes).unwrap();
        bytes
    }

    /// A file of the boot partition.
    pub(super) fn file(&self, name: &str) -> Vec<u8> {
        let boot = FileSystem::new(self.part(1), FsOptions::new()).unwrap();
        let mut bytes = Vec::new();
        boot.root_dir().open_file(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    pub(super) fn boot(&self) -> FileSystem<Part<'_>> {
        FileSystem::new(self.part(1), FsOptions::new()).unwrap()
    }

    /// The boot loader counts a try that has begun.
    pub(super) fn tried(&self, version: Version) {
        self.rename(&format!("hometwin_{version}+3.efi"), &format!("hometwin_{version}+2-1.efi"));
    }

    /// The boot loader has tried it often enough.
    pub(super) fn fail(&self, version: Version) {
        self.rename(&format!("hometwin_{version}+3.efi"), &format!("hometwin_{version}+0-3.efi"));
    }

    fn rename(&self, from: &str, to: &str) {
        let boot = self.boot();
        let folder = boot.root_dir().open_dir("EFI/Linux").unwrap();
        folder.rename(from, &folder, to).unwrap();
    }

    /// What a machine does with it, or why nothing starts.
    pub(super) fn start(&self) -> Result<(Version, [u32; 2]), String> {
        let whole = Part { disk: self, start: 0, length: self.base.len() as u64, at: 0 };
        let table = GptConfig::new().writable(false).open_from_device(whole);
        let table = table.map_err(|error| format!("no table: {error}"))?;
        let boot = self.boot();
        let folder = boot.root_dir().open_dir("EFI/Linux").map_err(|error| error.to_string())?;
        let mut kernels = Vec::new();
        for entry in folder.iter() {
            let entry = entry.map_err(|error| error.to_string())?;
            let name = entry.file_name();
            let Some(middle) = name.strip_prefix("hometwin_").and_then(|n| n.strip_suffix(".efi"))
            else {
                continue;
            };
            let (version, count) = middle.split_once('+').unwrap_or((middle, "1"));
            let failed = count == "0" || count.starts_with("0-");
            let mut bytes = Vec::new();
            entry.to_file().read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            kernels.push((!failed, version.parse::<Version>().unwrap(), bytes));
        }
        kernels.sort();
        let (_, version, bytes) = kernels.pop().ok_or("no kernel")?;
        if bytes != kernel(version) {
            return Err(format!("the kernel of {version} is not whole"));
        }
        let hash = root_hash(version);
        let find = |id: &[u8]| {
            let mut parts = table.partitions().iter();
            parts.find(|(_, part)| part.part_guid.as_bytes() == id).map(|(number, _)| *number)
        };
        let (Some(data), Some(tree)) = (find(&hash[..16]), find(&hash[16..])) else {
            return Err(format!("no slot has the ids of {version}"));
        };
        for (number, expected) in [(data, system(version)), (tree, hashes(version))] {
            if self.bytes(self.place(number).0, expected.len()) != expected {
                return Err(format!("partition {number} is not what {version} needs"));
            }
        }
        Ok((version, [data, tree]))
    }

    fn write_table(&self, version: Version) {
        let mut whole = Part { disk: self, start: 0, length: self.base.len() as u64, at: 0 };
        let last = u32::try_from(self.base.len() / SECTOR - 1).unwrap();
        ProtectiveMBR::with_lb_size(last).overwrite_lba0(&mut whole).unwrap();
        let config = GptConfig::new().writable(true);
        let mut disk = config.create_from_device(whole, Some(Uuid::from_u128(9))).unwrap();
        disk.update_partitions(table(version)).unwrap();
        disk.write().unwrap();
    }
}

impl Blocks for Disk {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let changed = self.changed.borrow();
        let (mut at, mut into) = (usize::try_from(at).unwrap(), into);
        while !into.is_empty() {
            let (sector, inside) = (at / SECTOR, at % SECTOR);
            let base = self.base.get(sector * SECTOR..(sector + 1) * SECTOR);
            let base = base.ok_or(io::ErrorKind::UnexpectedEof)?;
            let bytes = changed.get(&(sector as u64)).map_or(base, |bytes| bytes);
            let length = into.len().min(SECTOR - inside);
            into[..length].copy_from_slice(&bytes[inside..inside + length]);
            (at, into) = (at + length, &mut into[length..]);
        }
        Ok(())
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        // Disks take whole sectors; the kernel makes them so.
        let first = at / SECTOR as u64 * SECTOR as u64;
        let end = (at + bytes.len() as u64).next_multiple_of(SECTOR as u64);
        let mut whole = vec![0; usize::try_from(end - first).unwrap()];
        self.read_at(first, &mut whole)?;
        let inside = usize::try_from(at - first).unwrap();
        whole[inside..inside + bytes.len()].copy_from_slice(bytes);
        let sector = first / SECTOR as u64;
        if self.worn.get().is_some_and(|worn| (sector..end / SECTOR as u64).contains(&worn)) {
            return Err(io::Error::other("no write arrives here"));
        }
        for (sector, bytes) in (sector..).zip(whole.chunks(SECTOR)) {
            if self.broken.get() != Some(sector) {
                self.changed.borrow_mut().insert(sector, bytes.try_into().unwrap());
            }
        }
        self.log.borrow_mut().push(Op::Write(sector, whole));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.log.borrow_mut().push(Op::Sync);
        Ok(())
    }

    fn forget(&self, _at: u64, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.base.len() as u64)
    }
}

/// A partition, for other programs' readers.
#[derive(Debug)]
pub(super) struct Part<'a> {
    disk: &'a Disk,
    start: u64,
    length: u64,
    at: u64,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl Read for Part<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap();
        let length = into.len().min(left);
        self.disk.read_at(self.start + self.at, &mut into[..length])?;
        self.at += length as u64;
        Ok(length)
    }
}

impl Write for Part<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.write_at(self.start + self.at, bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Part<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// As `image-build` makes it, smaller.
fn table(version: Version) -> BTreeMap<u32, Partition> {
    let linux = |id| Type { guid: Uuid::from_u128(id), os: OperatingSystem::Linux };
    let system = linux(0x4f68_bce3_e8cd_4db1_96e7_fbca_f984_b709);
    let hashes = linux(0x2c73_57ed_ebd2_46d9_aec1_23d4_37ec_2bf5);
    let hash = root_hash(version);
    let half = |from: usize| Uuid::from_slice(&hash[from..from + 16]).unwrap();
    let label = |part: &str| format!("hometwin_{version}_{part}");
    let parts = [
        (BOOT_MIB, EFI, Uuid::from_u128(1), "boot".to_owned()),
        (2, system.clone(), half(0), label("system")),
        (2, system, Uuid::from_u128(3), "_empty".to_owned()),
        (1, hashes.clone(), half(16), label("hashes")),
        (1, hashes, Uuid::from_u128(5), "_empty".to_owned()),
    ];
    let mut next = 2048;
    let entry = |(number, (mib, kind, id, name)): (u32, (u64, Type, Uuid, String))| {
        let first = next;
        next += mib * 2048;
        let part = Partition {
            part_type_guid: kind,
            part_guid: id,
            first_lba: first,
            last_lba: next - 1,
            flags: 0,
            name,
        };
        (number, part)
    };
    (1..).zip(parts).map(entry).collect()
}

fn some(version: Version, what: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let seed = format!("{version} {what}");
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

pub(super) fn system(version: Version) -> Vec<u8> {
    some(version, "system", (1 << 20) + 70_001)
}

fn hashes(version: Version) -> Vec<u8> {
    some(version, "hashes", 8192)
}

pub(super) fn kernel(version: Version) -> Vec<u8> {
    some(version, "kernel", 10_003)
}

fn root_hash(version: Version) -> [u8; 32] {
    some(version, "root", 32).try_into().unwrap()
}

fn statement() -> Vec<u8> {
    let key = SecretKey::from_bytes(&[1; 32]);
    let keys = vec![key.public()];
    Statement { number: 1, root: keys.clone(), update: keys }.sign(&[&key])
}

pub(super) fn bundle(version: Version) -> Vec<u8> {
    bundle_of(version, [system(version), hashes(version), kernel(version)])
}

/// One with a part that is larger than the disk's place for it.
pub(super) fn large(version: Version, part: &str, length: usize) -> Vec<u8> {
    let pick = |name: &str, usual: Vec<u8>| if name == part { vec![7; length] } else { usual };
    let parts = [
        pick("system", system(version)),
        pick("hash tree", hashes(version)),
        pick("kernel", kernel(version)),
    ];
    bundle_of(version, parts)
}

fn bundle_of(version: Version, parts: [Vec<u8>; 3]) -> Vec<u8> {
    let about = About {
        flavour: "headless".to_owned(),
        arch: "x86_64".to_owned(),
        version,
        from: Version::FIRST,
        expires: u64::MAX,
        tries: 3,
        root_hash: root_hash(version),
    };
    let mut out = Vec::new();
    let key = SecretKey::from_bytes(&[1; 32]);
    make(&about, &mut parts.map(Cursor::new), &[statement()], &key, &mut out).unwrap();
    out
}

pub(super) fn contents(bundle: &mut Cursor<Vec<u8>>) -> Contents {
    let trust = Trust::read(&statement()).unwrap();
    Bundle::read(bundle).unwrap().verify(&trust).unwrap()
}
