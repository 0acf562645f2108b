//! The first page: how to reach this machine, and whether it is well.

use executor::health::Opens;
use twin::messages::Language;

use super::keys::Key;
use super::{Page, Seen, Step, menu, paper};

pub(super) struct Home;

impl Page for Home {
    fn draw(&self, seen: &Seen, language: Language<'_>) -> Vec<String> {
        let Some(screen) = &seen.screen else {
            return vec![language.text("console_starting").to_owned()];
        };
        let mut about = paper::wrap(&state(seen, language), BESIDE);
        if let Some(fingerprint) = &screen.fingerprint {
            about.push(String::new());
            about.extend(paper::wrap(language.text("console_fingerprint"), BESIDE));
            about.extend(paper::groups(fingerprint));
        }
        if let Some(fallback) = &screen.fallback {
            about.push(String::new());
            about.extend(paper::wrap(language.text("console_fallback"), BESIDE));
            about.push(paper::clean(fallback));
        }
        let Some(url) = &screen.welcome else { return about };
        let mut lines =
            vec![language.text("console_welcome").to_owned(), format!("  {}", paper::clean(url))];
        if screen.elsewhere {
            lines.extend(paper::beside(&paper::qr(url), &about));
        } else {
            lines.push(String::new());
            lines.extend(about);
        }
        lines
    }

    fn key(&mut self, key: Key, seen: &Seen) -> Step {
        match key {
            Key::Letter(digit) => menu::open(digit, seen).map_or(Step::Stay, Step::Open),
            Key::Backspace | Key::Enter | Key::Escape | Key::Tab => Step::Stay,
        }
    }
}

/// How it is, and who is here, in a sentence each.
fn state(seen: &Seen, language: Language<'_>) -> String {
    let people = seen.screen.as_ref().map_or(0, |screen| screen.people);
    let people = match people {
        0 => language.text("console_nobody").to_owned(),
        1 => language.text("console_one").to_owned(),
        people => language.fill("console_several", &[("people", &people.to_string())]),
    };
    let state = match &seen.trouble {
        Some(trouble) => language.fill("console_trouble", &[("trouble", trouble)]),
        None => language.text("console_well").to_owned(),
    };
    let opens = seen.screen.as_ref().and_then(|screen| screen.opens);
    let plain = match opens {
        Some(Opens::Anybody) => language.text("console_plain"),
        Some(Opens::ComputerAlone | Opens::KeyToo) | None => "",
    };
    let lines = [&*state, &*people, plain];
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Columns beside a code, on a screen of 80.
const BESIDE: usize = 42;
