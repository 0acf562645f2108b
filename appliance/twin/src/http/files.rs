//! The files that browsers get: embedded in the program, so nothing is read from disk.
//!
//! Never serves anything that is not under `ui`, and finds files by their exact names only.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use capability::wire::Word;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use hyper::{Response, StatusCode};
use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::Answer;

static SHELL: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../ui/shell");
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../ui/sdk");
static EXPERIENCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../ui/experiences");

/// One embedded file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    bytes: &'static [u8],
    kind: &'static str,
}

impl File {
    /// Whether it is a page and not a part of one.
    pub(crate) fn is_page(self) -> bool {
        self.kind.starts_with("text/html")
    }
}

/// A file of the shell.
pub(crate) fn shell(path: &str) -> Option<File> {
    find(&SHELL, path)
}

/// A file of the SDK.
pub(crate) fn sdk(path: &str) -> Option<File> {
    find(&SDK, path)
}

/// A file of an installed experience.
pub(crate) fn experience(name: &str, path: &str) -> Option<File> {
    find(EXPERIENCES.get_dir(name)?, &format!("{name}/{path}"))
}

/// What an experience says about itself in its `experience.json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Manifest {
    /// Its name: the name of its folder.
    pub name: Word,
    /// Its version, for people.
    pub version: String,
    /// What it is called, by language.
    pub title: BTreeMap<String, String>,
    /// The file to open; `index.html` unless given.
    #[serde(default = "usual_entry")]
    pub entry: String,
    /// The kinds of things it works with.
    #[serde(default)]
    pub wants: Vec<Word>,
}

/// The installed experiences by name; one whose manifest is broken or misnamed is left out.
pub(crate) fn manifests() -> Vec<Manifest> {
    let mut all: Vec<Manifest> = EXPERIENCES
        .dirs()
        .filter_map(|folder| {
            let name = folder.path().to_str()?;
            let text = folder.get_file(folder.path().join("experience.json"))?.contents();
            let manifest: Manifest = serde_json::from_slice(text)
                .inspect_err(|error| tracing::error!(name, %error, "a manifest is broken"))
                .ok()?;
            (manifest.name.as_str() == name).then_some(manifest)
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn usual_entry() -> String {
    "index.html".to_owned()
}

fn find(folder: &Dir<'static>, path: &str) -> Option<File> {
    let bytes = folder.get_file(path)?.contents();
    let ending = path.rsplit('/').next()?.rsplit_once('.')?.1;
    let kind = KINDS.iter().find(|(known, _)| *known == ending)?.1;
    Some(File { bytes, kind })
}

/// Files with other endings are not served.
const KINDS: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("ts", "text/plain; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff2", "font/woff2"),
];

/// Remembers the tag of each file that was asked for.
#[derive(Default)]
pub(crate) struct Tags(RefCell<HashMap<*const u8, HeaderValue>>);

impl Tags {
    /// Answers with a file, or with "not modified".
    pub(crate) fn answer(&self, file: File, asked: &HeaderMap) -> Answer {
        let tag = self.of(file);
        let known = asked.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let same = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
        let mut answer = Response::new(Full::from(Bytes::from_static(file.bytes)));
        if same {
            *answer.body_mut() = Full::default();
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
        }
        let headers = answer.headers_mut();
        headers.insert(ETAG, tag);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer
    }

    fn of(&self, file: File) -> HeaderValue {
        // Embedded files never move, so their address names them.
        let mut tags = self.0.borrow_mut();
        let tag = tags.entry(file.bytes.as_ptr()).or_insert_with(|| {
            let hash = blake3::hash(file.bytes).to_hex();
            HeaderValue::from_str(&format!("\"{}\"", &hash[..32]))
                .unwrap_or(HeaderValue::from_static("\"\""))
        });
        tag.clone()
    }
}
