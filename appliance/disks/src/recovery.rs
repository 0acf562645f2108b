//! The recovery key: 256 bits in 64 letters that look alike on no keyboard, as systemd writes it.
//!
//! It never shows itself in a log: it has no `Debug` and no `Display`.

/// A key that opens the data when the computer can't.
pub struct RecoveryKey(String);

impl RecoveryKey {
    /// Reads one as a person types it: large or small, with or without dashes and spaces.
    #[must_use]
    pub fn read(typed: &str) -> Option<Self> {
        let letters: Option<String> = typed
            .chars()
            .filter(|letter| !letter.is_whitespace() && *letter != '-')
            .map(|letter| {
                Some(letter.to_ascii_lowercase()).filter(|small| LETTERS.contains(*small))
            })
            .collect();
        let letters = letters.filter(|letters| letters.len() == 64)?;
        let mut text = String::with_capacity(71);
        for (at, letter) in letters.chars().enumerate() {
            if at > 0 && at % 8 == 0 {
                text.push('-');
            }
            text.push(letter);
        }
        Some(Self(text))
    }

    /// In eight groups with dashes between them: the very text that opens.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The same letters are at the same place of nearly all keyboards.
const LETTERS: &str = "cbdefghijklnrtuv";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_is_read_however_it_is_typed(letters in "[cbdefghijklnrtuv]{64}", gap in "[ -]{0,2}") {
            let typed: Vec<String> = letters.as_bytes().chunks(8)
                .map(|group| String::from_utf8_lossy(group).into_owned()).collect();
            let key = RecoveryKey::read(&format!(" {}\n", typed.join(&gap).to_uppercase())).unwrap();
            prop_assert_eq!(key.text(), typed.join("-"));
        }

        #[test]
        fn what_is_no_key_is_none(typed in "\\PC{0,80}") {
            let letters = typed.chars().filter(char::is_ascii_alphabetic).count();
            prop_assert!(RecoveryKey::read(&typed).is_none() || letters == 64);
        }
    }

    #[test]
    fn a_letter_too_few_is_no_key() {
        assert!(RecoveryKey::read(&"c".repeat(63)).is_none());
        assert!(RecoveryKey::read(&"a".repeat(64)).is_none());
    }
}
