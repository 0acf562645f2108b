//! The files that browsers get: embedded in the program, nothing is read from disk here.
//!
//! Finds files by their exact names only, and knows the type of each by its ending.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use hyper::{Response, StatusCode};
use include_dir::{Dir, include_dir};

use super::Answer;
use super::stream::Body;
use crate::package::Folder;

static SHELL: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../ui/shell");
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../ui/sdk");
static EXPERIENCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../ui/experiences");

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    content: Content,
    kind: &'static str,
    /// Where the content is not in one place for ever.
    tag: Option<HeaderValue>,
}

#[derive(Clone, Debug)]
enum Content {
    Here(Bytes),
    /// From here to there in the package of a release.
    Release(Range<u64>),
}

impl File {
    /// A file with this content, if files with its ending are served at all. The content must stay
    /// where it is as long as the twin runs.
    pub(crate) fn of(bytes: Bytes, path: &str) -> Option<Self> {
        let ending = path.rsplit('/').next()?.rsplit_once('.')?.1;
        let kind = KINDS.iter().find(|(known, _)| *known == ending)?.1;
        Some(Self { content: Content::Here(bytes), kind, tag: None })
    }

    /// A file that lies in the package of a release; whoever answers reads it from there.
    pub(crate) fn of_release(at: Range<u64>, path: &str) -> Option<Self> {
        Some(Self { content: Content::Release(at), ..Self::of(Bytes::new(), path)? })
    }

    /// Where it lies in the package of its release.
    pub(crate) fn at(&self) -> Option<Range<u64>> {
        match &self.content {
            Content::Here(_) => None,
            Content::Release(at) => Some(at.clone()),
        }
    }

    /// With a tag of its own: its content can lie elsewhere the next time.
    pub(crate) fn tagged(mut self, tag: HeaderValue) -> Self {
        self.tag = Some(tag);
        self
    }

    fn bytes(&self) -> Bytes {
        match &self.content {
            Content::Here(bytes) => bytes.clone(),
            Content::Release(_) => Bytes::new(),
        }
    }

    /// Whether it is a page and not a part of one.
    pub(crate) fn is_page(&self) -> bool {
        self.kind.starts_with("text/html")
    }
}

/// Whether files with the ending of this one are served at all.
pub(crate) fn is_served(path: &str) -> bool {
    File::of(Bytes::new(), path).is_some()
}

/// A file of the shell.
pub(crate) fn shell(path: &str) -> Option<File> {
    find(&SHELL, path)
}

/// A file of the SDK.
pub(crate) fn sdk(path: &str) -> Option<File> {
    find(&SDK, path)
}

/// A file of an experience that comes with the program.
pub(crate) fn built_in(name: &str, path: &str) -> Option<File> {
    find(EXPERIENCES.get_dir(name)?, &format!("{name}/{path}"))
}

/// The experiences that come with the program, by name.
pub(crate) fn built_in_folders() -> impl Iterator<Item = (&'static str, Folder)> {
    EXPERIENCES.dirs().filter_map(|folder| {
        let mut files = Folder::new();
        gather(folder, folder.path(), &mut files);
        Some((folder.path().to_str()?, files))
    })
}

fn gather(folder: &'static Dir<'static>, top: &Path, found: &mut Folder) {
    for file in folder.files() {
        if let Some(path) = file.path().strip_prefix(top).ok().and_then(Path::to_str) {
            found.insert(path.to_owned(), file.contents().to_vec());
        }
    }
    folder.dirs().for_each(|inner| gather(inner, top, found));
}

fn find(folder: &Dir<'static>, path: &str) -> Option<File> {
    File::of(Bytes::from_static(folder.get_file(path)?.contents()), path)
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
    pub(crate) fn answer(&self, file: &File, asked: &HeaderMap) -> Answer {
        let tag = file.tag.clone().unwrap_or_else(|| self.of(file));
        let known = asked.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let same = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
        let mut answer = Response::new(Body::from(file.bytes()));
        if same {
            *answer.body_mut() = Body::default();
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
        }
        let headers = answer.headers_mut();
        headers.insert(ETAG, tag);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer
    }

    fn of(&self, file: &File) -> HeaderValue {
        // Files stay where they are as long as the twin runs, so their address names them.
        let mut tags = self.0.borrow_mut();
        let bytes = file.bytes();
        let tag = tags.entry(bytes.as_ptr()).or_insert_with(|| {
            let hash = blake3::hash(&bytes).to_hex();
            HeaderValue::from_str(&format!("\"{}\"", &hash[..32]))
                .unwrap_or(HeaderValue::from_static("\"\""))
        });
        tag.clone()
    }
}
