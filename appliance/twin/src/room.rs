//! What a twin takes on the disk besides its data: the door and the experiences count too.
//!
//! Copies in the making, and those that a repair keeps aside, don't: a repair must not fill a twin.

use std::path::Path;

/// What is left of a twin's share for its data.
pub(crate) fn for_life(share: Option<u64>, folder: &Path) -> Option<u64> {
    let beside = ["door", "experiences"].map(|part| taken(&folder.join(part), DEEPEST));
    share.map(|share| share.saturating_sub(beside.iter().sum()))
}

/// What can't be looked at counts as nothing: it is no reason not to start.
fn taken(folder: &Path, deepest: u32) -> u64 {
    let Ok(all) = std::fs::read_dir(folder) else { return 0 };
    let one = |found: std::fs::DirEntry| match found.metadata() {
        Ok(about) if about.is_dir() && deepest > 0 => taken(&found.path(), deepest - 1),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    all.flatten().map(one).sum()
}

/// Deeper folders than any experience has.
const DEEPEST: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_the_data_is_taken_off() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, bytes: usize| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, vec![0; bytes]).unwrap();
        };
        write("door/door.mdb", 3000);
        write("experiences/chat/index.html", 500);
        write("experiences/chat/parts/one.js", 70);
        write("life/store.mdb", 900_000);
        let left = for_life(Some(1_000_000), folder.path()).unwrap();
        assert!((900_000..=1_000_000 - 3570).contains(&left), "{left}");
        assert_eq!(for_life(Some(10), folder.path()), Some(0));
        assert_eq!(for_life(None, folder.path()), None);
    }
}
