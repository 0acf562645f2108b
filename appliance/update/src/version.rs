//! A system's version: three numbers, as part of file names that boot loaders order by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `1.2.3`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Before all others.
    pub const FIRST: Self = Self(0, 0, 0);

    pub(crate) fn is_short(self) -> bool {
        [self.0, self.1, self.2].iter().all(|part| *part < 100_000)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The text is no version such as 1.2.3.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no version such as 1.2.3")]
pub struct NoVersion;

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let mut parts = text.split('.').map(|part| part.parse().map_err(|_| NoVersion));
        let mut next = || parts.next().ok_or(NoVersion)?;
        let version = Self(next()?, next()?, next()?);
        // One way to write each: no signs, no zeros in front, nothing behind.
        if version.is_short() && version.to_string() == text { Ok(version) } else { Err(NoVersion) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_for_each_version() {
        assert_eq!("1.20.3".parse(), Ok(Version(1, 20, 3)));
        assert!(Version(1, 10, 0) > Version(1, 9, 9));
        for wrong in ["", "1.2", "1.2.3.4", "+1.2.3", "01.2.3", "1.2.3 ", "1.2.100000", "1.2.x"] {
            assert_eq!(wrong.parse::<Version>(), Err(NoVersion), "{wrong}");
        }
    }
}
