//! The list of kernel modules that lies beside the first program, and which of them a machine needs.
//!
//! A line is `always NAME`, `needs NAME OTHER..` (others are loaded before, in this order) or
//! `alias PATTERN NAME` (for the devices whose `modalias` is of that pattern). Holds no module.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Which modules there are, and when each is loaded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Modules {
    /// Loaded on every machine, in this order.
    pub always: Vec<String>,
    /// What has to be loaded before a module, in order.
    pub needs: BTreeMap<String, Vec<String>>,
    /// Patterns of devices, and the module for them.
    pub aliases: Vec<(String, String)>,
}

impl Modules {
    /// The list as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for name in &self.always {
            let _ = writeln!(text, "always {name}");
        }
        for (name, needs) in &self.needs {
            let _ = writeln!(text, "needs {name} {}", needs.join(" "));
        }
        for (pattern, name) in &self.aliases {
            let _ = writeln!(text, "alias {pattern} {name}");
        }
        text
    }

    /// Reads the list; a line that it doesn't know is passed over.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut modules = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["always", name] => modules.always.push(name.to_owned()),
                ["needs", name, ref others @ ..] => {
                    let others = others.iter().map(|other| (*other).to_owned()).collect();
                    modules.needs.insert(name.to_owned(), others);
                }
                ["alias", pattern, name] => {
                    modules.aliases.push((pattern.to_owned(), name.to_owned()));
                }
                _ => {}
            }
        }
        modules
    }

    /// The modules for a device.
    pub fn of_device<'a>(&'a self, modalias: &'a str) -> impl Iterator<Item = &'a str> {
        let fits = move |(pattern, _): &&(String, String)| fits(pattern, modalias);
        self.aliases.iter().filter(fits).map(|(_, name)| name.as_str())
    }

    /// A module with everything that goes before it, in order.
    pub fn in_order<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let before = self.needs.get(name).into_iter().flatten();
        before.map(String::as_str).chain([name])
    }
}

/// Whether a device's name is of a pattern: `*`, `?` and `[a-z]`, as in fnmatch(3).
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut read) = (0, 0);
    // Where to go on after the last `*`, should what follows it not fit here.
    let mut again: Option<(usize, usize)> = None;
    while read < name.len() {
        if pattern.get(at) == Some(&b'*') {
            again = Some((at + 1, read));
            at += 1;
        } else if let Some(length) = one(&pattern[at..], name[read]) {
            at += length;
            read += 1;
        } else if let Some((after, from)) = again {
            again = Some((after, from + 1));
            (at, read) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// How long the first part of a pattern is, if this byte fits it.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern.first()? {
        b'?' => Some(1),
        b'[' => {
            let end = pattern.iter().position(|byte| *byte == b']')?;
            in_set(&pattern[1..end], byte).then_some(end + 1)
        }
        other => (*other == byte).then_some(1),
    }
}

fn in_set(mut set: &[u8], byte: u8) -> bool {
    while let Some((first, rest)) = set.split_first() {
        if let [b'-', last, after @ ..] = rest {
            if (*first..=*last).contains(&byte) {
                return true;
            }
            set = after;
        } else {
            if *first == byte {
                return true;
            }
            set = rest;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn devices_find_their_modules() {
        let text = "always dm-verity\nneeds sd_mod scsi_mod\nneeds virtio_blk\n\
            alias virtio:d00000002v* virtio_blk\nalias scsi:t-0x00* sd_mod\nwhat is this\n";
        let modules = Modules::read(text);
        assert_eq!(modules.always, ["dm-verity"]);
        let found: Vec<&str> = modules.of_device("virtio:d00000002v00001AF4").collect();
        assert_eq!(found, ["virtio_blk"]);
        assert_eq!(modules.in_order("sd_mod").collect::<Vec<_>>(), ["scsi_mod", "sd_mod"]);
        assert_eq!(modules.of_device("usb:v1d6b").count(), 0);
        assert_eq!(Modules::read(&modules.to_text()), modules);
    }

    #[test]
    fn patterns_are_those_of_the_kernel() {
        for (pattern, name, expected) in [
            ("pci:v*d*sv*sd*bc01sc06i01*", "pci:v00008086d00002922sv01sd02bc01sc06i01", true),
            ("pci:v*d*sv*sd*bc01sc06i01*", "pci:v00008086d00002922sv01sd02bc01sc01i80", false),
            ("usb:v*p*ic08isc06ip[56]0in*", "usb:v1p2ic08isc06ip50in00", true),
            ("usb:v*p*ic08isc06ip[5-6]0in*", "usb:v1p2ic08isc06ip70in00", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xaaxab", true),
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(pattern in "[a-c*?\\[\\]-]{0,12}", name in "[a-c]{0,12}") {
            let _ = fits(&pattern, &name);
        }

        #[test]
        fn a_name_fits_itself_and_a_star(name in "[a-z0-9:]{0,20}") {
            prop_assert!(fits(&name, &name));
            prop_assert!(fits("*", &name));
        }
    }
}
