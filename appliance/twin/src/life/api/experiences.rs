//! `experiences`: giving grants and taking them back. What is installed and its frames are the
//! door's affair.

use capability::{
    experiences::latest::{From, Give, Grant, Grants, ListGrants, Revoke, Thing, ThingKind, Verb},
    wire::{ConversationId, Done, ItemId, SpaceId},
};
use store::{ReadAll as _, Writer};

use super::{Context, View, caller, names, show};
use crate::life::{
    Fault,
    kinds::{
        append,
        grant::{
            FOLDER_GIVEN, FolderGiven, GIVEN, Given, REVOKED, Revoked, SPACE_GIVEN, SpaceGiven,
        },
    },
    spaces::is_in,
    tables::{self, GRANT, Id16, Rows as _},
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
    Ok(Done { at: end(c, w, &row.ok_or_else(Fault::not_found)?)? })
}

/// A grant ends, because it was taken back or what it is about is gone.
pub(super) fn end(c: &Context, w: &mut Writer<'_>, row: &tables::Grant) -> Result<u64, Fault> {
    let tables::Grant { grant, conversation, folder, space, .. } = *row;
    let (experience, folder) = (row.experience.clone(), folder.is_some());
    let revoked = Revoked { grant, experience, conversation, folder, space };
    let at = append(w, &c.by(), REVOKED, &revoked, None::<&()>)?;
    w.vault_delete(&names::used(grant))?;
    Ok(at)
}

/// The conversation that was chosen; nothing for all of them.
fn thing(c: &Context, w: &Writer<'_>, thing: &Thing) -> Result<Option<Id16>, Fault> {
    if thing.as_str() == "all" {
        return Ok(None);
    }
    let id: ConversationId = thing.as_str().parse().map_err(|_| Fault::not_found())?;
    c.view(w.reader())?.conversation(&id, Verb::See).map(|(id, _)| Some(id))
}
