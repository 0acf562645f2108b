//! Finds the partitions of a slot, on whichever disk they are.
//!
//! Reads the partition tables itself: the kernel's own events don't say the ids of partitions.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gpt::GptConfig;
use initrd::hash::RootHash;
use initrd::loader;
use initrd::superblock::BLOCK;
use rustix::mount::{MountFlags, mount};

use crate::Failure;
use crate::devices::Devices;

/// The two partitions that belong together, as device files.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) data: PathBuf,
    pub(crate) tree: PathBuf,
    /// The id of the data partition on the same disk, where there is one already.
    pub(crate) machine: Option<String>,
}

/// Waits until a disk with the two partitions is there.
pub(crate) fn find(hash: &RootHash, devices: &mut Devices) -> Result<Slot, Failure> {
    let begin = Instant::now();
    let started_from = started_from();
    loop {
        devices.look();
        // Where firmware says nothing, or something else than what there is, any disk will do.
        let boot = started_from.filter(|_| begin.elapsed() < PATIENCE / 4);
        let found = disks().into_iter().find_map(|disk| on_disk(&disk, hash, boot));
        if let Some(slot) = found {
            return Ok(slot);
        }
        if begin.elapsed() > PATIENCE {
            return Err(Failure::NoSlot(*hash));
        }
        std::thread::sleep(STEP);
    }
}

/// The boot partition that this start came from.
fn started_from() -> Option<[u8; 16]> {
    let folder = Path::new(loader::VARIABLE).parent()?;
    // There is none where no UEFI started the machine. systemd finds it mounted, and leaves it.
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("efivarfs", folder, "efivarfs", flags, None).ok()?;
    loader::partition(&fs::read(loader::VARIABLE).ok()?)
}

/// The block that says how the tree was made.
pub(crate) fn first_block(tree: &Path) -> Result<Vec<u8>, Failure> {
    let mut block = vec![0; BLOCK];
    let read = File::open(tree).and_then(|mut file| file.read_exact(&mut block));
    read.map_err(Failure::file(tree))?;
    Ok(block)
}

/// Names of whole disks.
fn disks() -> Vec<String> {
    let all = fs::read_dir("/sys/class/block").into_iter().flatten().flatten();
    let whole = all.filter(|entry| !entry.path().join("partition").exists());
    whole.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn on_disk(disk: &str, hash: &RootHash, boot: Option<[u8; 16]>) -> Option<Slot> {
    let table = GptConfig::new().writable(false).open(Path::new("/dev").join(disk)).ok()?;
    let has =
        |id: [u8; 16]| table.partitions().values().any(|part| part.part_guid.as_bytes() == &id);
    if boot.is_some_and(|boot| !has(boot)) {
        return None;
    }
    let partition = |id: [u8; 16]| {
        let (number, _) =
            table.partitions().iter().find(|(_, part)| part.part_guid.as_bytes() == &id)?;
        device(disk, *number)
    };
    let mut parts = table.partitions().values();
    let machine = parts.find(|part| part.name == DATA).map(|part| part.part_guid);
    Some(Slot {
        data: partition(hash.data_id())?,
        tree: partition(hash.tree_id())?,
        machine: machine.map(|id| id.as_simple().to_string()),
    })
}

/// `vda3`, but `nvme0n1p3`: the kernel says which one it is.
fn device(disk: &str, number: u32) -> Option<PathBuf> {
    let parts = fs::read_dir(Path::new("/sys/class/block").join(disk)).ok()?.flatten();
    let mut ours = parts.filter(|part| {
        fs::read_to_string(part.path().join("partition"))
            .is_ok_and(|text| text.trim() == number.to_string())
    });
    Some(Path::new("/dev").join(ours.next()?.file_name()))
}

/// What the system calls the partition that it makes.
const DATA: &str = "hometwin-data";
/// A disk behind a hub behind a slow card needs some seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(50);
