//! Sentences for people: read from message files, in the language that a person prefers.
//!
//! A message file is one flat JSON object, `{"key": "text with {placeholders}"}`. Nothing here ever
//! makes up a sentence: a key without a text is shown as the key itself, and a test of each program
//! proves that this does not happen.

use std::collections::BTreeMap;
use std::sync::OnceLock;

const ENGLISH: &str = include_str!("../messages/en.json");
const GERMAN: &str = include_str!("../messages/de.json");

/// The texts of one program in all its languages.
#[derive(Debug, Default)]
pub struct Messages {
    languages: Vec<(&'static str, Texts)>,
}

/// The texts of one language by key.
pub type Texts = BTreeMap<String, String>;

impl Messages {
    /// The twin's own texts; the first language is English.
    pub fn shipped() -> &'static Self {
        static SHIPPED: OnceLock<Messages> = OnceLock::new();
        SHIPPED.get_or_init(|| {
            Self::parse(&[("en", ENGLISH), ("de", GERMAN)]).unwrap_or_else(|error| {
                tracing::error!(%error, "shipped message file is broken");
                Self::default()
            })
        })
    }

    /// Reads message files, given with their language tags; the first one stands in for all
    /// languages that are not there.
    ///
    /// # Errors
    /// When a file is not a flat JSON object of texts.
    pub fn parse(files: &[(&'static str, &str)]) -> Result<Self, serde_json::Error> {
        let read = |&(tag, text): &(&'static str, &str)| Ok((tag, serde_json::from_str(text)?));
        Ok(Self { languages: files.iter().map(read).collect::<Result<_, serde_json::Error>>()? })
    }

    /// All languages and their texts, for tests that compare them.
    #[must_use]
    pub fn languages(&self) -> &[(&'static str, Texts)] {
        &self.languages
    }

    /// The best language for an `Accept-Language` header, such as `de-AT, en;q=0.8`.
    #[must_use]
    pub fn accepted(&self, header: &str) -> Language<'_> {
        let mut wishes: Vec<(f32, &str)> = header.split(',').take(16).map(wish).collect();
        // Stable: of equal wishes the first one wins.
        wishes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let wished = wishes.iter().filter(|(quality, _)| *quality > 0.0);
        self.first_of(wished.map(|(_, tag)| *tag))
    }

    /// The best language for a locale such as `de_DE.UTF-8`, as `LANG` holds it.
    #[must_use]
    pub fn of_locale(&self, locale: &str) -> Language<'_> {
        self.first_of(std::iter::once(locale))
    }

    fn first_of<'a>(&self, tags: impl Iterator<Item = &'a str>) -> Language<'_> {
        let known = |tag: &str| {
            let primary = tag.split(['-', '_', '.']).next().unwrap_or_default();
            self.languages.iter().find(|(known, _)| known.eq_ignore_ascii_case(primary.trim()))
        };
        let found = tags.filter_map(known).next().or(self.languages.first());
        Language {
            tag: found.map_or("en", |(tag, _)| tag),
            texts: found.map(|(_, texts)| texts),
            first: self.languages.first().map(|(_, texts)| texts),
        }
    }
}

/// One entry of an `Accept-Language` header: its quality and its tag.
fn wish(entry: &str) -> (f32, &str) {
    let (tag, parameters) = entry.split_once(';').unwrap_or((entry, ""));
    let quality = parameters.trim().strip_prefix("q=").and_then(|q| q.trim().parse().ok());
    (quality.unwrap_or(if parameters.is_empty() { 1.0 } else { 0.0 }), tag.trim())
}

/// The texts of one language, with the first language where one is missing.
#[derive(Clone, Copy, Debug)]
pub struct Language<'a> {
    tag: &'static str,
    texts: Option<&'a Texts>,
    first: Option<&'a Texts>,
}

impl<'a> Language<'a> {
    /// Its tag, such as `de`.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        self.tag
    }

    /// The text of a key.
    #[must_use]
    pub fn text<'b>(&self, key: &'b str) -> &'b str
    where
        'a: 'b,
    {
        let found = [self.texts, self.first].into_iter().flatten().find_map(|all| all.get(key));
        found.map_or(key, String::as_str)
    }

    /// The text of a key with its placeholders filled: `{name}` becomes the value of `name`.
    /// A value is never searched for placeholders itself.
    #[must_use]
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut filled = String::new();
        let mut rest = self.text(key);
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let value = after.split_once('}').and_then(|(name, after)| {
                let value = values.iter().find(|(known, _)| *known == name)?;
                Some((value.1, after))
            });
            if let Some((value, after)) = value {
                filled.push_str(value);
                rest = after;
            } else {
                filled.push('{');
                rest = after;
            }
        }
        filled.push_str(rest);
        filled
    }
}

#[cfg(test)]
mod tests {
    use handover::{Reason, Refusal};

    use super::*;

    fn placeholders(text: &str) -> Vec<&str> {
        let mut names: Vec<_> = text
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}').map(|(name, _)| name))
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_language_has_the_same_keys_and_placeholders() {
        let messages = Messages::parse(&[("en", ENGLISH), ("de", GERMAN)]).unwrap();
        let (_, english) = &messages.languages()[0];
        assert!(english.len() > 20);
        for (tag, texts) in messages.languages() {
            let keys = |texts: &Texts| texts.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(english), keys(texts), "{tag}");
            for (key, text) in texts {
                assert!(!text.trim().is_empty(), "{tag} {key}");
                assert_eq!(placeholders(&english[key]), placeholders(text), "{tag} {key}");
            }
        }
    }

    #[test]
    fn every_refusal_and_reason_has_its_sentences() {
        let (_, english) = &Messages::shipped().languages()[0];
        let refusals = [
            Refusal::AlreadyPaired,
            Refusal::Crashing,
            Refusal::Failed,
            Refusal::NameForm,
            Refusal::NameReserved,
            Refusal::NameTaken,
            Refusal::NameUnknown,
            Refusal::WrongCode,
        ];
        for refusal in refusals {
            let code = crate::node::refusal_code(refusal);
            assert_problem(english, code);
        }
        let reasons = [
            Reason::Broken,
            Reason::Crashing,
            Reason::NotHere,
            Reason::PlainHttp,
            Reason::Stopping,
            Reason::TooOften,
        ];
        for reason in reasons {
            assert_problem(english, crate::node::reason_code(reason));
        }
    }

    #[test]
    fn every_code_of_door_and_life_has_its_sentences() {
        let (_, english) = &Messages::shipped().languages()[0];
        for code in crate::http::problem::CODES.iter().chain(crate::life::Fault::CODES) {
            assert_problem(english, code);
        }
    }

    fn assert_problem(texts: &Texts, code: &str) {
        for part in ["title", "detail", "do"] {
            let key = format!("problem.{code}.{part}");
            assert!(texts.contains_key(&key), "{key}");
        }
    }

    #[test]
    fn the_most_wished_language_that_is_there_wins() {
        let messages = Messages::shipped();
        let tags = [
            ("", "en"),
            ("de", "de"),
            ("DE-at", "de"),
            ("fr, de;q=0.7, en;q=0.9", "en"),
            ("fr;q=0.9, de;q=0.2", "de"),
            ("de;q=0, en;q=0.1", "en"),
            ("fr, it", "en"),
            (";;q=;,,=", "en"),
            ("de;q=NaN, en", "en"),
        ];
        for (header, tag) in tags {
            assert_eq!(messages.accepted(header).tag(), tag, "{header}");
        }
        assert_eq!(messages.of_locale("de_DE.UTF-8").tag(), "de");
        assert_eq!(messages.of_locale("C").tag(), "en");
    }

    #[test]
    fn placeholders_are_filled_once_and_unknown_ones_stay() {
        let texts = r#"{"a": "{x}, {y} and {z", "b": "{}{x}"}"#;
        let messages = Messages::parse(&[("en", texts)]).unwrap();
        let language = messages.accepted("");
        assert_eq!(language.fill("a", &[("x", "{y}"), ("y", "2")]), "{y}, 2 and {z");
        assert_eq!(language.fill("b", &[("x", "1")]), "{}1");
        assert_eq!(language.fill("missing", &[]), "missing");
    }

    proptest::proptest! {
        #[test]
        fn any_header_gives_a_language(header in ".{0,200}") {
            let tag = Messages::shipped().accepted(&header).tag();
            proptest::prop_assert!(tag == "en" || tag == "de");
        }
    }
}
