//! What arrives about spaces. Nothing is believed because of who passes it on: a roster counts when
//! the owner signed it, a change when its author did and may write. Changes of who may not write any
//! more count up to the number in the roster, for everybody alike, themselves too. What somebody who
//! may write had of them beyond it goes to the owner, who then says a higher number.

use std::collections::BTreeMap;

use capability::{
    spaces::latest::{Act, Body, Bye, Have, Invite, Join, Op, Ops, RosterSaid, Signed},
    wire::{FieldName, More, TwinId as WireId},
};
use data_encoding::BASE64URL_NOPAD;
use link::{Introduction, Refusal, TwinId};
use store::{Direction, ReadAll as _, ReadTables as _, Writer};

use super::{Arrived, failed};
use crate::life::{
    api::{end_with_space, names},
    kinds::{
        record::MERGED_MAX,
        space::{Change, Place, ROSTER, Roster, STANDING, Stands},
    },
    peers::{self, Failure},
    post::About,
    spaces::{
        AHEAD_MS, OP_MAX, Own, answer, is_in, journal,
        roster::{self, Checked, New},
        signed, tell_back,
    },
    tables::{
        Id16,
        spaces::{Member, Role, SPACE_ACTIVE, Space, SpaceRows as _, Standing},
    },
};

/// Invitations of one person that may wait for an answer.
const INVITATIONS: usize = 20;
/// Answers about spaces that may wait for somebody who asks for more.
const WAITING: usize = 64;
/// Rosters in an hour that only say that more of somebody who may write no more counts.
const COUNTED: u64 = 20;
const HOUR_MS: i64 = 60 * 60 * 1000;
/// How far ahead of what is known a number may be.
const NUMBERS_AHEAD: u64 = 1 << 32;

pub(super) fn take(a: &Arrived<'_>, w: &mut Writer<'_>) -> Result<(), Failure> {
    match a.body()? {
        Body::Invite(invite) => invited(a, w, invite),
        Body::Join(join) => joined(a, w, &join),
        Body::Bye(bye) => gone(a, w, &bye),
        Body::Roster(said) => said_roster(a, w, &said),
        Body::Ops(ops) => changes(a, w, &ops),
        Body::Have(have) => asked(a, w, &have),
    }
}

/// Our person is asked into a space. Only a contact can, and only into their own.
fn invited(a: &Arrived<'_>, w: &mut Writer<'_>, invite: Invite) -> Result<(), Failure> {
    if !a.accepted() {
        return Err(Refusal::NotContact.into());
    }
    let checked = checked(w, &invite.roster)?;
    let mine = checked.members.get(&a.me);
    if checked.owner != a.from || mine.is_none_or(|place| place.role == Role::None) {
        return Err(Refusal::NotAuthor.into());
    }
    let known = w.reader().space(checked.space)?;
    if known.as_ref().is_some_and(is_in) {
        return take_roster(a, w, checked, known).map(drop);
    }
    if known.as_ref().is_some_and(|known| known.version >= checked.version) {
        return Ok(());
    }
    if known.is_none() && invitations(w, &a.from)? >= INVITATIONS {
        return Err(Refusal::Full.into());
    }
    for text in invite.people.iter().take(checked.members.len() + 1) {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        let Some(one) = bytes.as_deref().and_then(Introduction::from_bytes) else { continue };
        let Ok(person) = one.check() else { continue };
        if checked.members.contains_key(&person.id) && person.id != a.me {
            peers::acquaint(w, &person.id, &one)?;
        }
    }
    let note = invite.note.map(|note| roster::plain_text(&note, 1000));
    let Checked { space, owner, seed, version, members, mut words } = checked;
    words.note = note;
    let (change, person) = (Change::InvitedMe, Some(owner));
    let shape = Roster { space, owner, seed, version, members, change, person };
    a.append(w, ROSTER, &shape, Some(&words)).map(drop)
}

/// Spaces of this owner about which our person has not decided.
fn invitations(w: &Writer<'_>, owner: &TwinId) -> Result<usize, Failure> {
    let mut count = 0;
    for (key, _) in w.prefix(SPACE_ACTIVE, b"", usize::MAX, Direction::Forward)? {
        let Some(id) = key.last_chunk().map(|id| Id16(*id)) else { continue };
        let row = w.reader().space(id)?;
        count += usize::from(
            row.is_some_and(|row| row.owner == *owner && row.standing == Standing::Invited),
        );
    }
    Ok(count)
}

/// Who asks and never listens gets no more: they hear that there is no room, and try again when
/// something has arrived. Only answers count: what our people have to say may be more, on both sides,
/// and must not keep each from taking what the other asks.
fn room_to_answer(a: &Arrived<'_>, w: &Writer<'_>) -> Result<(), Failure> {
    if peers::as_many_wait(&w.reader(), &a.from, &About::OF_ANSWER, WAITING)? {
        return Err(Refusal::Full.into());
    }
    Ok(())
}

/// A roster that holds.
fn checked(w: &Writer<'_>, roster: &Signed) -> Result<Checked, Failure> {
    roster::check(&w.reader(), roster).ok_or_else(|| Refusal::Malformed.into())
}

/// Takes a roster if it is newer than the known one; gives how things stand then.
fn take_roster(
    a: &Arrived<'_>,
    w: &mut Writer<'_>,
    new: Checked,
    known: Option<Space>,
) -> Result<Option<Space>, Failure> {
    let Some(known) = known else { return Ok(None) };
    if new.version <= known.version || new.owner != known.owner || known.owner == a.me {
        return Ok(Some(known));
    }
    let before = roster::places(&w.reader(), &known).map_err(failed)?;
    let name = roster::words(&w.reader(), &known).map_err(failed)?.map(|words| words.name);
    let renamed = name.is_some_and(|name| name != new.words.name);
    let space = new.space;
    let others = |id: &TwinId| *id != a.me && before.get(id) != new.members.get(id);
    let changed: Vec<TwinId> =
        new.members.keys().chain(before.keys()).filter(|id| others(id)).copied().collect();
    let role = |places: &BTreeMap<_, Place>, id: &TwinId| {
        places.get(id).map_or(Role::None, |place| place.role)
    };
    let (was, is) = (role(&before, &a.me), role(&new.members, &a.me));
    // Who has left knows already.
    let open = matches!(known.standing, Standing::Member | Standing::Invited);
    let (change, person) = match changed.first() {
        _ if was != Role::None && is == Role::None && open => (Change::RemovedMe, Some(new.owner)),
        None if was == is && renamed => (Change::Renamed, Some(new.owner)),
        Some(one) if was == is && !renamed && changed.iter().all(|id| id == one) => {
            let change = match (role(&before, one), role(&new.members, one)) {
                // They may do the same; more of what they wrote counts.
                (was, is) if was == is => Change::Several,
                (_, Role::None) => Change::Removed,
                (Role::None, _) => Change::Invited,
                _ => Change::Role,
            };
            (change, Some(*one))
        }
        _ => (Change::Several, Some(new.owner)),
    };
    let Checked { owner, seed, version, members: places, words, .. } = new;
    let silenced: Vec<(TwinId, u64)> = places
        .iter()
        .filter(|(id, place)| before.get(id) != Some(place) && **id != a.me)
        .filter_map(|(id, place)| place.upto.map(|upto| (*id, upto)))
        .collect();
    let heard: Vec<(TwinId, u64)> = places
        .iter()
        .filter(|(_, place)| place.role == Role::Editor && place.upto.is_none())
        .filter_map(|(id, _)| before.get(id).and_then(|was| was.upto).map(|upto| (*id, upto)))
        .collect();
    let out = change == Change::RemovedMe;
    let shape = Roster { space, owner, seed, version, members: places, change, person };
    a.append(w, ROSTER, &shape, Some(&words))?;
    if out {
        end_with_space(&a.by, w, space).map_err(failed)?;
    }
    for (author, upto) in silenced {
        reconcile(a, w, space, author, upto)?;
    }
    for (author, upto) in heard {
        hear_again(a, w, space, author, upto)?;
    }
    Ok(w.reader().space(space)?)
}

/// Of somebody who may write no more the same counts everywhere: up to the number in the roster. What
/// is missing here of that the owner has; what is here beyond it the owner may want to count.
fn reconcile(
    a: &Arrived<'_>,
    w: &mut Writer<'_>,
    space: Id16,
    author: TwinId,
    upto: u64,
) -> Result<(), Failure> {
    let row = w.reader().space(space)?;
    let Some(row) = row.filter(is_in) else { return Ok(()) };
    if row.owner == a.from {
        room_to_answer(a, w)?;
    }
    let mark = w.reader().mark(space, &author)?;
    let known = [(author, mark)].into();
    if mark < upto {
        answer::ask(w, row.owner, space, &[author], &known).map_err(failed)?;
    }
    let mine = w.reader().member(space, &a.me)?;
    if mark > upto && mine.is_some_and(|member| member.writes()) {
        let beyond = [(author, upto)].into();
        answer::send(&a.receiver.shared, w, row.owner, space, &[author], &beyond)
            .map_err(failed)?;
    }
    Ok(())
}

/// Somebody may write again, and with that counts what they wrote before they knew that they might
/// not: it went to nobody, or to few. The owner doesn't hear of their own roster, so gets it unasked.
fn hear_again(
    a: &Arrived<'_>,
    w: &mut Writer<'_>,
    space: Id16,
    author: TwinId,
    upto: u64,
) -> Result<(), Failure> {
    let row = w.reader().space(space)?;
    let Some(row) = row.filter(is_in) else { return Ok(()) };
    let to = if author == a.me { row.owner } else { author };
    if to == a.from {
        room_to_answer(a, w)?;
    }
    if author == a.me {
        let beyond = [(author, upto)].into();
        return answer::send(&a.receiver.shared, w, row.owner, space, &[author], &beyond)
            .map_err(failed);
    }
    let mark = w.reader().mark(space, &author)?;
    if w.reader().member(space, &author)?.is_some_and(|member| member.hears()) {
        answer::ask(w, author, space, &[author], &[(author, mark)].into()).map_err(failed)?;
    }
    Ok(())
}

/// Others had more of somebody who may write no more than the owner, who is our person: it counts,
/// and a new roster says so to all. It also says so of who was asked in anew and has said yes.
fn count_more(a: &Arrived<'_>, w: &mut Writer<'_>, space: Id16) -> Result<(), Failure> {
    let r = w.reader();
    let Some(row) = r.space(space)?.filter(|row| row.owner == a.me) else { return Ok(()) };
    let members = roster::places(&r, &row).map_err(failed)?;
    let (mut again, mut more) = (false, false);
    for (person, place) in &members {
        let Some(upto) = place.upto else { continue };
        again |= r.member(space, person)?.is_some_and(|one| one.joined && one.writes());
        more |= r.mark(space, person)? > upto;
    }
    let is_said = again || (more && counts_now(w, space, a.by.now_ms)?);
    if !is_said {
        return Ok(());
    }
    let r = w.reader();
    let new = New::next(&r, space, &row, members, Change::Several, None).map_err(failed)?;
    roster::publish(&a.receiver.shared, w, &a.by, new).map(drop).map_err(failed)
}

/// Whether the owner may say so now. Each time is a letter to everybody, so there are some in an hour:
/// what comes later counts nowhere until the next roster, which says it of all.
fn counts_now(w: &mut Writer<'_>, space: Id16, now_ms: i64) -> Result<bool, Failure> {
    let (key, hour) = (names::counted(space), now_ms.div_euclid(HOUR_MS));
    let known = w.vault_get(&key)?;
    let known = known.as_deref().and_then(|row| row.split_first_chunk::<8>());
    let count = known.filter(|(at, _)| i64::from_be_bytes(**at) == hour);
    let count = count.and_then(|(_, count)| count.try_into().ok()).map_or(0, u64::from_be_bytes);
    if count >= COUNTED {
        return Ok(false);
    }
    w.vault_put(&key, &[hour.to_be_bytes(), (count + 1).to_be_bytes()].concat())?;
    Ok(true)
}

/// Somebody is in the space from now on.
fn joined(a: &Arrived<'_>, w: &mut Writer<'_>, join: &Join) -> Result<(), Failure> {
    let new = checked(w, &join.roster)?;
    let space = new.space;
    let known = w.reader().space(space)?;
    // Who isn't in it (yet) hears of it all when they come.
    let Some(row) = take_roster(a, w, new, known)? else { return Ok(()) };
    let Some(member) = w.reader().member(space, &a.from)?.filter(|one| one.role != Role::None)
    else {
        return Err(Refusal::NotAuthor.into());
    };
    peers::settle(w, &a.from)?;
    if !member.joined {
        let stands = Stands { space, person: a.from, joined: true, me: false };
        a.append(w, STANDING, &stands, None::<&()>)?;
    } else if a.from == row.owner {
        return Ok(());
    }
    if !is_in(&row) {
        return Ok(());
    }
    room_to_answer(a, w)?;
    count_more(a, w, space)?;
    let mark = w.reader().mark(space, &a.from)?;
    let lacking = [(a.from, mark)].into();
    if join.answer {
        // They were in it first: what each lacks of the other.
        answer::ask(w, a.from, space, &[a.from], &lacking).map_err(failed)?;
        if member.joined {
            return Ok(());
        }
        return answer::send(&a.receiver.shared, w, a.from, space, &[a.me], &BTreeMap::new())
            .map_err(failed);
    }
    if let Some(roster) = roster::current(&w.reader(), &row).map_err(failed)? {
        let back = Join { roster, answer: true, more: More::new() };
        tell_back(w, a.from, space, &Body::Join(back), &[]).map_err(failed)?;
    }
    // Who was in it before may have written something that counts only now.
    answer::ask(w, a.from, space, &[a.from], &lacking).map_err(failed)?;
    if row.owner == a.me {
        answer::send(&a.receiver.shared, w, a.from, space, &[], &BTreeMap::new())
            .map_err(failed)?;
    }
    Ok(())
}

/// Somebody said no, or has left.
fn gone(a: &Arrived<'_>, w: &mut Writer<'_>, bye: &Bye) -> Result<(), Failure> {
    let space = Id16(bye.space.bytes());
    let Some(row) = w.reader().space(space)? else { return Ok(()) };
    let Some(member) = w.reader().member(space, &a.from)? else {
        return Err(Refusal::NotAuthor.into());
    };
    if member.role == Role::Owner {
        return Err(Refusal::NotAuthor.into());
    }
    if member.joined {
        let stands = Stands { space, person: a.from, joined: false, me: false };
        a.append(w, STANDING, &stands, None::<&()>)?;
    }
    if row.owner != a.me || member.role == Role::None {
        return Ok(());
    }
    let mut members = roster::places(&w.reader(), &row).map_err(failed)?;
    let chain = members.get(&a.from).ok_or(Refusal::NotAuthor)?.chain.clone();
    let r = w.reader();
    let place = roster::silenced(&r, space, &a.from, Role::None, chain).map_err(failed)?;
    members.insert(a.from, place);
    let new = New::next(&r, space, &row, members, Change::Left, Some(a.from)).map_err(failed)?;
    roster::publish(&a.receiver.shared, w, &a.by, new).map(drop).map_err(failed)
}

fn said_roster(a: &Arrived<'_>, w: &mut Writer<'_>, said: &RosterSaid) -> Result<(), Failure> {
    let new = checked(w, &said.roster)?;
    let known = w.reader().space(new.space)?;
    take_roster(a, w, new, known).map(drop)
}

/// The sender and the space, if they are in it.
fn space_of_sender(
    a: &Arrived<'_>,
    w: &Writer<'_>,
    id: &capability::wire::SpaceId,
) -> Result<Option<(Id16, Space, Member)>, Failure> {
    let space = Id16(id.bytes());
    if a.inner.thread != space.0 {
        return Err(Refusal::Malformed.into());
    }
    let Some(row) = w.reader().space(space)? else { return Err(Refusal::NotAuthor.into()) };
    let Some(member) = w.reader().member(space, &a.from)? else {
        return Err(Refusal::NotAuthor.into());
    };
    // Our person isn't in it (any more): the others may not have heard of that.
    Ok(is_in(&row).then_some((space, row, member)))
}

/// Changes by the sender or, passed on by them, of others.
fn changes(a: &Arrived<'_>, w: &mut Writer<'_>, ops: &Ops) -> Result<(), Failure> {
    let Some((space, row, sender)) = space_of_sender(a, w, &ops.space)? else { return Ok(()) };
    for signed in &ops.ops {
        match change(a, w, space, row.owner == a.me, &sender, signed) {
            Ok(()) => {}
            // Of others: who passes it on may know more than we do. In an answer the rest counts.
            Err(Failure::Refused(reason))
                if ops.answer || signed.by.as_str() != a.from.to_string() =>
            {
                tracing::debug!(%reason, "a change that was passed on was not taken");
            }
            Err(failure) => return Err(failure),
        }
    }
    count_more(a, w, space)?;
    if let Some(next) = ops.next.as_ref().filter(|next| !next.is_empty()) {
        room_to_answer(a, w)?;
        let next = marks(next)?;
        let of: Vec<TwinId> = next.keys().copied().collect();
        return answer::ask(w, a.from, space, &of, &next).map_err(failed);
    }
    // Something between is missing: it went to others before they knew of us.
    let mark = w.reader().mark(space, &a.from)?;
    let gap = ops.ops.iter().filter_map(|signed| number(a, signed)).any(|number| number > mark);
    if gap && !ops.answer && row.standing == Standing::Member {
        room_to_answer(a, w)?;
        answer::ask(w, a.from, space, &[a.from], &[(a.from, mark)].into()).map_err(failed)?;
    }
    Ok(())
}

/// The number of a change of the sender.
fn number(a: &Arrived<'_>, signed: &Signed) -> Option<u64> {
    let op: Op = serde_json::from_str(&signed.text).ok()?;
    (signed.by.as_str() == a.from.to_string()).then_some(op.number)
}

/// One change, if it may be made.
fn change(
    a: &Arrived<'_>,
    w: &mut Writer<'_>,
    space: Id16,
    owned: bool,
    sender: &Member,
    signed: &Signed,
) -> Result<(), Failure> {
    if signed.text.len() > OP_MAX {
        return Err(Refusal::TooLarge.into());
    }
    let author = signed::author(w, signed::OP, signed).ok_or(Refusal::Forged)?;
    let op: Op = serde_json::from_str(&signed.text).map_err(|_| Refusal::Malformed)?;
    let member = w.reader().member(space, &author)?.ok_or(Refusal::NotAuthor)?;
    if let Act::Put { fields, .. } = &op.act
        && (fields.len() > MERGED_MAX
            || fields.keys().any(|name| name.parse::<FieldName>().is_err()))
    {
        return Err(Refusal::Malformed.into());
    }
    let ahead = op.clock.time_ms.saturating_sub(a.by.now_ms) > AHEAD_MS;
    let mark = w.reader().mark(space, &author)?;
    if Id16(op.space.bytes()) != space
        || op.number == 0
        || op.number > mark.saturating_add(NUMBERS_AHEAD)
        || ahead
        || op.clock.time_ms < 0
    {
        return Err(Refusal::Malformed.into());
    }
    if w.reader().op(space, &author, op.number)?.is_some() {
        return Ok(());
    }
    let passed_on = owned && author != a.from && sender.writes() && member.upto.is_some();
    if !(op.number <= member.counts_to() || passed_on) {
        return Err(Refusal::NotAuthor.into());
    }
    if author == a.me {
        // Ours are all here.
        return Ok(());
    }
    journal(w, &a.by, author, &op, signed, Own::default()).map(drop).map_err(failed)
}

/// Somebody asks for what they lack.
fn asked(a: &Arrived<'_>, w: &mut Writer<'_>, have: &Have) -> Result<(), Failure> {
    let Some((space, _, sender)) = space_of_sender(a, w, &have.space)? else { return Ok(()) };
    if !sender.hears() {
        return Err(Refusal::NotAuthor.into());
    }
    room_to_answer(a, w)?;
    let of: Vec<TwinId> = have.of.iter().filter_map(|id| id.as_str().parse().ok()).collect();
    let marks = marks(&have.marks)?;
    answer::send(&a.receiver.shared, w, a.from, space, &of, &marks).map_err(failed)
}

fn marks(said: &BTreeMap<WireId, u64>) -> Result<BTreeMap<TwinId, u64>, Failure> {
    let one = |(id, mark): (&WireId, &u64)| Ok((id.as_str().parse()?, *mark));
    let read: Result<_, link::IdError> = said.iter().map(one).collect();
    read.map_err(|_| Refusal::Malformed.into())
}
