//! `space.*`: who is in a space, and how our person stands to it. A roster stays in its shape as far
//! as it names people and what they may; its text with the name and the signature is content.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use link::TwinId;
use serde::{Deserialize, Serialize};
use store::{Entry, FoldError, ReadTables as _, Tables};

use super::{Kind, Line, Undo, content, record, shape, short};
use crate::life::tables::{
    self, ACTIVE, CHAIN, CONVERSATION, Conversation, Id16, Rows as _, put,
    spaces::{
        self, Member, Role, SPACE, SPACE_ACTIVE, SPACE_CHAIN, SPACE_MEMBER, Space, SpaceRows as _,
        Standing, of_person,
    },
};

pub(crate) const ROSTER: &str = "space.roster";
pub(crate) const STANDING: &str = "space.standing";
pub(crate) const ARCHIVED: &str = "space.archived";

pub(super) const KINDS: &[Kind] = &[
    Kind { name: ROSTER, fold: roster, line: roster_line },
    Kind { name: STANDING, fold: standing, line: standing_line },
    Kind { name: ARCHIVED, fold: archived, line: archived_line },
];

/// Who is in a space.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Roster {
    pub(crate) space: Id16,
    pub(crate) owner: TwinId,
    pub(crate) seed: Id16,
    pub(crate) version: u64,
    pub(crate) members: BTreeMap<TwinId, Place>,
    /// What is new in it, and about whom.
    pub(crate) change: Change,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<TwinId>,
}

/// Somebody's place in a roster.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Place {
    pub(crate) role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upto: Option<u64>,
    /// Their operations, base64.
    pub(crate) chain: String,
}

/// What is new in a roster.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Created,
    /// Our person invited somebody, or somebody was invited by the owner.
    Invited,
    /// Our person was invited.
    InvitedMe,
    Left,
    Removed,
    /// Our person was taken out.
    RemovedMe,
    Renamed,
    Role,
    /// Something else, or several things.
    Several,
}

/// Content of [`Roster`].
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct RosterWords {
    /// The name, out of the text.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) sig: String,
    /// What members call themselves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) names: BTreeMap<TwinId, String>,
    /// The words of an invitation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// Somebody came into a space or went, our person too.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Stands {
    pub(crate) space: Id16,
    pub(crate) person: TwinId,
    pub(crate) joined: bool,
    /// It is our person.
    pub(crate) me: bool,
}

/// Our person put a space away or took it out again.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Archived {
    pub(crate) space: Id16,
    pub(crate) archived: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
}

fn roster(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let new: Roster = shape(entry)?;
    let known = t.space(new.space)?;
    if known.as_ref().is_some_and(|known| known.version >= new.version || known.owner != new.owner)
    {
        return Err(FoldError::refused("a newer roster is known"));
    }
    let mut row = known.unwrap_or_else(|| Space {
        owner: new.owner,
        seed: new.seed,
        version: 0,
        roster: 0,
        standing: Standing::Member,
        invited: None,
        archived: false,
        since_ms: entry.time_ms,
        active_ms: entry.time_ms,
        rev: entry.seq,
        clock: Default::default(),
    });
    (row.version, row.roster) = (new.version, entry.seq);
    match new.change {
        Change::InvitedMe => {
            row.standing = Standing::Invited;
            row.invited = Some(entry.seq);
            row.archived = false;
        }
        Change::RemovedMe => row.standing = Standing::Removed,
        Change::Created => begin(t, new.space, new.owner, entry.time_ms)?,
        Change::Invited
        | Change::Left
        | Change::Removed
        | Change::Renamed
        | Change::Role
        | Change::Several => {}
    }
    let owner = Member { role: Role::Owner, upto: None, joined: true };
    put(t, SPACE_MEMBER, &of_person(new.space, &new.owner), &owner)?;
    // Whoever asks one in is a contact, and need not stay one.
    if let Some(chain) = t.get(CHAIN, new.owner.as_bytes())? {
        t.put(SPACE_CHAIN, new.owner.as_bytes(), &chain)?;
    }
    for (person, place) in &new.members {
        let key = of_person(new.space, person);
        let known = t.row::<Member>(SPACE_MEMBER, &key)?;
        let joined = known.is_some_and(|known| known.joined) && place.role != Role::None;
        let member = Member { role: place.role, upto: place.upto, joined };
        put(t, SPACE_MEMBER, &key, &member)?;
        if let Some(known) = known.filter(|known| known.counts_to() != member.counts_to()) {
            let beyond = known.counts_to().min(member.counts_to());
            record::recount(entry, new.space, person, beyond, t)?;
        }
        if t.get(SPACE_CHAIN, person.as_bytes())?.is_none() {
            let chain = BASE64URL_NOPAD.decode(place.chain.as_bytes());
            let chain = chain.map_err(|_| FoldError::refused("a chain is no base64"))?;
            t.put(SPACE_CHAIN, person.as_bytes(), &chain)?;
        }
    }
    active(t, new.space, &mut row, entry)
}

/// A space has a conversation as soon as our person is in it; what was said in it before they came
/// they need not read.
fn begin(t: &mut Tables<'_>, id: Id16, owner: TwinId, now_ms: i64) -> Result<(), FoldError> {
    let known = t.conversation(id)?;
    let mut row = known.unwrap_or_else(|| Conversation::new(owner, now_ms));
    row.space = Some(now_ms);
    t.put(ACTIVE, &tables::active(row.active_ms, id), b"")?;
    Ok(put(t, CONVERSATION, &id.0, &row)?)
}

fn standing(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Stands { space, person, joined, me } = shape(entry)?;
    let mut row = found(t, space)?;
    if me {
        row.standing = if joined { Standing::Member } else { Standing::Left };
        if joined {
            begin(t, space, row.owner, entry.time_ms)?;
        }
    }
    let key = of_person(space, &person);
    if let Some(mut member) = t.row::<Member>(SPACE_MEMBER, &key)? {
        let known = member.counts_to();
        member.joined = joined;
        put(t, SPACE_MEMBER, &key, &member)?;
        if known != member.counts_to() {
            record::recount(entry, space, &person, known.min(member.counts_to()), t)?;
        }
    }
    active(t, space, &mut row, entry)
}

fn archived(entry: &Entry, t: &mut Tables<'_>) -> Result<(), FoldError> {
    let Archived { space, archived, .. } = shape(entry)?;
    let mut row = found(t, space)?;
    row.archived = archived;
    row.rev = entry.seq;
    Ok(put(t, SPACE, &space.0, &row)?)
}

fn found(t: &Tables<'_>, space: Id16) -> Result<Space, FoldError> {
    t.space(space)?.ok_or_else(|| FoldError::refused("there is no such space"))
}

/// Writes the row of a space in which something happened just now.
pub(super) fn active(
    t: &mut Tables<'_>,
    space: Id16,
    row: &mut Space,
    entry: &Entry,
) -> Result<(), FoldError> {
    t.delete(SPACE_ACTIVE, &spaces::space_active(row.active_ms, space))?;
    row.active_ms = row.active_ms.max(entry.time_ms);
    row.rev = entry.seq;
    t.put(SPACE_ACTIVE, &spaces::space_active(row.active_ms, space), b"")?;
    Ok(put(t, SPACE, &space.0, row)?)
}

fn roster_line(entry: &Entry, bytes: Option<&[u8]>) -> Option<Line> {
    let Roster { change, owner, person, .. } = shape(entry).ok()?;
    let key = match change {
        Change::Created => "created",
        Change::Invited => "invited",
        Change::InvitedMe => "invited_me",
        Change::Left => "left",
        Change::Removed => "removed",
        Change::RemovedMe => "removed_me",
        Change::Renamed => "renamed",
        Change::Role => "role",
        Change::Several => "changed",
    };
    let contact = person.or(Some(owner)).filter(|_| change != Change::Created);
    let mut line = Line { key: format!("space.{key}"), contact, ..Line::default() };
    if let Some(RosterWords { name, .. }) = content(bytes) {
        line.args.insert("space".to_owned(), short(&name));
    }
    Some(line)
}

fn standing_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let Stands { space, person, joined, me } = shape(entry).ok()?;
    let key = if joined { "space.joined" } else { "space.left" };
    let key = if me { format!("{key}_me") } else { key.to_owned() };
    Some(Line { key, contact: (!me).then_some(person), space: Some(space), ..Line::default() })
}

fn archived_line(entry: &Entry, _: Option<&[u8]>) -> Option<Line> {
    let Archived { space, archived, .. } = shape(entry).ok()?;
    let key = if archived { "space.archived" } else { "space.unarchived" };
    Some(Line { key: key.to_owned(), space: Some(space), undo: Undo::None, ..Line::default() })
}
