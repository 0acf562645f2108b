//! The hash tree of a file system, as `veritysetup format` makes it: one hash for every block, one
//! for every block of hashes, until one is left.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use initrd::hash::RootHash;
use initrd::superblock::{BLOCK, Superblock};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Writes the tree of `data` to `tree`.
pub(crate) fn write(data: &Path, tree: &Path, uuid: [u8; 16], salt: &[u8]) -> Result<RootHash> {
    let length = data.metadata().map_err(Error::file(data))?.len();
    let blocks = length.div_ceil(BLOCK as u64);
    let superblock = Superblock { uuid, blocks, salt: salt.to_vec() };
    let file = File::open(data).map_err(Error::file(data))?;
    let (root, levels) = levels(BufReader::new(file), salt).map_err(Error::file(data))?;
    let out = || -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create(tree)?);
        out.write_all(&superblock.to_bytes())?;
        // The last level stands first.
        for level in levels.iter().rev() {
            out.write_all(level)?;
        }
        out.flush()
    };
    out().map_err(Error::file(tree))?;
    Ok(root)
}

/// The root hash of this much data, and whether the stored levels are those of the data.
pub(crate) fn root(data: impl Read, salt: &[u8]) -> std::io::Result<(RootHash, Vec<u8>)> {
    let (root, levels) = levels(data, salt)?;
    Ok((root, levels.into_iter().rev().flatten().collect()))
}

/// The root, and the levels from the data upwards, each of whole blocks.
fn levels(mut data: impl Read, salt: &[u8]) -> std::io::Result<(RootHash, Vec<Vec<u8>>)> {
    let salted = Sha256::new_with_prefix(salt);
    let mut levels = vec![Vec::new()];
    let mut block = [0; BLOCK];
    loop {
        let read = fill(&mut data, &mut block)?;
        if read == 0 {
            break;
        }
        block[read..].fill(0);
        levels[0].extend(salted.clone().chain_update(block).finalize());
    }
    loop {
        let below = levels.last_mut().map(|level| {
            level.resize(level.len().next_multiple_of(BLOCK).max(BLOCK), 0);
            &*level
        });
        let above: Vec<u8> = below
            .into_iter()
            .flat_map(|level| level.chunks(BLOCK))
            .flat_map(|block| salted.clone().chain_update(block).finalize())
            .collect();
        if let Ok(root) = <[u8; 32]>::try_from(above.as_slice()) {
            return Ok((RootHash(root), levels));
        }
        levels.push(above);
    }
}

fn fill(data: &mut impl Read, block: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < block.len() {
        match data.read(&mut block[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_changed_bit_changes_the_root(
            blocks in 1_usize..300, at: prop::sample::Index, salt: [u8; 8]
        ) {
            let mut data = vec![7; blocks * BLOCK];
            let (before, _) = root(&data[..], &salt).unwrap();
            let at = at.index(data.len());
            data[at] ^= 1;
            prop_assert_ne!(root(&data[..], &salt).unwrap().0, before);
        }
    }

    #[test]
    fn the_tree_is_veritysetups() {
        let folder = tempfile::tempdir().unwrap();
        let (data, tree) = (folder.path().join("data"), folder.path().join("tree"));
        // 300 blocks: two levels of hashes. The root is what veritysetup 2.7.5 says of them.
        let bytes: Vec<u8> = (0..300 * BLOCK).map(|at| (at / BLOCK % 251) as u8).collect();
        std::fs::write(&data, bytes).unwrap();
        let hash = write(&data, &tree, [0x11; 16], &[0xab; 32]).unwrap();
        assert_eq!(
            hash.to_string(),
            "2ee2943d173765bcb8df0109e3a9ffa68cf7b3d2907f473614ae9e347cec9c73"
        );
        let bytes = std::fs::read(&tree).unwrap();
        assert_eq!(bytes.len(), (1 + 1 + 3) * BLOCK);
        assert_eq!(Superblock::read(&bytes).unwrap().blocks, 300);
    }
}
