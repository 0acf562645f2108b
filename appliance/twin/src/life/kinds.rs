//! The kinds of journal entries of a twin. Each file has a kind's shape (ids and references, for
//! ever), its content (erasable), what it does to the tables, whether it can be undone and its
//! line in the history. Of contents only names of files come into tables, and out again with them.

pub(crate) mod attachment;
pub(crate) mod contact;
pub(crate) mod experience;
pub(crate) mod file;
pub(crate) mod grant;
pub(crate) mod held;
pub(crate) mod identity;
pub(crate) mod message;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod space;
pub(crate) mod talk;

use std::collections::BTreeMap;

use link::TwinId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use store::{Actor, Blob, Entry, Fold, FoldError, NewEntry, Reader, Tables, Writer};

use super::{
    Fault,
    tables::{Id16, UNDONE, written},
};

/// One kind of entry.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// What it does to the tables.
    fold: fn(&Entry, &mut Tables<'_>) -> Result<(), FoldError>,
    /// What the history says about it.
    pub(crate) line: fn(&Entry, Option<&[u8]>) -> Option<Line>,
}

/// A line in the history: no sentence, but what is needed to make one in any language.
#[derive(Default)]
pub(crate) struct Line {
    /// `history.<key>` names the sentence.
    pub(crate) key: String,
    /// Who it has to do with; the name is filled in as `name`.
    pub(crate) contact: Option<TwinId>,
    /// Where it happened.
    pub(crate) conversation: Option<Id16>,
    /// The space that it happened in; its name is filled in as `space`.
    pub(crate) space: Option<Id16>,
    /// Who did it there; another's name is filled in as `name`.
    pub(crate) author: Option<TwinId>,
    /// What is filled into the sentence.
    pub(crate) args: BTreeMap<String, String>,
    /// How it can be undone by the person with this id.
    pub(crate) undo: Undo,
}

/// How something can be undone.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(crate) enum Undo {
    /// By the author only, whose twin asks the other's to do the same.
    AskPeer(TwinId),
    /// Here, completely.
    Local,
    /// By the author only, for everybody in the space.
    Own(TwinId),
    #[default]
    None,
}

const KINDS: &[&[Kind]] = &[
    identity::KINDS,
    contact::KINDS,
    message::KINDS,
    attachment::KINDS,
    read::KINDS,
    grant::KINDS,
    experience::KINDS,
    held::KINDS,
    file::KINDS,
    space::KINDS,
    record::KINDS,
    talk::KINDS,
];

/// The kind of this name; `None` for one of a newer release, which is kept and ignored.
pub(crate) fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().flatten().find(|kind| kind.name == name)
}

/// The fold of a twin's life.
pub(crate) struct LifeFold;

impl Fold for LifeFold {
    fn version(&self) -> u32 {
        8
    }

    fn apply(
        &self,
        entry: &Entry,
        content: Option<&[u8]>,
        tables: &mut Tables<'_>,
    ) -> Result<(), FoldError> {
        let Some(kind) = find(&entry.kind) else { return Ok(()) };
        (kind.fold)(entry, tables)?;
        file::name(entry, content, tables)?;
        record::apply(entry, content, tables)?;
        if let Ok(Undoing { undoes: Some(seq) }) = serde_json::from_slice(&entry.shape) {
            tables.put(UNDONE, &seq.to_be_bytes(), &entry.seq.to_be_bytes())?;
        }
        Ok(())
    }

    fn forget(&self, entry: &Entry, tables: &mut Tables<'_>) -> Result<(), FoldError> {
        file::forget(entry, tables)?;
        record::forget(entry, tables)
    }

    fn blobs(
        &self,
        r: &Reader<'_>,
        show: &mut dyn FnMut(Blob) -> Result<(), store::Error>,
    ) -> Result<(), store::Error> {
        file::blobs(r, show)?;
        experience::blobs(r, show)?;
        attachment::blobs(r, show)
    }
}

/// Part of every shape whose kind can be the undoing of another entry.
#[derive(Deserialize)]
struct Undoing {
    #[serde(default)]
    undoes: Option<u64>,
}

/// Who writes an entry, and when.
#[derive(Clone, Debug)]
pub(crate) struct By {
    pub(crate) actor: Actor,
    pub(crate) now_ms: i64,
}

/// Appends an entry.
pub(crate) fn append(
    w: &mut Writer<'_>,
    by: &By,
    kind: &str,
    shape: &impl Serialize,
    content: Option<&impl Serialize>,
) -> Result<u64, Fault> {
    Ok(put(w, by, kind, shape, content)?)
}

/// As [`append`], with what went wrong in the store's own words.
pub(crate) fn put(
    w: &mut Writer<'_>,
    by: &By,
    kind: &str,
    shape: &impl Serialize,
    content: Option<&impl Serialize>,
) -> Result<u64, store::Error> {
    w.append(NewEntry {
        time_ms: by.now_ms,
        actor: by.actor.clone(),
        kind: kind.to_owned(),
        version: 1,
        shape: written(shape)?,
        content: content.map(written).transpose()?,
    })
}

/// The shape of an entry.
pub(crate) fn shape<T: DeserializeOwned>(entry: &Entry) -> Result<T, FoldError> {
    serde_json::from_slice(&entry.shape)
        .map_err(|error| FoldError::refused(format!("its shape is unreadable: {error}")))
}

/// The content of an entry, if it is there and readable.
pub(crate) fn content<T: DeserializeOwned>(bytes: Option<&[u8]>) -> Option<T> {
    serde_json::from_slice(bytes?).ok()
}

/// At most the first 200 characters, for a line in the history.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
