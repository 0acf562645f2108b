//! The journal as text, for people and other programs. Never writes keys, vault or tables.
use std::collections::HashSet;
use std::io::Write;

use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;
use serde::de::IgnoredAny;

use crate::entry::SALT;
use crate::error::io_error;
use crate::read::Reader;
use crate::store::Store;
use crate::{Actor, Error, entry};

/// Entries per read, so that a slow receiver does not hold up the writer's space.
const BATCH: u64 = 256;

/// The fixed part of a line; shape and content follow it.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    time_ms: i64,
    actor: LineActor<'a>,
    kind: &'a str,
    version: u16,
    erased: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hash: Option<String>,
    prev_hash: String,
    hash: String,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum LineActor<'a> {
    Device(&'a str),
    Experience(&'a str),
    Contact(String),
    System,
}

impl Store {
    /// Writes the whole journal with its contents, oldest first, one JSON object per line; then the
    /// large contents that it names, a line for each of their chunks. Returns the number of entries. Blocks the thread; writes go on meanwhile and are not waited for.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Full`] from `out`, [`Error::NewerEntry`], [`Error::Damaged`], or
    /// the disk failed.
    pub fn export(&self, out: &mut dyn Write) -> Result<u64, Error> {
        let last = self.head().seq;
        let mut next = 1;
        while next <= last {
            let end = last.min(next + BATCH - 1);
            let lines = self.read(|r| lines(r, next, end))?;
            out.write_all(&lines).map_err(io_error)?;
            next = end + 1;
        }
        self.export_blobs(out)?;
        out.flush().map_err(io_error)?;
        Ok(last)
    }
}

impl Store {
    fn export_blobs(&self, out: &mut dyn Write) -> Result<(), Error> {
        let mut blobs = Vec::new();
        let all = |r: &Reader<'_>| {
            self.core().fold.blobs(r, &mut |blob| {
                blobs.push(blob);
                Ok(())
            })
        };
        self.read(all)?;
        let mut written = HashSet::new();
        for blob in blobs.into_iter().filter(|blob| written.insert(*blob)) {
            let root = HEXLOWER.encode(&blob.root);
            let parts = blob.chunks();
            // What is damaged or was deleted meanwhile must not keep the rest from being saved.
            let contents = match self.contents(blob) {
                Err(Error::Blob { at }) => {
                    write_part(out, &Part { error: Some(&at), ..Part::of(&root, blob.size) })?;
                    continue;
                }
                contents => contents?,
            };
            for part in 0..parts {
                let (bytes, error) = match contents.chunk(part) {
                    Err(Error::Blob { at }) => (None, Some(at)),
                    bytes => (Some(BASE64.encode(&bytes?)), None),
                };
                let line = Part {
                    part,
                    bytes_base64: bytes.as_deref(),
                    error: error.as_deref(),
                    ..Part::of(&root, blob.size)
                };
                write_part(out, &line)?;
            }
        }
        Ok(())
    }
}

/// A chunk of a large content.
#[derive(Serialize)]
struct Part<'a> {
    /// As the shapes of entries name it.
    blob: &'a str,
    size: u64,
    /// Its place: each but the last has 1 MiB.
    part: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_base64: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> Part<'a> {
    fn of(blob: &'a str, size: u64) -> Self {
        Self { blob, size, part: 0, bytes_base64: None, error: None }
    }
}

fn write_part(out: &mut dyn Write, part: &Part<'_>) -> Result<(), Error> {
    let mut line = Vec::new();
    write_json(&mut line, part)?;
    line.push(b'\n');
    out.write_all(&line).map_err(io_error)
}

fn lines(r: &Reader<'_>, from: u64, to: u64) -> Result<Vec<u8>, Error> {
    let mut lines = Vec::new();
    for seq in from..=to {
        let row = r.row(seq)?.ok_or_else(|| entry::damaged(seq))?;
        let entry = row.entry()?;
        let salted = row.salted.map(|salted| salted.split_at_checked(SALT));
        let salted = salted.map(|parts| parts.ok_or_else(|| entry::damaged(seq))).transpose()?;
        let line = Line {
            seq,
            time_ms: entry.time_ms,
            actor: line_actor(&entry.actor),
            kind: &entry.kind,
            version: entry.version,
            erased: salted.is_none() && entry.content_hash.is_some(),
            salt: salted.map(|(salt, _)| HEXLOWER.encode(salt)),
            content_hash: entry.content_hash.map(|hash| HEXLOWER.encode(&hash)),
            prev_hash: HEXLOWER.encode(&entry.prev_hash),
            hash: HEXLOWER.encode(&row.hash()),
        };
        write_json(&mut lines, &line)?;
        lines.pop();
        field(&mut lines, "shape", &entry.shape)?;
        if let Some((_, content)) = salted {
            field(&mut lines, "content", content)?;
        }
        lines.extend_from_slice(b"}\n");
    }
    Ok(lines)
}

fn line_actor(actor: &Actor) -> LineActor<'_> {
    match actor {
        Actor::Device(id) => LineActor::Device(id),
        Actor::Experience(name) => LineActor::Experience(name),
        Actor::Contact(id) => LineActor::Contact(HEXLOWER.encode(id)),
        Actor::System => LineActor::System,
    }
}

/// Appends a field. Bytes that are JSON stand as they are, byte for byte; other text as a string
/// under the name with `_text`, the rest as base64 under the name with `_base64`.
fn field(line: &mut Vec<u8>, name: &str, value: &[u8]) -> Result<(), Error> {
    // JSON over several lines would break ours.
    let one_line = !value.contains(&b'\n') && !value.contains(&b'\r');
    let json = one_line && serde_json::from_slice::<IgnoredAny>(value).is_ok();
    match (json, std::str::from_utf8(value)) {
        (true, Ok(_)) => {
            line.extend_from_slice(format!(",\"{name}\":").as_bytes());
            line.extend_from_slice(value);
            Ok(())
        }
        (false, Ok(text)) => {
            line.extend_from_slice(format!(",\"{name}_text\":").as_bytes());
            write_json(line, text)
        }
        (_, Err(_)) => {
            line.extend_from_slice(format!(",\"{name}_base64\":").as_bytes());
            write_json(line, &BASE64.encode(value))
        }
    }
}

fn write_json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
    serde_json::to_writer(out, value).map_err(|source| Error::Engine { source: Box::new(source) })
}
