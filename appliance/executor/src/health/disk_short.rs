//! The disk with the data folder is nearly full. Says how much is left, never whose what is.

use std::path::Path;

use handover::{Figure, Trouble, Weight};

pub(super) const NAME: &str = "disk_short";

pub(super) fn find(data: &Path) -> Option<Trouble> {
    let (free, size) = room(data)?;
    let trouble = Trouble::new(NAME, weight(free, size)?);
    Some(trouble.with("free", Figure::Bytes(free)).with("size", Figure::Bytes(size)))
}

/// Free bytes for an ordinary user, and all bytes.
pub(super) fn room(data: &Path) -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(data).ok()?;
    Some((disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize)))
}

/// Full disks can't take what a change needs; a tenth of a small disk is little, of a large one much.
fn weight(free: u64, size: u64) -> Option<Weight> {
    if free < FULL {
        Some(Weight::Now)
    } else if free < LITTLE && free < size / 10 {
        Some(Weight::Soon)
    } else {
        None
    }
}

const FULL: u64 = 64 << 20;
const LITTLE: u64 = 4 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_of_a_large_disk_is_enough() {
        const GIB: u64 = 1 << 30;
        assert_eq!(weight(50 * GIB, 1000 * GIB), None);
        assert_eq!(weight(3 * GIB, 1000 * GIB), Some(Weight::Soon));
        assert_eq!(weight(3 * GIB, 16 * GIB), None);
        assert_eq!(weight(GIB, 16 * GIB), Some(Weight::Soon));
        assert_eq!(weight(1 << 20, 16 * GIB), Some(Weight::Now));
        assert!(room(Path::new("/")).is_some());
    }
}
