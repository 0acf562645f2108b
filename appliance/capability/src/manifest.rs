//! `experience.json`: what an experience says about itself. Types only, and the checks that a reader
//! of any age makes; what it wants is asked of its person, never taken from here.

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::wire::{Line, Word};

/// What an experience is.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name and its address, `/x/<name>`: a letter, then letters, digits and `-`, all lower case,
    /// 32 at most.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,31}$"))]
    pub name: Word,
    /// Three numbers such as `1.4.0`: a newer one is larger.
    pub version: Version,
    /// What it is called, by language tag; `en` is always there.
    pub title: BTreeMap<String, Line<1, 60>>,
    /// The file to open; `index.html` unless given.
    #[serde(default = "usual_entry")]
    pub entry: String,
    /// The kinds of things that it works with, such as `conversation` or `folder`: it asks its person
    /// for each.
    #[serde(default)]
    pub wants: Vec<Word>,
    /// The capabilities that it uses, with their major version, such as `chat/1`.
    #[serde(default)]
    pub uses: Vec<String>,
    /// The types of records that it reads or writes, such as `hometwin/task@1`.
    #[serde(default)]
    pub types: Vec<String>,
}

fn usual_entry() -> String {
    "index.html".to_owned()
}

/// A version: three numbers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version(pub u32, pub u32, pub u32);

/// Why a text is no version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a version is three numbers such as 1.4.0")]
pub struct NoVersion;

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let number = |part: &str| {
            let plain = (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            let plain = plain && (part == "0" || !part.starts_with('0'));
            part.parse().ok().filter(|_| plain).ok_or(NoVersion)
        };
        let mut parts = text.split('.').map(number);
        let mut next = || parts.next().unwrap_or(Err(NoVersion));
        let version = Self(next()?, next()?, next()?);
        if parts.next().is_some() { Err(NoVersion) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Version {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{1,9}\\.[0-9]{1,9}\\.[0-9]{1,9}$" })
    }
}

/// Whether a text can name an experience.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 32
        && text.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_three_numbers_in_their_order() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("1.10.0").unwrap() > version("1.9.99").unwrap());
        assert_eq!(version("0.1.0").unwrap().to_string(), "0.1.0");
        for bad in
            ["", "1", "1.2", "1.2.3.4", "1.2.x", "01.2.3", "1.2.-3", "1..3", "9999999999.0.0"]
        {
            assert_eq!(version(bad), Err(NoVersion), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_none(text in "\\PC{0,60}|\\{\"name\":\"[a-z]{1,3}\",\"version\":\"[0-9.]{1,6}\",\"title\":\\{\\}\\}") {
            if let Ok(manifest) = serde_json::from_str::<Manifest>(&text) {
                let again = serde_json::to_string(&manifest).unwrap();
                prop_assert_eq!(serde_json::from_str::<Manifest>(&again).unwrap(), manifest);
            }
        }
    }
}
