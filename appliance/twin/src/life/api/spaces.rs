//! `spaces`: making them, asking people in, saying yes or no, leaving. Only the owner changes who is
//! in a space; what somebody does with it here (putting it away) nobody else hears of.

use std::collections::BTreeMap;

use capability::{
    experiences::latest::Verb,
    spaces::latest::{
        Archive, Ask, Body, Bye, Choose, Create, Get, Join, List, MEMBERS_MAX, Member, Rename,
        Role as WireRole, SetRole, Space, State,
    },
    wire::{More, Page, SpaceId},
};
use link::TwinId;
use store::{Direction, ReadAll as _, ReadTables as _, Writer};

use super::{Context, View, end_with_space, page};
use crate::life::{
    Fault,
    kinds::{
        append, content,
        space::{ARCHIVED, Archived, Change, Place, RosterWords, STANDING, Stands},
    },
    spaces::{
        members,
        roster::{self, New, chain_of, publish, silenced},
        space_of, tell, wire,
    },
    tables::{
        self, Id16, Rows as _,
        spaces::{Role, SPACE_ACTIVE, SPACE_TYPE, SpaceRows as _, Standing},
    },
};

/// Types of records that are told of a space.
const TYPES: usize = 200;
/// Rows that are looked at for one page, should most of them not be visible.
const LOOKED_AT: usize = 2000;

pub(super) fn list(view: &View<'_>, q: &List) -> Result<Page<Space>, Fault> {
    let from = page::key(q.cursor.as_ref())?;
    let rows = view.r.page(SPACE_ACTIVE, b"", from.as_deref(), LOOKED_AT, Direction::Backward)?;
    let (mut items, mut next, looked_at) = (Vec::new(), None, rows.len());
    for (key, _) in rows {
        if items.len() == q.limit.items() {
            return page::page(&view.r, items, next.as_deref());
        }
        let id = key.last_chunk().map(|id| Id16(*id));
        let id = id.ok_or_else(|| Fault::inside("a key of the active spaces is short"))?;
        next = Some(key);
        let Some(row) = view.r.space(id)? else { continue };
        let here = matches!(row.standing, Standing::Member | Standing::Invited);
        if (q.all || (here && !row.archived)) && view.may_space(id, None, Verb::See).is_ok() {
            items.push(shown(view, id, &row)?);
        }
    }
    page::page(&view.r, items, next.as_deref().filter(|_| looked_at == LOOKED_AT))
}

pub(super) fn get(view: &View<'_>, q: &Get) -> Result<Space, Fault> {
    let (id, row) = view.space(&q.space, None, Verb::See)?;
    shown(view, id, &row)
}

/// A space that the caller sees.
pub(crate) fn shown(
    view: &View<'_>,
    id: Id16,
    row: &tables::spaces::Space,
) -> Result<Space, Fault> {
    let words = roster::words(&view.r, row)?;
    let (mut all, mut role) = (Vec::new(), WireRole::None);
    for (person, member) in members(&view.r, id)? {
        if person == view.me.id {
            role = wire_role(member.role);
        }
        if member.role != Role::None {
            let (person, role) = (view.member(id, &person)?, wire_role(member.role));
            all.push(Member { person, role, joined: member.joined });
        }
    }
    all.sort_by_key(|member| (member.role != WireRole::Owner, member.person.name.to_lowercase()));
    let mut types = Vec::new();
    for (key, row) in view.r.prefix(SPACE_TYPE, &id.0, TYPES, Direction::Forward)? {
        let name = key.get(16..).and_then(|name| name.strip_suffix(&[0]));
        let name = name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        if row.iter().any(|byte| *byte != 0)
            && view.may_space(id, Some(name), Verb::See).is_ok()
            && let Ok(name) = name.parse()
        {
            types.push(name);
        }
    }
    let note = match row.invited {
        Some(seq) if row.standing == Standing::Invited && view.whole() => {
            let words: Option<RosterWords> = content(view.r.content(seq)?.as_deref());
            words.and_then(|words| words.note)
        }
        Some(_) | None => None,
    };
    Ok(Space {
        space: wire(id),
        name: words.map(|words| words.name).filter(|name| !name.is_empty()),
        role,
        state: match row.standing {
            Standing::Invited => State::Invited,
            Standing::Left => State::Left,
            Standing::Member => State::Member,
            Standing::Removed => State::Removed,
        },
        members: all,
        note,
        archived: row.archived,
        types,
        since_ms: row.since_ms,
        rev: row.rev,
    })
}

fn wire_role(role: Role) -> WireRole {
    match role {
        Role::Editor => WireRole::Editor,
        Role::None => WireRole::None,
        Role::Owner => WireRole::Owner,
        Role::Viewer => WireRole::Viewer,
    }
}

pub(super) fn create(c: &Context, w: &mut Writer<'_>, q: &Create) -> Result<Space, Fault> {
    let seed = Id16(q.id.bytes());
    let space = space_of(&c.shared.me, seed);
    if w.reader().space(space)?.is_some() {
        return Err(Fault::id_taken());
    }
    let new = New {
        space,
        seed,
        version: 1,
        name: q.name.to_string(),
        members: BTreeMap::new(),
        change: Change::Created,
        person: None,
        note: None,
    };
    publish(&c.shared, w, &c.by(), new)?;
    answer(c, w, space)
}

pub(super) fn rename(c: &Context, w: &mut Writer<'_>, q: &Rename) -> Result<Space, Fault> {
    let mut mine = Mine::find(c, w, &q.space)?;
    mine.name = q.name.to_string();
    mine.publish(c, w, Change::Renamed, None, None)
}

pub(super) fn archive(c: &Context, w: &mut Writer<'_>, q: &Archive) -> Result<Space, Fault> {
    let (space, row) = c.view(w.reader())?.space(&q.space, None, Verb::See)?;
    if row.archived != q.archived {
        let archived = Archived { space, archived: q.archived, undoes: None };
        append(w, &c.by(), ARCHIVED, &archived, None::<&()>)?;
    }
    answer(c, w, space)
}

pub(super) fn invite(c: &Context, w: &mut Writer<'_>, q: &Ask) -> Result<Space, Fault> {
    let mut mine = Mine::find(c, w, &q.space)?;
    let person: TwinId = q.contact.as_str().parse().map_err(|_| Fault::not_found())?;
    let contact = w.reader().contact(&person)?.ok_or_else(Fault::not_found)?;
    if contact.standing != tables::Standing::Accepted {
        return Err(Fault::wrong_state());
    }
    let role = match q.role {
        WireRole::Editor => Role::Editor,
        WireRole::Viewer => Role::Viewer,
        WireRole::Owner | WireRole::None => {
            return Err(Fault::malformed().field("role", "editor or viewer"));
        }
    };
    if w.reader().member(mine.space, &person)?.is_some_and(|member| member.hears()) {
        return mine.answer(c, w);
    }
    // Who was in it once keeps a place: what they wrote stays theirs.
    if !mine.members.contains_key(&person) && mine.members.len() >= MEMBERS_MAX {
        return Err(Fault::too_many().with("most", MEMBERS_MAX.to_string()));
    }
    let chain = chain_of(&w.reader(), &person)?.ok_or_else(Fault::not_found)?;
    mine.members.insert(person, silenced(&w.reader(), mine.space, &person, role, chain)?);
    if !roster::has_room(&mine.members)? {
        let most = mine.members.len().saturating_sub(1);
        return Err(Fault::too_many().with("most", most.to_string()));
    }
    mine.publish(c, w, Change::Invited, Some(person), q.note.as_deref())
}

pub(super) fn set_role(c: &Context, w: &mut Writer<'_>, q: &SetRole) -> Result<Space, Fault> {
    let mut mine = Mine::find(c, w, &q.space)?;
    let person: TwinId = q.person.as_str().parse().map_err(|_| Fault::not_found())?;
    let place = mine.members.get(&person).ok_or_else(Fault::not_found)?.clone();
    let role = match q.role {
        WireRole::Editor => Role::Editor,
        WireRole::Viewer => Role::Viewer,
        WireRole::None => Role::None,
        WireRole::Owner => return Err(Fault::malformed().field("role", "editor, viewer or none")),
    };
    if place.role == role {
        return mine.answer(c, w);
    }
    if place.role == Role::None {
        // They are asked anew.
        return Err(Fault::wrong_state());
    }
    let place = silenced(&w.reader(), mine.space, &person, role, place.chain)?;
    mine.members.insert(person, place);
    let change = if role == Role::None { Change::Removed } else { Change::Role };
    mine.publish(c, w, change, Some(person), None)
}

pub(super) fn accept(c: &Context, w: &mut Writer<'_>, q: &Choose) -> Result<Space, Fault> {
    let (space, row) = c.view(w.reader())?.space(&q.space, None, Verb::See)?;
    match row.standing {
        Standing::Member => return answer(c, w, space),
        Standing::Invited => {}
        Standing::Left | Standing::Removed => return Err(Fault::wrong_state()),
    }
    let person = c.shared.me;
    let stands = Stands { space, person, joined: true, me: true };
    append(w, &c.by(), STANDING, &stands, None::<&()>)?;
    let roster = roster::current(&w.reader(), &row)?.ok_or_else(Fault::wrong_state)?;
    let body = Body::Join(Join { roster, answer: false, more: More::new() });
    for (person, member) in members(&w.reader(), space)? {
        if person != c.shared.me && member.role != Role::None {
            tell(w, person, space, &body, &[])?;
        }
    }
    answer(c, w, space)
}

pub(super) fn leave(c: &Context, w: &mut Writer<'_>, q: &Choose) -> Result<Space, Fault> {
    let (space, row) = c.view(w.reader())?.space(&q.space, None, Verb::See)?;
    if row.owner == c.shared.me {
        return Err(Fault::only_owner());
    }
    match row.standing {
        Standing::Left => return answer(c, w, space),
        Standing::Invited | Standing::Member => {}
        Standing::Removed => return Err(Fault::wrong_state()),
    }
    let those = members(&w.reader(), space)?;
    let stands = Stands { space, person: c.shared.me, joined: false, me: true };
    append(w, &c.by(), STANDING, &stands, None::<&()>)?;
    end_with_space(&c.by(), w, space)?;
    let body = Body::Bye(Bye { space: wire(space), more: More::new() });
    for (person, member) in those {
        let concerned = member.hears() && (row.standing == Standing::Member || person == row.owner);
        if person != c.shared.me && concerned {
            tell(w, person, space, &body, &[])?;
        }
    }
    answer(c, w, space)
}

/// A space that our person made and changes.
struct Mine {
    space: Id16,
    seed: Id16,
    version: u64,
    name: String,
    members: BTreeMap<TwinId, Place>,
}

impl Mine {
    fn find(c: &Context, w: &Writer<'_>, id: &SpaceId) -> Result<Self, Fault> {
        let view = c.view(w.reader())?;
        let (space, row) = view.space(id, None, Verb::See)?;
        if row.owner != c.shared.me {
            return Err(Fault::only_owner());
        }
        let name = roster::words(&view.r, &row)?.map(|words| words.name).unwrap_or_default();
        let members = roster::places(&view.r, &row)?;
        Ok(Self { space, seed: row.seed, version: row.version, name, members })
    }

    fn publish(
        self,
        c: &Context,
        w: &mut Writer<'_>,
        change: Change,
        person: Option<TwinId>,
        note: Option<&str>,
    ) -> Result<Space, Fault> {
        let Self { space, seed, version, name, members } = self;
        let version = version + 1;
        let new = New { space, seed, version, name, members, change, person, note };
        publish(&c.shared, w, &c.by(), new)?;
        answer(c, w, space)
    }

    fn answer(&self, c: &Context, w: &Writer<'_>) -> Result<Space, Fault> {
        answer(c, w, self.space)
    }
}

fn answer(c: &Context, w: &Writer<'_>, id: Id16) -> Result<Space, Fault> {
    let view = c.view(w.reader())?;
    let row = view.r.space(id)?.ok_or_else(|| Fault::inside("a space was lost"))?;
    shown(&view, id, &row)
}
