//! `experience.installed`, `experience.rolled_back`, `experience.removed`: which experiences there are,
//! in which release. Every release is kept until its experience is removed; none of these is undone by
//! a rule, since going back to a release is a choice of its own.

use link::TwinId;
use serde::{Deserialize, Serialize};
use store::{Blob, Direction, Entry, Error, FoldError, ReadTables as _, Reader, Tables};

use super::{Kind, Line, file::Bytes, shape};
use crate::life::tables::{self, INSTALLED, Installed, RELEASE, Release, put};

pub(crate) const INSTALLED_KIND: &str = "experience.installed";
pub(crate) const ROLLED_BACK: &str = "experience.rolled_back";
pub(crate) const REMOVED: &str = "experience.removed";

pub(super) const KINDS: &[Kind] = &[
    Kind { name: INSTALLED_KIND, fold: installed, line: installed_line },
    Kind { name: ROLLED_BACK, fold: rolled_back, line: rolled_back_line },
    Kind { name: REMOVED, fold: removed, line: removed_line },
];

/// A release was installed, beside those there are.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Shape {
    pub(crate) experience: String,
    pub(crate) version: String,
    pub(crate) hash: String,
    pub(crate) author: TwinId,
    /// The version of before, if it was an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
    /// The package.
    #[serde(flatten)]
    pub(crate) bytes: Bytes,
}

/// Another release that is there is used from now on.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct RolledBack {
    pub(crate) experience: String,
    pub(crate) release: u64,
    pub(crate) version: String,
    pub(crate) previous: String,
}

/// It is gone, with all its releases.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Removed {
    pub(crate) experience: String,
    pub(crate) version: String,
}

fn installed(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Shape { experience, version, hash, author, bytes, .. } = shape(entry)?;
    let Bytes { size, blob } = bytes;
    let row = Release { version, hash, author, size, blob, since_ms: entry.time_ms };
    put(t, RELEASE, &tables::release(&experience, entry.seq), &row)?;
    Ok(put(t, INSTALLED, experience.as_bytes(), &Installed { release: Some(entry.seq) })?)
}

fn rolled_back(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let RolledBack { experience, release, .. } = shape(entry)?;
    if t.get(RELEASE, &tables::release(&experience, release))?.is_none() {
        return Err(FoldError::refused("there is no such release"));
    }
    Ok(put(t, INSTALLED, experience.as_bytes(), &Installed { release: Some(release) })?)
}

fn removed(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Removed { experience, .. } = shape(entry)?;
    let all = tables::releases(&experience);
    for (key, _) in t.prefix(RELEASE, &all, usize::MAX, Direction::Forward)? {
        t.delete(RELEASE, &key)?;
    }
    // What a person removed does not come back by itself.
    Ok(put(t, INSTALLED, experience.as_bytes(), &Installed { release: None })?)
}

/// Shows every package that lies in chunks.
pub(super) fn blobs(
    r: &Reader<'_>,
    show: &mut dyn FnMut(Blob) -> Result<(), Error>,
) -> Result<(), Error> {
    for (_, row) in r.prefix(RELEASE, b"", usize::MAX, Direction::Forward)? {
        let row: Release = tables::parsed(RELEASE, &row)?;
        row.blob.map_or(Ok(()), &mut *show)?;
    }
    Ok(())
}

fn installed_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let Shape { experience, version, previous, .. } = shape(entry).ok()?;
    let key = if previous.is_some() { "experience.updated" } else { INSTALLED_KIND };
    Some(line(key, experience, version, previous))
}

fn rolled_back_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let RolledBack { experience, version, previous, .. } = shape(entry).ok()?;
    Some(line(ROLLED_BACK, experience, version, Some(previous)))
}

fn removed_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let Removed { experience, version } = shape(entry).ok()?;
    Some(line(REMOVED, experience, version, None))
}

fn line(key: &str, experience: String, version: String, previous: Option<String>) -> Line {
    let mut line = Line { key: key.to_owned(), ..Line::default() };
    line.args.extend([("experience".to_owned(), experience), ("version".to_owned(), version)]);
    line.args.extend(previous.map(|previous| ("previous".to_owned(), previous)));
    line
}
