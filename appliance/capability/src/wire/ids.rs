//! Ids on the wire: small texts that are checked when they are read. They never carry meaning
//! beyond "the same" and "not the same".

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Why a text is no id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not {0}")]
pub struct NotAnId(&'static str);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $pattern:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(NotAnId($what)) }
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
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        id!($(#[$doc])* $name, "an id of 32 hexadecimal digits in lower case",
            "^[0-9a-f]{32}$", |text| is_hex(text, 32));

        impl $name {
            /// The id of these bytes.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
            }

            /// The bytes of the id.
            #[must_use]
            pub fn bytes(&self) -> [u8; 16] {
                to_bytes(&self.0)
            }
        }
    };
}

hex_id!(
    /// Made by the caller, once per write, at random: the same id sent again gives the same
    /// answer and changes nothing. For `chat.send` it becomes the id of the message.
    WriteId
);
hex_id!(
    /// A message. Unique together with its author.
    MessageId
);
hex_id!(
    /// A grant.
    GrantId
);
hex_id!(
    /// A file or a folder.
    ItemId
);
hex_id!(
    /// A space. Everybody in it has the same id for it.
    SpaceId
);
hex_id!(
    /// A record. Unique within its space and type.
    RecordId
);
hex_id!(
    /// Bytes that are being sent, or were and wait to be put somewhere.
    UploadId
);

id!(
    /// A conversation: 32 hexadecimal digits, the same on both sides. In a request the word
    /// `self` names the conversation with oneself, the notebook; answers always spell it out.
    ConversationId,
    "a conversation id of 32 hexadecimal digits, or `self`",
    "^([0-9a-f]{32}|self)$",
    |text| text == "self" || is_hex(text, 32)
);

impl ConversationId {
    /// The conversation of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(MessageId::from_bytes(bytes).0)
    }

    /// The bytes of the id; `None` for the word `self`.
    #[must_use]
    pub fn bytes(&self) -> Option<[u8; 16]> {
        (self.0 != "self").then(|| to_bytes(&self.0))
    }
}

id!(
    /// A twin id as text: 52 digits of base 32 (a-z, 2-7).
    TwinId,
    "a twin id of 52 letters a-z and digits 2-7",
    "^[a-z2-7]{52}$",
    |text| text.len() == 52 && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
);

id!(
    /// A person as the caller may know them: the twin id in the shell, an id private to the
    /// experience in an experience. Compare it; do not read anything from it.
    PersonId,
    "a person id of 1 to 64 letters a-z and digits",
    "^[0-9a-z]{1,64}$",
    |text| (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
);

id!(
    /// A session, by its public id (never the token).
    SessionId,
    "a session id of 1 to 64 letters, digits and `-`",
    "^[0-9A-Za-z-]{1,64}$",
    |text| (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);

id!(
    /// A passkey, by its public id (never the credential's).
    PasskeyId,
    "a passkey id of 1 to 64 letters, digits and `-`",
    "^[0-9A-Za-z-]{1,64}$",
    |text| (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);

id!(
    /// Where a page starts. Made by the twin; give it back unread and with the same filter.
    Cursor,
    "a cursor of 1 to 400 letters, digits, `-` and `_`",
    "^[0-9A-Za-z_-]{1,400}$",
    |text| (1..=400).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
);

id!(
    /// The name of a record type: `<publisher>/<name>@<major>`, such as `hometwin/task@1`.
    TypeName,
    "a type name such as `hometwin/task@1`",
    "^[a-z0-9][0-9a-z._-]{0,39}/[a-z0-9][0-9a-z._-]{0,39}@[1-9][0-9]{0,2}$",
    is_type_name
);

impl TypeName {
    /// Who made the type.
    #[must_use]
    pub fn publisher(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

id!(
    /// The name of a field of a record: a letter, then up to 39 letters, digits and `_`. Names stay
    /// in the history for ever, so they never hold what a person wrote.
    FieldName,
    "a field name of 1 to 40 letters, digits and `_`, starting with a small letter",
    "^[a-z][0-9A-Za-z_]{0,39}$",
    |text| text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
);

fn is_type_name(text: &str) -> bool {
    let part = |part: &str| {
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        (1..=40).contains(&part.len())
            && part.bytes().all(plain)
            && part.as_bytes()[0].is_ascii_alphanumeric()
    };
    let Some((publisher, rest)) = text.split_once('/') else { return false };
    let Some((name, major)) = rest.split_once('@') else { return false };
    let number = (1..=3).contains(&major.len())
        && !major.starts_with('0')
        && major.bytes().all(|b| b.is_ascii_digit());
    part(publisher) && part(name) && number
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Only called on texts that passed [`is_hex`] with 32 digits.
fn to_bytes(hex: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
    }
    bytes
}

fn nibble(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit.wrapping_sub(b'a').wrapping_add(10) }
}
