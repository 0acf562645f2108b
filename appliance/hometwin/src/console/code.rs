//! A new one-time address for the first person: the one on the first page is too old after two minutes.

use executor::control::{Answer, Verb};
use twin::messages::Language;

use super::keys::Key;
use super::{Page, Seen, Step, paper};

pub(super) struct Code;

impl Page for Code {
    fn draw(&self, _seen: &Seen, language: Language<'_>) -> Vec<String> {
        paper::wrap(language.text("console_code_about"), 78)
    }

    fn key(&mut self, key: Key, _seen: &Seen) -> Step {
        match key {
            Key::Enter => Step::Ask(Verb::Welcome),
            Key::Backspace | Key::Escape | Key::Letter(_) | Key::Tab => Step::Stay,
        }
    }

    fn answered(&mut self, answer: Answer) -> Step {
        if answer == Answer::Done { Step::Back } else { Step::Stay }
    }
}
