//! What happens, as it happens: first what the journal has since `at`, then live. Every event
//! shows the thing as it is now and passes through the caller's view, so an ended grant ends what
//! it let through at once.

use std::{collections::VecDeque, rc::Rc};

use capability::{
    chat::latest as chat,
    contacts::latest as contacts,
    experiences::latest as experiences,
    experiences::latest::Verb,
    files::latest as files,
    history::latest as history,
    records::latest as records,
    spaces::latest as spaces,
    wire::{ConversationId, TypeName},
};
use link::TwinId;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use store::{Direction, Entry, ReadAll as _, Reader};
use tokio::sync::{broadcast, watch};

use super::{
    Fault, Inner,
    api::{
        Caller, Context, View,
        records::list::{Among, among},
    },
    events,
    tables::Id16,
};

/// Deltas that are replayed at most; beyond, reading the page again is cheaper.
const REPLAY: u64 = 1000;
/// Entries that are read at a time.
const STRETCH: usize = 100;

/// What a subscription says.
#[derive(Debug)]
pub enum Delta {
    /// Something happened.
    Event {
        /// The state that is reached with it.
        at: u64,
        /// The event, as the capability's document has it.
        event: Value,
    },
    /// Too much happened: read the page again. The subscription is over.
    Resync,
    /// The subscription is over, for this reason.
    Ended(Fault),
}

/// One subscription of one caller. Dropping it ends it.
pub struct Subscription {
    inner: Rc<Inner>,
    caller: Caller,
    topic: Topic,
    at: u64,
    committed: watch::Receiver<u64>,
    moved: broadcast::Receiver<(TwinId, Id16)>,
    waiting: VecDeque<Delta>,
    over: bool,
}

/// What is followed.
#[derive(Clone, Debug)]
pub(crate) enum Topic {
    Chat { only: Option<Id16> },
    Contacts,
    Experiences,
    Files(Place),
    History,
    Records(Followed),
    Spaces,
}

/// Which records are followed.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    pub(crate) space: Id16,
    pub(crate) kind: TypeName,
    pub(crate) among: Among,
}

/// Whose items are followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Folder(Id16),
    Trash,
}

impl Subscription {
    pub(super) fn new(
        inner: Rc<Inner>,
        caller: &Caller,
        capability: &str,
        major: u32,
        topic: Value,
        at: Option<u64>,
    ) -> Result<Self, Fault> {
        let (committed, moved) = (inner.store.watch(), inner.moved.subscribe());
        let head = inner.store.head().seq;
        let context = inner.context(caller);
        let topic = inner.store.read(|r| {
            let view = context.view(*r)?;
            Topic::new(&view, capability, major, topic)
        })?;
        let mut waiting = VecDeque::new();
        let at = at.unwrap_or(head);
        let over = at > head || head - at > REPLAY;
        if over {
            waiting.push_back(Delta::Resync);
        }
        Ok(Self { inner, caller: caller.clone(), topic, at, committed, moved, waiting, over })
    }

    /// The next thing that is said; `None` once it is over. May be dropped and asked again.
    pub async fn next(&mut self) -> Option<Delta> {
        loop {
            self.drop_what_was_revoked();
            if let Some(delta) = self.waiting.pop_front() {
                return Some(delta);
            }
            if self.over {
                return None;
            }
            let end = match self.catch_up() {
                Err(fault) => Some(Delta::Ended(fault)),
                Ok(Caught::Part) => None,
                Ok(Caught::Resync) => Some(Delta::Resync),
                Ok(Caught::Up) => self.wait().await,
            };
            if let Some(end) = end {
                self.over = true;
                self.waiting.push_back(end);
            }
        }
    }

    /// Waits until something may have happened.
    async fn wait(&mut self) -> Option<Delta> {
        let follows_messages = matches!(self.topic, Topic::Chat { .. });
        tokio::select! {
            changed = self.committed.changed() => {
                changed.is_err().then(|| Delta::Ended(Fault::failed()))
            }
            moved = self.moved.recv(), if follows_messages => match moved {
                Ok((author, message)) => self.say_moved(author, message).await,
                Err(broadcast::error::RecvError::Lagged(_)) => Some(Delta::Resync),
                Err(broadcast::error::RecvError::Closed) => Some(Delta::Ended(Fault::failed())),
            },
        }
    }

    /// A message, or a file of it, has come further; that is no entry of the journal.
    async fn say_moved(&mut self, author: TwinId, message: Id16) -> Option<Delta> {
        // The news comes from within the write: after this empty one it is over.
        let settled = self.inner.store.write(|_| Ok::<_, store::Error>(())).await;
        let Topic::Chat { only } = &self.topic else { return None };
        let (only, context) = (*only, self.inner.context(&self.caller));
        let event = settled.map_err(Fault::from).and_then(|()| {
            self.inner.store.read(|r| {
                let view = context.view(*r)?;
                events::moved(&view, only, author, message)
            })
        });
        match event {
            Ok(Some(event)) => {
                // Not further than what was told: the journal may have more by now.
                self.waiting.push_back(Delta::Event { at: self.at, event });
                None
            }
            Ok(None) => None,
            Err(fault) => Some(Delta::Ended(fault)),
        }
    }

    /// What waits was allowed when it was read. If the grants of the experience have changed since,
    /// it is not said any more: reading on tells how the subscription ends.
    fn drop_what_was_revoked(&mut self) {
        let Caller::Experience { name, .. } = &self.caller else { return };
        if self.over || self.waiting.is_empty() || !self.committed.has_changed().unwrap_or(true) {
            return;
        }
        let from = self.at.saturating_add(1);
        let looked_at = usize::try_from(REPLAY).unwrap_or(usize::MAX);
        let new = self.inner.store.read(|r| r.entries(from, looked_at, Direction::Forward));
        let changed = new.map_or(true, |new| {
            new.len() == looked_at || new.iter().any(|entry| events::is_about_grants(entry, name))
        });
        if changed {
            self.waiting.clear();
        }
    }

    /// Reads what the journal has after `at`.
    fn catch_up(&mut self) -> Result<Caught, Fault> {
        // Before the reading: what is committed meanwhile ends the next wait at once.
        self.committed.borrow_and_update();
        let context = self.inner.context(&self.caller);
        let (from, topic) = (self.at.saturating_add(1), &self.topic);
        let (last, found) = self.inner.store.read(|r: &Reader<'_>| {
            let entries = r.entries(from, STRETCH, Direction::Forward)?;
            let Some(last) = entries.last().map(|entry| entry.seq) else {
                return Ok((None, Found::Events(Vec::new())));
            };
            let found = topic.events(&context, &context.view(*r)?, &entries)?;
            Ok::<_, Fault>((Some(last), found))
        })?;
        let Some(last) = last else { return Ok(Caught::Up) };
        self.at = last;
        match found {
            Found::Events(found) => {
                let events = found.into_iter().map(|(at, event)| Delta::Event { at, event });
                self.waiting.extend(events);
                Ok(Caught::Part)
            }
            Found::Resync => Ok(Caught::Resync),
        }
    }
}

enum Caught {
    Part,
    Resync,
    Up,
}

/// What a stretch of the journal means for a topic.
pub(crate) enum Found {
    /// In order, each with the state that it reaches.
    Events(Vec<(u64, Value)>),
    /// What the caller may see has changed as a whole.
    Resync,
}

impl Topic {
    fn new(view: &View<'_>, capability: &str, major: u32, topic: Value) -> Result<Self, Fault> {
        let shared = matches!(capability, "chat" | "files" | "records" | "spaces");
        if major != 1 || !(shared || view.whole()) {
            return Err(if view.whole() { Fault::unknown_method() } else { Fault::only_shell() });
        }
        match capability {
            "chat" => {
                let chat::Topic { conversation } = read(topic)?;
                let id = |id: ConversationId| view.conversation(&id, Verb::See);
                let only = conversation.map(id).transpose()?.map(|(id, _)| id);
                Ok(Self::Chat { only })
            }
            "contacts" => read(topic).map(|contacts::Topic {}| Self::Contacts),
            "experiences" => read(topic).map(|experiences::Topic {}| Self::Experiences),
            "files" => {
                let files::Topic { folder, trash } = read(topic)?;
                let folder = view.folder(folder.as_ref(), Verb::See)?;
                Ok(Self::Files(if trash { Place::Trash } else { Place::Folder(folder) }))
            }
            "history" => read(topic).map(|history::Topic {}| Self::History),
            "records" => {
                let records::Topic { space, kind, by, equals } = read(topic)?;
                let (space, _) = view.space(&space, Some(kind.as_str()), Verb::See)?;
                let among = among(&view.r, space, &kind, &by, &equals)?;
                Ok(Self::Records(Followed { space, kind, among }))
            }
            "spaces" => read(topic).map(|spaces::Topic {}| Self::Spaces),
            _ => Err(Fault::unknown_method()),
        }
    }

    fn events(
        &self,
        context: &Context,
        view: &View<'_>,
        entries: &[Entry],
    ) -> Result<Found, Fault> {
        match self {
            Self::Chat { only } => events::chat(context, view, entries, *only),
            Self::Contacts => events::contacts(view, entries).map(Found::Events),
            Self::Experiences => events::experiences(view, entries).map(Found::Events),
            Self::Files(place) => events::files(context, view, entries, *place),
            Self::History => events::history(view, entries).map(Found::Events),
            Self::Records(followed) => events::records(context, view, entries, followed),
            Self::Spaces => events::spaces(context, view, entries),
        }
    }
}

fn read<T: DeserializeOwned>(topic: Value) -> Result<T, Fault> {
    let topic = if topic.is_null() { Value::Object(serde_json::Map::new()) } else { topic };
    serde_json::from_value(topic).map_err(|error| Fault::unread(&error))
}

/// An event as JSON.
pub(crate) fn event(event: &impl Serialize) -> Result<Value, Fault> {
    serde_json::to_value(event).map_err(|error| Fault::inside(&error.to_string()))
}
