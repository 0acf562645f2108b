//! Between twins: an outbox that is cleared only by the receiver's durable commit, a pump that
//! empties it, and a server that lets every envelope take effect exactly once and in order.
//!
//! It never opens a connection itself (streams are given) and never reads a body: what a body does
//! is said by the `Apply` of the capabilities. Everything it keeps is in the vault; what a person
//! would see is journaled by `Apply`, in the same write.

mod counts;
mod delivery;
mod effect;
mod known;
mod outbox;
mod pre_keys;
mod pump;
mod revise;
mod serve;
mod several;
mod vault;
mod wire;

pub(crate) use known::{acquaint, fork_of, introduction_of, meet, settle};
#[cfg(test)]
pub(crate) use outbox::bodies;
pub(crate) use outbox::{
    Letter, OutboxError, as_many_wait, enqueue, forget, many_wait, retry, waits,
};
pub(crate) use revise::{Instead, revise};

use link::{Chain, Fork, Inner, Introduction, Person, Refusal, SignedPreKey, SigningKey, TwinId};
use pre_keys::PreKeys;
use pump::Away;
use serve::Served;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};
use store::{Reader, Store, Writer};
use tokio::sync::watch;

/// What the capabilities say about envelopes. Called inside a write of the store, from its writer
/// thread; several calls share one commit, and an error rolls back only its own.
pub(crate) trait Apply: Send + Sync + 'static {
    /// Whether bodies of this capability and major version can be read. What cannot is held, in the
    /// order it came, until a version that can.
    fn understands(&self, capability: &str, major: u16) -> bool;

    /// How our person stands with this one now.
    fn standing(&self, r: &Reader<'_>, person: &TwinId) -> Result<Standing, store::Error>;

    /// Lets a body take effect. Its sender is proven, it is the next in order, and it will not be
    /// given twice. Strangers come here too: refuse with `NotContact` what only contacts may say.
    /// What a blocked person says never comes here.
    /// Answers are put into the outbox with `enqueue` in the same write.
    ///
    /// # Errors
    /// `Failure::Refused` is final for this body: the sender is told and goes on with the next.
    fn receive(
        &self,
        w: &mut Writer<'_>,
        from: &TwinId,
        inner: &Inner,
        now_ms: i64,
    ) -> Result<(), Failure>;

    /// A chain of this person was shown that disagrees with the known one. What showed it may have
    /// been refused.
    ///
    /// # Errors
    /// As for `receive`.
    fn forked(
        &self,
        w: &mut Writer<'_>,
        person: &TwinId,
        fork: &Fork,
        now_ms: i64,
    ) -> Result<(), Failure>;

    /// A stranger, who was taken before and about whom our person has not decided, made room for
    /// one from elsewhere: nothing is known of them any more.
    ///
    /// # Errors
    /// As for `receive`.
    fn displaced(&self, w: &mut Writer<'_>, person: &TwinId, now_ms: i64) -> Result<(), Failure>;

    /// Journals that a body came which cannot be read yet, with the body as the entry's content, and
    /// returns the entry's seq. Only contacts' bodies come here.
    ///
    /// # Errors
    /// As for `receive`.
    fn hold(&self, w: &mut Writer<'_>, inner: &Inner, now_ms: i64) -> Result<u64, Failure>;

    /// This version can read what the entry `held` kept: journals that and lets it take effect as
    /// in `receive`.
    ///
    /// # Errors
    /// As for `receive`; what is refused is given up.
    fn release(
        &self,
        w: &mut Writer<'_>,
        held: u64,
        inner: &Inner,
        now_ms: i64,
    ) -> Result<(), Failure>;

    /// A letter with an `about` (see `Letter`) has come to its end.
    fn delivered(
        &self,
        w: &mut Writer<'_>,
        to: &TwinId,
        about: &[u8],
        how: Delivered,
        now_ms: i64,
    ) -> Result<(), store::Error>;
}

/// How our person stands with another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// They are to learn nothing of it: whatever they say is acknowledged as a contact's would be,
    /// and has no effect.
    Blocked,
    /// Accepted, by both.
    Contact,
    /// Anybody else.
    Stranger,
}

/// What became of a letter at its receiver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delivered {
    /// Its effect is durable there.
    Committed,
    /// It will not be delivered: refused for good, parked here until `retry` or `forget`.
    Failed(Refusal),
    /// It is kept there until an update that can read it.
    Held,
}

/// Why a body had no effect.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It may not have one.
    #[error("the envelope was refused")]
    Refused(#[from] Refusal),
    /// The store failed; the sender will try again.
    #[error("the store failed")]
    Store(#[from] store::Error),
}

/// Who we are to others.
pub(crate) struct Me {
    /// Our operations.
    pub(crate) chain: Chain,
    /// Our current twin key.
    pub(crate) key: SigningKey,
}

/// Why peers could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeersError {
    /// Our own chain does not hold, or the key is not its current one.
    #[error("the twin's own chain does not fit its key")]
    Chain,
    /// What the vault holds is not what was put there.
    #[error("the vault row {0} is damaged")]
    Damaged(&'static str),
    /// The system gave no random bytes.
    #[error("no pre-key could be made")]
    Random(#[from] link::NoRandomness),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] store::Error),
}

/// All traffic between this twin and others. Cheap to clone; for one thread.
#[derive(Clone)]
pub(crate) struct Peers(Rc<Shared>);

struct Shared {
    store: Store,
    apply: Arc<dyn Apply>,
    clock: fn() -> i64,
    me: Person,
    chain: Chain,
    key: SigningKey,
    pre_keys: RefCell<PreKeys>,
    renewing: Cell<bool>,
    /// Wakes the pump for what `Store::watch` does not tell: vault-only writes, a peer that spoke.
    wake: watch::Sender<()>,
    away: RefCell<BTreeMap<TwinId, Away>>,
    /// Links on which something is under way.
    busy: Cell<usize>,
    /// Links that are served, the oldest first.
    serving: RefCell<Vec<Rc<Served>>>,
    /// Refusals that are not in the vault yet.
    refused: RefCell<BTreeMap<Refusal, u64>>,
    /// Envelopes that came again, not in the vault yet.
    repeated: Cell<u64>,
    /// When the log was last told what was refused.
    told_ms: Cell<i64>,
}

impl Peers {
    /// Prepares traffic: makes or rotates the pre-key and gives effect to what was held for a
    /// version like this one. `clock` tells Unix time in milliseconds.
    ///
    /// # Errors
    /// `PeersError`.
    pub(crate) async fn open(
        store: Store,
        me: Me,
        apply: Arc<dyn Apply>,
        clock: fn() -> i64,
    ) -> Result<Self, PeersError> {
        let person = me.chain.check().map_err(|_| PeersError::Chain)?;
        if person.key != me.key.public() {
            return Err(PeersError::Chain);
        }
        vault::begin(&store, &person.id).await?;
        let pre_keys = PreKeys::open(&store, clock()).await?;
        let away = pump::away(&store)?;
        let peers = Self(Rc::new(Shared {
            store,
            apply,
            clock,
            me: person,
            chain: me.chain,
            key: me.key,
            pre_keys: RefCell::new(pre_keys),
            renewing: Cell::new(false),
            wake: watch::Sender::new(()),
            away: RefCell::new(away),
            busy: Cell::new(0),
            serving: RefCell::default(),
            refused: RefCell::default(),
            repeated: Cell::new(0),
            told_ms: Cell::new(0),
        }));
        // What is stopped can be read, but takes nothing in.
        if peers.0.store.stopped().is_none() {
            serve::release_held(&peers).await?;
        }
        Ok(peers)
    }

    /// Our current pre-key for a card.
    pub(crate) fn pre_key(&self) -> SignedPreKey {
        self.0.pre_keys.borrow().public(&self.0.me.id, &self.0.key)
    }

    /// Whether something is being delivered or received right now. A peer that is away does not
    /// count.
    pub(crate) fn busy(&self) -> bool {
        self.0.busy.get() > 0
    }

    /// When something that waits is to be tried (Unix time in milliseconds): now, unless its
    /// receiver is away. `None` when nothing waits.
    pub(crate) fn due_ms(&self) -> Option<i64> {
        let pending = self.0.store.read(outbox::pending).unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "no outbox");
            Vec::new()
        });
        let away = self.0.away.borrow();
        let next = |to| away.get(to).map(|away| away.next_ms).filter(|next| *next > 0);
        pending.iter().map(|to| next(to).unwrap_or_else(|| self.now_ms())).min()
    }

    /// Looks at the outbox again, after a write that appended no journal entry.
    pub(crate) fn wake(&self) {
        self.0.wake.send_replace(());
    }

    /// Our operations.
    pub(crate) fn chain(&self) -> &Chain {
        &self.0.chain
    }

    fn introduction(&self) -> Introduction {
        Introduction { chain: self.0.chain.clone(), pre_key: self.pre_key() }
    }

    fn now_ms(&self) -> i64 {
        (self.0.clock)()
    }

    /// Replaces our pre-key when it is time. One caller does it; others go on with the old one.
    async fn renew_pre_key(&self) -> Result<(), PeersError> {
        let now_ms = self.now_ms();
        if !self.0.pre_keys.borrow().is_due(now_ms) || self.0.renewing.replace(true) {
            return Ok(());
        }
        let keys = self.0.pre_keys.borrow().clone();
        let renewed = keys.refreshed(&self.0.store, now_ms).await;
        self.0.renewing.set(false);
        self.0.pre_keys.replace(renewed?);
        Ok(())
    }

    /// Counts as busy until dropped.
    fn working(&self) -> Working {
        self.0.busy.set(self.0.busy.get() + 1);
        Working(Rc::clone(&self.0))
    }
}

struct Working(Rc<Shared>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests;
