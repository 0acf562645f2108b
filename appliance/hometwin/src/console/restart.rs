//! Starts the machine again: with the system of an update that waits for it, or just so.

use executor::control::{Answer, Update, Verb};
use twin::messages::Language;

use super::keys::Key;
use super::{Page, Seen, Step, paper};

pub(super) struct Restart;

impl Page for Restart {
    fn draw(&self, _seen: &Seen, language: Language<'_>) -> Vec<String> {
        paper::wrap(language.text("console_restart_about"), 78)
    }

    fn key(&mut self, key: Key, _seen: &Seen) -> Step {
        match key {
            Key::Enter => Step::Ask(Verb::Update { what: Update::Restart }),
            Key::Backspace | Key::Escape | Key::Letter(_) | Key::Tab => Step::Stay,
        }
    }

    fn answered(&mut self, answer: Answer) -> Step {
        if answer == Answer::Restarting { Step::Back } else { Step::Stay }
    }
}
