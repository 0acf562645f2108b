//! `grant.given`, `grant.folder_given`, `grant.space_given`, `grant.revoked`: what experiences may
//! use. None can be undone: giving again is a choice of its own.

use serde::{Deserialize, Serialize};
use store::{Entry, FoldError, Tables};

use super::{Kind, Line, shape};
use crate::life::tables::{self, GRANT, Id16, put};

pub(crate) const GIVEN: &str = "grant.given";
/// A kind of its own: an older release would take it for a grant of all conversations.
pub(crate) const FOLDER_GIVEN: &str = "grant.folder_given";
/// The same.
pub(crate) const SPACE_GIVEN: &str = "grant.space_given";
pub(crate) const REVOKED: &str = "grant.revoked";

pub(super) const KINDS: &[Kind] = &[
    Kind { name: GIVEN, fold: given, line: given_line },
    Kind { name: FOLDER_GIVEN, fold: folder_given, line: folder_given_line },
    Kind { name: SPACE_GIVEN, fold: space_given, line: space_given_line },
    Kind { name: REVOKED, fold: revoked, line: revoked_line },
];

/// A thing was chosen for an experience.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Given {
    pub(crate) grant: Id16,
    pub(crate) experience: String,
    /// One conversation; all without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation: Option<Id16>,
    pub(crate) add: bool,
    pub(crate) change: bool,
    pub(crate) history: bool,
}

/// A folder was chosen for an experience.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct FolderGiven {
    pub(crate) grant: Id16,
    pub(crate) experience: String,
    pub(crate) folder: Id16,
    pub(crate) add: bool,
    pub(crate) change: bool,
    pub(crate) history: bool,
}

/// A space was chosen for an experience.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SpaceGiven {
    pub(crate) grant: Id16,
    pub(crate) experience: String,
    pub(crate) space: Id16,
    /// Types of records.
    pub(crate) types: Vec<String>,
    pub(crate) add: bool,
    pub(crate) change: bool,
    pub(crate) history: bool,
}

/// A grant was taken back.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Revoked {
    pub(crate) grant: Id16,
    pub(crate) experience: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation: Option<Id16>,
    /// It was of a folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) folder: bool,
    /// It was of this space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) space: Option<Id16>,
}

fn given(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Given { grant, experience, conversation, add, change, history } = shape(entry)?;
    let row = row(entry, grant, experience, [add, change, history]);
    Ok(put(t, GRANT, &grant.0, &tables::Grant { conversation, ..row })?)
}

fn folder_given(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let FolderGiven { grant, experience, folder, add, change, history } = shape(entry)?;
    let row = row(entry, grant, experience, [add, change, history]);
    Ok(put(t, GRANT, &grant.0, &tables::Grant { folder: Some(folder), ..row })?)
}

fn space_given(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let SpaceGiven { grant, experience, space, types, add, change, history } = shape(entry)?;
    let row = row(entry, grant, experience, [add, change, history]);
    Ok(put(t, GRANT, &grant.0, &tables::Grant { space: Some(space), types, ..row })?)
}

/// A grant with its verbs (add, change, history), of nothing yet.
fn row(entry: &Entry, grant: Id16, experience: String, verbs: [bool; 3]) -> tables::Grant {
    let [add, change, history] = verbs;
    tables::Grant {
        grant,
        experience,
        conversation: None,
        folder: None,
        space: None,
        types: Vec::new(),
        add,
        change,
        history,
        since_ms: entry.time_ms,
        seq: entry.seq,
    }
}

fn revoked(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Revoked { grant, .. } = shape(entry)?;
    t.delete(GRANT, &grant.0)?;
    Ok(())
}

fn given_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let Given { experience, conversation, .. } = shape(entry).ok()?;
    Some(line("grant.given", experience, conversation))
}

fn folder_given_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let FolderGiven { experience, .. } = shape(entry).ok()?;
    Some(folder_line("grant.given_folder", experience))
}

fn space_given_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let SpaceGiven { experience, space, .. } = shape(entry).ok()?;
    Some(space_line("grant.given_space", experience, space))
}

fn space_line(key: &str, experience: String, space: Id16) -> Line {
    Line { space: Some(space), ..folder_line(key, experience) }
}

fn folder_line(key: &str, experience: String) -> Line {
    let args = [("experience".to_owned(), experience)].into();
    Line { key: key.to_owned(), args, ..Line::default() }
}

fn revoked_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let Revoked { experience, conversation, folder, space, .. } = shape(entry).ok()?;
    if let Some(space) = space {
        return Some(space_line("grant.revoked_space", experience, space));
    }
    if folder {
        return Some(folder_line("grant.revoked_folder", experience));
    }
    Some(line("grant.revoked", experience, conversation))
}

fn line(key: &str, experience: String, conversation: Option<Id16>) -> Line {
    let key = if conversation.is_some() { key.to_owned() } else { format!("{key}_all") };
    let args = [("experience".to_owned(), experience)].into();
    Line { key, conversation, args, ..Line::default() }
}
