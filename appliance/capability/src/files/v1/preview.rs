//! A small picture of what is in a file, made by the browser that sends the file. It is taken as
//! bytes that look like a picture: nobody here opens it, and who shows it treats it as foreign.

use std::{borrow::Cow, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Most letters: 6 KiB of picture in base64.
const LETTERS_MAX: usize = 8192;

/// How base64 of each kind of picture begins.
const KINDS: &[(&str, &str)] =
    &[("/9j/", "image/jpeg"), ("iVBORw0KGgo", "image/png"), ("UklGR", "image/webp")];

/// Why a text is no preview.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoPreview {
    /// It is larger than a preview may be.
    #[error("a preview has at most {LETTERS_MAX} letters, this one has {0}")]
    Large(usize),
    /// It isn't base64, or not of a picture that is taken.
    #[error("a preview is a JPEG, PNG or WebP in base64")]
    Form,
}

/// A small picture: JPEG, PNG or WebP of at most 6 KiB, in base64 with its padding.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Preview(String);

impl Preview {
    /// The picture in base64.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it says it is.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        kind(&self.0).unwrap_or("application/octet-stream")
    }
}

impl FromStr for Preview {
    type Err = NoPreview;

    fn from_str(text: &str) -> Result<Self, NoPreview> {
        if text.len() > LETTERS_MAX {
            return Err(NoPreview::Large(text.len()));
        }
        let plain = text.trim_end_matches('=');
        let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        let whole = text.len().is_multiple_of(4) && text.len() - plain.len() <= 2;
        if whole && plain.bytes().all(letter) && kind(text).is_some() {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoPreview::Form)
        }
    }
}

fn kind(text: &str) -> Option<&'static str> {
    KINDS.iter().find(|(begin, _)| text.starts_with(begin)).map(|(_, kind)| *kind)
}

impl<'de> Deserialize<'de> for Preview {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Preview {
    fn schema_name() -> Cow<'static, str> {
        "Preview".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "maxLength": LETTERS_MAX,
            "pattern": "^(/9j/|iVBORw0KGgo|UklGR)[A-Za-z0-9+/]*={0,2}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_preview_looks_like_a_small_picture_or_is_refused() {
        for (text, kind) in
            [("/9j/AAAA", "image/jpeg"), ("iVBORw0KGgo=", "image/png"), ("UklGRAA=", "image/webp")]
        {
            assert_eq!(text.parse::<Preview>().unwrap().media_type(), kind);
        }
        let long = format!("/9j/{}", "A".repeat(LETTERS_MAX));
        assert_eq!(long.parse::<Preview>(), Err(NoPreview::Large(long.len())));
        for bad in ["", "AAAA", "PHN2Zz4=", "/9j/A", "/9j/AA\n=", "/9j/====", "/9j/A=AA"] {
            assert_eq!(bad.parse::<Preview>(), Err(NoPreview::Form), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_preview_as_it_is_or_none(text in "(/9j/|UklGR)?[A-Za-z0-9+/=]{0,40}|.{0,20}") {
            if let Ok(preview) = text.parse::<Preview>() {
                prop_assert_eq!(preview.as_str(), &text);
                prop_assert!(preview.media_type().starts_with("image/"));
            }
        }
    }
}
