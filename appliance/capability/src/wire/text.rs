//! Texts with limits, checked when they are read. They never change what was written: a text is
//! taken as it is or refused.

use std::{borrow::Cow, fmt, ops::Deref, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Why a text is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// Too short or too long; counted in Unicode characters.
    #[error("a text of {min} to {max} characters is wanted, this one has {is}")]
    Length {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
        /// How many it has.
        is: usize,
    },
    /// It has a character that cannot be shown.
    #[error("character U+{0:04X} is not allowed here")]
    Character(u32),
    /// Nothing but white space.
    #[error("the text has only white space")]
    Blank,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $refuses:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name<const MIN: usize, const MAX: usize>(String);

        impl<const MIN: usize, const MAX: usize> $name<MIN, MAX> {
            /// The text, no longer bounded.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl<const MIN: usize, const MAX: usize> Deref for $name<MIN, MAX> {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl<const MIN: usize, const MAX: usize> fmt::Display for $name<MIN, MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<const MIN: usize, const MAX: usize> FromStr for $name<MIN, MAX> {
            type Err = Unfit;

            fn from_str(text: &str) -> Result<Self, Unfit> {
                fit(text, MIN, MAX, $refuses)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl<'de, const MIN: usize, const MAX: usize> Deserialize<'de> for $name<MIN, MAX> {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = Cow::<'_, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<const MIN: usize, const MAX: usize> JsonSchema for $name<MIN, MAX> {
            fn schema_name() -> Cow<'static, str> {
                concat!(stringify!($name)).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "minLength": MIN, "maxLength": MAX })
            }
        }
    };
}

text!(
    /// Text of several lines: no control characters but line feed and tab.
    Text, refused_in_text
);
text!(
    /// One line, such as a name: no control characters, no line breaks and none of the marks
    /// that turn the direction of what follows (a name must not rewrite the text around it).
    Line, refused_in_line
);

/// A short name in lower case: the name of a capability, method, kind or experience.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Word(String);

impl Word {
    /// The word as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Word {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        fit(text, 1, 64, |c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-'))?;
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Word {
    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-z._-]{1,64}$" })
    }
}

fn fit(text: &str, min: usize, max: usize, refused: fn(char) -> bool) -> Result<(), Unfit> {
    let is = text.chars().count();
    if !(min..=max).contains(&is) {
        return Err(Unfit::Length { min, max, is });
    }
    if let Some(found) = text.chars().find(|c| refused(*c)) {
        return Err(Unfit::Character(found.into()));
    }
    if min > 0 && text.trim().is_empty() {
        return Err(Unfit::Blank);
    }
    Ok(())
}

fn refused_in_text(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

fn refused_in_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl<const MAX: usize> Default for Text<0, MAX> {
    fn default() -> Self {
        Self(String::new())
    }
}

impl<const MAX: usize> Default for Line<0, MAX> {
    fn default() -> Self {
        Self(String::new())
    }
}
