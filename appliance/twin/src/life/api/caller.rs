//! What a caller may see and do. Every answer and every event passes through a [`View`], and this
//! is the only place that decides for experiences; nothing else asks who is calling.

use std::sync::PoisonError;

use capability::{
    chat::latest::Person,
    experiences::latest::Verb,
    wire::{ConversationId, PersonId},
};
use data_encoding::HEXLOWER;
use link::TwinId;
use store::{Direction, ReadTables as _, Reader};

use super::{Shared, Used, person};
use crate::life::{
    Fault,
    tables::{Conversation, GRANT, Grant, Id16, Me, Message, Rows as _, parsed},
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
        let Who::Experience { grants, .. } = &self.who else { return Ok(()) };
        let mut fault = Fault::not_found();
        for grant in grants.iter().filter(|grant| covers(grant, id)) {
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

fn covers(grant: &Grant, conversation: Id16) -> bool {
    grant.conversation.is_none_or(|one| one == conversation)
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
