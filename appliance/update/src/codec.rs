//! The one canonical byte form (postcard). It never accepts two encodings of one value.

use serde::{Serialize, de::DeserializeOwned};

/// Bytes of a plain value: structs whose lengths are known, into a growing buffer.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    match postcard::to_stdvec(value) {
        Ok(bytes) => bytes,
        Err(error) => unreachable!("a plain value did not encode: {error}"),
    }
}

/// Reads a value and refuses trailing bytes and any encoding that `encode` would not have made.
pub(crate) fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value: T = postcard::from_bytes(bytes).ok()?;
    (encode(&value) == bytes).then_some(value)
}
