//! Rosters: who is in a space. Its owner writes a new one for every change; the others take the one
//! with the highest version that the owner signed, from whomever it comes.

use std::collections::BTreeMap;

use capability::{
    spaces::latest::{
        Body, Invite, MEMBERS_MAX, Roster, RosterMember, RosterRole, RosterSaid, Signed,
    },
    wire::{Line, More, Text},
};
use data_encoding::BASE64URL_NOPAD;
use link::{Chain, TwinId};
use store::{CONTENT_LIMIT, ReadAll as _, ReadTables as _, Reader, Writer};

use super::{members, signed, space_of, tell, wire};
use crate::life::{
    Fault,
    api::{Shared, known_name},
    kinds::{
        By, append, content, shape,
        space::{Change, Place, ROSTER, Roster as Shape, RosterWords},
    },
    peers,
    tables::{
        CHAIN, Id16, Rows as _,
        spaces::{Role, Space, SpaceRows as _},
        written,
    },
};

/// Most bytes of the text of a roster.
pub(crate) const ROSTER_MAX: usize = 48 * 1024;
/// Most characters of a name in it.
const NAME_MAX: usize = 120;
/// Bytes of a roster beside its members, with the longest name.
const ROSTER_AROUND: usize = 2 * 1024;

/// A roster that its owner signed.
pub(crate) struct Checked {
    pub(crate) space: Id16,
    pub(crate) owner: TwinId,
    pub(crate) seed: Id16,
    pub(crate) version: u64,
    pub(crate) members: BTreeMap<TwinId, Place>,
    pub(crate) words: RosterWords,
}

/// What a roster says, if its owner signed it and it is one.
pub(crate) fn check(r: &Reader<'_>, signed: &Signed) -> Option<Checked> {
    if signed.text.len() > ROSTER_MAX {
        return None;
    }
    let owner = signed::author(r, signed::ROSTER, signed)?;
    let roster: Roster = serde_json::from_str(&signed.text).ok()?;
    let (space, seed) = (Id16(roster.space.bytes()), Id16(roster.seed.bytes()));
    if space_of(&owner, seed) != space || roster.members.len() > MEMBERS_MAX {
        return None;
    }
    let (mut members, mut names) = (BTreeMap::new(), BTreeMap::new());
    for RosterMember { person, role, upto, chain, name } in roster.members {
        let person: TwinId = person.as_str().parse().ok()?;
        let bytes = BASE64URL_NOPAD.decode(chain.as_bytes()).ok()?;
        if Chain::from_bytes(&bytes).ok()?.check().ok()?.id != person || person == owner {
            return None;
        }
        let role = match role {
            RosterRole::Editor => Role::Editor,
            RosterRole::Viewer => Role::Viewer,
            RosterRole::None => Role::None,
        };
        members.insert(person, Place { role, upto, chain });
        names.extend(name.map(|name| (person, plain(&name))));
    }
    let name = plain(&roster.name);
    let words =
        RosterWords { name, text: signed.text.clone(), sig: signed.sig.clone(), names, note: None };
    Some(Checked { space, owner, seed, version: roster.version, members, words })
}

/// A name of somebody else's making, without what would rewrite the text around it.
fn plain(name: &str) -> String {
    let fits = |c: &char| c.to_string().parse::<Line<0, 1>>().is_ok();
    name.chars().filter(fits).take(NAME_MAX).collect()
}

/// As much of a text of somebody else's making as can be shown.
pub(crate) fn plain_text(text: &str, most: usize) -> String {
    let fits = |c: &char| c.to_string().parse::<Text<0, 1>>().is_ok();
    text.chars().filter(fits).take(most).collect()
}

/// The roster that counts here, as its owner signed it; `None` when it was erased.
pub(crate) fn current(r: &Reader<'_>, row: &Space) -> Result<Option<Signed>, Fault> {
    let Some(RosterWords { text, sig, .. }) = words(r, row)? else { return Ok(None) };
    let by = row.owner.to_string().parse().map_err(|_| Fault::inside("a twin id is none"))?;
    Ok(Some(Signed { by, text, sig }))
}

/// The names in the roster that counts.
pub(crate) fn words(r: &Reader<'_>, row: &Space) -> Result<Option<RosterWords>, Fault> {
    Ok(content(r.content(row.roster)?.as_deref()))
}

/// Who is in a space by its roster.
pub(crate) fn places(r: &Reader<'_>, row: &Space) -> Result<BTreeMap<TwinId, Place>, Fault> {
    let entry = r.entry(row.roster)?.ok_or_else(|| Fault::inside("a roster was lost"))?;
    let roster: Shape = shape(&entry).map_err(|error| Fault::inside(&error.to_string()))?;
    Ok(roster.members)
}

/// What our person, who made the space, changes about it.
pub(crate) struct New<'a> {
    pub(crate) space: Id16,
    pub(crate) seed: Id16,
    pub(crate) version: u64,
    pub(crate) name: String,
    pub(crate) members: BTreeMap<TwinId, Place>,
    pub(crate) change: Change,
    pub(crate) person: Option<TwinId>,
    pub(crate) note: Option<&'a str>,
}

impl New<'_> {
    /// What comes after the roster that counts.
    pub(crate) fn next(
        r: &Reader<'_>,
        space: Id16,
        row: &Space,
        members: BTreeMap<TwinId, Place>,
        change: Change,
        person: Option<TwinId>,
    ) -> Result<Self, Fault> {
        let name = words(r, row)?.map(|words| words.name).unwrap_or_default();
        let (seed, version) = (row.seed, row.version + 1);
        Ok(Self { space, seed, version, name, members, change, person, note: None })
    }

    /// Signs it; with names as long as there is room, for who has long ones must not get in the way.
    fn signed(&self, shared: &Shared, r: &Reader<'_>) -> Result<(Signed, RosterWords), Fault> {
        let me = r.me()?;
        let (mut said, mut names) = (Vec::new(), BTreeMap::new());
        for (person, place) in &self.members {
            // What they call themselves: what our person calls them is nobody's business.
            let name = known_name(r, &me, person, false)?.map(|name| plain(&name));
            names.extend(name.clone().map(|name| (*person, name)));
            said.push(entry(person, place, name)?);
        }
        let mut roster = Roster {
            space: wire(self.space),
            seed: wire(self.seed),
            version: self.version,
            name: self.name.clone(),
            members: said,
            more: More::new(),
        };
        let mut signed = signed::sign(shared, signed::ROSTER, &roster)?;
        let mut words = self.words(&signed, names);
        if signed.text.len() > ROSTER_MAX || written(&words)?.len() > CONTENT_LIMIT {
            roster.members.iter_mut().for_each(|member| member.name = None);
            signed = signed::sign(shared, signed::ROSTER, &roster)?;
            words = self.words(&signed, BTreeMap::new());
        }
        if signed.text.len() > ROSTER_MAX {
            return Err(Fault::too_large());
        }
        Ok((signed, words))
    }

    fn words(&self, signed: &Signed, names: BTreeMap<TwinId, String>) -> RosterWords {
        let (name, note) = (self.name.clone(), self.note.map(str::to_owned));
        RosterWords { name, text: signed.text.clone(), sig: signed.sig.clone(), names, note }
    }
}

/// Somebody in a roster.
fn entry(person: &TwinId, place: &Place, name: Option<String>) -> Result<RosterMember, Fault> {
    Ok(RosterMember {
        person: twin(person)?,
        role: match place.role {
            Role::Editor | Role::Owner => RosterRole::Editor,
            Role::Viewer => RosterRole::Viewer,
            Role::None => RosterRole::None,
        },
        upto: place.upto,
        chain: place.chain.clone(),
        name,
    })
}

/// Whether a roster of these has room whatever becomes of them: it must never be too long to take
/// somebody out.
pub(crate) fn has_room(members: &BTreeMap<TwinId, Place>) -> Result<bool, Fault> {
    let mut bytes = ROSTER_AROUND;
    for (person, place) in members {
        let largest = Place { role: Role::Editor, upto: Some(u64::MAX), ..place.clone() };
        bytes += written(&entry(person, &largest, None)?)?.len() + 1;
    }
    Ok(bytes <= ROSTER_MAX)
}

/// Signs a new roster, journals it and tells everybody whom it concerns.
pub(crate) fn publish(
    shared: &Shared,
    w: &mut Writer<'_>,
    by: &By,
    mut new: New<'_>,
) -> Result<u64, Fault> {
    let space = new.space;
    let before = members(&w.reader(), space)?;
    for (person, place) in &mut new.members {
        // Whatever is here of them counts from now on.
        let mark = w.reader().mark(space, person)?;
        place.upto = place.upto.map(|upto| upto.max(mark));
        let joined = before.iter().any(|(known, member)| known == person && member.joined);
        if joined && place.role == Role::Editor {
            // They have said yes since.
            place.upto = None;
        }
    }
    let (signed, words) = new.signed(shared, &w.reader())?;
    let New { seed, version, members: places, change, person, note, .. } = new;
    let said_about = person;
    let owner = shared.me;
    let shape = Shape { space, owner, seed, version, members: places, change, person };
    let seq = append(w, by, ROSTER, &shape, Some(&words))?;
    let invited = person.filter(|_| change == Change::Invited);
    if let Some(invited) = invited {
        let people = introductions(w, space, &invited)?;
        let note = note.map(str::to_owned);
        let invite = Invite { roster: signed.clone(), people, note, more: More::new() };
        tell(w, invited, space, &Body::Invite(invite), &[seq])?;
    }
    // Also those who are out with it, and those who were asked and have not answered.
    let body = Body::Roster(RosterSaid { roster: signed, more: More::new() });
    for (person, member) in before {
        // Who left or was asked in hears of it otherwise.
        let told = (invited.is_some() || change == Change::Left) && said_about == Some(person);
        let concerned = member.role != Role::None && !told;
        if person != shared.me && concerned {
            tell(w, person, space, &body, &[seq])?;
        }
    }
    Ok(seq)
}

/// How to reach the others in a space.
fn introductions(w: &Writer<'_>, space: Id16, except: &TwinId) -> Result<Vec<String>, Fault> {
    let mut all = Vec::new();
    for (person, member) in members(&w.reader(), space)? {
        if person != *except
            && member.role != Role::None
            && let Some(introduction) = peers::introduction_of(&w.reader(), &person)?
        {
            all.push(BASE64URL_NOPAD.encode(&introduction.to_bytes()));
        }
    }
    Ok(all)
}

/// The operations of somebody, as a roster holds them.
pub(crate) fn chain_of(r: &Reader<'_>, person: &TwinId) -> Result<Option<String>, Fault> {
    Ok(r.get(CHAIN, person.as_bytes())?.map(|bytes| BASE64URL_NOPAD.encode(&bytes)))
}

fn twin(id: &TwinId) -> Result<capability::wire::TwinId, Fault> {
    id.to_string().parse().map_err(|_| Fault::inside("a twin id is none"))
}

/// A place of somebody who may write no more, or not yet again: what they wrote until now counts.
pub(crate) fn silenced(
    r: &Reader<'_>,
    space: Id16,
    person: &TwinId,
    role: Role,
    chain: String,
) -> Result<Place, Fault> {
    let away = r.member(space, person)?.is_some_and(|known| !known.joined);
    let upto = match role {
        Role::Editor | Role::Owner if !away => None,
        // What they wrote before they hear of this place counts for all at once, or for nobody.
        Role::Editor | Role::Owner => Some(r.mark(space, person)?),
        Role::Viewer | Role::None => Some(r.mark(space, person)?),
    };
    Ok(Place { role, upto, chain })
}

/// The same roster without names, for letters that wait when its content was erased.
pub(crate) fn nameless(shared: &Shared, signed: &Signed) -> Result<Option<Signed>, Fault> {
    if signed.by.as_str() != shared.me.to_string() {
        return Ok(None);
    }
    let Ok(mut roster) = serde_json::from_str::<Roster>(&signed.text) else { return Ok(None) };
    roster.name = String::new();
    roster.members.iter_mut().for_each(|member| member.name = None);
    signed::sign(shared, signed::ROSTER, &roster).map(Some)
}
