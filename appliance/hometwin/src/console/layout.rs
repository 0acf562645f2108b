//! What is printed on a key, where the system takes every keyboard for an American one.
//!
//! A table per keyboard and no program that loads one: the system has none, and would have to be root's.
//! Over a cable the other end has its own keyboard, and nothing is changed.

use executor::screen::Keyboard;

/// The letter that is printed where an American keyboard has this one.
pub(super) fn printed(letter: char, keyboard: Keyboard) -> char {
    match keyboard {
        Keyboard::Us => letter,
        Keyboard::De => {
            let found = GERMAN.iter().find(|(american, _)| *american == letter);
            found.map_or(letter, |(_, german)| *german)
        }
    }
}

/// The keys that differ, plain and shifted. What is reached with AltGr on a German keyboard (brackets,
/// braces, backslash, @ on 2) the kernel's own table has in the same place already.
const GERMAN: &[(char, char)] = &[
    ('y', 'z'),
    ('z', 'y'),
    ('Y', 'Z'),
    ('Z', 'Y'),
    ('-', 'ß'),
    ('=', '´'),
    ('[', 'ü'),
    (']', '+'),
    (';', 'ö'),
    ('\'', 'ä'),
    ('\\', '#'),
    ('/', '-'),
    ('`', '^'),
    ('@', '"'),
    ('#', '§'),
    ('^', '&'),
    ('&', '/'),
    ('*', '('),
    ('(', ')'),
    (')', '='),
    ('_', '?'),
    ('+', '`'),
    ('{', 'Ü'),
    ('}', '*'),
    (':', 'Ö'),
    ('"', 'Ä'),
    ('|', '\''),
    ('<', ';'),
    ('>', ':'),
    ('?', '_'),
    ('~', '°'),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn german_keys() {
        let typed = |text: &str| -> String {
            text.chars().map(|letter| printed(letter, Keyboard::De)).collect()
        };
        assert_eq!(typed("Gry-e mit Yucker"), "Grzße mit Zucker");
        assert_eq!(typed("a/b_c"), "a-b?c");
        let same = "abcABC0123456789!$%,. ";
        assert_eq!(typed(same), same);
        assert_eq!(printed('z', Keyboard::Us), 'z');
    }

    #[test]
    fn no_two_keys_are_one() {
        let keys: BTreeSet<char> = GERMAN.iter().map(|(american, _)| *american).collect();
        let letters: BTreeSet<char> = GERMAN.iter().map(|(_, german)| *german).collect();
        assert_eq!((keys.len(), letters.len()), (GERMAN.len(), GERMAN.len()));
    }
}
