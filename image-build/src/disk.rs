//! The disk: a partition table, the boot partition, and two slots of which the first is filled.
//! What is left of the disk it is written to becomes the data partition, at the first start.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::str::FromStr;

use disks::Extents;
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use gpt::GptConfig;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{EFI, OperatingSystem, Type};
use initrd::hash::RootHash;
use uuid::Uuid;

use crate::bmap::Map;
use crate::{Error, Result, build, flash, keys, recipe, sign, start, tools};

/// What a disk is made of.
pub(crate) struct Parts<'a> {
    pub(crate) sizes: recipe::Disk,
    pub(crate) slot: &'a Path,
    pub(crate) start: &'a Path,
    pub(crate) version: &'a str,
}

/// Writes the image, with holes where nothing is, and beside it the map of what is there.
pub(crate) fn make(parts: &Parts<'_>, image: &Path) -> Result<()> {
    let path = parts.slot.join(build::ROOT_HASH);
    let hash = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let hash = RootHash::from_str(&hash).map_err(Error::image)?;
    let table = table(&parts.sizes, &hash, parts.version);
    let end = table.values().map(|part| part.last_lba + 1).max().unwrap_or_default();
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(image)
        .map_err(Error::file(image))?;
    // The copy of the table has its place behind the last partition.
    file.set_len((end + ALIGN) * SECTOR).map_err(Error::file(image))?;
    write_table(&mut file, end + ALIGN, &table)?;
    let touched = Touched::default();
    // The table, whole: what a disk had in its place would not fit its hash.
    touched.borrow_mut().add(0..ALIGN * SECTOR);
    touched.borrow_mut().add(end * SECTOR..(end + ALIGN) * SECTOR);
    let part = |number: u32| {
        let part = Part::of(&file, &table[&number]).map_err(Error::file(image))?;
        Ok::<_, Error>(Part { touched: Some(Rc::clone(&touched)), ..part })
    };
    fill_boot(|| part(1), parts, image)?;
    for (number, name) in [(2, build::SYSTEM), (4, build::HASHES)] {
        let from = parts.slot.join(name);
        let mut from = File::open(&from).map_err(Error::file(&from))?;
        io::copy(&mut from, &mut part(number)?)
            .map_err(|error| Error::image(format!("{name} doesn't fit its partition: {error}")))?;
    }
    file.sync_all().map_err(Error::file(image))?;
    let map = flash::with(image, "bmap");
    let text = Map::of(image, &touched.borrow())?.to_text();
    fs::write(&map, text).map_err(Error::file(&map))
}

/// Packs an image as common flashers take it.
pub(crate) fn pack(image: &Path, out: &Path, tools: &tools::Tools, log: &Path) -> Result<()> {
    let folder = image.parent().unwrap_or(image);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let packed = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Stages are neighbours: the tools see the folder of all of them.
    let all = out.parent().unwrap_or(out);
    let (from, to) = (format!("{name}/{NAME}"), format!("{packed}/{NAME}.zst"));
    tools.run(all, log, &["zstd", "--quiet", "-19", "--threads=0", &from, "-o", &to])?;
    // The same bytes, however many processors pack them.
    let pack = "exec xz --stdout -6 --threads=0 --block-size=25165824 \"$1\" > \"$2\"";
    tools.run(all, log, &["sh", "-c", pack, "xz", &from, &format!("{packed}/{NAME}.xz")])
}

/// Copies an image and leaves its holes.
pub(crate) fn copy(image: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new("cp");
    command.arg("--sparse=always").arg(image).arg(to);
    tools::run(command, "cp", &image.with_extension("cp.log"))
}

/// An id as text.
pub(crate) fn uuid(bytes: [u8; 16]) -> String {
    Uuid::from_bytes(bytes).to_string()
}

/// Boot, the two slots, their hash trees. Ids of a filled slot come from its hash, so that the
/// first program finds both; an empty one has fixed ids, and a label that says so.
fn table(sizes: &recipe::Disk, hash: &RootHash, version: &str) -> BTreeMap<u32, Partition> {
    let fixed = |number: u8| {
        let mut id = build::UUID;
        id[15] = b'0' + number;
        id
    };
    let label = |part: &str| format!("hometwin_{version}_{part}");
    let parts = [
        (sizes.boot_mib, EFI, fixed(1), "boot".to_owned()),
        (sizes.system_mib, linux(SYSTEM_TYPE), hash.data_id(), label("system")),
        (sizes.system_mib, linux(SYSTEM_TYPE), fixed(3), EMPTY.to_owned()),
        (sizes.hashes_mib, linux(HASHES_TYPE), hash.tree_id(), label("hashes")),
        (sizes.hashes_mib, linux(HASHES_TYPE), fixed(5), EMPTY.to_owned()),
    ];
    let mut table = BTreeMap::new();
    let mut next = ALIGN;
    for (number, (mib, kind, id, name)) in (1..).zip(parts) {
        let sectors = mib * MIB / SECTOR;
        table.insert(
            number,
            Partition {
                part_type_guid: kind,
                part_guid: Uuid::from_bytes(id),
                first_lba: next,
                last_lba: next + sectors - 1,
                // A filled system is for reading; systemd's bit for that.
                flags: if number == 2 || number == 4 { 1 << 60 } else { 0 },
                name,
            },
        );
        next += sectors;
    }
    table
}

fn linux(kind: Uuid) -> Type {
    Type { guid: kind, os: OperatingSystem::Linux }
}

fn write_table(file: &mut File, sectors: u64, table: &BTreeMap<u32, Partition>) -> Result<()> {
    let last = u32::try_from(sectors - 1).unwrap_or(u32::MAX);
    ProtectiveMBR::with_lb_size(last).overwrite_lba0(file).map_err(Error::image)?;
    let config = GptConfig::new().writable(true);
    let disk = config.create_from_device(file, Some(Uuid::from_bytes(build::UUID)));
    let mut disk = disk.map_err(Error::image)?;
    disk.update_partitions(table.clone()).map_err(Error::image)?;
    disk.write().map(drop).map_err(Error::image)
}

/// Boot loader, its settings, and the first slot's kernel.
fn fill_boot(part: impl Fn() -> Result<Part>, parts: &Parts<'_>, image: &Path) -> Result<()> {
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat32).bytes_per_cluster(1024);
    let options = options.volume_id(0x4854_5749).volume_label(*b"HOMETWIN   ");
    format_volume(&mut part()?, options).map_err(Error::file(image))?;
    let boot = FileSystem::new(part()?, FsOptions::new()).map_err(Error::file(image))?;
    fill(&boot, parts).and_then(|()| boot.unmount()).map_err(Error::file(image))
}

fn fill(boot: &FileSystem<Part>, parts: &Parts<'_>) -> io::Result<()> {
    let root = boot.root_dir();
    for folder in ["EFI", "EFI/BOOT", "EFI/Linux", "loader"] {
        root.create_dir(folder)?;
    }
    let kernel = format!("EFI/Linux/hometwin_{}.efi", parts.version);
    for (name, bytes) in [
        ("EFI/BOOT/BOOTX64.EFI", fs::read(parts.start.join(start::LOADER))?),
        (&kernel, fs::read(parts.start.join(start::KERNEL))?),
        ("loader/loader.conf", LOADER_CONF.as_bytes().to_vec()),
    ] {
        write(&root, name, &bytes)?;
    }
    // Only a signed image has them.
    for key in keys::boot::ALL.map(sign::enrolled) {
        if let Ok(list) = fs::read(parts.start.join(&key)) {
            for folder in ["loader/keys", "loader/keys/auto"] {
                root.create_dir(folder)?;
            }
            write(&root, &format!("loader/keys/auto/{key}"), &list)?;
        }
    }
    Ok(())
}

fn write(root: &fatfs::Dir<'_, Part>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut to = root.create_file(name)?;
    to.write_all(bytes)?;
    to.flush()
}

/// What of an image was written, and so means something.
type Touched = Rc<RefCell<Extents>>;

/// The bytes of one partition, and none beside them.
#[derive(Debug)]
pub(crate) struct Part {
    file: File,
    start: u64,
    length: u64,
    at: u64,
    /// Where it is written down what was written.
    touched: Option<Touched>,
}

impl Part {
    pub(crate) fn of(file: &File, partition: &Partition) -> io::Result<Self> {
        let outside = || io::Error::other("a partition of no sectors");
        let sectors = partition.last_lba.checked_sub(partition.first_lba).ok_or_else(outside)?;
        let bytes = |sectors: u64| sectors.checked_mul(SECTOR).ok_or_else(outside);
        let (start, length) = (bytes(partition.first_lba)?, bytes(sectors.saturating_add(1))?);
        start.checked_add(length).ok_or_else(outside)?;
        Ok(Self { file: file.try_clone()?, start, length, at: 0, touched: None })
    }

    fn here(&mut self, wanted: usize) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(self.start + self.at))?;
        let left = self.length.saturating_sub(self.at);
        Ok(usize::try_from(left).unwrap_or(usize::MAX).min(wanted))
    }
}

impl Read for Part {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.here(into.len())?;
        let read = self.file.read(&mut into[..length])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Write for Part {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let length = self.here(from.len())?;
        let written = self.file.write(&from[..length])?;
        if let Some(touched) = &self.touched {
            let start = self.start + self.at;
            touched.borrow_mut().add(start..start + written as u64);
        }
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let at = at.filter(|at| *at <= self.length);
        self.at = at.ok_or_else(|| io::Error::other("outside the partition"))?;
        Ok(self.at)
    }
}

pub(crate) const NAME: &str = "hometwin.img";
/// A slot that the next update goes to.
pub(crate) const EMPTY: &str = "_empty";
/// systemd's types for a system of this kind of machine, and for its hash tree.
const SYSTEM_TYPE: Uuid = Uuid::from_u128(0x4f68_bce3_e8cd_4db1_96e7_fbca_f984_b709);
const HASHES_TYPE: Uuid = Uuid::from_u128(0x2c73_57ed_ebd2_46d9_aec1_23d4_37ec_2bf5);
const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;
/// Partitions start at whole MiB.
const ALIGN: u64 = MIB / SECTOR;
/// Nobody changes a command line at a home's computer; that would also be a way in.
const LOADER_CONF: &str = "timeout 0\neditor no\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_follow_each_other() {
        let sizes = recipe::Disk { boot_mib: 40, system_mib: 3, hashes_mib: 1 };
        let table = table(&sizes, &RootHash([9; 32]), "1.2.3");
        assert_eq!(table[&1].first_lba, 2048);
        for number in 2..=5 {
            assert_eq!(table[&number].first_lba, table[&(number - 1)].last_lba + 1);
        }
        assert_eq!(table[&2].part_guid.as_bytes(), &[9; 16]);
        assert_eq!(table[&2].name, "hometwin_1.2.3_system");
        assert_eq!(table[&3].name, EMPTY);
    }

    #[test]
    fn a_partition_ends_where_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let file =
            File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
        let partition = Partition { first_lba: 2, last_lba: 3, ..Partition::zero() };
        let mut part = Part::of(&file, &partition).unwrap();
        assert!(io::copy(&mut io::repeat(1).take(1025), &mut part).is_err());
        assert_eq!(file.metadata().unwrap().len(), 4 * SECTOR);
        part.seek(SeekFrom::Start(1000)).unwrap();
        let mut bytes = Vec::new();
        assert_eq!(part.read_to_end(&mut bytes).unwrap(), 24);
        assert!(part.seek(SeekFrom::Current(1)).is_err());
    }
}
