//! The first block of a hash tree: how the tree was made. Written by the build, read at every start.
//!
//! The format is that of `veritysetup`, version 1, so that Debian's tools can check an image too.
//! Only what we make is accepted: SHA-256 over blocks of 4096 bytes.

use std::fmt;

/// Bytes in a block, of data as of hashes.
pub const BLOCK: usize = 4096;

/// What a tree was made from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Superblock {
    /// Names the tree; no part of what is verified.
    pub uuid: [u8; 16],
    /// How many blocks of data the tree covers.
    pub blocks: u64,
    /// Goes before every block that is hashed.
    pub salt: Vec<u8>,
}

impl Superblock {
    /// The block as it stands on the disk.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BLOCK);
        bytes.extend(MAGIC);
        bytes.extend(1_u32.to_le_bytes()); // Version of this block.
        bytes.extend(1_u32.to_le_bytes()); // Kind of hash: the salt goes first.
        bytes.extend(self.uuid);
        bytes.extend(ALGORITHM);
        bytes.resize(64, 0);
        bytes.extend(4096_u32.to_le_bytes());
        bytes.extend(4096_u32.to_le_bytes());
        bytes.extend(self.blocks.to_le_bytes());
        bytes.extend(u16::try_from(self.salt.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.resize(SALT, 0);
        bytes.extend(&self.salt);
        bytes.resize(BLOCK, 0);
        bytes
    }

    /// Reads the block.
    ///
    /// # Errors
    /// If it is none, or one of another kind of tree.
    pub fn read(bytes: &[u8]) -> Result<Self, NotOurs> {
        let field = |at: usize, length: usize| bytes.get(at..at + length).ok_or(NotOurs);
        let number = |at: usize| -> Result<u32, NotOurs> {
            Ok(u32::from_le_bytes(field(at, 4)?.try_into().map_err(|_| NotOurs)?))
        };
        let known = field(0, 8)? == MAGIC
            && number(8)? == 1
            && number(12)? == 1
            && field(32, 7)? == ALGORITHM
            && field(39, 25)?.iter().all(|byte| *byte == 0)
            && number(64)? == 4096
            && number(68)? == 4096;
        let length = u16::from_le_bytes(field(80, 2)?.try_into().map_err(|_| NotOurs)?);
        if !known || length > 256 {
            return Err(NotOurs);
        }
        Ok(Self {
            uuid: field(16, 16)?.try_into().map_err(|_| NotOurs)?,
            blocks: u64::from_le_bytes(field(72, 8)?.try_into().map_err(|_| NotOurs)?),
            salt: field(SALT, length.into())?.to_vec(),
        })
    }
}

/// The block is not the first one of a tree that we make.
#[derive(Debug, Eq, PartialEq)]
pub struct NotOurs;

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no hash tree of ours starts there")
    }
}

impl std::error::Error for NotOurs {}

const MAGIC: &[u8] = b"verity\0\0";
const ALGORITHM: &[u8] = b"sha256\0";
const SALT: usize = 88;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            uuid: [u8; 16], blocks: u64, salt in prop::collection::vec(any::<u8>(), 0..=256)
        ) {
            let block = Superblock { uuid, blocks, salt };
            let bytes = block.to_bytes();
            prop_assert_eq!(bytes.len(), BLOCK);
            prop_assert_eq!(Superblock::read(&bytes), Ok(block));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Superblock::read(&bytes);
            let mut headed = MAGIC.to_vec();
            headed.extend(bytes);
            let _ = Superblock::read(&headed);
        }
    }

    #[test]
    fn another_kind_of_tree_is_refused() {
        let block = Superblock { uuid: [7; 16], blocks: 9, salt: vec![1; 32] };
        for at in [0, 8, 12, 32, 40, 64, 68, 81] {
            let mut bytes = block.to_bytes();
            bytes[at] ^= 0xff;
            assert_eq!(Superblock::read(&bytes), Err(NotOurs), "byte {at}");
        }
    }
}
