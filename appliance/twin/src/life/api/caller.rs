//! What a caller may see and do. Every answer and every event passes through a [`View`], and this
//! is the only place that decides for experiences; nothing else asks who is calling.

use std::sync::PoisonError;

use capability::{
    chat::latest::Person,
    experiences::latest::Verb,
    wire::{ConversationId, ItemId, PersonId, SpaceId, TypeName},
};
use data_encoding::HEXLOWER;
use link::TwinId;
use store::{Direction, ReadTables as _, Reader};

use super::{Shared, Used, person};
use crate::life::{
    Fault,
    spaces::{is_in, roster},
    tables::{
        Conversation, File, GRANT, Grant, Id16, Me, Message, Rows as _, parsed,
        spaces::{Record, Space, SpaceRows as _},
    },
};

/// Who calls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Caller {
    /// The person, in the shell.
    Person {
        /// The public id of the session.
        session: String,
    },
    /// An experience, on behalf of the person.
    Experience {
        /// Its name.
        name: String,
        /// The public id of the session.
        session: String,
    },
}

impl Caller {
    /// Whose an upload is; the person is the one without a name.
    pub(crate) fn owner(&self) -> &str {
        match self {
            Self::Person { .. } => "",
            Self::Experience { name, .. } => name,
        }
    }
}

/// One state of the twin as one caller may see it.
pub(crate) struct View<'r> {
    pub(crate) r: Reader<'r>,
    pub(crate) me: Me,
    who: Who,
    used: Used,
}

enum Who {
    Person,
    Experience { secret: [u8; 32], grants: Vec<Grant> },
}

impl<'r> View<'r> {
    pub(crate) fn new(
        r: Reader<'r>,
        caller: &Caller,
        shared: &Shared,
        used: Used,
    ) -> Result<Self, Fault> {
        let who = match caller {
            Caller::Person { .. } => Who::Person,
            Caller::Experience { name, .. } => Who::Experience {
                secret: *blake3::keyed_hash(&shared.pseudonyms, name.as_bytes()).as_bytes(),
                grants: grants(&r, Some(name))?,
            },
        };
        Ok(Self { me: r.me()?, r, who, used })
    }

    /// Whether it is the person themselves and not an experience.
    pub(crate) fn whole(&self) -> bool {
        matches!(self.who, Who::Person)
    }

    /// A conversation that this caller may do this with.
    pub(crate) fn conversation(
        &self,
        id: &ConversationId,
        verb: Verb,
    ) -> Result<(Id16, Conversation), Fault> {
        let id = id.bytes().map_or(self.me.notebook, Id16);
        let row = self.r.conversation(id)?.ok_or_else(Fault::not_found)?;
        self.may(id, verb)?;
        Ok((id, row))
    }

    /// A conversation that is not granted is not there; one that is granted for less says so.
    pub(crate) fn may(&self, id: Id16, verb: Verb) -> Result<(), Fault> {
        self.allowed(verb, |grant| covers(grant, id))
    }

    /// Entries after this one may be seen in the conversation; `None`: it is not there at all.
    pub(crate) fn visible_after(&self, id: Id16) -> Option<u64> {
        match &self.who {
            Who::Person => Some(0),
            Who::Experience { grants, .. } => grants
                .iter()
                .filter(|grant| covers(grant, id))
                .map(|grant| if grant.history { 0 } else { grant.seq })
                .min(),
        }
    }

    /// Whether this message may be seen. Judged by when it came here, not by its author's clock.
    pub(crate) fn sees(&self, id: Id16, message: &Message) -> bool {
        self.visible_after(id).is_some_and(|after| message.seq > after)
    }

    /// A person as this caller may know them. An experience gets an id of its own and what the
    /// person calls themselves, never what one calls them.
    pub(crate) fn person(&self, id: &TwinId) -> Result<Person, Fault> {
        let me = *id == self.me.id;
        let (name, id) =
            (person::known_name(&self.r, &self.me, id, self.whole())?, self.person_id(id)?);
        let name = name.unwrap_or_else(|| person::short(id.as_str()));
        Ok(Person { id, name, me })
    }

    pub(crate) fn person_id(&self, id: &TwinId) -> Result<PersonId, Fault> {
        let text = match &self.who {
            Who::Person => id.to_string(),
            Who::Experience { secret, .. } => {
                let hash = blake3::keyed_hash(secret, id.as_bytes());
                HEXLOWER.encode(&hash.as_bytes()[..16])
            }
        };
        text.parse().map_err(|_| Fault::inside("a person id is none"))
    }
}

impl View<'_> {
    /// An item that this caller may do this with.
    pub(crate) fn item(&self, id: &ItemId, verb: Verb) -> Result<(Id16, File), Fault> {
        let id = Id16(id.bytes());
        let file = self.r.file(id)?.ok_or_else(Fault::not_found)?;
        self.may_item(id, verb)?;
        Ok((id, file))
    }

    /// A folder that this caller may do this with; the topmost that they see unless they name one.
    pub(crate) fn folder(&self, id: Option<&ItemId>, verb: Verb) -> Result<Id16, Fault> {
        let id = match id {
            Some(id) => Id16(id.bytes()),
            None => self.top()?.ok_or_else(Fault::not_found)?,
        };
        if id != Id16::ROOT && self.r.file(id)?.is_none_or(|file| file.version.is_some()) {
            return Err(Fault::not_found());
        }
        self.may_item(id, verb)?;
        Ok(id)
    }

    /// Whether this caller may put something somewhere, and so has a use for sending bytes.
    pub(crate) fn may_send(&self) -> Result<(), Fault> {
        let Who::Experience { grants, .. } = &self.who else { return Ok(()) };
        match grants.iter().any(|grant| grant.add) {
            true => Ok(()),
            false if grants.is_empty() => Err(Fault::not_found()),
            false => Err(Fault::not_granted()),
        }
    }

    /// The topmost folder of this caller: the first that an experience was given and that is there.
    pub(crate) fn top(&self) -> Result<Option<Id16>, Fault> {
        let Who::Experience { grants, .. } = &self.who else { return Ok(Some(Id16::ROOT)) };
        for folder in grants.iter().rev().filter_map(|grant| grant.folder) {
            if folder == Id16::ROOT || self.r.file(folder)?.is_some() {
                return Ok(Some(folder));
            }
        }
        Ok(None)
    }

    /// Whether this is the topmost that the caller sees.
    pub(crate) fn is_top(&self, id: Id16) -> bool {
        match &self.who {
            Who::Person => id == Id16::ROOT,
            Who::Experience { grants, .. } => grants.iter().any(|grant| grant.folder == Some(id)),
        }
    }

    /// As [`View::may`], for an item: it is granted with each folder that it lies in.
    pub(crate) fn may_item(&self, id: Id16, verb: Verb) -> Result<(), Fault> {
        if matches!(self.who, Who::Person) {
            return Ok(());
        }
        let above = above(&self.r, id)?;
        let made = self.r.file(id)?.map_or(0, |file| file.made);
        // What was there before the grant may be a part of it or not; its folder always is.
        self.allowed(verb, |grant| {
            let folder = grant.folder.filter(|folder| above.contains(folder));
            folder.is_some_and(|folder| folder == id || grant.history || made >= grant.seq)
        })
    }

    /// Whether one of the grants that cover something is for this. Without one it is not there.
    fn allowed(&self, verb: Verb, covers: impl Fn(&Grant) -> bool) -> Result<(), Fault> {
        let Who::Experience { grants, .. } = &self.who else { return Ok(()) };
        let mut fault = Fault::not_found();
        for grant in grants.iter().filter(|grant| covers(grant)) {
            let allowed = match verb {
                Verb::See => true,
                Verb::Add => grant.add,
                Verb::Change => grant.change,
            };
            if allowed {
                self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(grant.grant);
                return Ok(());
            }
            fault = Fault::not_granted();
        }
        Err(fault)
    }
}

impl View<'_> {
    /// A space that this caller may do this with; `kind`: with its records of this type.
    pub(crate) fn space(
        &self,
        id: &SpaceId,
        kind: Option<&str>,
        verb: Verb,
    ) -> Result<(Id16, Space), Fault> {
        let id = Id16(id.bytes());
        let row = self.r.space(id)?.ok_or_else(Fault::not_found)?;
        self.may_space(id, kind, verb)?;
        Ok((id, row))
    }

    /// As [`View::may`], for a space. What our person left or was taken out of is granted to nobody.
    pub(crate) fn may_space(&self, id: Id16, kind: Option<&str>, verb: Verb) -> Result<(), Fault> {
        if matches!(self.who, Who::Experience { .. })
            && !self.r.space(id)?.is_some_and(|row| is_in(&row))
        {
            return Err(Fault::not_found());
        }
        self.allowed(verb, |grant| covers_space(grant, id, kind))
    }

    /// A record that this caller may do this with.
    pub(crate) fn record(
        &self,
        space: Id16,
        kind: &TypeName,
        id: Id16,
        verb: Verb,
    ) -> Result<Record, Fault> {
        self.may_space(space, Some(kind.as_str()), verb)?;
        let row = self.r.record(space, kind.as_str(), id)?.filter(|row| row.made.is_some());
        row.filter(|row| self.sees_record(space, kind.as_str(), row)).ok_or_else(Fault::not_found)
    }

    /// Whether this record may be seen. Judged by when it came here, not by its author's clock.
    pub(crate) fn sees_record(&self, space: Id16, kind: &str, row: &Record) -> bool {
        let Who::Experience { grants, .. } = &self.who else { return true };
        let mut covering = grants.iter().filter(|grant| covers_space(grant, space, Some(kind)));
        covering.any(|grant| grant.history || row.came > grant.seq)
    }

    /// Whether an experience may hear of a type: a well-known one, or one of its grants.
    pub(crate) fn knows_type(&self, kind: &str) -> bool {
        let Who::Experience { grants, .. } = &self.who else { return true };
        capability::records::latest::well_known().contains_key(kind)
            || grants.iter().any(|grant| grant.types.iter().any(|one| one == kind))
    }

    /// Somebody in a space as this caller may know them: if nothing else is known of them, by the
    /// name that the owner of the space has for them.
    pub(crate) fn member(&self, space: Id16, id: &TwinId) -> Result<Person, Fault> {
        let mut person = self.person(id)?;
        if person::known_name(&self.r, &self.me, id, self.whole())?.is_none()
            && let Some(row) = self.r.space(space)?
            && let Some(words) = roster::words(&self.r, &row)?
            && let Some(name) = words.names.get(id)
        {
            person.name.clone_from(name);
        }
        Ok(person)
    }
}

/// An item and all folders that it lies in, the nearest first.
pub(crate) fn above(r: &Reader<'_>, mut id: Id16) -> Result<Vec<Id16>, Fault> {
    let mut above = vec![id];
    while id != Id16::ROOT {
        // Of an item that is gone nothing more is known.
        let Some(file) = r.file(id)? else { break };
        id = file.folder;
        above.push(id);
    }
    Ok(above)
}

fn covers_space(grant: &Grant, space: Id16, kind: Option<&str>) -> bool {
    grant.space == Some(space) && kind.is_none_or(|kind| grant.types.iter().any(|one| one == kind))
}

fn covers(grant: &Grant, conversation: Id16) -> bool {
    grant.folder.is_none()
        && grant.space.is_none()
        && grant.conversation.is_none_or(|one| one == conversation)
}

/// All grants, or those of one experience, the newest first.
pub(crate) fn grants(r: &Reader<'_>, experience: Option<&str>) -> Result<Vec<Grant>, Fault> {
    let mut grants = Vec::new();
    for (_, row) in r.prefix(GRANT, b"", usize::MAX, Direction::Forward)? {
        let grant: Grant = parsed(GRANT, &row)?;
        if experience.is_none_or(|name| grant.experience == name) {
            grants.push(grant);
        }
    }
    grants.sort_by_key(|grant| std::cmp::Reverse(grant.seq));
    Ok(grants)
}
