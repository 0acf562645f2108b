//! What arrives from other twins takes effect here, within the write that acknowledges it. Every
//! body is judged anew: who may say it, and whether its author may change what it changes. Nothing
//! is refused for being newer; what can't be read yet is kept.

mod chat;
pub(crate) mod forks;
mod people;
mod spaces;

use std::sync::Arc;

use capability::{
    chat::latest as chat_body,
    contacts::latest as contacts_body,
    identity::latest as identity_body,
    interfaces,
    wire::{MORE_BYTES_MAX, More},
};
use link::{Inner, Refusal, TwinId};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use store::{Actor, Direction, NewEntry, ReadAll as _, ReadTables as _, Reader, Writer};
use tokio::sync::broadcast;

use super::{
    Fault,
    api::{HELD, REFUSED, Shared, conversation_of, names},
    kinds::{
        By, append,
        held::{KEPT, Kept, RELEASED, Released},
    },
    peers::{self, Apply, Delivered, Failure},
    post::About,
    tables::{self, Id16, Rows as _, Standing, written},
};

/// The receiving side of the capabilities.
pub(crate) struct Receiver {
    pub(crate) shared: Arc<Shared>,
    /// Messages of one's own that have come further. Said before the commit: whoever hears it
    /// waits for the write to end before looking.
    pub(crate) moved: broadcast::Sender<(TwinId, Id16)>,
}

/// One body that arrived.
struct Arrived<'a> {
    receiver: &'a Receiver,
    me: TwinId,
    from: TwinId,
    inner: &'a Inner,
    by: By,
    /// How things stand with the sender.
    contact: Option<tables::Contact>,
}

impl Apply for Receiver {
    fn understands(&self, capability: &str, major: u16) -> bool {
        interfaces::find(capability, major.into()).is_some_and(|one| one.envelope.is_some())
    }

    fn standing(&self, r: &Reader<'_>, person: &TwinId) -> Result<peers::Standing, store::Error> {
        Ok(match r.contact(person)?.map(|contact| contact.standing) {
            Some(Standing::Accepted) => peers::Standing::Contact,
            Some(Standing::Blocked) => peers::Standing::Blocked,
            None | Some(Standing::Asked | Standing::Asks | Standing::Denied) => {
                peers::Standing::Stranger
            }
        })
    }

    fn receive(
        &self,
        w: &mut Writer<'_>,
        from: &TwinId,
        inner: &Inner,
        now_ms: i64,
    ) -> Result<(), Failure> {
        let by = By { actor: Actor::Contact(*from.as_bytes()), now_ms };
        let contact = w.reader().contact(from)?;
        let arrived =
            Arrived { receiver: self, me: self.shared.me, from: *from, inner, by, contact };
        people::learn(w, &arrived)?;
        if readable(inner)? {
            return arrived.take(w);
        }
        if !arrived.accepted() {
            return Err(Refusal::NotContact.into());
        }
        self.hold(w, inner, now_ms).map(drop)
    }

    fn forked(
        &self,
        w: &mut Writer<'_>,
        person: &TwinId,
        fork: &link::Fork,
        now_ms: i64,
    ) -> Result<(), Failure> {
        forks::note(w, person, fork, now_ms).map_err(failed)
    }

    fn displaced(&self, w: &mut Writer<'_>, person: &TwinId, now_ms: i64) -> Result<(), Failure> {
        people::displaced(w, person, now_ms)
    }

    fn hold(&self, w: &mut Writer<'_>, inner: &Inner, now_ms: i64) -> Result<u64, Failure> {
        let kept = Kept {
            from: inner.from,
            conversation: conversation_of(&self.shared.me, &inner.from),
            capability: inner.capability.clone(),
            major: inner.major,
        };
        if inner.body.len() > store::CONTENT_LIMIT {
            return Err(Refusal::TooLarge.into());
        }
        // All of it is looked at whenever the twin wakes.
        let mut theirs = 0;
        for (_, row) in w.prefix(tables::HELD, b"", usize::MAX, Direction::Forward)? {
            let held: tables::Held = tables::parsed(tables::HELD, &row)?;
            theirs += usize::from(held.from == inner.from);
        }
        if theirs >= MAX_HELD {
            return Err(Refusal::Full.into());
        }
        Ok(w.append(NewEntry {
            time_ms: now_ms,
            actor: Actor::Contact(*inner.from.as_bytes()),
            kind: KEPT.to_owned(),
            version: 1,
            shape: written(&kept)?,
            content: Some(inner.body.clone()),
        })?)
    }

    fn release(
        &self,
        w: &mut Writer<'_>,
        held: u64,
        inner: &Inner,
        now_ms: i64,
    ) -> Result<(), Failure> {
        let by = By { actor: Actor::System, now_ms };
        append(w, &by, RELEASED, &Released { held }, None::<&()>).map_err(failed)?;
        self.receive(w, &inner.from, inner, now_ms)
    }

    fn delivered(
        &self,
        w: &mut Writer<'_>,
        _to: &TwinId,
        about: &[u8],
        how: Delivered,
        _now_ms: i64,
    ) -> Result<(), store::Error> {
        let Some(message) = About::from_bytes(about).message else {
            // Pieces of a file are about no message: there is room for the next ones. What is about one
            // wakes nobody, for it may share the commit of a later write.
            let errands = Arc::clone(&self.shared.errands);
            w.afterwards(move || errands.notify_one());
            return Ok(());
        };
        let key = names::sent(message);
        match how {
            Delivered::Committed => drop(w.vault_delete(&key)?),
            Delivered::Held => w.vault_put(&key, HELD)?,
            Delivered::Failed(_) => w.vault_put(&key, REFUSED)?,
        }
        let (moved, me) = (self.moved.clone(), self.shared.me);
        // Nobody listening is fine.
        w.afterwards(move || drop(moved.send((me, message))));
        Ok(())
    }
}

impl Receiver {
    /// Reads what an older release kept because it did not know its type within a known major.
    pub(crate) fn release_known(&self, w: &mut Writer<'_>, now_ms: i64) -> Result<(), Failure> {
        for (key, row) in w.prefix(tables::HELD, b"", usize::MAX, Direction::Forward)? {
            let held: tables::Held = tables::parsed(tables::HELD, &row)?;
            let Ok(seq) = key.try_into().map(u64::from_be_bytes) else { continue };
            let Some(body) = w.content(seq)? else { continue };
            let inner = Inner {
                from: held.from,
                to: self.shared.me,
                thread: held.conversation.0,
                epoch: 0,
                counter: 0,
                after: 0,
                capability: held.capability,
                major: held.major,
                introduction: None,
                body,
            };
            if self.understands(&inner.capability, inner.major) && readable(&inner)? {
                match self.release(w, seq, &inner, now_ms) {
                    Ok(()) | Err(Failure::Refused(_)) => {}
                    Err(failure) => return Err(failure),
                }
            }
        }
        Ok(())
    }
}

/// Whether this release knows what the body says; a later minor version has more types.
fn readable(inner: &Inner) -> Result<bool, Failure> {
    let envelope = interfaces::find(&inner.capability, inner.major.into())
        .and_then(|interface| interface.envelope)
        .ok_or(Refusal::Malformed)?;
    let body: Value = serde_json::from_slice(&inner.body).map_err(|_| Refusal::Malformed)?;
    let name = body["type"].as_str().ok_or(Refusal::Malformed)?;
    Ok(envelope.types.contains(&name))
}

impl Arrived<'_> {
    fn take(&self, w: &mut Writer<'_>) -> Result<(), Failure> {
        match &*self.inner.capability {
            "chat" => match self.body()? {
                chat_body::Body::Say(say) => chat::say(self, w, say),
                chat_body::Body::Edit(edit) => chat::edit(self, w, edit),
                chat_body::Body::Delete(delete) => chat::delete(self, w, &delete),
                chat_body::Body::Read(read) => chat::read(self, w, &read),
                chat_body::Body::Want(want) => chat::want(self, w, &want),
                chat_body::Body::Piece(piece) => chat::piece(self, w, &piece),
            },
            "contacts" => match self.body()? {
                contacts_body::Body::Ask(ask) => people::ask(self, w, ask),
                contacts_body::Body::Accept(accept) => people::accept(self, w, accept),
            },
            "identity" => match self.body()? {
                identity_body::Body::Profile(profile) => people::profile(self, w, profile),
            },
            "spaces" => spaces::take(self, w),
            _ => Err(Refusal::Malformed.into()),
        }
    }

    fn body<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.inner.body).map_err(|_| Refusal::Malformed.into())
    }

    fn accepted(&self) -> bool {
        self.contact.as_ref().is_some_and(|contact| contact.standing == Standing::Accepted)
    }

    /// The conversation with the sender. Only an accepted contact has one, and only this one.
    fn conversation(&self) -> Result<Id16, Failure> {
        let id = conversation_of(&self.me, &self.from);
        if !self.accepted() {
            return Err(Refusal::NotContact.into());
        }
        if self.inner.thread != id.0 {
            return Err(Refusal::Malformed.into());
        }
        Ok(id)
    }

    /// Files of messages have something to do.
    fn run_errand(&self, w: &mut Writer<'_>) {
        let errands = Arc::clone(&self.receiver.shared.errands);
        w.afterwards(move || errands.notify_one());
    }

    /// Something of a message of the sender is otherwise now.
    fn moved(&self, w: &mut Writer<'_>, message: Id16) {
        let (moved, author) = (self.receiver.moved.clone(), self.from);
        // Nobody listening is fine.
        w.afterwards(move || drop(moved.send((author, message))));
    }

    fn append(
        &self,
        w: &mut Writer<'_>,
        kind: &str,
        shape: &impl Serialize,
        content: Option<&impl Serialize>,
    ) -> Result<u64, Failure> {
        append(w, &self.by, kind, shape, content).map_err(failed)
    }
}

/// Unknown fields of a body, if they are not more than is kept.
fn bounded(more: More) -> Result<More, Failure> {
    let size = serde_json::to_vec(&more).map_or(usize::MAX, |bytes| bytes.len());
    if size <= MORE_BYTES_MAX { Ok(more) } else { Err(Refusal::TooLarge.into()) }
}

/// What one person may say that waits for an update.
const MAX_HELD: usize = 200;

/// What went wrong inside: the sender tries again later.
#[expect(clippy::needless_pass_by_value, reason = "used as the argument of `map_err`")]
fn failed(fault: Fault) -> Failure {
    if fault == Fault::too_large() {
        return Refusal::TooLarge.into();
    }
    Refusal::Full.into()
}
