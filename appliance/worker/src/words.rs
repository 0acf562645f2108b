//! Words as they are collected: for a search, and for people to read.
//!
//! Bounded, without control characters, with single spaces and at most one empty line; never keeps
//! how it looked.

use handover::Kind;

use crate::Product;

/// A text that grows up to its bound.
pub(crate) struct Words {
    text: String,
    most: usize,
    /// What stands between the last word and the next.
    gap: Gap,
    cut: bool,
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Gap {
    None,
    Space,
    Line,
    Paragraph,
}

impl Words {
    pub(crate) fn new(most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { text: String::new(), most, gap: Gap::None, cut: false }
    }

    /// Whether there is no room for more: whoever reads can stop.
    pub(crate) fn full(&self) -> bool {
        self.cut
    }

    /// More of the same text; white space in it separates words, line ends are spaces.
    pub(crate) fn add(&mut self, text: &str) {
        text.chars().for_each(|letter| self.letter(letter));
    }

    /// More, of which line ends count.
    pub(crate) fn add_lines(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '\n' => self.line(),
                letter => self.letter(letter),
            }
        }
    }

    fn letter(&mut self, letter: char) {
        if letter.is_whitespace() || letter == '\u{feff}' {
            self.gap = self.gap.max(Gap::Space);
        } else if !letter.is_control() {
            self.push(letter);
        }
    }

    /// What comes now is another word.
    pub(crate) fn space(&mut self) {
        self.gap = self.gap.max(Gap::Space);
    }

    /// What comes now is on another line, or after an empty one when it was there before.
    pub(crate) fn line(&mut self) {
        self.gap = if self.gap >= Gap::Line { Gap::Paragraph } else { Gap::Line };
    }

    /// What comes now begins a line, however often this is said.
    pub(crate) fn block(&mut self) {
        self.gap = self.gap.max(Gap::Line);
    }

    fn push(&mut self, letter: char) {
        let gap = match self.gap {
            _ if self.text.is_empty() => "",
            Gap::None => "",
            Gap::Space => " ",
            Gap::Line => "\n",
            Gap::Paragraph => "\n\n",
        };
        // One byte stays free for the end of the last line.
        if self.cut || self.text.len() + gap.len() + letter.len_utf8() >= self.most {
            self.cut = true;
            return;
        }
        self.text.push_str(gap);
        self.text.push(letter);
        self.gap = Gap::None;
    }

    pub(crate) fn product(mut self, of: Kind) -> Product {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let (bytes, cut) = (self.text.into_bytes(), self.cut);
        Product { of, kind: Kind::Text, bytes, size: None, cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(most: u64, write: impl FnOnce(&mut Words)) -> (String, bool) {
        let mut words = Words::new(most);
        write(&mut words);
        let product = words.product(Kind::Text);
        (String::from_utf8(product.bytes).unwrap(), product.cut)
    }

    #[test]
    fn words_keep_their_distance_and_nothing_steers_a_terminal() {
        let (said, cut) = text(100, |words| {
            words.add("  one \u{1b}[2J\t two\n");
            words.add_lines("three\r\n\n\n\nfour");
            words.block();
            words.block();
            words.add("five\0");
        });
        assert_eq!((said.as_str(), cut), ("one [2J two three\n\nfour\nfive\n", false));
    }

    #[test]
    fn it_ends_at_its_bound_and_says_so() {
        let (said, cut) = text(8, |words| words.add("abc \u{e4}\u{e4}\u{e4}"));
        assert_eq!((said.as_str(), said.len(), cut), ("abc \u{e4}\n", 7, true));
        assert_eq!(text(8, |words| words.add(" ")), (String::new(), false));
    }
}
