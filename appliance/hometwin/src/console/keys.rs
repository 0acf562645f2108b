//! Bytes of a terminal, read as keys.
//!
//! Whatever comes is a key or is left out: a cable that brings noise brings nothing else.

/// A key, as the terminal names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Key {
    /// What it writes.
    Letter(char),
    /// Takes the last letter away.
    Backspace,
    Enter,
    /// The way back.
    Escape,
    /// The next field.
    Tab,
}

/// What came, and is not a whole key yet.
#[derive(Debug, Default)]
pub(super) struct Keys {
    rest: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Plain,
    /// After `ESC [` or `ESC O`: the name of a key that has none here, up to its last letter.
    Named,
}

impl Keys {
    /// The keys of what came. An escape at its end is the key of that name.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<Key> {
        let mut found = Vec::new();
        let mut bytes = bytes.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if self.state == State::Named {
                if (0x40..0x7f).contains(&byte) {
                    self.state = State::Plain;
                }
                continue;
            }
            match byte {
                0x1b if bytes.next_if(|next| matches!(next, b'[' | b'O')).is_some() => {
                    self.state = State::Named;
                    self.rest.clear();
                }
                0x1b => found.push(Key::Escape),
                b'\r' | b'\n' => found.push(Key::Enter),
                0x08 | 0x7f => found.push(Key::Backspace),
                b'\t' => found.push(Key::Tab),
                0x00..0x20 => {}
                _ => found.extend(self.letter(byte)),
            }
        }
        found
    }

    /// One byte more of a letter in UTF-8.
    fn letter(&mut self, byte: u8) -> Option<Key> {
        if byte.is_ascii() || byte & 0xc0 == 0xc0 {
            self.rest.clear();
        }
        self.rest.push(byte);
        match std::str::from_utf8(&self.rest) {
            Ok(text) => {
                let letter = text.chars().next().filter(|letter| !letter.is_control());
                self.rest.clear();
                letter.map(Key::Letter)
            }
            // More of it is to come.
            Err(error) if error.error_len().is_none() => None,
            Err(_) => {
                self.rest.clear();
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<Key> {
        Keys::default().read(bytes)
    }

    #[test]
    fn what_people_type() {
        let letters = |text: &str| text.chars().map(Key::Letter).collect::<Vec<_>>();
        assert_eq!(read("aZ1 ß€".as_bytes()), letters("aZ1 ß€"));
        assert_eq!(
            read(b"\r\n\x7f\x08\t"),
            [Key::Enter, Key::Enter, Key::Backspace, Key::Backspace, Key::Tab]
        );
        assert_eq!(read(b"\x1b"), [Key::Escape]);
        assert_eq!(read(b"\x1b\x1b"), [Key::Escape, Key::Escape]);
        // Arrows, F5, Delete: keys that do nothing here.
        assert_eq!(read(b"\x1b[A\x1b[15~\x1b[3~\x1bOPx"), letters("x"));
        assert_eq!(read(b"\x03\x04\x1a"), [], "nothing ends it");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 500,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes_are_keys_or_nothing(bytes in proptest::collection::vec(0_u8.., 0..200)) {
            let mut keys = Keys::default();
            let found = keys.read(&bytes);
            prop_assert!(found.len() <= bytes.len());
            prop_assert!(keys.rest.len() < 4);
            let steers = |key: &Key| matches!(key, Key::Letter(letter) if letter.is_control());
            prop_assert!(!found.iter().any(steers), "it goes back to the terminal");
        }

        #[test]
        fn text_is_read_whatever_way_it_comes(text in "[^\\x00-\\x1f\\x7f-\\u{9f}]{0,40}", at in 0_usize..80) {
            let whole = read(text.as_bytes());
            let (one, two) = text.as_bytes().split_at(at.min(text.len()));
            let mut keys = Keys::default();
            let mut parts = keys.read(one);
            parts.extend(keys.read(two));
            prop_assert_eq!(&parts, &whole);
            let letters: Vec<_> = text.chars().map(Key::Letter).collect();
            prop_assert_eq!(whole, letters);
        }
    }
}
