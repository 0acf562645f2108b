//! What is wrong with the folder of an experience, line by line: for its author before packing, and
//! as a yes or no for whoever installs it. It reads by simple search, so a false alarm is cured by
//! writing the line more plainly. It changes nothing.

use std::collections::BTreeMap;

use capability::interfaces;
use capability::manifest::{Manifest, is_name};

use super::{BYTES_MAX, DEPTH_MAX, FILES_MAX, Folder, MANIFEST};
use crate::http::files::is_served;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flaw {
    /// In which file; empty for the folder.
    pub path: String,
    /// In which line, from 1 on; 0 for the file as a whole.
    pub line: usize,
    /// What.
    pub what: What,
    /// What it is about: a name, an address, a parser's words.
    pub about: String,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    /// The path of a file would mean another place, or can't be an address.
    BadPath,
    /// Files with this ending are not served.
    Ending,
    /// A script in a page, or a handler in an attribute: the page's policy stops it.
    InlineScript,
    /// The manifest can't be read.
    Manifest,
    /// The name is not one.
    Name,
    /// The file that is to be opened is not there.
    NoEntry,
    /// There is no manifest.
    NoManifest,
    /// There is no English title.
    NoTitle,
    /// Something is loaded from elsewhere: an experience has no network.
    Outside,
    /// More than fits.
    TooLarge,
    /// More files than fit.
    TooMany,
    /// There is no such capability.
    Unknown,
}

impl What {
    /// Names the sentence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadPath => "bad_path",
            Self::Ending => "ending",
            Self::InlineScript => "inline_script",
            Self::Manifest => "manifest",
            Self::Name => "name",
            Self::NoEntry => "no_entry",
            Self::NoManifest => "no_manifest",
            Self::NoTitle => "no_title",
            Self::Outside => "outside",
            Self::TooLarge => "too_large",
            Self::TooMany => "too_many",
            Self::Unknown => "unknown",
        }
    }
}

/// Most flaws that are told, and characters of what each is about.
const FLAWS_MAX: usize = 200;
const ABOUT_MAX: usize = 300;

/// Everything that is wrong with a folder; of very much, the first of it.
#[must_use]
pub fn check(folder: &Folder) -> Vec<Flaw> {
    let files = folder.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
    check_files(&files.collect())
}

/// The same of files that lie elsewhere.
pub(super) fn check_files(folder: &BTreeMap<&str, &[u8]>) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut found = |path: &str, line, what, about: &str| {
        if flaws.len() < FLAWS_MAX {
            let about = about.chars().take(ABOUT_MAX).collect();
            flaws.push(Flaw { path: path.to_owned(), line, what, about });
        }
    };
    if folder.len() > FILES_MAX {
        found("", 0, What::TooMany, &FILES_MAX.to_string());
    }
    let size = folder.values().map(|file| file.len()).fold(0_usize, usize::saturating_add);
    if size > BYTES_MAX {
        found("", 0, What::TooLarge, &(BYTES_MAX >> 20).to_string());
    }
    for (path, bytes) in folder {
        if !is_path(path) {
            found(path, 0, What::BadPath, path);
        } else if !is_served(path) {
            found(path, 0, What::Ending, path);
        }
        if path.ends_with(".html")
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            for (line, text) in (1..).zip(text.lines()) {
                if let Some((what, about)) = of_line(text) {
                    found(path, line, what, &about);
                }
            }
        }
    }
    match folder.get(MANIFEST) {
        None => found("", 0, What::NoManifest, MANIFEST),
        Some(text) => match serde_json::from_slice::<Manifest>(text) {
            Ok(manifest) => of_manifest(&manifest, folder, &mut found),
            Err(error) => found(MANIFEST, error.line(), What::Manifest, &error.to_string()),
        },
    }
    flaws
}

fn of_manifest(
    manifest: &Manifest,
    folder: &BTreeMap<&str, &[u8]>,
    found: &mut impl FnMut(&str, usize, What, &str),
) {
    if !is_name(manifest.name.as_str()) {
        found(MANIFEST, 0, What::Name, manifest.name.as_str());
    }
    if !manifest.title.contains_key("en") {
        found(MANIFEST, 0, What::NoTitle, "en");
    }
    if !folder.contains_key(manifest.entry.as_str()) {
        found(MANIFEST, 0, What::NoEntry, &manifest.entry);
    }
    for used in &manifest.uses {
        let known = used.split_once('/').is_some_and(|(name, major)| {
            major.parse().is_ok_and(|major| interfaces::find(name, major).is_some())
        });
        if !known {
            found(MANIFEST, 0, What::Unknown, used);
        }
    }
}

/// Names of plain letters below the folder, in lower case or not, but none that hides or climbs.
fn is_path(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let is_part = |part: &&str| {
        !part.is_empty() && part.len() <= 100 && !part.starts_with('.') && part.bytes().all(letter)
    };
    // The SDK and things of the twin are served below these.
    let own = !matches!(parts.first(), Some(&("sdk" | "t")));
    own && parts.len() <= DEPTH_MAX && parts.iter().all(is_part)
}

/// What is wrong with a line of a page.
fn of_line(line: &str) -> Option<(What, String)> {
    let low = line.to_ascii_lowercase();
    // Each tag once, with what is behind it: a page may be one line of many megabytes.
    for tag in low.split('<') {
        let link = tag.starts_with("a ");
        for start in ["src=\"", "href=\"", "src='", "href='"] {
            // What follows the first start lies up to the next one, so nothing is looked at twice.
            for target in tag.split(start).skip(1) {
                let target = target.split(['"', '\'']).next().unwrap_or_default();
                if target.starts_with("javascript:") {
                    return Some((What::InlineScript, target.to_owned()));
                }
                let outside = target.starts_with("//") || target.contains("://");
                if outside && !link {
                    return Some((What::Outside, target.to_owned()));
                }
            }
        }
    }
    for tag in low.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        if tag.starts_with("script") && !tag.contains("src=") {
            return Some((What::InlineScript, "script".to_owned()));
        }
        let handler = |word: &&str| word.starts_with("on") && word.contains('=');
        if let Some(word) = tag.split_whitespace().skip(1).find(handler) {
            return Some((What::InlineScript, word.to_owned()));
        }
    }
    None
}
