//! The capabilities over the store: one file each, newest version only. A call is read, checked
//! against its caller, and done within one transaction; nothing here waits or touches a socket.

pub(crate) mod caller;
pub(crate) mod chat;
mod contacts;
mod experiences;
pub(crate) mod files;
pub(crate) mod history;
mod identity;
pub(crate) mod names;
mod once;
mod page;
mod person;
pub(crate) mod records;
pub(crate) mod show;
pub(crate) mod spaces;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use capability::{Method, interfaces};
use handover::Place;
use link::{SignedPreKey, SigningKey, TwinId};
use serde::{Serialize, de::DeserializeOwned};
use store::{Actor, Reader, Writer};
use tokio::sync::Notify;

use super::{Fault, kinds::By, tables::Id16};
pub use caller::Caller;
pub(crate) use caller::View;
pub(crate) use experiences::end_with_space;
pub(crate) use identity::picture;
pub(crate) use person::{conversation_of, known_name, profile as profile_of, words};
pub(crate) use show::{HELD, QUEUED, REFUSED, WITHDRAWN};

/// One call; the body is JSON.
pub(crate) struct Call {
    pub(crate) capability: String,
    pub(crate) major: u32,
    pub(crate) method: String,
    pub(crate) body: Vec<u8>,
}

/// What the twin knows for as long as it runs.
pub(crate) struct Shared {
    pub(crate) me: TwinId,
    pub(crate) key: SigningKey,
    /// How the node is reached.
    pub(crate) place: Place,
    /// The twin's name on its node; it can be renamed.
    pub(crate) name: Mutex<String>,
    /// From this the ids come that people have for experiences.
    pub(crate) pseudonyms: [u8; 32],
    /// Tells whoever carries files of messages that there is something to do.
    pub(crate) errands: Arc<Notify>,
}

impl Shared {
    /// The twin's name on its node.
    pub(crate) fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it is served.
    pub(crate) fn origin(&self) -> String {
        self.place.origin(&self.name())
    }
}

/// Grants that were used.
pub(crate) type Used = Arc<Mutex<BTreeSet<Id16>>>;

/// Around one call: who, when, for whom.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) caller: Caller,
    pub(crate) now_ms: i64,
    pub(crate) shared: Arc<Shared>,
    /// For a card.
    pub(crate) pre_key: Option<SignedPreKey>,
    pub(crate) used: Used,
}

impl Context {
    /// What this caller sees.
    pub(crate) fn view<'r>(&self, reader: Reader<'r>) -> Result<View<'r>, Fault> {
        View::new(reader, &self.caller, &self.shared, Arc::clone(&self.used))
    }

    /// Who writes entries.
    pub(crate) fn by(&self) -> By {
        let actor = match &self.caller {
            Caller::Person { session } => Actor::Device(session.clone()),
            Caller::Experience { name, .. } => Actor::Experience(name.clone()),
        };
        By { actor, now_ms: self.now_ms }
    }
}

/// The method of a call, if this caller may use it at all.
pub(crate) fn method(caller: &Caller, call: &Call) -> Result<&'static Method, Fault> {
    let found = interfaces::find(&call.capability, call.major)
        .and_then(|interface| interface.method(&call.method))
        .filter(|_| !at_the_door(&call.capability, &call.method))
        .ok_or_else(Fault::unknown_method)?;
    match caller {
        Caller::Experience { .. } if !found.experience => Err(Fault::only_shell()),
        Caller::Experience { .. } | Caller::Person { .. } => Ok(found),
    }
}

/// Methods that the door answers: sessions, frames and codes are not part of a life.
pub(crate) fn at_the_door(capability: &str, method: &str) -> bool {
    match capability {
        "node" | "health" => true,
        "identity" => !matches!(method, "me" | "set_profile" | "card"),
        "experiences" => matches!(method, "list" | "open" | "close" | "inspect" | "install"),
        _ => false,
    }
}

/// A call that changes nothing.
pub(crate) fn read(context: &Context, view: &View<'_>, call: &Call) -> Result<Vec<u8>, Fault> {
    let body = &call.body;
    match (&*call.capability, &*call.method) {
        ("chat", "conversations") => answer(body, |q| chat::list::conversations(view, &q)),
        ("chat", "messages") => answer(body, |q| chat::list::messages(view, &q)),
        ("contacts", "list") => answer(body, |q| contacts::list(view, &q)),
        ("experiences", "grants") => answer(body, |q| experiences::grants(view, &q)),
        ("experiences", "releases") => answer(body, |q| experiences::releases(view, &q)),
        ("files", "get") => answer(body, |q| files::list::get(view, &q)),
        ("files", "list") => answer(body, |q| files::list::list(view, &q)),
        ("files", "versions") => answer(body, |q| files::list::versions(view, &q)),
        ("history", "list") => answer(body, |q| history::list(view, &q)),
        ("identity", "card") => answer(body, |q| identity::card(context, view, q)),
        ("identity", "me") => answer(body, |q| identity::me(context, view, q)),
        ("records", "export") => answer(body, |q| records::text::export(view, &q)),
        ("records", "get") => answer(body, |q| records::list::get(view, &q)),
        ("records", "query") => answer(body, |q| records::list::query(view, &q)),
        ("records", "types") => answer(body, |q| records::types(view, q)),
        ("spaces", "get") => answer(body, |q| spaces::get(view, &q)),
        ("spaces", "list") => answer(body, |q| spaces::list(view, &q)),
        _ => Err(Fault::unknown_method()),
    }
}

/// A call that may change something: done once per id, however often it is sent.
pub(crate) fn write(c: &Context, w: &mut Writer<'_>, call: &Call) -> Result<Vec<u8>, Fault> {
    once::only(c, w, call, |w| {
        if needs_room(call) {
            w.check_room()?;
        }
        let body = &call.body;
        match (&*call.capability, &*call.method) {
            ("chat", "send") => answer(body, |q| chat::send(c, w, q)),
            ("chat", "edit") => answer(body, |q| chat::edit(c, w, q)),
            ("chat", "delete") => answer(body, |q| chat::delete(c, w, &q)),
            ("chat", "read") => answer(body, |q| chat::read(c, w, &q)),
            ("chat", "fetch") => answer(body, |q| chat::attach::fetch(c, w, &q)),
            ("chat", "keep") => answer(body, |q| chat::attach::keep(c, w, &q)),
            ("contacts", "request") => answer(body, |q| contacts::request(c, w, q)),
            ("contacts", "accept") => answer(body, |q| contacts::accept(c, w, &q)),
            ("contacts", "deny") => answer(body, |q| contacts::deny(c, w, &q)),
            ("contacts", "block") => answer(body, |q| contacts::block(c, w, &q)),
            ("contacts", "unblock") => answer(body, |q| contacts::unblock(c, w, &q)),
            ("contacts", "rename") => answer(body, |q| contacts::rename(c, w, q)),
            ("contacts", "acknowledge") => answer(body, |q| contacts::acknowledge(c, w, &q)),
            ("contacts", "remove") => answer(body, |q| contacts::remove(c, w, &q)),
            ("experiences", "grant") => answer(body, |q| experiences::grant(c, w, &q)),
            ("experiences", "remove") => answer(body, |q| experiences::remove(c, w, &q)),
            ("experiences", "roll_back") => answer(body, |q| experiences::roll_back(c, w, &q)),
            ("experiences", "revoke") => answer(body, |q| experiences::revoke(c, w, &q)),
            ("files", "make_folder") => answer(body, |q| files::make_folder(c, w, &q)),
            ("files", "put") => answer(body, |q| files::put(c, w, &q)),
            ("files", "replace") => answer(body, |q| files::replace(c, w, &q)),
            ("files", "move") => answer(body, |q| files::rename(c, w, &q)),
            ("files", "trash") => answer(body, |q| files::trash(c, w, &q)),
            ("files", "restore") => answer(body, |q| files::restore(c, w, &q)),
            ("files", "restore_version") => answer(body, |q| files::restore_version(c, w, &q)),
            ("files", "delete") => answer(body, |q| files::delete(c, w, &q)),
            ("history", "undo") => answer(body, |q| history::undo(c, w, &q)),
            ("history", "erase") => answer(body, |q| history::erase(c, w, &q)),
            ("identity", "set_profile") => answer(body, |q| identity::set_profile(c, w, q)),
            ("records", "define") => answer(body, |q| records::define(c, w, q)),
            ("records", "import") => answer(body, |q| records::text::import(c, w, &q)),
            ("records", "put") => answer(body, |q| records::put(c, w, q)),
            ("records", "remove") => answer(body, |q| records::remove(c, w, &q, true)),
            ("records", "restore") => answer(body, |q| records::remove(c, w, &q, false)),
            ("spaces", "accept") => answer(body, |q| spaces::accept(c, w, &q)),
            ("spaces", "archive") => answer(body, |q| spaces::archive(c, w, &q)),
            ("spaces", "create") => answer(body, |q| spaces::create(c, w, &q)),
            ("spaces", "decline" | "leave") => answer(body, |q| spaces::leave(c, w, &q)),
            ("spaces", "invite") => answer(body, |q| spaces::invite(c, w, &q)),
            ("spaces", "rename") => answer(body, |q| spaces::rename(c, w, &q)),
            ("spaces", "set_role") => answer(body, |q| spaces::set_role(c, w, &q)),
            _ => Err(Fault::unknown_method()),
        }
    })
}

/// Whether a call is refused in a twin that has used up its room. What frees room, protects the
/// person or only notes how far they have read is done all the same.
fn needs_room(call: &Call) -> bool {
    !matches!(
        (&*call.capability, &*call.method),
        ("chat", "delete" | "read")
            | ("contacts", "deny" | "block" | "remove" | "acknowledge")
            | ("experiences", "remove" | "revoke" | "roll_back")
            | ("files", "delete" | "trash")
            | ("history", "erase")
            | ("spaces", "archive" | "decline" | "leave" | "set_role")
    )
}

/// Reads the request, does it, writes the answer.
fn answer<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    act: impl FnOnce(Q) -> Result<A, Fault>,
) -> Result<Vec<u8>, Fault> {
    let body = if body.is_empty() { b"{}" } else { body };
    let request = serde_json::from_slice(body).map_err(|error| Fault::unread(&error))?;
    let answer = act(request)?;
    serde_json::to_vec(&answer).map_err(|error| Fault::inside(&error.to_string()))
}
