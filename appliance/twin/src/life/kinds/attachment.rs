//! `chat.attached`: the bytes of a file of a message are here. Small ones are the entry's content;
//! large ones lie in a blob. What the file is called is in the message's own entry.

use data_encoding::BASE64;
use link::TwinId;
use serde::{Deserialize, Serialize};
use store::{Direction, Entry, Error, FoldError, ReadAll as _, ReadTables as _, Reader, Tables};

use super::{Kind, file::Bytes, shape};
use crate::life::tables::{self, ATTACHED, Attached, Id16, Rows as _, put};

pub(crate) const ATTACHED_KIND: &str = "chat.attached";

pub(super) const KINDS: &[Kind] =
    &[Kind { name: ATTACHED_KIND, fold: attached, line: |_, _| None }];

/// The bytes of a file are here.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Arrived {
    pub(crate) author: TwinId,
    pub(crate) message: Id16,
    /// Which of its files.
    pub(crate) number: u8,
    #[serde(flatten)]
    pub(crate) bytes: Bytes,
}

/// The content of a small one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Small {
    /// In base64.
    pub(crate) bytes: String,
}

impl Small {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { bytes: BASE64.encode(bytes) }
    }
}

fn attached(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Arrived { author, message, number, bytes } = shape(entry)?;
    let Some((_, _, row)) = t.find_message(&author, message)? else {
        return Err(FoldError::refused("there is no such message of this author"));
    };
    if row.deleted {
        return Ok(());
    }
    let Bytes { size, blob } = bytes;
    let row = Attached { said: row.seq, seq: entry.seq, size, blob };
    Ok(put(t, ATTACHED, &tables::attached(&author, message, number), &row)?)
}

/// The message was deleted, and its files with it.
pub(super) fn forget(t: &mut Tables<'_>, author: &TwinId, message: Id16) -> Result<(), FoldError> {
    let all = tables::message_at(author, message);
    for (key, _) in t.prefix(ATTACHED, &all, usize::MAX, Direction::Forward)? {
        t.delete(ATTACHED, &key)?;
    }
    Ok(())
}

/// Shows every large content of a message that still has its own.
pub(super) fn blobs(
    r: &Reader<'_>,
    show: &mut dyn FnMut(store::Blob) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut from: Option<Vec<u8>> = None;
    loop {
        let rows = r.page(ATTACHED, b"", from.as_deref(), AT_A_TIME, Direction::Forward)?;
        let last = rows.len() < AT_A_TIME;
        for (key, row) in rows {
            let row: Attached = tables::parsed(ATTACHED, &row)?;
            if let Some(blob) = row.blob
                && r.content(row.said)?.is_some()
            {
                show(blob)?;
            }
            // The first key behind it.
            from = Some([&key[..], &[0]].concat());
        }
        if last {
            return Ok(());
        }
    }
}

/// Rows that are read at once.
const AT_A_TIME: usize = 1000;
