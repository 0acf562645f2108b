//! Records of a folder: 32 bytes each, a long name in those before the file's own.

use std::io;

use super::super::blocks::Blocks;
use super::damaged;

/// Bytes of a record.
pub(super) const SIZE: usize = 32;
/// The first byte of a record that nobody uses.
pub(super) const FREE: u8 = 0xe5;
const END: u8 = 0;
/// Kinds of records.
const LONG: u8 = 0x0f;
const LABEL: u8 = 0x08;
const FOLDER: u8 = 0x10;
/// Units of a long name in one record.
const UNITS: usize = 13;
const PLACES: [usize; UNITS] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/// A file or a folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) folder: bool,
    pub(crate) first: u32,
    pub(crate) length: u32,
    /// Where its records are; its own is the last.
    pub(super) places: Vec<u64>,
}

/// A file's own record.
#[derive(Clone, Debug)]
pub(super) struct Record([u8; SIZE]);

impl Record {
    pub(super) fn new(first: u32, length: u32) -> Self {
        let mut bytes = [0; SIZE];
        let first = first.to_le_bytes();
        bytes[20..22].copy_from_slice(&first[2..]);
        bytes[26..28].copy_from_slice(&first[..2]);
        bytes[28..32].copy_from_slice(&length.to_le_bytes());
        // A day that every program takes for one: 2026-01-01.
        let day = (46_u16 << 9 | 1 << 5 | 1).to_le_bytes();
        for at in [16, 18, 24] {
            bytes[at..at + 2].copy_from_slice(&day);
        }
        Self(bytes)
    }

    pub(super) fn read(blocks: &impl Blocks, entry: &Entry) -> io::Result<Self> {
        let mut bytes = [0; SIZE];
        let place = entry.places.last().ok_or(io::ErrorKind::NotFound)?;
        blocks.read_at(*place, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// All records of a folder, with their places.
#[derive(Debug)]
pub(super) struct Records {
    all: Vec<(u64, [u8; SIZE])>,
}

impl Records {
    pub(super) fn read(blocks: &impl Blocks, places: &[u64], cluster: usize) -> io::Result<Self> {
        let mut all = Vec::new();
        let mut bytes = vec![0; cluster];
        for place in places {
            blocks.read_at(*place, &mut bytes)?;
            for (number, record) in (0_u64..).zip(bytes.chunks_exact(SIZE)) {
                let record = record.try_into().unwrap_or([0; SIZE]);
                all.push((place + number * SIZE as u64, record));
            }
        }
        // Whatever follows the end is nobody's.
        let end = all.iter().position(|(_, record)| record[0] == END).unwrap_or(all.len());
        all[end..].iter_mut().for_each(|(_, record)| record[0] = END);
        Ok(Self { all })
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut long = Long::default();
        for (place, record) in &self.all {
            match (record[0], record[11] & 0x3f) {
                (END, _) => break,
                (FREE, _) => long = Long::default(),
                (_, LONG) => long.add(*place, record),
                (b'.', _) => long = Long::default(),
                (_, kind) if kind & LABEL != 0 => long = Long::default(),
                (_, kind) => {
                    let (name, mut places) = std::mem::take(&mut long).end(record);
                    places.push(*place);
                    let two =
                        |at: usize| u32::from(u16::from_le_bytes([record[at], record[at + 1]]));
                    entries.push(Entry {
                        name: name.unwrap_or_else(|| short(record)),
                        folder: kind & FOLDER != 0,
                        first: (two(20) << 16 | two(26)) & super::NUMBER,
                        length: two(28) | two(30) << 16,
                        places,
                    });
                }
            }
        }
        entries
    }

    /// The records of a new name, its own last.
    pub(super) fn name(&self, name: &str, record: &Record) -> io::Result<Vec<[u8; SIZE]>> {
        let good = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
        if name.is_empty() || name.len() > 60 || !name.chars().all(good) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let short = self.unused(name).ok_or_else(|| damaged("a folder is too full"))?;
        let sum = sum(&short);
        let units: Vec<u16> = name.encode_utf16().collect();
        let mut records = Vec::new();
        for (number, part) in (1_u8..).zip(units.chunks(UNITS)) {
            let mut record = [0xff; SIZE];
            let mut part = part.iter().copied().chain([0]);
            for at in PLACES {
                let unit = part.next().unwrap_or(0xffff);
                record[at..at + 2].copy_from_slice(&unit.to_le_bytes());
            }
            (record[0], record[11], record[12], record[13]) = (number, LONG, 0, sum);
            record[26..28].fill(0);
            records.push(record);
        }
        if let Some(last) = records.last_mut() {
            last[0] |= 0x40;
        }
        records.reverse();
        let mut own = record.0;
        own[..11].copy_from_slice(&short);
        own[12] = 0;
        records.push(own);
        Ok(records)
    }

    /// Places of so many free records in a row.
    pub(super) fn row(&self, count: usize) -> Option<Vec<u64>> {
        let free = |(_, record): &&(u64, [u8; SIZE])| [FREE, END].contains(&record[0]);
        let mut row =
            self.all.windows(count).filter(|row| row.iter().filter(free).count() == count);
        Some(row.next()?.iter().map(|(place, _)| *place).collect())
    }

    /// A short name that no other file of the folder has; nobody ever sees it.
    fn unused(&self, name: &str) -> Option<[u8; 11]> {
        let hash = crc32fast::hash(name.as_bytes());
        (0..64).find_map(|more| {
            let text = format!("{:08X}EFI", hash.wrapping_add(more));
            let short: [u8; 11] = text.into_bytes().try_into().ok()?;
            let taken = self.all.iter().any(|(_, record)| record[..11] == short);
            (!taken).then_some(short)
        })
    }
}

/// A long name that is being put together, from its end.
#[derive(Default)]
struct Long {
    units: Vec<u16>,
    places: Vec<u64>,
    sum: u8,
    /// The number that the next record must have.
    next: u8,
}

impl Long {
    fn add(&mut self, place: u64, record: &[u8; SIZE]) {
        let number = record[0] & 0x3f;
        if record[0] & 0x40 != 0 {
            *self = Self { sum: record[13], next: number, ..Self::default() };
        }
        if number == 0 || number > 20 || number != self.next || record[13] != self.sum {
            *self = Self::default();
            return;
        }
        let units = PLACES.map(|at| u16::from_le_bytes([record[at], record[at + 1]]));
        let here = units.into_iter().take_while(|unit| *unit != 0 && *unit != 0xffff);
        self.units = here.chain(self.units.iter().copied()).collect();
        self.places.push(place);
        self.next = number - 1;
    }

    /// The name, if it belongs to this record.
    fn end(self, record: &[u8; SIZE]) -> (Option<String>, Vec<u64>) {
        let mut name = [0; 11];
        name.copy_from_slice(&record[..11]);
        if self.next == 0 && !self.units.is_empty() && self.sum == sum(&name) {
            (Some(String::from_utf16_lossy(&self.units)), self.places)
        } else {
            (None, Vec::new())
        }
    }
}

/// Eight and three letters, with two bits for whether they are small.
fn short(record: &[u8; SIZE]) -> String {
    let part = |bytes: &[u8], small: bool| {
        let text = String::from_utf8_lossy(bytes).trim_end().to_owned();
        if small { text.to_lowercase() } else { text }
    };
    let (name, end) =
        (part(&record[..8], record[12] & 8 != 0), part(&record[8..11], record[12] & 16 != 0));
    if end.is_empty() { name } else { format!("{name}.{end}") }
}

fn sum(short: &[u8; 11]) -> u8 {
    short.iter().fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}
