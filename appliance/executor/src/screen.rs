//! What the machine's own screen shows, and how it likes to show it.
//!
//! The screen asks with the number of what it knows, and is answered when there is something else: no
//! timer on either side. Nothing is on it that somebody who stands before the machine may not see.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use handover::{Number, Refusal};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::control::Answer;
use crate::health::{Opens, key_unknown};
use crate::node::Node;
use crate::{DataFolder, Error, file_error, whole};

/// What is shown.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Screen {
    /// Another number for another content; never 0.
    pub number: u64,
    /// Where the node explains itself.
    pub address: String,
    /// SHA-256 of the certificate that is shown there; none where no TLS is spoken, or it isn't made
    /// yet.
    pub fingerprint: Option<String>,
    /// The one-time address for the first person, while there is none.
    pub welcome: Option<String>,
    /// Whether it can be opened from another device.
    pub elsewhere: bool,
    /// Where to reach it when its name is not found: an address of the home's network.
    pub fallback: Option<String>,
    /// How many people have a twin here.
    pub people: usize,
    /// Who can open the data; none where that isn't known.
    pub opens: Option<Opens>,
    /// How to show it.
    pub style: Style,
}

/// In which language, and what keys mean.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Style {
    /// Of the sentences.
    pub language: Language,
    /// Of the keys.
    pub keyboard: Keyboard,
}

/// A language that there are sentences in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

/// What is printed on the keys.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Keyboard {
    /// American.
    #[default]
    Us,
    /// German.
    De,
}

/// What was shown last, and who waits for the next.
#[derive(Debug)]
pub(crate) struct Screens {
    shown: Screen,
    waiting: Vec<(u64, oneshot::Sender<Answer>)>,
    file: PathBuf,
}

impl Screens {
    /// Reads how the screen likes it. What can't be read is said, and the usual is shown: nobody could
    /// repair it without a screen.
    pub(crate) fn open(folder: &DataFolder) -> Self {
        let file = folder.path().join("node/screen.json");
        let style = read(&file).unwrap_or_else(|error| {
            tracing::warn!(%error, "how the screen shows things can't be read");
            Style::default()
        });
        Self { shown: Screen { style, ..Screen::default() }, waiting: Vec::new(), file }
    }

    /// Whether somebody looks.
    pub(crate) fn watched(&self) -> bool {
        self.waiting.iter().any(|(_, answer)| !answer.is_closed())
    }

    fn keep(&mut self, style: Style) -> Result<(), Error> {
        whole::write_json(&self.file, &style).map_err(file_error(&self.file))?;
        self.shown.style = style;
        // Told with the next look; a number of its own, or it would seem to be known.
        self.shown.number += 1;
        Ok(())
    }
}

impl Node {
    /// The screen asks.
    pub(crate) fn show(&mut self, known: u64, answer: oneshot::Sender<Answer>) {
        // Its certificate is made at its first start.
        let sleeps = self.twins.get(&Number::NODE).is_some_and(|node| node.process.is_none());
        if self.place.tls() && self.fingerprint.is_none() && sleeps {
            self.wake(Number::NODE);
        }
        self.screens.waiting.push((known, answer));
    }

    /// Looks whether there is something else to show, if somebody wants to know.
    pub(crate) fn look_at_screen(&mut self) {
        self.screens.waiting.retain(|(_, answer)| !answer.is_closed());
        if self.screens.waiting.is_empty() {
            return;
        }
        let shown = &self.screens.shown;
        let screen = Screen {
            number: shown.number,
            address: self.address("node"),
            fingerprint: self.fingerprint.clone(),
            welcome: self.welcome_url(),
            elsewhere: self.place.elsewhere(),
            fallback: self.fallback(),
            people: self.registry.twins().len(),
            opens: key_unknown::opens(&self.config.disk_reports),
            style: shown.style,
        };
        if screen != *shown || screen.number == 0 {
            self.screens.shown = Screen { number: screen.number + 1, ..screen };
        }
        let shown = &self.screens.shown;
        let (news, wait) = std::mem::take(&mut self.screens.waiting)
            .into_iter()
            .partition(|(known, _)| *known != shown.number);
        self.screens.waiting = wait;
        let news: Vec<(u64, oneshot::Sender<Answer>)> = news;
        for (_, answer) in news {
            let _ = answer.send(Answer::Screen { screen: shown.clone() });
        }
    }

    /// The best address, for who does not find the name. IPv6 has brackets in an address.
    fn fallback(&self) -> Option<String> {
        let port = match self.place.listen.port() {
            443 => String::new(),
            port => format!(":{port}"),
        };
        let best = self.lan.addresses.first().filter(|_| self.place.is_lan())?;
        Some(match best {
            IpAddr::V4(address) => format!("https://{address}{port}/"),
            IpAddr::V6(address) => format!("https://[{address}]{port}/"),
        })
    }

    /// From now on it is shown like this.
    pub(crate) fn set_style(&mut self, style: Style) -> Result<Answer, Error> {
        self.screens.keep(style).map(|()| Answer::Done)
    }

    /// Makes a new one-time address for the first person.
    pub(crate) fn welcome_anew(&mut self) -> Result<Answer, Error> {
        if !self.registry.twins().is_empty() {
            return Err(Error::Refused(Refusal::NotOffered));
        }
        self.new_welcome(true).map(|()| Answer::Done)
    }
}

fn read(file: &Path) -> std::io::Result<Style> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Style::default()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_it_is_shown_is_kept_and_nonsense_is_the_usual() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        let german = Style { language: Language::De, keyboard: Keyboard::De };
        let mut screens = Screens::open(&folder);
        assert_eq!(screens.shown.style, Style::default());
        screens.keep(german).unwrap();
        assert_eq!(Screens::open(&folder).shown.style, german);
        for text in ["", "{", r#"{"language":"xx"}"#, r#"{"colour":1}"#] {
            std::fs::write(&screens.file, text).unwrap();
            assert_eq!(Screens::open(&folder).shown.style, Style::default(), "{text}");
        }
    }
}
