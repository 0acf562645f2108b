//! The data are encrypted, and nobody has said that they keep the recovery key: should this computer
//! not be able to open them one day, nobody can.
//!
//! What opens them is found out by what opens them, before the node starts; here it is only read.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use handover::{Trouble, Weight};
use serde::{Deserialize, Serialize};

pub(super) const NAME: &str = "recovery_key_unknown";

/// Who can open the data of the machine.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Opens {
    /// Everybody: they are not encrypted.
    Anybody,
    /// This computer, and nobody else who is known of.
    ComputerAlone,
    /// This computer, and who has the recovery key.
    KeyToo,
}

pub(super) fn find(reports: &Path) -> Option<Trouble> {
    (opens(reports)? == Opens::ComputerAlone).then(|| Trouble::new(NAME, Weight::Soon))
}

/// As it was left; none where nobody did, as on a machine that isn't all the node's.
pub(crate) fn opens(reports: &Path) -> Option<Opens> {
    let mut options = OpenOptions::new();
    // What is no file must not keep anybody waiting.
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    let file = options.open(reports.join(LEFT)).ok()?;
    let mut word = String::new();
    file.take(LONGEST).read_to_string(&mut word).ok()?;
    match word.trim_end() {
        "anybody" => Some(Opens::Anybody),
        "computer-alone" => Some(Opens::ComputerAlone),
        "key-too" => Some(Opens::KeyToo),
        _ => None,
    }
}

const LEFT: &str = "data.opens";
const LONGEST: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_that_nobody_has_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!((opens(folder.path()), find(folder.path())), (None, None));
        for (word, found, problem) in [
            ("anybody", Some(Opens::Anybody), false),
            ("computer-alone", Some(Opens::ComputerAlone), true),
            ("key-too\n", Some(Opens::KeyToo), false),
            ("something else", None, false),
            ("", None, false),
        ] {
            std::fs::write(folder.path().join(LEFT), word).unwrap();
            assert_eq!(opens(folder.path()), found, "{word}");
            assert_eq!(find(folder.path()).is_some(), problem, "{word}");
        }
    }
}
