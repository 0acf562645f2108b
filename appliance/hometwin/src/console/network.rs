//! How the machine is connected: by the router, or with an address that somebody types.

use executor::control::{Answer, Verb};
use handover::{Connection, Fixed};
use twin::messages::Language;

use super::field::Field;
use super::keys::Key;
use super::{Page, Seen, Step, paper};

/// The choice.
pub(super) struct Network;

impl Page for Network {
    fn draw(&self, _seen: &Seen, language: Language<'_>) -> Vec<String> {
        let mut lines = paper::wrap(language.text("console_network_about"), 78);
        lines.push(String::new());
        lines.push(format!("[1] {}", language.text("console_network_auto")));
        lines.push(format!("[2] {}", language.text("console_network_fixed")));
        lines
    }

    fn key(&mut self, key: Key, _seen: &Seen) -> Step {
        match key {
            Key::Letter('1') => Step::Ask(Verb::Connect { connection: Connection::Auto }),
            Key::Letter('2') => Step::Open(Box::new(Address::default())),
            Key::Letter(_) | Key::Backspace | Key::Enter | Key::Escape | Key::Tab => Step::Stay,
        }
    }

    fn answered(&mut self, answer: Answer) -> Step {
        if answer == Answer::Done { Step::Back } else { Step::Stay }
    }
}

/// Three lines to be typed.
struct Address {
    fields: [Field; 3],
    at: usize,
    wrong: Option<&'static str>,
}

impl Default for Address {
    fn default() -> Self {
        Self { fields: [Field::new(18), Field::new(15), Field::new(120)], at: 0, wrong: None }
    }
}

impl Page for Address {
    fn draw(&self, _seen: &Seen, language: Language<'_>) -> Vec<String> {
        let mut lines = paper::wrap(language.text("console_network_how"), 78);
        lines.push(String::new());
        for (at, (field, name)) in self.fields.iter().zip(NAMES).enumerate() {
            let mark = if at == self.at { '>' } else { ' ' };
            lines.push(format!("{mark} {:<24} {}", language.text(name), field.show()));
        }
        if let Some(wrong) = self.wrong {
            lines.push(String::new());
            lines.extend(paper::wrap(language.text(&format!("connect_{wrong}")), 78));
        }
        lines
    }

    fn key(&mut self, key: Key, _seen: &Seen) -> Step {
        self.wrong = None;
        if self.fields.get_mut(self.at).is_some_and(|field| field.key(key)) {
            return Step::Stay;
        }
        if key == Key::Tab || self.at + 1 < self.fields.len() {
            self.at = (self.at + 1) % self.fields.len();
            return Step::Stay;
        }
        let [address, router, namers] = &self.fields;
        let fixed = Fixed::read(address.text(), router.text(), namers.text());
        let connection = fixed.map(Connection::Fixed);
        match connection.and_then(|connection| connection.check().map(|()| connection)) {
            Ok(connection) => Step::Ask(Verb::Connect { connection }),
            Err(wrong) => {
                self.wrong = Some(wrong.name());
                Step::Stay
            }
        }
    }

    fn answered(&mut self, answer: Answer) -> Step {
        if answer == Answer::Done { Step::Back } else { Step::Stay }
    }
}

const NAMES: [&str; 3] =
    ["console_network_address", "console_network_router", "console_network_namers"];
