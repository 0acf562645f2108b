//! `experiences`: giving grants and taking them back. What is installed and its frames are the
//! door's affair.

use capability::{
    experiences::latest::{
        From, Give, Grant, Grants, ListGrants, ListReleases, Release, Releases, Remove, Revoke,
        RollBack, Thing, ThingKind, Verb,
    },
    wire::{ConversationId, Done, ItemId, SpaceId},
};
use store::{ReadAll as _, Writer};

use super::{Context, View, caller, names, show};
use crate::life::{
    Fault,
    kinds::{
        By, append,
        experience::{REMOVED, ROLLED_BACK, Removed, RolledBack},
        grant::{
            FOLDER_GIVEN, FolderGiven, GIVEN, Given, REVOKED, Revoked, SPACE_GIVEN, SpaceGiven,
        },
    },
    packages,
    spaces::is_in,
    tables::{self, GRANT, INSTALLED, Id16, Installed, Rows as _},
};

pub(super) fn grants(view: &View<'_>, q: &ListGrants) -> Result<Grants, Fault> {
    let experience = q.experience.as_ref().map(capability::wire::Word::as_str);
    let rows = caller::grants(&view.r, experience)?;
    let items = rows.iter().map(|row| show::grant(view, row)).collect::<Result<_, _>>()?;
    Ok(Grants { items, at: view.r.head()?.seq })
}

pub(super) fn grant(c: &Context, w: &mut Writer<'_>, q: &Give) -> Result<Grant, Fault> {
    let grant = Id16(q.id.bytes());
    if w.reader().row::<tables::Grant>(GRANT, &grant.0)?.is_some() {
        return Err(Fault::id_taken());
    }
    if q.kind == ThingKind::Folder {
        return grant_folder(c, w, q, grant);
    }
    if q.kind == ThingKind::Space {
        return grant_space(c, w, q, grant);
    }
    let given = Given {
        grant,
        experience: q.experience.to_string(),
        conversation: thing(c, w, &q.thing)?,
        add: q.verbs.contains(&Verb::Add),
        change: q.verbs.contains(&Verb::Change),
        history: q.from == From::History,
    };
    append(w, &c.by(), GIVEN, &given, None::<&()>)?;
    shown(c, w, grant)
}

fn grant_folder(c: &Context, w: &mut Writer<'_>, q: &Give, grant: Id16) -> Result<Grant, Fault> {
    let folder = match q.thing.as_str() {
        "all" => Id16::ROOT,
        id => {
            let id: ItemId = id.parse().map_err(|_| Fault::not_found())?;
            c.view(w.reader())?.folder(Some(&id), Verb::See)?
        }
    };
    let given = FolderGiven {
        grant,
        experience: q.experience.to_string(),
        folder,
        add: q.verbs.contains(&Verb::Add),
        change: q.verbs.contains(&Verb::Change),
        history: q.from == From::History,
    };
    append(w, &c.by(), FOLDER_GIVEN, &given, None::<&()>)?;
    shown(c, w, grant)
}

fn grant_space(c: &Context, w: &mut Writer<'_>, q: &Give, grant: Id16) -> Result<Grant, Fault> {
    let id: SpaceId = q.thing.as_str().parse().map_err(|_| Fault::not_found())?;
    let (space, row) = c.view(w.reader())?.space(&id, None, Verb::See)?;
    if !is_in(&row) {
        return Err(Fault::not_found());
    }
    if q.types.is_empty() {
        return Err(Fault::malformed().field("types", "which records of the space"));
    }
    let given = SpaceGiven {
        grant,
        experience: q.experience.to_string(),
        space,
        types: q.types.iter().map(ToString::to_string).collect(),
        add: q.verbs.contains(&Verb::Add),
        change: q.verbs.contains(&Verb::Change),
        history: q.from == From::History,
    };
    append(w, &c.by(), SPACE_GIVEN, &given, None::<&()>)?;
    shown(c, w, grant)
}

fn shown(c: &Context, w: &Writer<'_>, grant: Id16) -> Result<Grant, Fault> {
    let row = w.reader().row(GRANT, &grant.0)?;
    show::grant(&c.view(w.reader())?, &row.ok_or_else(|| Fault::inside("a grant was lost"))?)
}

pub(super) fn revoke(c: &Context, w: &mut Writer<'_>, q: &Revoke) -> Result<Done, Fault> {
    let grant = Id16(q.grant.bytes());
    let row: Option<tables::Grant> = w.reader().row(GRANT, &grant.0)?;
    Ok(Done { at: end(&c.by(), w, &row.ok_or_else(Fault::not_found)?)? })
}

/// A grant ends, because it was taken back or what it is about is gone.
pub(super) fn end(by: &By, w: &mut Writer<'_>, row: &tables::Grant) -> Result<u64, Fault> {
    let tables::Grant { grant, conversation, folder, space, .. } = *row;
    let (experience, folder) = (row.experience.clone(), folder.is_some());
    let revoked = Revoked { grant, experience, conversation, folder, space };
    let at = append(w, by, REVOKED, &revoked, None::<&()>)?;
    w.vault_delete(&names::used(grant))?;
    Ok(at)
}

/// What experiences were given ends with a space that our person is in no more: were they asked in
/// again, they choose again.
pub(crate) fn end_with_space(by: &By, w: &mut Writer<'_>, space: Id16) -> Result<(), Fault> {
    for grant in caller::grants(&w.reader(), None)? {
        if grant.space == Some(space) {
            end(by, w, &grant)?;
        }
    }
    Ok(())
}

pub(super) fn releases(view: &View<'_>, q: &ListReleases) -> Result<Releases, Fault> {
    let used: Option<Installed> = view.r.row(INSTALLED, q.name.as_str().as_bytes())?;
    let used = used.and_then(|used| used.release).ok_or_else(Fault::not_found)?;
    let all = packages::releases(&view.r, q.name.as_str())?;
    let one = |(release, row): (u64, tables::Release)| Release {
        release,
        version: row.version,
        used: release == used,
        since_ms: row.since_ms,
    };
    Ok(Releases { items: all.into_iter().rev().map(one).collect() })
}

pub(super) fn roll_back(c: &Context, w: &mut Writer<'_>, q: &RollBack) -> Result<Done, Fault> {
    let (used, all) = found(w, q.name.as_str())?;
    let version = |seq| all.iter().find(|(one, _)| *one == seq).map(|(_, row)| row.version.clone());
    let rolled_back = RolledBack {
        experience: q.name.to_string(),
        release: q.release,
        version: version(q.release).ok_or_else(Fault::not_found)?,
        previous: version(used).unwrap_or_default(),
    };
    if q.release == used {
        return Ok(Done { at: w.head()?.seq });
    }
    Ok(Done { at: append(w, &c.by(), ROLLED_BACK, &rolled_back, None::<&()>)? })
}

pub(super) fn remove(c: &Context, w: &mut Writer<'_>, q: &Remove) -> Result<Done, Fault> {
    let (used, all) = found(w, q.name.as_str())?;
    let used = all.into_iter().find(|(seq, _)| *seq == used);
    for grant in caller::grants(&w.reader(), Some(q.name.as_str()))? {
        end(&c.by(), w, &grant)?;
    }
    let version = used.map(|(_, row)| row.version).unwrap_or_default();
    let removed = Removed { experience: q.name.to_string(), version };
    let at = append(w, &c.by(), REMOVED, &removed, None::<&()>)?;
    w.sweep_by(c.now_ms)?;
    Ok(Done { at })
}

type Kept = (u64, Vec<(u64, tables::Release)>);

/// The release of an experience that is used, and all that are kept.
fn found(w: &Writer<'_>, name: &str) -> Result<Kept, Fault> {
    let used: Option<Installed> = w.reader().row(INSTALLED, name.as_bytes())?;
    let used = used.and_then(|used| used.release).ok_or_else(Fault::not_found)?;
    Ok((used, packages::releases(&w.reader(), name)?))
}

/// The conversation that was chosen; nothing for all of them.
fn thing(c: &Context, w: &Writer<'_>, thing: &Thing) -> Result<Option<Id16>, Fault> {
    if thing.as_str() == "all" {
        return Ok(None);
    }
    let id: ConversationId = thing.as_str().parse().map_err(|_| Fault::not_found())?;
    c.view(w.reader())?.conversation(&id, Verb::See).map(|(id, _)| Some(id))
}
