//! A small but honest fold: notes with edits and removal, an index of their words, and counters
//! that show every entry applied once. Never used outside these tests.
use std::path::Path;

use serde::{Deserialize, Serialize};
use store::{
    Actor, Entry, Error, Fold, FoldError, NewEntry, Options, ReadTables as _, Sign, Store, Tables,
};

/// Its version can be chosen, to make the store rebuild.
pub(crate) struct Notes {
    pub(crate) version: u32,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) text: Option<String>,
    /// The entry the text came from: what `forget` compares.
    pub(crate) text_seq: u64,
    pub(crate) edits: u32,
    pub(crate) removed: bool,
}

#[derive(Serialize, Deserialize)]
struct Shape {
    id: String,
}

impl Fold for Notes {
    fn version(&self) -> u32 {
        self.version
    }

    fn apply(
        &self,
        entry: &Entry,
        content: Option<&[u8]>,
        tables: &mut Tables<'_>,
    ) -> Result<(), FoldError> {
        count(tables, &entry.kind)?;
        if entry.kind == "note.refused" {
            return Err(FoldError::refused("never taken"));
        }
        let Some(id) = id_of(entry) else {
            return Ok(());
        };
        let text = content.map(|content| String::from_utf8_lossy(content).into_owned());
        let old = note(tables, &id)?;
        if let Some(Note { text: Some(old), .. }) = &old {
            unindex(tables, &id, old)?;
        }
        let edits = old.as_ref().map_or(0, |old| old.edits);
        let removed = old.as_ref().is_some_and(|old| old.removed);
        let text_seq = entry.seq;
        let new = match entry.kind.as_str() {
            "note.add" | "note.edit" if removed => Note { text: None, text_seq, edits, removed },
            "note.add" => Note { text, text_seq, edits, removed },
            "note.edit" => Note { text, text_seq, edits: edits + 1, removed },
            "note.remove" => Note { text: None, text_seq, edits, removed: true },
            _ => return Ok(()),
        };
        put(tables, &id, &new)
    }

    fn forget(&self, entry: &Entry, tables: &mut Tables<'_>) -> Result<(), FoldError> {
        let Some(id) = id_of(entry) else {
            return Ok(());
        };
        let Some(mut note) = note(tables, &id)? else {
            return Ok(());
        };
        if note.text_seq == entry.seq {
            if let Some(text) = note.text.take() {
                unindex(tables, &id, &text)?;
            }
            put(tables, &id, &note)?;
        }
        Ok(())
    }
}

fn id_of(entry: &Entry) -> Option<String> {
    serde_json::from_slice::<Shape>(&entry.shape).ok().map(|shape| shape.id)
}

fn note(tables: &Tables<'_>, id: &str) -> Result<Option<Note>, Error> {
    let row = tables.get("note", id.as_bytes())?;
    Ok(row.map(|row| serde_json::from_slice(&row).unwrap()))
}

fn put(tables: &mut Tables<'_>, id: &str, note: &Note) -> Result<(), FoldError> {
    for word in note.text.iter().flat_map(|text| words(text)) {
        tables.put("word", format!("{word}\0{id}").as_bytes(), b"")?;
    }
    tables.put("note", id.as_bytes(), &serde_json::to_vec(note).unwrap())?;
    Ok(())
}

fn unindex(tables: &mut Tables<'_>, id: &str, text: &str) -> Result<(), Error> {
    for word in words(text) {
        tables.delete("word", format!("{word}\0{id}").as_bytes())?;
    }
    Ok(())
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(' ').filter(|word| !word.is_empty()).map(|word| word.chars().take(40).collect())
}

fn count(tables: &mut Tables<'_>, kind: &str) -> Result<(), Error> {
    let old = tables.get("count", kind.as_bytes())?;
    let old = old.map_or(0, |old| u64::from_be_bytes(old.try_into().unwrap()));
    tables.put("count", kind.as_bytes(), &(old + 1).to_be_bytes())
}

/// A signature that needs no key: enough to tell a forged checkpoint from a true one.
pub(crate) struct Seal(pub(crate) u8);

impl Sign for Seal {
    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let mut sealed = vec![self.0];
        sealed.extend_from_slice(blake3::keyed_hash(&[self.0; 32], bytes).as_bytes());
        sealed
    }

    fn verify(&self, bytes: &[u8], signature: &[u8]) -> bool {
        self.sign(bytes) == signature
    }
}

/// A small map, so that a machine with little address space runs the tests too.
pub(crate) fn options() -> Options {
    Options { map_size: 64 << 20, map_limit: 64 << 20, ..Options::default() }
}

pub(crate) fn open(folder: &Path) -> Store {
    open_version(folder, 1)
}

pub(crate) fn open_version(folder: &Path, version: u32) -> Store {
    Store::open(folder, options(), Box::new(Notes { version })).unwrap()
}

pub(crate) fn entry(kind: &str, id: &str, text: Option<&str>) -> NewEntry {
    NewEntry {
        time_ms: 1_700_000_000_000,
        actor: Actor::Device("phone".to_owned()),
        kind: kind.to_owned(),
        version: 1,
        shape: serde_json::to_vec(&Shape { id: id.to_owned() }).unwrap(),
        content: text.map(|text| text.as_bytes().to_vec()),
    }
}

pub(crate) fn add(store: &Store, id: &str, text: &str) -> u64 {
    let new = entry("note.add", id, Some(text));
    store.write_blocking(move |w| w.append(new)).unwrap()
}

pub(crate) fn erase(store: &Store, seqs: &[u64]) -> Result<u64, Error> {
    let seqs = seqs.to_vec();
    store.write_blocking(move |w| w.erase(&seqs, 1_700_000_000_000, Actor::System))
}

pub(crate) fn text_of(store: &Store, id: &str) -> Option<String> {
    let row = store.read(|r| r.get("note", id.as_bytes())).unwrap()?;
    serde_json::from_slice::<Note>(&row).unwrap().text
}
