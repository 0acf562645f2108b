//! Puts the system that runs from a stick onto a disk of the computer: its table, its boot partition
//! and the slot that runs, read back afterwards. Everything else that was on the disk is lost.
//!
//! Never takes data along, and never writes to the disk that the system runs from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use gpt::GptConfig;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::EFI;
use rustix::fs::OFlags;
use uuid::Uuid;

use crate::write::{Error as WriteError, Step, write};
use crate::{Disk, Extents};

/// Why a disk has no system now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody uses it.
    #[error("{0} can't be opened")]
    Open(String, #[source] io::Error),
    /// Its table would stand somewhere else.
    #[error(
        "{0} has sectors of {1} bytes, and an image is made for disks with 512: take another disk. Nothing on it was changed"
    )]
    Sectors(String, u64),
    /// Its table, or that of the stick.
    #[error("the table of {0} can't be read or written: {1}")]
    Table(String, String),
    /// The copy isn't there, or not as it should be.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Disks that a system can be put on, from the one that it runs from.
#[must_use]
pub fn places(all: Vec<Disk>, own: &Disk) -> Vec<Disk> {
    let fits = |disk: &Disk| {
        disk.name != own.name
            && !disk.removable
            && !disk.read_only
            && disk.used.is_empty()
            && disk.bytes >= SMALLEST
            && !VIRTUAL.iter().any(|kind| disk.name.starts_with(kind))
    };
    all.into_iter().filter(fits).collect()
}

/// Copies the system from its disk to another one.
///
/// # Errors
/// If the other one doesn't hold it now.
pub fn install(own: &Disk, to: &Disk, told: impl FnMut(Step)) -> Result<(), Error> {
    if to.sector != SECTOR {
        return Err(Error::Sectors(to.title(), to.sector));
    }
    let open = |disk: &Disk, flags: OFlags| {
        let mut options = File::options();
        let writes = flags.contains(OFlags::EXCL);
        options.read(true).write(writes).custom_flags(flags.bits().cast_signed());
        options.open(disk.path()).map_err(|error| Error::Open(disk.title(), error))
    };
    let (from, onto) = (open(own, OFlags::empty())?, open(to, OFlags::EXCL)?);
    copy(&from, &onto, to.bytes, told)
}

fn copy(from: &File, onto: &File, bytes: u64, told: impl FnMut(Step)) -> Result<(), Error> {
    let wrong = |whose: &str| {
        let whose = whose.to_owned();
        move |error: String| Error::Table(whose.clone(), error)
    };
    let (stick, disk) = (wrong("the stick"), wrong("the disk"));
    let table = GptConfig::new().writable(false).open_from_device(from);
    let table = table.map_err(|error| stick(error.to_string()))?;
    let kept = kept(table.partitions());
    if kept.len() < 2 {
        return Err(stick("it has no system".to_owned()));
    }
    // What was there is gone from here on, and so is the table, until the copy is whole: a computer
    // whose power fails now starts from its stick again. The table has a second copy, at the end.
    let zeros = vec![0; 1 << 20];
    for at in [bytes.saturating_sub(1 << 20), 0] {
        onto.write_all_at(&zeros, at).map_err(|error| WriteError::Disk("written", error))?;
    }
    onto.sync_all().map_err(|error| WriteError::Disk("written", error))?;
    let filled = kept.values().filter(|part| part.name != EMPTY);
    let extents: Extents = filled.filter_map(range).collect();
    // Whoever read the table has left it somewhere else.
    let mut image = from;
    io::Seek::rewind(&mut image).map_err(WriteError::Image)?;
    write(image, &extents, onto, |_, _| true, told)?;
    let last = u32::try_from(bytes / SECTOR - 1).unwrap_or(u32::MAX);
    let table = || -> Result<(), String> {
        let mut device = onto;
        io::Seek::rewind(&mut device).map_err(|error| error.to_string())?;
        ProtectiveMBR::with_lb_size(last).overwrite_lba0(&mut device).map_err(|e| e.to_string())?;
        // Without an id it gets a new one.
        let mut table = GptConfig::new()
            .writable(true)
            .create_from_device(onto, None)
            .map_err(|error| error.to_string())?;
        table.update_partitions(kept).map_err(|error| error.to_string())?;
        table.write().map(drop).map_err(|error| error.to_string())
    };
    table().map_err(disk)?;
    onto.sync_all().map_err(|error| WriteError::Disk("written", error).into())
}

/// The boot partition and the slots. The data stay on the stick.
fn kept(all: &BTreeMap<u32, Partition>) -> BTreeMap<u32, Partition> {
    let mut kept = all.clone();
    kept.retain(|_, part| part.name != DATA);
    for part in kept.values_mut().filter(|part| part.part_type_guid == EFI) {
        // Its own: whoever starts from it is told this id, and so knows from which disk.
        part.part_guid = Uuid::new_v4();
    }
    kept
}

fn range(part: &Partition) -> Option<Range<u64>> {
    let end = part.last_lba.checked_add(1)?.checked_mul(SECTOR)?;
    Some(part.first_lba.checked_mul(SECTOR)?..end)
}

const SECTOR: u64 = 512;
/// Boot, two slots, and some data.
const SMALLEST: u64 = 2_000_000_000;
const DATA: &str = "hometwin-data";
const EMPTY: &str = "_empty";
/// What is no disk that somebody bought, or can't be started from.
const VIRTUAL: &[&str] = &["dm-", "loop", "md", "ram", "sr", "zram", "fd", "nbd"];

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str) -> Disk {
        Disk {
            name: name.into(),
            model: String::new(),
            bytes: 8_000_000_000,
            sector: 512,
            removable: false,
            read_only: false,
            used: Vec::new(),
        }
    }

    #[test]
    fn a_place_is_a_free_disk_of_the_computer() {
        let stick = Disk { removable: true, ..disk("sdb") };
        let all = vec![
            disk("sda"),
            stick.clone(),
            Disk { removable: true, ..disk("sdc") },
            Disk { used: vec!["/".into()], ..disk("sdd") },
            Disk { bytes: 1_000_000_000, ..disk("sde") },
            Disk { read_only: true, ..disk("sdf") },
            disk("zram0"),
            disk("nvme0n1"),
        ];
        let names: Vec<String> = places(all, &stick).into_iter().map(|disk| disk.name).collect();
        assert_eq!(names, ["sda", "nvme0n1"]);
    }

    /// A stick with three parts: boot, a slot that is filled, an empty one, and data.
    fn stick() -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(16 << 20).unwrap();
        let mut table = GptConfig::new().writable(true).create_from_device(&file, None).unwrap();
        let linux = gpt::partition_types::LINUX_FS;
        for (name, kind) in [
            ("boot", EFI),
            ("hometwin_1_system", linux.clone()),
            (EMPTY, linux.clone()),
            (DATA, linux),
        ] {
            table.add_partition(name, 2 << 20, kind, 0, Some(2048)).unwrap();
        }
        table.write().unwrap();
        for part in 0..4_u8 {
            let at = (2 * u64::from(part) + 1) << 20;
            file.write_all_at(&[part + 1; 1 << 20], at).unwrap();
        }
        file
    }

    #[test]
    fn the_copy_has_the_system_and_no_data() {
        let (from, onto) = (stick(), tempfile::tempfile().unwrap());
        onto.set_len(64 << 20).unwrap();
        // Something was there before.
        onto.write_all_at(&vec![0xee; 16 << 20], 0).unwrap();
        let mut steps = 0;
        copy(&from, &onto, 64 << 20, |_| steps += 1).unwrap();
        assert!(steps > 0);
        let old = GptConfig::new().writable(false).open_from_device(&from).unwrap();
        let new = GptConfig::new().writable(false).open_from_device(&onto).unwrap();
        let names: Vec<&str> = new.partitions().values().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["boot", "hometwin_1_system", EMPTY]);
        assert_ne!(new.guid(), old.guid());
        assert_ne!(new.partitions()[&1].part_guid, old.partitions()[&1].part_guid);
        assert_eq!(new.partitions()[&2].part_guid, old.partitions()[&2].part_guid);
        let mut bytes = vec![0; 1 << 20];
        for (part, found) in [(0, 1), (1, 2), (2, 0xee)] {
            onto.read_exact_at(&mut bytes, (2 * part + 1) << 20).unwrap();
            assert!(bytes.iter().all(|byte| *byte == found), "{part}");
        }
        // Room for data behind it: the table ends where the disk ends.
        assert!(new.header().last_usable > (60 << 20) / SECTOR);
    }

    #[test]
    fn a_copy_that_stops_leaves_no_table() {
        let (from, onto) = (stick(), stick());
        let bytes = onto.metadata().unwrap().len();
        let table = || GptConfig::new().writable(false).open_from_device(&onto);
        table().unwrap();
        from.set_len(2 << 20).unwrap();
        let stopped = copy(&from, &onto, bytes, |_| ());
        assert!(matches!(stopped, Err(Error::Write(WriteError::Image(_)))), "{stopped:?}");
        assert!(table().is_err(), "the old system's table is still there");
    }

    #[test]
    fn a_disk_with_large_sectors_is_refused() {
        let refused = install(&disk("sdb"), &Disk { sector: 4096, ..disk("sda") }, |_| ());
        assert!(matches!(refused, Err(Error::Sectors(_, 4096))), "{refused:?}");
    }

    #[test]
    fn a_stick_without_a_system_is_refused() {
        let (from, onto) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        from.set_len(1 << 20).unwrap();
        assert!(copy(&from, &onto, 64 << 20, |_| ()).is_err());
        assert_eq!(onto.metadata().unwrap().len(), 0, "nothing was written");
    }
}
