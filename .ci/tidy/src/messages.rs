//! Message files hold the same keys with the same placeholders in every language.
//!
//! A message file is a flat JSON object in a folder named `messages`; `en.json` sets the keys.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::Tree;

/// One sentence per missing language, key or placeholder, and per empty text.
pub(crate) fn broken(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    let mut folders: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (path, text) in tree.ending("", &[".json"]) {
        if let Some((folder, file)) = path.rsplit_once('/')
            && (folder.ends_with("/messages") || folder == "messages")
        {
            folders.entry(folder).or_default().insert(file, text);
        }
    }
    for (folder, files) in folders {
        let mut languages = BTreeMap::new();
        for (file, text) in &files {
            match serde_json::from_str::<BTreeMap<String, String>>(text) {
                Ok(texts) => drop(languages.insert(*file, texts)),
                Err(e) => broken.push(format!("{folder}/{file} is no flat object of texts: {e}")),
            }
        }
        for file in LANGUAGES.iter().filter(|file| !files.contains_key(*file)) {
            broken.push(format!("{folder}/{file} is missing"));
        }
        let Some(english) = languages.remove("en.json") else {
            continue;
        };
        for (file, texts) in languages {
            broken.extend(compare(&format!("{folder}/{file}"), &english, &texts));
        }
    }
    broken
}

fn compare(
    path: &str,
    english: &BTreeMap<String, String>,
    other: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut broken = Vec::new();
    for key in english.keys().filter(|key| !other.contains_key(*key)) {
        broken.push(format!("{path} lacks {key:?}"));
    }
    for (key, text) in other {
        match english.get(key) {
            None => broken.push(format!("{path} has {key:?}, which English lacks")),
            Some(_) if text.trim().is_empty() => broken.push(format!("{path} is empty at {key:?}")),
            Some(same) if placeholders(same) != placeholders(text) => {
                broken.push(format!("{path} has other placeholders at {key:?}"));
            }
            Some(_) => {}
        }
    }
    broken
}

fn placeholders(text: &str) -> BTreeSet<&str> {
    let opened = text.split('{').skip(1);
    opened.filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

const LANGUAGES: [&str; 2] = ["en.json", "de.json"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(en: &str, de: &str) -> usize {
        broken(&Tree::of(&[("ui/messages/en.json", en), ("ui/messages/de.json", de)])).len()
    }

    #[test]
    fn keys_placeholders_and_languages_are_compared() {
        assert_eq!(check(r#"{"a": "Hi {name}"}"#, r#"{"a": "Hallo {name}"}"#), 0);
        assert_eq!(check(r#"{"a": "Hi {name}"}"#, r#"{"a": "Hallo {nam}"}"#), 1);
        assert_eq!(check(r#"{"a": "Hi", "b": "B"}"#, r#"{"a": "Hallo"}"#), 1);
        assert_eq!(check(r#"{"a": "Hi"}"#, r#"{"a": "Hallo", "b": "B"}"#), 1);
        assert_eq!(check(r#"{"a": "Hi"}"#, r#"{"a": " "}"#), 1);
        assert_eq!(check(r#"{"a": "Hi"}"#, r#"{"a": {"b": "deep"}}"#), 1);
        assert_eq!(broken(&Tree::of(&[("x/messages/en.json", "{}")])).len(), 1);
    }
}
