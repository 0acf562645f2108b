//! Who has a twin here, where it is, and what its certificate is: to be compared with what a browser
//! shows.

use executor::control::{Answer, Known, Verb};
use twin::messages::Language;

use super::keys::Key;
use super::{Page, Seen, Step, paper};

#[derive(Default)]
pub(super) struct People {
    listed: Vec<Known>,
    from: usize,
}

impl Page for People {
    fn opened(&mut self) -> Step {
        Step::Ask(Verb::People)
    }

    fn draw(&self, _seen: &Seen, language: Language<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        for twin in self.listed.iter().skip(self.from).take(AT_ONCE) {
            let values = [("name", twin.name.as_str()), ("address", twin.address.as_str())];
            lines.push(paper::bold(&language.fill("twin_at", &values)));
            let fingerprint = twin.fingerprint.as_deref().unwrap_or_default();
            lines.extend(paper::groups(fingerprint).iter().map(|line| format!("    {line}")));
        }
        if self.listed.len() > AT_ONCE {
            lines.push(language.text("console_people_more").to_owned());
        }
        lines
    }

    fn key(&mut self, key: Key, _seen: &Seen) -> Step {
        match key {
            Key::Enter => {
                let next = self.from + AT_ONCE;
                self.from = if next < self.listed.len() { next } else { 0 };
                Step::Stay
            }
            Key::Backspace | Key::Escape | Key::Letter(_) | Key::Tab => Step::Stay,
        }
    }

    fn answered(&mut self, answer: Answer) -> Step {
        if let Answer::People { people } = answer {
            self.listed = people;
        }
        Step::Stay
    }
}

/// Three lines each, on a screen of 25.
const AT_ONCE: usize = 6;
