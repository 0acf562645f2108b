//! The partition table (GPT), of which only names and ids of a slot ever change. Sizes and places stay.
//!
//! It stands on the disk twice. A change goes to the second copy first, and the first copy is marked as
//! void while it's written: whoever reads finds one that is whole.

use update::Version;

use super::Error;
use super::blocks::Blocks;

/// The whole table, as it stands on the disk.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The first copy's header.
    header: [u8; SECTOR],
    entries: Vec<u8>,
    /// Bytes of one entry.
    size: usize,
    /// Sectors of the disk.
    sectors: u64,
}

/// One of the two slots.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Which {
    Running,
    Free,
}

/// The places of one slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Slot {
    /// Start and length of the system, in bytes.
    pub(crate) system: (u64, u64),
    /// The same of its hash tree.
    pub(crate) hashes: (u64, u64),
    system_number: usize,
    hashes_number: usize,
}

impl Table {
    /// Reads the copy that is whole.
    pub(crate) fn read(disk: &impl Blocks) -> Result<Self, Error> {
        let sectors = disk.length()? / SECTOR as u64;
        let first = copy(disk, 1);
        let last = || copy(disk, sectors.saturating_sub(1));
        let (header, entries) =
            first.or_else(last).ok_or(Error::NoSlots("it has no partition table"))?;
        let size = number(&header, 84, 4) as usize;
        Ok(Self { header, entries, size, sectors })
    }

    /// The boot partition's start and length, in bytes.
    pub(crate) fn boot(&self) -> Result<(u64, u64), Error> {
        let found = self.of_type(&BOOT).next();
        found.and_then(|one| self.place(one)).ok_or(Error::NoSlots("it has no boot partition"))
    }

    /// Where a slot is. `running` are the numbers of the partitions that run, counted from 1.
    pub(crate) fn slot(&self, which: Which, running: &[u32; 2]) -> Result<Slot, Error> {
        let runs = |index: &usize| running.iter().any(|number| *number as usize == index + 1);
        let find = |kind: &[u8; 16]| {
            let mut found =
                self.of_type(kind).filter(|index| runs(index) == (which == Which::Running));
            // More than two would be somebody else's idea of a disk.
            found.next().filter(|_| found.next().is_none())
        };
        let none = Error::NoSlots("it doesn't have two slots");
        let (Some(system), Some(hashes)) = (find(&SYSTEM), find(&HASHES)) else {
            return Err(none);
        };
        match (self.place(system), self.place(hashes)) {
            (Some(at), Some(tree)) => {
                Ok(Slot { system: at, hashes: tree, system_number: system, hashes_number: hashes })
            }
            _ => Err(none),
        }
    }

    /// Which version is in a slot, as its name says.
    pub(crate) fn version(&self, which: Which, running: &[u32; 2]) -> Result<Version, Error> {
        let slot = self.slot(which, running)?;
        let name = self.name(slot.system_number);
        let version = name.strip_prefix("hometwin_").and_then(|name| name.strip_suffix("_system"));
        let version = version.and_then(|version| version.parse().ok());
        version.ok_or(Error::NoSlots("a slot's name says no version"))
    }

    /// Nothing finds this slot any more.
    pub(crate) fn empty(&mut self, slot: &Slot) {
        for index in [slot.system_number, slot.hashes_number] {
            let mut id = *b"hometwin-system1";
            id[15] = b'1' + u8::try_from(index % 9).unwrap_or_default();
            self.set(index, id, EMPTY, 0);
        }
    }

    /// The slot is found by its root hash from now on.
    pub(crate) fn fill(&mut self, slot: &Slot, root_hash: &[u8; 32], version: Version) {
        let half = |from: usize| std::array::from_fn(|at| root_hash[from + at]);
        let label = |part: &str| format!("hometwin_{version}_{part}");
        self.set(slot.system_number, half(0), &label("system"), READ_ONLY);
        self.set(slot.hashes_number, half(16), &label("hashes"), READ_ONLY);
    }

    /// Writes both copies.
    pub(crate) fn write(&mut self, disk: &impl Blocks) -> Result<(), Error> {
        let (first, last) = (1, self.sectors - 1);
        let length = self.entries.len() as u64;
        let before_last = last - length.div_ceil(SECTOR as u64);
        let entries_crc = crc32fast::hash(&self.entries).to_le_bytes();
        self.header[88..92].copy_from_slice(&entries_crc);
        let header = |mine: u64, other: u64, entries: u64| {
            let mut header = self.header;
            for (at, value) in [(24, mine), (32, other), (72, entries)] {
                header[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
            header[16..20].fill(0);
            let size = number(&header, 12, 4) as usize;
            let crc = crc32fast::hash(&header[..size.min(SECTOR)]).to_le_bytes();
            header[16..20].copy_from_slice(&crc);
            header
        };
        let sector = |number: u64| number * SECTOR as u64;
        disk.write_at(sector(before_last), &self.entries)?;
        disk.write_at(sector(last), &header(last, first, before_last))?;
        disk.sync()?;
        disk.write_at(sector(first), &[0; SECTOR])?;
        disk.sync()?;
        disk.write_at(sector(2), &self.entries)?;
        disk.sync()?;
        disk.write_at(sector(first), &header(first, last, 2))?;
        disk.sync()?;
        Ok(())
    }

    fn of_type(&self, kind: &[u8; 16]) -> impl Iterator<Item = usize> {
        let all = self.entries.chunks_exact(self.size).enumerate();
        all.filter(move |(_, entry)| entry[..16] == *kind).map(|(index, _)| index)
    }

    fn place(&self, index: usize) -> Option<(u64, u64)> {
        let entry = self.entries.chunks_exact(self.size).nth(index)?;
        let (first, last) = (number(entry, 32, 8), number(entry, 40, 8));
        let sectors = last.checked_sub(first)?.checked_add(1)?;
        let bytes = |sectors: u64| sectors.checked_mul(SECTOR as u64);
        (last < self.sectors && first > 1).then_some((bytes(first)?, bytes(sectors)?))
    }

    fn name(&self, index: usize) -> String {
        let entry = self.entries.chunks_exact(self.size).nth(index).unwrap_or_default();
        let units = entry.get(56..128).unwrap_or_default().chunks_exact(2);
        let units = units.map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        String::from_utf16_lossy(&units)
    }

    fn set(&mut self, index: usize, id: [u8; 16], name: &str, flags: u64) {
        if let Some(entry) = self.entries.chunks_exact_mut(self.size).nth(index) {
            entry[16..32].copy_from_slice(&on_disk(id));
            entry[48..56].copy_from_slice(&flags.to_le_bytes());
            entry[56..128].fill(0);
            for (place, unit) in entry[56..126].chunks_exact_mut(2).zip(name.encode_utf16()) {
                place.copy_from_slice(&unit.to_le_bytes());
            }
        }
    }
}

/// A copy whose two sums are right.
fn copy(disk: &impl Blocks, at: u64) -> Option<([u8; SECTOR], Vec<u8>)> {
    let mut header = [0; SECTOR];
    disk.read_at(at.checked_mul(SECTOR as u64)?, &mut header).ok()?;
    let size = number(&header, 12, 4) as usize;
    let (count, each) = (number(&header, 80, 4), number(&header, 84, 4));
    let sound = header[..8] == *b"EFI PART"
        && (92..=SECTOR).contains(&size)
        && number(&header, 24, 8) == at
        && (1..=1024).contains(&count)
        && (128..=512).contains(&each);
    let mut unsigned = header;
    unsigned[16..20].fill(0);
    if !sound || u64::from(crc32fast::hash(&unsigned[..size])) != number(&header, 16, 4) {
        return None;
    }
    let length = usize::try_from(count * each).ok()?;
    let mut entries = vec![0; length];
    let start = number(&header, 72, 8).checked_mul(SECTOR as u64)?;
    disk.read_at(start, &mut entries).ok()?;
    (u64::from(crc32fast::hash(&entries)) == number(&header, 88, 4)).then_some((header, entries))
}

/// A little-endian number.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes.get(at..at + length).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The first three groups of an id stand backwards on a disk.
fn on_disk(id: [u8; 16]) -> [u8; 16] {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    ORDER.map(|at| id[at])
}

/// What `image-build` calls a slot that nothing is in.
pub(crate) const EMPTY: &str = "_empty";
const SECTOR: usize = 512;
/// systemd's bit for a system that is only read.
const READ_ONLY: u64 = 1 << 60;
/// Kinds of partitions, as they stand on a disk.
const BOOT: [u8; 16] = kind(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b);
#[cfg(target_arch = "aarch64")]
const SYSTEM: [u8; 16] = kind(0xb921_b045_1df0_41c3_af44_4c6f_280d_3fae);
#[cfg(target_arch = "aarch64")]
const HASHES: [u8; 16] = kind(0xdf33_00ce_d69f_4c92_978c_9bfb_0f38_d820);
#[cfg(not(target_arch = "aarch64"))]
const SYSTEM: [u8; 16] = kind(0x4f68_bce3_e8cd_4db1_96e7_fbca_f984_b709);
#[cfg(not(target_arch = "aarch64"))]
const HASHES: [u8; 16] = kind(0x2c73_57ed_ebd2_46d9_aec1_23d4_37ec_2bf5);

const fn kind(id: u128) -> [u8; 16] {
    let b = id.to_be_bytes();
    [
        b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13],
        b[14], b[15],
    ]
}
