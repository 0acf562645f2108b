//! The boot partition's file system (FAT32), written so that a cut at any moment leaves every file as it
//! was or as it was going to be: contents first, then the chain of clusters, then the one sector with
//! the name. What no name leads to is free, whatever the table says of it.
//!
//! No library promises an order. This does as much of FAT as a boot partition needs: no attributes, no
//! new folders, names of one kind. It is also how a stick is read: never anything else of it.

mod records;

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::io;
use std::marker::PhantomData;

pub(crate) use self::records::Entry;
use self::records::Record;
use super::blocks::Blocks;

/// An open file system. What it says of itself was checked, not what is in it.
#[derive(Debug)]
pub(crate) struct Fat<B> {
    blocks: B,
    /// One number for each cluster: the next of its chain.
    table: Vec<u32>,
    /// Where copies of the table start.
    tables: Vec<u64>,
    /// Where cluster 2 starts.
    data: u64,
    /// Bytes of a cluster.
    cluster: usize,
    root: u32,
}

/// Clusters that a new file is going to have.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    clusters: Vec<u32>,
    length: u32,
}

impl<B: Blocks> Fat<B> {
    /// Looks at a partition.
    pub(crate) fn open(blocks: B) -> io::Result<Self> {
        let mut head = [0; 512];
        blocks.read_at(0, &mut head)?;
        let short = |at: usize| u64::from(u16::from_le_bytes([head[at], head[at + 1]]));
        let long = |at: usize| short(at) | short(at + 2) << 16;
        let (sector, per_cluster) = (short(11), u64::from(head[13]));
        let (reserved, copies, size) = (short(14), u64::from(head[16]), long(36));
        let all = if short(19) == 0 { long(32) } else { short(19) };
        let cluster = sector * per_cluster;
        let known = head[510..] == [0x55, 0xaa]
            && [512, 1024, 2048, 4096].contains(&sector)
            && per_cluster.is_power_of_two()
            && cluster <= 64 << 10
            && reserved > 0
            && (1..=2).contains(&copies)
            // FAT12 and FAT16 have these.
            && short(17) == 0
            && short(22) == 0
            && size > 0
            // All copies of the table are the same.
            && short(40) & 0x80 == 0;
        let before = reserved + copies * size;
        let clusters = all.saturating_sub(before).checked_div(per_cluster).unwrap_or(0);
        let clusters = clusters.min((size * sector / 4).saturating_sub(2));
        if !known || clusters == 0 || clusters > MOST_CLUSTERS || all * sector > blocks.length()? {
            return Err(damaged("this is no FAT32"));
        }
        let tables: Vec<u64> = (0..copies).map(|copy| (reserved + copy * size) * sector).collect();
        let mut bytes = vec![0; usize::try_from((clusters + 2) * 4).map_err(io::Error::other)?];
        blocks.read_at(tables[0], &mut bytes)?;
        let number = |four: &[u8]| u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        let table = bytes.chunks_exact(4).map(number).collect();
        let cluster = usize::try_from(cluster).map_err(io::Error::other)?;
        let root = u32::try_from(long(44)).unwrap_or(0);
        Ok(Self { blocks, table, tables, data: before * sector, cluster, root })
    }

    /// What is in a folder.
    pub(crate) fn list(&self, folder: &[&str]) -> io::Result<Vec<Entry>> {
        let folder = self.folder(folder)?;
        Ok(self.records(folder)?.entries())
    }

    /// Bytes that no file has.
    pub(crate) fn free(&self) -> io::Result<u64> {
        let used = self.used()?;
        let free = self.clusters().filter(|at| !used.contains(at) && self.usable(*at)).count();
        Ok(free as u64 * self.cluster as u64)
    }

    /// Space for a file of this length. Nothing is written by that.
    pub(crate) fn space(&self, length: u32) -> io::Result<Option<Space>> {
        self.space_beside(length, &[])
    }

    fn space_beside(&self, length: u32, taken: &[u32]) -> io::Result<Option<Space>> {
        let count = (length as usize).div_ceil(self.cluster);
        let mut used = self.used()?;
        used.extend(taken);
        let free = self.clusters().filter(|at| !used.contains(at) && self.usable(*at));
        let clusters: Vec<u32> = free.take(count).collect();
        Ok((clusters.len() == count).then_some(Space { clusters, length }))
    }

    /// Writes a part of what is going to be in the file.
    pub(crate) fn write(&self, space: &Space, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.pieces(space, at, bytes.len(), |place, from, length| {
            self.blocks.write_at(place, &bytes[from..from + length])
        })
    }

    /// Reads it from the disk itself, once it is there.
    pub(crate) fn read_back(&self, space: &Space, at: u64, into: &mut [u8]) -> io::Result<()> {
        let mut places = Vec::new();
        self.pieces(space, at, into.len(), |place, from, length| {
            places.push((place, from, length));
            Ok(())
        })?;
        for (place, from, length) in places {
            self.blocks.forget(place, length as u64)?;
            self.blocks.read_at(place, &mut into[from..from + length])?;
        }
        Ok(())
    }

    /// Gives the space a name: from then on it's a file.
    pub(crate) fn enter(&mut self, folder: &[&str], name: &str, space: &Space) -> io::Result<()> {
        self.blocks.sync()?;
        let ends = space.clusters.iter().skip(1).copied().chain([LAST]);
        let links: Vec<_> = space.clusters.iter().copied().zip(ends).collect();
        self.link(&links)?;
        let first = space.clusters.first().copied().unwrap_or_default();
        let record = Record::new(first, space.length);
        self.add_name(folder, name, &record, &space.clusters)
    }

    /// Gives a file another name in its folder. A cut may leave it with both.
    pub(crate) fn rename(&mut self, folder: &[&str], entry: &Entry, name: &str) -> io::Result<()> {
        let record = Record::read(&self.blocks, entry)?;
        self.add_name(folder, name, &record, &[])?;
        self.forget_name(entry)
    }

    /// Removes a name, and what no other name leads to.
    pub(crate) fn remove(&mut self, entry: &Entry) -> io::Result<()> {
        let chain = self.chain(entry.first).unwrap_or_default();
        self.forget_name(entry)?;
        let used = self.used()?;
        let freed = chain.into_iter().filter(|at| !used.contains(at)).map(|at| (at, 0));
        self.link(&freed.collect::<Vec<_>>())
    }

    /// The space that a file has; what is read of it can be compared.
    fn space_of(&self, entry: &Entry) -> io::Result<Space> {
        let count = (entry.length as usize).div_ceil(self.cluster);
        let clusters = if count == 0 { Vec::new() } else { self.start(entry.first, count)? };
        Ok(Space { clusters, length: entry.length })
    }

    /// What was written is on the disk after this.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.blocks.sync()
    }

    // Inside

    fn clusters(&self) -> impl Iterator<Item = u32> {
        2..u32::try_from(self.table.len()).unwrap_or(u32::MAX)
    }

    /// Not one that a tool has marked as broken.
    fn usable(&self, cluster: u32) -> bool {
        self.next(cluster) != Some(BROKEN)
    }

    fn next(&self, cluster: u32) -> Option<u32> {
        self.table.get(cluster as usize).map(|next| next & NUMBER)
    }

    fn place(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster.saturating_sub(2)) * self.cluster as u64
    }

    fn folder(&self, path: &[&str]) -> io::Result<u32> {
        let mut at = self.root;
        for name in path {
            let mut inside = self.records(at)?.entries().into_iter();
            let found = inside.find(|entry| entry.folder && entry.name.eq_ignore_ascii_case(name));
            at = found.ok_or(io::ErrorKind::NotFound)?.first;
        }
        Ok(at)
    }

    fn records(&self, folder: u32) -> io::Result<records::Records> {
        let chain = self.start(folder, LARGEST_FOLDER / self.cluster + 1)?;
        let places: Vec<u64> = chain.into_iter().map(|at| self.place(at)).collect();
        if places.len() * self.cluster > LARGEST_FOLDER {
            return Err(damaged("a folder is too large"));
        }
        records::Records::read(&self.blocks, &places, self.cluster)
    }

    /// All clusters of a file, from its first.
    fn chain(&self, first: u32) -> io::Result<Vec<u32>> {
        let chain = self.start(first, self.table.len() + 1)?;
        if chain.len() > self.table.len() { Err(damaged("a file goes round")) } else { Ok(chain) }
    }

    /// As many of them, or fewer if it ends before.
    fn start(&self, first: u32, most: usize) -> io::Result<Vec<u32>> {
        let (mut chain, mut at) = (Vec::new(), first);
        loop {
            let next = self.next(at).filter(|_| at >= 2).ok_or(damaged("a file leads nowhere"))?;
            chain.push(at);
            if next >= ENDS || chain.len() >= most {
                return Ok(chain);
            }
            at = next;
        }
    }

    /// Every cluster that a name leads to.
    fn used(&self) -> io::Result<BTreeSet<u32>> {
        let mut used = BTreeSet::new();
        let mut folders = vec![self.root];
        while let Some(folder) = folders.pop() {
            used.extend(self.chain(folder)?);
            for entry in self.records(folder)?.entries() {
                // An empty file has none, and one that leads nowhere can't be followed.
                let chain = self.chain(entry.first).unwrap_or_default();
                let seen = chain.first().is_none_or(|first| used.contains(first));
                used.extend(chain);
                if entry.folder && !seen {
                    folders.push(entry.first);
                }
            }
        }
        Ok(used)
    }

    /// The pieces of a range of a file: their place on the disk, and in the range.
    fn pieces(
        &self,
        space: &Space,
        at: u64,
        length: usize,
        mut take: impl FnMut(u64, usize, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = 0;
        while done < length {
            let here = usize::try_from(at).map_err(io::Error::other)? + done;
            let (number, inside) = (here / self.cluster, here % self.cluster);
            let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
            let mut run = (self.cluster - inside).min(length - done);
            let first = *space.clusters.get(number).ok_or_else(short)?;
            // Clusters that follow each other are one piece.
            let mut last = first;
            for next in space.clusters.iter().skip(number + 1) {
                if run >= length - done || *next != last + 1 {
                    break;
                }
                last = *next;
                run = (run + self.cluster).min(length - done);
            }
            take(self.place(first) + inside as u64, done, run)?;
            done += run;
        }
        Ok(())
    }

    /// Changes the table, in all its copies.
    fn link(&mut self, links: &[(u32, u32)]) -> io::Result<()> {
        let mut sectors = BTreeSet::new();
        for (at, next) in links {
            if let Some(entry) = self.table.get_mut(*at as usize) {
                *entry = *entry & !NUMBER | next & NUMBER;
                sectors.insert(*at as usize / IN_SECTOR);
            }
        }
        for start in &self.tables {
            for sector in &sectors {
                let from = sector * IN_SECTOR;
                let entries = &self.table[from..(from + IN_SECTOR).min(self.table.len())];
                let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
                self.blocks.write_at(start + *sector as u64 * SECTOR, &bytes)?;
            }
        }
        self.blocks.sync()
    }

    /// A name with its record, in a row of free records; the record's own sector comes last. No name
    /// leads yet to what is taken.
    fn add_name(
        &mut self,
        folder: &[&str],
        name: &str,
        record: &Record,
        taken: &[u32],
    ) -> io::Result<()> {
        let first = self.folder(folder)?;
        let mut records = self.records(first)?;
        let bytes = records.name(name, record)?;
        let places = match records.row(bytes.len()) {
            Some(places) => places,
            None => {
                self.grow(first, taken)?;
                records = self.records(first)?;
                let full = || io::Error::new(io::ErrorKind::StorageFull, "the folder is full");
                records.row(bytes.len()).ok_or_else(full)?
            }
        };
        self.patch(&places.into_iter().zip(bytes).collect::<Vec<_>>())
    }

    fn forget_name(&self, entry: &Entry) -> io::Result<()> {
        let mut changes = Vec::new();
        for place in &entry.places {
            let mut record = [0; records::SIZE];
            self.blocks.read_at(*place, &mut record)?;
            record[0] = records::FREE;
            changes.push((*place, record));
        }
        // The record itself is the last one; without it the others mean nothing.
        if let Some(last) = changes.pop() {
            self.patch(&[last])?;
        }
        self.patch(&changes)
    }

    /// Writes records, whole sectors at once; all others are on the disk before the last one's.
    fn patch(&self, changes: &[(u64, [u8; records::SIZE])]) -> io::Result<()> {
        let Some((last, _)) = changes.last() else { return Ok(()) };
        let last = last / SECTOR;
        let sectors: BTreeSet<u64> = changes.iter().map(|(place, _)| place / SECTOR).collect();
        let order = sectors.iter().filter(|one| **one != last).chain([&last]);
        for sector in order {
            if *sector == last {
                self.blocks.sync()?;
            }
            let mut bytes = [0; 512];
            self.blocks.read_at(sector * SECTOR, &mut bytes)?;
            for (place, record) in changes.iter().filter(|(place, _)| place / SECTOR == *sector) {
                let at = usize::try_from(place % SECTOR).unwrap_or_default();
                bytes[at..at + records::SIZE].copy_from_slice(record);
            }
            self.blocks.write_at(sector * SECTOR, &bytes)?;
        }
        self.blocks.sync()
    }

    /// One more cluster for a folder, empty before it belongs to it.
    fn grow(&mut self, folder: u32, taken: &[u32]) -> io::Result<()> {
        let full = || io::Error::new(io::ErrorKind::StorageFull, "the boot partition is full");
        let bytes = u32::try_from(self.cluster).map_err(io::Error::other)?;
        let space = self.space_beside(bytes, taken)?.ok_or_else(full)?;
        let new = *space.clusters.first().ok_or_else(full)?;
        let last = *self.chain(folder)?.last().ok_or_else(full)?;
        self.write(&space, 0, &vec![0; self.cluster])?;
        self.blocks.sync()?;
        self.link(&[(new, LAST)])?;
        self.link(&[(last, new)])
    }
}

/// One file of it, to be read.
pub(crate) struct File<B, F> {
    fat: F,
    space: Space,
    blocks: PhantomData<B>,
}

impl<B: Blocks, F: Borrow<Fat<B>>> File<B, F> {
    /// The file that was found there.
    pub(crate) fn new(fat: F, entry: &Entry) -> io::Result<Self> {
        let space = fat.borrow().space_of(entry)?;
        Ok(Self { fat, space, blocks: PhantomData })
    }
}

impl<B: Blocks, F: Borrow<Fat<B>>> Blocks for File<B, F> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        if at.saturating_add(into.len() as u64) > self.space.length.into() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut places = Vec::new();
        let fat = self.fat.borrow();
        fat.pieces(&self.space, at, into.len(), |place, from, length| {
            places.push((place, from, length));
            Ok(())
        })?;
        for (place, from, length) in places {
            fat.blocks.read_at(place, &mut into[from..from + length])?;
        }
        Ok(())
    }

    fn write_at(&self, _at: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn forget(&self, _at: u64, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.space.length.into())
    }
}

fn damaged(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

const SECTOR: u64 = 512;
/// Numbers of the table in a sector.
const IN_SECTOR: usize = 128;
/// Of its 32 bits, 28 are a number.
const NUMBER: u32 = 0x0fff_ffff;
const BROKEN: u32 = 0x0fff_fff7;
const ENDS: u32 = 0x0fff_fff8;
const LAST: u32 = 0x0fff_ffff;
/// A table of 32 MiB.
const MOST_CLUSTERS: u64 = 8 << 20;
const LARGEST_FOLDER: usize = 2 << 20;
