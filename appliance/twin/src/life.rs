//! A person's data and what may be done with it: capabilities over the store, grants, history, and
//! the traffic with other twins. It owns the twin's keys and never shows one; it never opens a
//! socket or file outside the folder it was given, and knows nothing of HTTP.
//!
//! ```text
//!  call, batch ──> api/*  ──┐                       ┌── subscription <── journal
//!                           ├──> kinds (journal) ───┤
//!  serve_link ──> peers ──> apply/*                 └── tables (fold) ──> api/show
//! ```

mod api;
mod apply;
mod carry;
mod condition;
mod events;
mod fault;
mod fetch;
mod kinds;
mod open;
pub(crate) mod packages;
mod peers;
mod post;
pub(crate) mod spaces;
mod subscription;
mod tables;
mod uploads;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fs::File,
    future::Future,
    io::BufWriter,
    path::{Path, PathBuf},
    rc::Rc,
    sync::{Arc, PoisonError},
};

use capability::wire;
use handover::{Number, Place};
use link::TwinId;
use serde_json::Value;
use store::{Store, Writer};
use tokio::{net::UnixStream, sync::broadcast};

pub use api::Caller;
pub(crate) use api::picture;
pub(crate) use condition::Condition;
pub use fault::Fault;
pub use open::OpenError;
pub use subscription::{Delta, Subscription};
pub(crate) use uploads::{Adding, Bytes, Found};

use api::{Call, Context, Shared, Used, names};
use open::Signer;
use peers::Peers;
use tables::Id16;

/// One person's twin, without its door. For one thread.
pub struct Life(Rc<Inner>);

struct Inner {
    folder: PathBuf,
    store: Store,
    shared: Arc<Shared>,
    peers: Peers,
    moved: broadcast::Sender<(TwinId, Id16)>,
    /// Files of messages are being gathered or sent.
    carrying: Cell<bool>,
    /// The hour in which each grant was last noted as used.
    noted: RefCell<BTreeMap<Id16, i64>>,
    uploading: uploads::Busy,
}

impl Life {
    /// Opens the life in this folder; the first time it makes keys, profile and notebook for a
    /// person called `name`. Beyond `quota` bytes nothing is written that makes the data grow.
    ///
    /// # Errors
    /// What is wrong with the folder, and what can be done about it.
    pub async fn open(
        folder: &Path,
        name: &str,
        place: Place,
        quota: Option<u64>,
    ) -> Result<Self, OpenError> {
        open::open(folder, name, place, quota).await.map(|inner| Self(Rc::new(inner)))
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> TwinId {
        self.0.shared.me
    }

    /// Does one call of a capability.
    ///
    /// # Errors
    /// Why it was not done, and then nothing of it was.
    pub async fn call(
        &self,
        caller: &Caller,
        capability: &str,
        major: u32,
        method: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let body = body.to_vec();
        let call = Call { capability: capability.into(), major, method: method.into(), body };
        let found = api::method(caller, &call)?;
        let context = self.context_of(caller, [&call]);
        let used = Arc::clone(&context.used);
        let answer = if found.writes {
            self.0.store.write(move |w| api::write(&context, w, &call)).await
        } else {
            self.0.store.read(|r| api::read(&context, &context.view(*r)?, &call))
        };
        let answer = answer.inspect_err(|fault| self.stop_if_damaged(fault))?;
        self.note_use(&used).await;
        if found.writes {
            self.sweep_soon();
        }
        Ok(answer)
    }

    /// Does several calls together: all or none. Reads among them see the writes before them.
    ///
    /// # Errors
    /// Why one was not done; [`Fault::call`] says which.
    pub async fn batch(
        &self,
        caller: &Caller,
        calls: Vec<wire::Call>,
    ) -> Result<Vec<Vec<u8>>, Fault> {
        if !(1..=wire::BATCH_MAX).contains(&calls.len()) {
            return Err(Fault::too_many().with("most", wire::BATCH_MAX.to_string()));
        }
        let mut all = Vec::new();
        for (call, number) in calls.into_iter().zip(0..) {
            let call = Call {
                capability: call.capability.to_string(),
                major: call.major,
                method: call.method.to_string(),
                body: call.body.to_string().into_bytes(),
            };
            let found = api::method(caller, &call).map_err(|fault| fault.in_call(number))?;
            all.push((call, found.writes, number));
        }
        let context = self.context_of(caller, all.iter().map(|(call, ..)| call));
        let used = Arc::clone(&context.used);
        let one = move |w: &mut Writer<'_>, call: &Call, writes: bool| match writes {
            true => api::write(&context, w, call),
            false => api::read(&context, &context.view(w.reader())?, call),
        };
        let together = move |w: &mut Writer<'_>| {
            let mut room = BATCH_ANSWER_MAX;
            let each = all.iter().map(|(call, writes, number)| {
                let answer = one(w, call, *writes).and_then(|answer: Vec<u8>| {
                    room = room.checked_sub(answer.len()).ok_or_else(Fault::too_large)?;
                    Ok(answer)
                });
                answer.map_err(|fault| fault.in_call(*number))
            });
            each.collect()
        };
        let answers: Result<Vec<_>, Fault> = self.0.store.write(together).await;
        let answers = answers.inspect_err(|fault| self.stop_if_damaged(fault))?;
        self.note_use(&used).await;
        self.sweep_soon();
        Ok(answers)
    }

    /// Follows a topic: what happened since `at`, then what happens.
    ///
    /// # Errors
    /// When there is no such topic for this caller.
    pub fn subscribe(
        &self,
        caller: &Caller,
        capability: &str,
        major: u32,
        topic: Value,
        at: Option<u64>,
    ) -> Result<Subscription, Fault> {
        Subscription::new(Rc::clone(&self.0), caller, capability, major, topic, at)
    }

    /// Talks with another twin that opened this link, until it ends. Says whether a contact proved
    /// themselves on it. `from` tells links of one origin from those of others, and proves nothing.
    pub async fn serve_link(&self, stream: UnixStream, from: Number) -> bool {
        // What can't be kept is not taken: the other twin keeps it and tries again.
        !self.is_stopped() && self.0.peers.serve(stream, from.0.into()).await
    }

    /// Delivers the outbox for ever, opening links with `open`. Sleeps without a timer while there
    /// is nothing to deliver.
    pub async fn pump<F, Fut>(&self, open: F)
    where
        F: Fn(TwinId) -> Fut,
        Fut: Future<Output = Result<UnixStream, handover::Reason>>,
    {
        tokio::select! {
            () = self.pump_while_sound(open) => {}
            () = self.carry() => {}
        }
    }

    /// Whether something is being delivered or received right now.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.0.peers.busy() || self.0.carrying.get()
    }

    /// When a twin that is away is to be tried again (Unix time in milliseconds).
    #[must_use]
    pub fn due_ms(&self) -> Option<i64> {
        if self.is_stopped() { None } else { self.0.peers.due_ms() }
    }

    /// The twin has another name on its node from now on; it goes into cards.
    pub fn rename(&self, name: &str) {
        let mut known = self.0.shared.name.lock().unwrap_or_else(PoisonError::into_inner);
        name.clone_into(&mut known);
    }

    /// What was not taken so far: by us (`refused.<code>`), by others (`returned.<code>`), and
    /// answers without proof (`unproven.answer`).
    ///
    /// # Errors
    /// The disk failed.
    pub fn counts(&self) -> Result<BTreeMap<String, u64>, Fault> {
        Ok(self.0.peers.counts()?)
    }

    /// Compares everything with a replay of the journal; gives the number of entries.
    ///
    /// # Errors
    /// The first difference, or why the comparison could not be made, in one line for operators.
    pub async fn verify(&self) -> Result<u64, String> {
        let (store, signer) = (self.0.store.clone(), Signer(self.0.shared.key.clone()));
        // Who looks for one kind of harm wants to hear of the other.
        self.0.peers.tell_counts();
        let check = move || store.verify(&signer).map_err(|error| crate::chain(&error));
        aside(check).await.map(|verified| verified.entries)
    }

    /// Writes the journal with its contents into a file, one JSON object per line; gives the
    /// number of lines. A checkpoint is made first.
    ///
    /// # Errors
    /// Why it could not be written, in one line for operators.
    pub async fn export(&self, file: File) -> Result<u64, String> {
        let (store, signer) = (self.0.store.clone(), Signer(self.0.shared.key.clone()));
        let write = move || {
            // What differs is not signed, but there is all the more reason to write it out.
            let mark = store.stopped().is_none().then(|| store.checkpoint(&signer)).transpose();
            let outcome = mark.and_then(|_| {
                let mut out = BufWriter::new(&file);
                let lines = store.export(&mut out)?;
                drop(out);
                file.sync_all().map_err(|source| store::Error::Io { source })?;
                Ok(lines)
            });
            outcome.map_err(|error| crate::chain(&error))
        };
        aside(write).await
    }

    /// Damage that a call met is damage: nothing more is built upon it.
    fn stop_if_damaged(&self, fault: &Fault) {
        if fault.code == Fault::damaged().code {
            let met = store::Error::Damaged { at: "a row that was asked for".to_owned() };
            self.0.store.stop_for(&met);
        }
    }

    fn context_of<'c>(
        &self,
        caller: &Caller,
        calls: impl IntoIterator<Item = &'c Call>,
    ) -> Context {
        let card = |call: &Call| (&*call.capability, &*call.method) == ("identity", "card");
        let pre_key = calls.into_iter().any(card).then(|| self.0.peers.pre_key());
        Context { pre_key, ..self.0.context(caller) }
    }

    /// Notes that grants were used, at most once an hour each. The call is done already: what goes
    /// wrong here is no fault of it.
    async fn note_use(&self, used: &Used) {
        let used = used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let hour = crate::clock_ms() / HOUR_MS * HOUR_MS;
        let new: Vec<Id16> = {
            let mut noted = self.0.noted.borrow_mut();
            used.into_iter().filter(|grant| noted.insert(*grant, hour) != Some(hour)).collect()
        };
        if new.is_empty() {
            return;
        }
        let note = move |w: &mut Writer<'_>| {
            new.iter().try_for_each(|grant| w.vault_put(&names::used(*grant), &hour.to_be_bytes()))
        };
        let noted: Result<(), store::Error> = self.0.store.write(note).await;
        if let Err(error) = noted {
            tracing::warn!(error = %crate::chain(&error), "the use of a grant was not noted");
        }
    }
}

impl Inner {
    fn context(&self, caller: &Caller) -> Context {
        Context {
            caller: caller.clone(),
            now_ms: crate::clock_ms(),
            shared: Arc::clone(&self.shared),
            pre_key: None,
            used: Used::default(),
        }
    }
}

/// Runs something slow on a thread of its own.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err("the work was interrupted".to_owned()))
}

/// As [`aside`], for what a caller waits for.
async fn aside_fault<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Fault::failed()))
}

/// Most bytes of all answers of a batch.
const BATCH_ANSWER_MAX: usize = 8 * 1024 * 1024;
const HOUR_MS: i64 = 60 * 60 * 1000;

#[cfg(test)]
mod tests;
