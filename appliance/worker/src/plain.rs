//! Plain text, in the encodings that people's files have.

use std::borrow::Cow;

use crate::words::Words;

/// Whether it can be text at all: not where a zero or another control character is.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let begin = bytes.get(..bytes.len().min(LOOKED_AT)).unwrap_or_default();
    if wide(begin).is_some() {
        return true;
    }
    let control = |byte: &u8| *byte < 32 && !matches!(*byte, b'\t' | b'\n' | b'\r' | 12 | 27);
    !begin.is_empty() && !begin.iter().any(control)
}

/// Its words, line by line.
pub(crate) fn read(bytes: &[u8], words: &mut Words) {
    words.add_lines(&decode(bytes));
}

/// As UTF-8: what says that it is UTF-16 is that, what is not UTF-8 is taken for Latin-1, in which
/// every byte is a letter.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Some(from) = wide(bytes) {
        let pairs = bytes.get(2..).unwrap_or_default().chunks_exact(2);
        let units: Vec<u16> =
            pairs.map(|pair| from([pair[0], pair.get(1).copied().unwrap_or(0)])).collect();
        return String::from_utf16_lossy(&units).into();
    }
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        // Cut off in a letter, or with one mistake, it is still what it is for the most part.
        Err(error) if error.valid_up_to() > bytes.len() / 2 => String::from_utf8_lossy(bytes),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}

fn wide(bytes: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    match bytes.get(..2)? {
        [0xff, 0xfe] => Some(u16::from_le_bytes),
        [0xfe, 0xff] => Some(u16::from_be_bytes),
        _ => None,
    }
}

/// How much of a file tells whether it is text.
const LOOKED_AT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_apart() {
        assert_eq!(decode("gr\u{fc}n".as_bytes()), "gr\u{fc}n");
        assert_eq!(decode(b"\xff\xfeg\0r\0\xfc\0n\0"), "gr\u{fc}n");
        assert_eq!(decode(b"\xfe\xff\0g\0r\0\xfc"), "gr\u{fc}");
        assert_eq!(decode(b"gr\xfcn und sch\xf6n"), "gr\u{fc}n und sch\u{f6}n");
        assert!(is_text(b"a\tb\r\n") && is_text(b"\xff\xfea\0"));
        assert!(!is_text(b"") && !is_text(b"a\0b") && !is_text(b"\x7fELF\x02\x01"));
    }
}
