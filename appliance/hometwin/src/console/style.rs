//! The language of the console, and what its keys mean.

use executor::control::{Answer, Verb};
use executor::screen::{Keyboard, Language as Tongue, Style};
use twin::messages::Language;

use super::keys::Key;
use super::{Page, Seen, Step};

pub(super) struct Choose;

impl Page for Choose {
    fn draw(&self, seen: &Seen, language: Language<'_>) -> Vec<String> {
        let now = now(seen);
        CHOICES
            .iter()
            .zip(1..)
            .map(|((name, choose), digit)| {
                let mark = if choose(now) == now { "*" } else { " " };
                format!("[{digit}]{mark}{}", language.text(name))
            })
            .collect()
    }

    fn key(&mut self, key: Key, seen: &Seen) -> Step {
        let Key::Letter(digit) = key else { return Step::Stay };
        let at = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
        let chosen = at.and_then(|at| CHOICES.get(at.checked_sub(1)?));
        chosen.map_or(Step::Stay, |(_, choose)| {
            Step::Ask(Verb::SetScreen { style: choose(now(seen)) })
        })
    }

    fn answered(&mut self, answer: Answer) -> Step {
        if answer == Answer::Done { Step::Back } else { Step::Stay }
    }
}

fn now(seen: &Seen) -> Style {
    seen.screen.as_ref().map(|screen| screen.style).unwrap_or_default()
}

/// The tag of its message file.
pub(super) fn tag(language: Tongue) -> &'static str {
    match language {
        Tongue::En => "en",
        Tongue::De => "de",
    }
}

type Choice = (&'static str, fn(Style) -> Style);

/// Whoever can't read the page yet finds their own language by its own name.
const CHOICES: &[Choice] = &[
    ("console_english", |style| Style { language: Tongue::En, ..style }),
    ("console_german", |style| Style { language: Tongue::De, ..style }),
    ("console_keyboard_us", |style| Style { keyboard: Keyboard::Us, ..style }),
    ("console_keyboard_de", |style| Style { keyboard: Keyboard::De, ..style }),
];
