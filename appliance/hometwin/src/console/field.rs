//! A line that somebody types.

use super::keys::Key;
use super::paper;

#[derive(Debug)]
pub(super) struct Field {
    text: String,
    longest: usize,
}

impl Field {
    pub(super) fn new(longest: usize) -> Self {
        Self { text: String::new(), longest }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What a key changes; whether it is one that belongs to a line.
    pub(super) fn key(&mut self, key: Key) -> bool {
        match key {
            Key::Letter(letter) => {
                if self.text.chars().count() < self.longest {
                    self.text.push(letter);
                }
            }
            Key::Backspace => drop(self.text.pop()),
            Key::Enter | Key::Escape | Key::Tab => return false,
        }
        true
    }

    /// As it is shown, with a mark where the next letter goes.
    pub(super) fn show(&self) -> String {
        format!("{}_", paper::clean(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_and_go_and_there_is_an_end() {
        let mut field = Field::new(3);
        for letter in "äbcd".chars() {
            assert!(field.key(Key::Letter(letter)));
        }
        assert_eq!((field.text(), field.show().as_str()), ("äbc", "äbc_"));
        for _ in 0..5 {
            field.key(Key::Backspace);
        }
        assert_eq!(field.text(), "");
        assert!(!field.key(Key::Enter));
    }
}
