//! The device that the kernel verifies: every block that is read is compared with the hash tree,
//! and one that differs stops the machine.

mod kernel;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use initrd::hash::RootHash;
use initrd::superblock::{BLOCK, Superblock};

use crate::Failure;
use crate::disk::Slot;
use kernel::{Request, Verb};

/// Makes the device, which can only be read.
pub(crate) fn verified(
    slot: &Slot,
    superblock: &Superblock,
    hash: &RootHash,
) -> Result<PathBuf, Failure> {
    let control = Path::new("/dev/mapper/control");
    let control = fs::File::open(control).map_err(Failure::file(control))?;
    let uuid = format!("CRYPT-VERITY-{}-{NAME}", hex(&superblock.uuid));
    let request = || Request::new(NAME);
    let made = request()
        .with_uuid(&uuid)
        .send(&control, Verb::Create)
        .map_err(Failure::kernel("make a device"))?;
    let sectors = superblock.blocks.saturating_mul(BLOCK as u64 / 512);
    let table = table(&number(&slot.data)?, &number(&slot.tree)?, superblock, hash);
    let load = request().read_only().with_target("verity", sectors, &table);
    load.send(&control, Verb::Load).map_err(Failure::kernel("take the hash tree"))?;
    request().send(&control, Verb::Resume).map_err(Failure::kernel("start verifying"))?;
    Ok(PathBuf::from(format!("/dev/dm-{}", rustix::fs::minor(made))))
}

/// The kernel's words for a verity device: Documentation/admin-guide/device-mapper/verity.rst.
fn table(data: &str, tree: &str, superblock: &Superblock, hash: &RootHash) -> String {
    let salt = if superblock.salt.is_empty() { "-".to_owned() } else { hex(&superblock.salt) };
    let blocks = superblock.blocks;
    // The tree starts after its own first block, which only says how it was made.
    format!("1 {data} {tree} 4096 4096 {blocks} 1 sha256 {hash} {salt} 1 panic_on_corruption")
}

fn number(device: &Path) -> Result<String, Failure> {
    let number = fs::metadata(device).map_err(Failure::file(device))?.rdev();
    Ok(format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// systemd knows the device of this name as the system's.
const NAME: &str = "root";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_all_that_the_kernel_asks() {
        let superblock = Superblock { uuid: [1; 16], blocks: 300, salt: vec![0xab; 2] };
        let text = table("254:3", "254:5", &superblock, &RootHash([0; 32]));
        let hash = "0".repeat(64);
        assert_eq!(
            text,
            format!("1 254:3 254:5 4096 4096 300 1 sha256 {hash} abab 1 panic_on_corruption")
        );
        let unsalted = Superblock { salt: Vec::new(), ..superblock };
        assert!(
            table("1:1", "1:2", &unsalted, &RootHash([0; 32])).contains(&format!("{hash} - 1 "))
        );
    }
}
