//! Names of files and kinds of contents, checked when they are read. They are taken as they are or
//! refused: two devices must never see one name in two ways.

use std::{borrow::Cow, fmt, ops::Deref, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use unicode_normalization::is_nfc;

/// Most bytes of a name, as file systems have it.
const NAME_MAX: usize = 255;
/// Most letters of a media type.
const TYPE_MAX: usize = 127;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// Too short or too long.
    #[error("a name has 1 to {NAME_MAX} bytes, this one has {0}")]
    Length(usize),
    /// It has a character that no name may have.
    #[error("character U+{0:04X} is not allowed in a name")]
    Character(u32),
    /// It would mean another place, or can't be told from another name.
    #[error("a name is not `.` or `..` and has no white space at its ends")]
    Place,
    /// Written in another way than others write the same.
    #[error("a name has to be in Unicode's form NFC")]
    Form,
    /// No media type.
    #[error("not a media type such as `image/png`")]
    MediaType,
}

/// The name of a file or folder: 1 to 255 bytes in Unicode's form NFC. No `/`, no control
/// characters and no marks that turn the direction of what follows; not `.` or `..`, and no white
/// space at its ends.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct FileName(String);

/// What is in a file: a type and a subtype, without parameters.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct MediaType(String);

impl FromStr for FileName {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        if !(1..=NAME_MAX).contains(&text.len()) {
            return Err(Unfit::Length(text.len()));
        }
        if let Some(found) = text.chars().find(|c| is_refused(*c)) {
            return Err(Unfit::Character(found.into()));
        }
        if text == "." || text == ".." || text.trim() != text {
            return Err(Unfit::Place);
        }
        if is_nfc(text) { Ok(Self(text.to_owned())) } else { Err(Unfit::Form) }
    }
}

fn is_refused(c: char) -> bool {
    c == '/'
        || c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl FromStr for MediaType {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        let token = |part: &str| {
            let mark = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
            !part.is_empty() && part.bytes().all(mark)
        };
        match text.split_once('/') {
            Some((kind, rest)) if text.len() <= TYPE_MAX && token(kind) && token(rest) => {
                Ok(Self(text.to_owned()))
            }
            Some(_) | None => Err(Unfit::MediaType),
        }
    }
}

macro_rules! checked {
    ($name:ident, $schema:tt) => {
        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = Cow::<'_, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

checked!(FileName, { "type": "string", "minLength": 1, "maxLength": NAME_MAX });
checked!(MediaType, { "type": "string", "pattern": "^[^/; ]+/[^/; ]+$", "maxLength": TYPE_MAX });

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(name: &str) -> Unfit {
        name.parse::<FileName>().unwrap_err()
    }

    #[test]
    fn names_are_taken_as_they_are_or_refused() {
        for good in ["a", "Über uns.txt", "…", ".profile", "a.b.c", "日本語", "a\\b", "con", "👩‍👧"]
        {
            assert_eq!(&*good.parse::<FileName>().unwrap(), good);
        }
        assert_eq!(refusal(""), Unfit::Length(0));
        assert_eq!(refusal(&"ä".repeat(128)), Unfit::Length(256));
        assert!("ä".repeat(127).parse::<FileName>().is_ok());
        for (bad, found) in [("a/b", 0x2f), ("a\0", 0), ("a\nb", 10), ("a\u{202e}b", 0x202e)] {
            assert_eq!(refusal(bad), Unfit::Character(found), "{bad:?}");
        }
        for bad in [".", "..", " a", "a ", "\u{3000}"] {
            assert_eq!(refusal(bad), Unfit::Place, "{bad:?}");
        }
        // Two ways to write one name.
        assert_eq!(refusal("u\u{308}"), Unfit::Form);
    }

    #[test]
    fn media_types_can_stand_in_a_header() {
        for good in ["image/png", "application/vnd.oasis.opendocument.text", "image/svg+xml"] {
            assert!(good.parse::<MediaType>().is_ok(), "{good}");
        }
        for bad in
            ["", "image", "image/", "/png", "text/html; charset=utf-8", "a/b/c", "a/b\r\nc:d"]
        {
            assert_eq!(bad.parse::<MediaType>().unwrap_err(), Unfit::MediaType, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_safe_and_stays_the_same(text in "\\PC{0,80}|.{0,80}") {
            use unicode_normalization::UnicodeNormalization as _;
            if let Ok(name) = text.parse::<FileName>() {
                prop_assert_eq!(&*name, &text);
                prop_assert!(!name.contains(['/', '\0']) && name.len() <= NAME_MAX);
                prop_assert!(text.nfc().eq(text.chars()));
            }
        }
    }
}
