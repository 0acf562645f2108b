//! The root hash: on the kernel's command line, and in the ids of the two partitions it is about.
//!
//! The ids are systemd's convention for verified partitions: the first half of the hash is the id
//! of the file system's partition, the last half that of its hash tree. So slots need no names.

use std::fmt;
use std::str::FromStr;

/// The root of a verity tree over SHA-256.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RootHash(pub [u8; 32]);

impl RootHash {
    /// The id of the partition with the file system, in the order in which it is written as text.
    #[must_use]
    pub fn data_id(&self) -> [u8; 16] {
        std::array::from_fn(|at| self.0[at])
    }

    /// The id of the partition with the hash tree, in the order in which it is written as text.
    #[must_use]
    pub fn tree_id(&self) -> [u8; 16] {
        std::array::from_fn(|at| self.0[16 + at])
    }

    /// The hash that a kernel's command line names.
    ///
    /// # Errors
    /// If it names none, or one that is no hash.
    pub fn of_command_line(line: &str) -> Result<Self, NoHash> {
        let named = line.split_whitespace().find_map(|word| word.strip_prefix(KEY));
        named.ok_or(NoHash::Missing)?.parse()
    }

    /// The word for a kernel's command line.
    #[must_use]
    pub fn word(&self) -> String {
        format!("{KEY}{self}")
    }
}

impl fmt::Display for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for RootHash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or(NoHash::Broken)?;
        Ok(Self(std::array::from_fn(|at| digits[2 * at] << 4 | digits[2 * at + 1])))
    }
}

/// Why there is no root hash.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoHash {
    /// Something else stands there.
    #[error("what {KEY} names is no SHA-256")]
    Broken,
    /// Nobody says which system to start.
    #[error("the kernel's command line has no {KEY}")]
    Missing,
}

const KEY: &str = "roothash=";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_command_line_names_it() {
        let text = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";
        let hash = RootHash::of_command_line(&format!("quiet roothash={text} panic=5")).unwrap();
        assert_eq!(hash.to_string(), text);
        assert_eq!(hash.data_id()[..3], [0x00, 0x11, 0x22]);
        assert_eq!(hash.tree_id()[..3], [0x01, 0x23, 0x45]);
        assert_eq!(RootHash::of_command_line("quiet"), Err(NoHash::Missing));
        assert_eq!(RootHash::of_command_line("roothash=12"), Err(NoHash::Broken));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: [u8; 32]) {
            let hash = RootHash(bytes);
            prop_assert_eq!(RootHash::of_command_line(&hash.word()), Ok(hash));
        }

        #[test]
        fn nothing_makes_it_panic(line: String) {
            let _ = RootHash::of_command_line(&line);
            let _ = RootHash::from_str(&line);
        }
    }
}
