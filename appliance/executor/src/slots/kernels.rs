//! Kernels in the boot partition. The boot loader starts the newest that hasn't failed, and counts in
//! its name: `hometwin_1.2.3+2-1.efi` may be tried twice more and was tried once, `hometwin_1.2.3.efi`
//! has proved itself, and of `hometwin_1.2.3+0-3.efi` it takes the older one instead. It always counts
//! what it did: `hometwin_1.2.3+0.efi`, without a try, is ours alone, and was set aside by wish.

use std::io;

use update::Version;

use super::blocks::Blocks;
use super::fat::{Entry, Fat};

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) version: Version,
    pub(crate) tries: Tries,
    pub(crate) entry: Entry,
}

/// How it was started so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tries {
    /// It was left by wish. Nothing is known against it; it may be tried again.
    Aside,
    /// Often enough, without proving itself.
    Failed,
    /// It has proved itself.
    Good,
    /// So many tries are left.
    Left(u8),
}

impl Tries {
    /// The larger is what the boot loader would rather start.
    pub(crate) fn order(self) -> u8 {
        match self {
            Self::Failed => 0,
            Self::Aside => 1,
            Self::Left(_) => 2,
            Self::Good => 3,
        }
    }

    /// Whether the boot loader starts it without being told to.
    pub(crate) fn may_start(self) -> bool {
        matches!(self, Self::Good | Self::Left(_))
    }
}

impl Kernel {
    /// All of ours.
    pub(crate) fn list<B: Blocks>(boot: &Fat<B>) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in boot.list(FOLDER)? {
            if let Some((version, tries)) = read(&entry.name)
                && !entry.folder
            {
                found.push(Self { version, tries, entry });
            }
        }
        Ok(found)
    }

    /// What one is called.
    pub(crate) fn name(version: Version, tries: Tries) -> String {
        match tries {
            Tries::Good => format!("{START}{version}{END}"),
            Tries::Left(left) => format!("{START}{version}+{left}{END}"),
            Tries::Aside => format!("{START}{version}+0{END}"),
            Tries::Failed => format!("{START}{version}+0-1{END}"),
        }
    }
}

fn read(name: &str) -> Option<(Version, Tries)> {
    let middle = name.strip_prefix(START)?.strip_suffix(END)?;
    let (version, count) = middle.split_once('+').map_or((middle, None), |(v, c)| (v, Some(c)));
    let tries = match count {
        None => Tries::Good,
        Some(count) => {
            let (left, done) = count.split_once('-').unwrap_or((count, "0"));
            let done: u32 = done.parse().ok()?;
            match left.parse().ok()? {
                0 if done == 0 => Tries::Aside,
                0 => Tries::Failed,
                left => Tries::Left(left),
            }
        }
    };
    Some((version.parse().ok()?, tries))
}

/// Where the boot loader looks.
pub(crate) const FOLDER: &[&str] = &["EFI", "Linux"];
const START: &str = "hometwin_";
const END: &str = ".efi";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_how_it_went() {
        let version = Version(1, 2, 3);
        for (name, expected) in [
            ("hometwin_1.2.3.efi", Some((version, Tries::Good))),
            ("hometwin_1.2.3+3.efi", Some((version, Tries::Left(3)))),
            ("hometwin_1.2.3+2-1.efi", Some((version, Tries::Left(2)))),
            ("hometwin_1.2.3+0-3.efi", Some((version, Tries::Failed))),
            ("hometwin_1.2.3+0-1.efi", Some((version, Tries::Failed))),
            ("hometwin_1.2.3+0.efi", Some((version, Tries::Aside))),
            ("hometwin_1.2.3+.efi", None),
            ("hometwin_1.2.3+x-1.efi", None),
            ("hometwin_1.2.efi", None),
            ("linux.efi", None),
            ("hometwin_1.2.3.efi.bak", None),
        ] {
            assert_eq!(read(name), expected, "{name}");
        }
        for tries in [Tries::Good, Tries::Aside, Tries::Failed, Tries::Left(3)] {
            assert_eq!(read(&Kernel::name(version, tries)), Some((version, tries)));
        }
    }
}
