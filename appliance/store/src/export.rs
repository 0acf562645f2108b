//! The journal as text, for people and other programs. Never writes keys, vault or tables.
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
    /// Writes the whole journal with its contents, oldest first, one JSON object per line. Returns
    /// the number of lines. Blocks the thread; writes go on meanwhile and are not waited for.
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
        out.flush().map_err(io_error)?;
        Ok(last)
    }
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
