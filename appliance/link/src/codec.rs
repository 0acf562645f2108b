//! The one canonical byte form (postcard) and the domain-separated hash under everything that is
//! signed or named. It never accepts two encodings of one value.

use serde::{Serialize, de::DeserializeOwned};

/// Bytes of a plain value. Every caller passes structs whose lengths are known, into a growing
/// buffer, so there is nothing that could fail.
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

/// As `decode`, but gives the rest after the value; the value itself must be canonical.
pub(crate) fn decode_start<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let (value, rest): (T, &[u8]) = postcard::take_from_bytes(bytes).ok()?;
    let used = bytes.len().checked_sub(rest.len())?;
    (encode(&value) == bytes[..used]).then_some((value, rest))
}

/// BLAKE3 in key-derivation mode: a hash made for one purpose can never stand for another.
pub(crate) fn hash(purpose: &str, bytes: &[u8]) -> [u8; 32] {
    blake3::Hasher::new_derive_key(purpose).update(bytes).finalize().into()
}

/// Serde for byte vectors as one block instead of number by number.
pub(crate) mod block {
    use serde::{Deserializer, Serializer, de};
    use std::fmt;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_bytes(Block)
    }

    struct Block;

    impl de::Visitor<'_> for Block {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a block of bytes")
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_form_of_the_same_number_is_refused() {
        assert_eq!(decode::<u32>(&[5]), Some(5));
        assert_eq!(decode::<u32>(&[0x85, 0x00]), None);
        assert_eq!(decode::<u32>(&[5, 0]), None);
        assert_eq!(decode_start::<u32>(&[5, 0]), Some((5, &[0][..])));
    }

    #[test]
    fn purposes_do_not_meet() {
        assert_ne!(hash("a", b"x"), hash("b", b"x"));
    }
}
