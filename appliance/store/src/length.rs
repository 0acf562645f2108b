//! Checks a data file before it is mapped: reading a mapped file past its end would kill the
//! process. Uses plain reads only and never writes.
//!
//! LMDB's own note says that a sound file may be shorter than its last page number when the last
//! pages are on the list of free pages. So when a file is short, that list is read here; only
//! pages missing from both the file and the list make a file truncated.
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Error;

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
const PAGE_HEADER: usize = 16;
const META_SIZE: usize = 152;
const NO_PAGE: u64 = u64::MAX;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const META: u16 = 0x08;
const BIG_DATA: u16 = 0x01;
/// No sound tree of 8-byte keys is deeper.
const DEPTH_LIMIT: u32 = 32;

/// What the newer of the two header pages says.
#[derive(Clone, Copy)]
struct Meta {
    page_size: u64,
    free_root: u64,
    last_page: u64,
    transaction: u64,
}

/// Fails unless every page the file refers to is in the file. Returns its length in bytes.
pub(crate) fn check(path: &Path) -> Result<u64, Error> {
    let file = File::open(path).map_err(|source| file_error(path, source))?;
    let length = file.metadata().map_err(|source| file_error(path, source))?.len();
    if length == 0 {
        return Err(Error::Truncated { path: path.to_owned(), length, wanted: META_SIZE as u64 });
    }
    let unread = || unread(&file, path);
    let first = read_meta(&file, 0).ok_or_else(unread)?;
    let truncated = |wanted| Error::Truncated { path: path.to_owned(), length, wanted };
    if length < 2 * first.page_size {
        return Err(truncated(2 * first.page_size));
    }
    let second = read_meta(&file, first.page_size).ok_or_else(unread)?;
    let meta = if second.transaction > first.transaction { second } else { first };
    let wanted = meta.last_page.saturating_add(1).saturating_mul(meta.page_size);
    if length < wanted {
        let free = FreeList::read(&file, meta).ok_or_else(|| truncated(wanted))?;
        let first_missing = length / meta.page_size;
        if meta.last_page - first_missing > free.0.len() as u64
            || (first_missing..=meta.last_page).any(|page| !free.0.contains(&page))
        {
            return Err(truncated(wanted));
        }
    }
    Ok(length)
}

/// Why there is no header: whoever looks for another program's file looks in vain if it is ours
/// and damaged. LMDB's mark in either header page, or a page of zeros that was never written, says
/// that it is.
fn unread(file: &File, path: &Path) -> Error {
    let mut start = [0; META_SIZE];
    let marked = |at: u64| {
        let mut mark = [0; 8];
        let found = file.read_exact_at(&mut mark, at + 16).is_ok();
        found && u32_at(&mark, 0) == Some(MAGIC) && u32_at(&mark, 4) == Some(VERSION)
    };
    let empty = file.read_exact_at(&mut start, 0).is_ok() && start.iter().all(|byte| *byte == 0);
    let second = (9..=16).any(|shift| marked(1 << shift));
    if empty || second || marked(0) {
        return Error::Damaged { at: "its header".to_owned() };
    }
    Error::Foreign { path: path.to_owned() }
}

fn file_error(path: &Path, source: std::io::Error) -> Error {
    Error::File { path: path.to_owned(), source }
}

fn read_meta(file: &File, at: u64) -> Option<Meta> {
    let mut page = [0; META_SIZE];
    file.read_exact_at(&mut page, at).ok()?;
    let page_size = u64::from(u32_at(&page, 40)?);
    let sound = u16_at(&page, 10)? & META != 0
        && u32_at(&page, 16)? == MAGIC
        && u32_at(&page, 20)? == VERSION
        && page_size.is_power_of_two()
        && (512..=65536).contains(&page_size);
    sound.then_some(Meta {
        page_size,
        free_root: u64_at(&page, 80)?,
        last_page: u64_at(&page, 136)?,
        transaction: u64_at(&page, 144)?,
    })
}

/// The numbers of all free pages.
struct FreeList(HashSet<u64>);

impl FreeList {
    /// `None` when the list itself is not wholly in the file.
    fn read(file: &File, meta: Meta) -> Option<Self> {
        let mut list = Self(HashSet::new());
        if meta.free_root != NO_PAGE {
            list.page(file, meta, meta.free_root, 0)?;
        }
        Some(list)
    }

    fn page(&mut self, file: &File, meta: Meta, number: u64, depth: u32) -> Option<()> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        let mut page = vec![0; usize::try_from(meta.page_size).ok()?];
        file.read_exact_at(&mut page, number.checked_mul(meta.page_size)?).ok()?;
        let flags = u16_at(&page, 10)?;
        let end = usize::from(u16_at(&page, 12)?);
        for pointer in (PAGE_HEADER..end).step_by(2) {
            let node = usize::from(u16_at(&page, pointer)?);
            let (low, high) = (u16_at(&page, node)?, u16_at(&page, node + 2)?);
            let (node_flags, key) = (u16_at(&page, node + 4)?, u16_at(&page, node + 6)?);
            let size = u64::from(low) | u64::from(high) << 16;
            if flags & BRANCH != 0 {
                self.page(file, meta, size | u64::from(node_flags) << 32, depth + 1)?;
            } else if flags & LEAF != 0 {
                let at = node + 8 + usize::from(key);
                let size = usize::try_from(size).ok()?;
                if node_flags & BIG_DATA != 0 {
                    let start = u64_at(&page, at)?.checked_mul(meta.page_size)?;
                    let mut value = vec![0; size];
                    file.read_exact_at(&mut value, start + PAGE_HEADER as u64).ok()?;
                    self.add(&value)?;
                } else {
                    self.add(page.get(at..at.checked_add(size)?)?)?;
                }
            } else {
                return None;
            }
        }
        Some(())
    }

    /// A value is a count and as many page numbers.
    fn add(&mut self, value: &[u8]) -> Option<()> {
        let count = usize::try_from(u64_at(value, 0)?).ok()?;
        for index in 1..=count {
            self.0.insert(u64_at(value, index.checked_mul(8)?)?);
        }
        Some(())
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, Entry, Fold, FoldError, NewEntry, Options, Store, Tables};

    struct Nothing;

    impl Fold for Nothing {
        fn version(&self) -> u32 {
            1
        }

        fn apply(
            &self,
            entry: &Entry,
            content: Option<&[u8]>,
            tables: &mut Tables<'_>,
        ) -> Result<(), FoldError> {
            Ok(tables.put("all", &entry.seq.to_be_bytes(), content.unwrap_or_default())?)
        }
    }

    /// Every page is a header, used by a database, or on the list; only the list's own pages are
    /// neither.
    #[test]
    fn the_list_of_free_pages_is_read_as_lmdb_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options::default(), Box::new(Nothing)).unwrap();
        // While a read is open no free page is used again: a row per commit, so also branches.
        let commit = |size: usize| {
            let new = NewEntry {
                time_ms: 0,
                actor: Actor::System,
                kind: "k".to_owned(),
                version: 1,
                shape: Vec::new(),
                content: Some(vec![b'x'; size]),
            };
            store.write_blocking(|w| w.append(new)).unwrap()
        };
        let fill = |_: &crate::Reader<'_>| {
            for _ in 0..300 {
                commit(10);
            }
            // One long list: many pages given up by one commit.
            store.write_blocking(|w| w.vault_put(b"large", &vec![7; 8 << 20]))?;
            store.write_blocking(|w| w.vault_delete(b"large"))
        };
        assert!(store.read(fill).unwrap());
        let core = store.core();
        let file = File::open(core.files.data()).unwrap();
        let metas = [0, 4096].map(|at| read_meta(&file, at).unwrap());
        let meta = if metas[0].transaction > metas[1].transaction { metas[0] } else { metas[1] };
        let free = FreeList::read(&file, meta).unwrap().0;
        let used = store
            .read(|r| {
                let h = r.handles;
                let mut used = core.env.unnamed_database_stat().non_free_page_size();
                for rows in [h.meta, h.journal, h.tables, h.vault] {
                    used += rows.stat(r.txn).unwrap().non_free_page_size();
                }
                Ok::<_, Error>(used / 4096)
            })
            .unwrap();
        let pages = usize::try_from(meta.last_page).unwrap() + 1;
        let own = pages - 2 - used - free.len();
        assert!(free.len() > 3500 && (4..60).contains(&own), "{} free, {own} own", free.len());
        assert!(free.iter().all(|page| (2..=meta.last_page).contains(page)));
    }
}
