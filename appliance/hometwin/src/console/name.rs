//! What the machine is called in the home's network.

use executor::control::{Answer, Verb};
use twin::messages::Language;

use super::field::Field;
use super::keys::Key;
use super::{Page, Seen, Step, paper};

pub(super) struct Rename {
    name: Field,
}

impl Default for Rename {
    fn default() -> Self {
        Self { name: Field::new(LONGEST) }
    }
}

impl Page for Rename {
    fn draw(&self, _seen: &Seen, language: Language<'_>) -> Vec<String> {
        let mut lines = paper::wrap(language.text("console_name_about"), 78);
        lines.push(String::new());
        lines.push(language.fill("console_name_new", &[("name", &self.name.show())]));
        lines
    }

    fn key(&mut self, key: Key, _seen: &Seen) -> Step {
        if self.name.key(key) || key != Key::Enter {
            return Step::Stay;
        }
        Step::Ask(Verb::CallNode { name: self.name.text().to_ascii_lowercase() })
    }

    fn answered(&mut self, answer: Answer) -> Step {
        if answer == Answer::Done { Step::Back } else { Step::Stay }
    }
}

/// A little more than is allowed, so that the node can say what is.
const LONGEST: usize = 32;
