//! The receiving end of links: opens envelopes, proves their senders, judges their order, and lets
//! the capabilities apply them; body, mark and any reply are one change of the store. Only then it
//! answers.

use super::{
    Failure, Peers, PeersError,
    effect::{No, Taken, effect},
    known::{self, Came},
    several::together,
    vault,
    wire::{Broken, Wire},
};
use link::{
    Digest, Fork, Frame, Inner, Introduction, NotOpened, Opened, Person, Proof, Receipt, Refusal,
    Refused, TwinId,
};
use std::{cell::Cell, collections::BTreeMap, future::Future, pin::Pin, rc::Rc, time::Duration};
use store::{ReadAll as _, Writer};
use tokio::{net::UnixStream, sync::Notify};

impl Peers {
    /// Serves one link until it ends. Says whether a contact proved themselves on it. Links of one
    /// `source` share its places for strangers.
    pub(crate) async fn serve(&self, stream: UnixStream, source: u64) -> bool {
        let Some(place) = Place::take(self) else { return false };
        let served = Rc::clone(&place.served);
        let mut session = Session {
            peers: self,
            wire: Wire::new(stream),
            source,
            sender: None,
            strikes: 0,
            forks: BTreeMap::new(),
            told: BTreeMap::new(),
            served: Rc::clone(&served),
        };
        tokio::select! {
            ended = session.run() => if let Err(broken) = ended {
                tracing::debug!(broken = &broken as &dyn std::error::Error, "link ended");
            },
            // What was queued takes effect all the same; the sender asks again.
            () = served.leave.notified() => tracing::debug!("a link made room"),
        }
        drop(place);
        self.count().await;
        served.contact.get()
    }
}

/// Gives effect to what was held by a version that could not read it, in the order it came.
pub(super) async fn release_held(peers: &Peers) -> Result<(), PeersError> {
    let held = peers.0.store.read(|r| r.vault_prefix(&vault::all(vault::HELD)))?;
    for (key, row) in held {
        let (seq, inner) = row
            .split_first_chunk::<8>()
            .and_then(|(seq, inner)| Some((u64::from_be_bytes(*seq), Inner::from_bytes(inner)?)))
            .ok_or(PeersError::Damaged("held"))?;
        if !peers.0.apply.understands(&inner.capability, inner.major) {
            continue;
        }
        let (apply, now_ms, done) = (peers.0.apply.clone(), peers.now_ms(), key.clone());
        let write = peers.0.store.write(move |w| {
            w.vault_delete(&done)?;
            match w.content(seq)? {
                Some(body) => apply.release(w, seq, &Inner { body, ..inner }, now_ms),
                // The person has erased it unread.
                None => Ok(()),
            }
        });
        match write.await {
            Ok(()) => {}
            Err(Failure::Refused(reason)) => {
                let give_up = peers.0.store.write(move |w| {
                    w.vault_delete(&key)?;
                    vault::count(w, vault::REFUSED, reason.code(), 1)
                });
                give_up.await?;
            }
            Err(Failure::Store(error)) => return Err(error.into()),
        }
    }
    Ok(())
}

struct Session<'a> {
    peers: &'a Peers,
    wire: Wire,
    source: u64,
    /// The last sender who proved themselves here, and what was kept of them then.
    sender: Option<(Person, Option<Vec<u8>>)>,
    strikes: u32,
    /// Chains that disagreed, and those that our person was told of on this link.
    forks: BTreeMap<TwinId, Fork>,
    told: BTreeMap<TwinId, Fork>,
    served: Rc<Served>,
}

impl Session<'_> {
    async fn run(&mut self) -> Result<(), Broken> {
        loop {
            let Some(first) = self.wire.recv_within(QUIET_TIME).await? else {
                return Ok(());
            };
            let (mut batch, mut over) = (Vec::new(), false);
            let mut frame = Some(first);
            let mut size = 0;
            while let Some(next) = frame {
                match next {
                    Frame::Envelope(bytes) => {
                        size += bytes.len();
                        batch.push(bytes);
                    }
                    // Answers are as final as a farewell: nothing was said here to answer.
                    Frame::Bye | Frame::Committed(_) | Frame::Held(_) | Frame::Refused(_) => {
                        over = true
                    }
                }
                let more = !over && batch.len() < BATCH && size < BATCH_BYTES;
                frame = if more { self.wire.ready()? } else { None };
            }
            self.take(batch).await?;
            if over || (self.strikes >= MAX_STRIKES && !self.served.contact.get()) {
                return Ok(());
            }
        }
    }

    async fn take(&mut self, batch: Vec<Vec<u8>>) -> Result<(), Broken> {
        if batch.is_empty() {
            return Ok(());
        }
        let _working = self.peers.working();
        if let Err(error) = self.peers.renew_pre_key().await {
            tracing::error!(error = &error as &dyn std::error::Error, "pre-key not renewed");
        }
        let secrets = self.peers.0.pre_keys.borrow().secrets();
        let (mut told, mut changes) = (Vec::new(), Vec::new());
        for bytes in batch {
            match link::open(&bytes, &secrets).and_then(|opened| self.proven(opened)) {
                Ok((opened, keep)) => {
                    told.push((opened.receipt(), *opened_from(&opened)));
                    changes.push(self.effect(opened, keep));
                }
                Err(NotOpened { reason, receipt: Some(receipt) }) => {
                    self.refuse(&receipt, No::Refused(reason)).await?;
                }
                Err(NotOpened { reason, receipt: None }) => {
                    self.refuse_locked(Digest::of(&bytes), reason).await?;
                }
            }
        }
        let results = together(changes).await;
        self.tell_forks().await;
        // An answer of ours may wait now, and not all of them are in the journal.
        self.peers.wake();
        let (mut committed, mut held, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for ((receipt, from), result) in told.into_iter().zip(results) {
            match result {
                Ok(taken) => {
                    let (Taken::Again { contact, .. }
                    | Taken::Committed { contact }
                    | Taken::Held { contact }) = taken;
                    self.served.contact.set(self.served.contact.get() || contact);
                    self.peers.reached(&from);
                    match taken {
                        Taken::Committed { .. } => committed.push(receipt.committed()),
                        Taken::Held { .. } => held.push(receipt.held()),
                        Taken::Again { held: kept, .. } => {
                            self.peers.repeated();
                            let (list, proof) = if kept {
                                (&mut held, receipt.held())
                            } else {
                                (&mut committed, receipt.committed())
                            };
                            list.push(proof);
                        }
                    }
                }
                Err(no) => refused.push((receipt, no)),
            }
        }
        self.acknowledge(committed, held).await?;
        for (receipt, no) in refused {
            self.refuse(&receipt, no).await?;
        }
        Ok(())
    }

    /// Finds out who sent it, and whether their introduction is to be kept.
    fn proven(&mut self, opened: Opened) -> Result<(Opened, bool), NotOpened> {
        let receipt = Some(opened.receipt());
        self.sender_of(opened).map_err(|reason| NotOpened { reason, receipt })
    }

    fn sender_of(&mut self, opened: Opened) -> Result<(Opened, bool), Refusal> {
        let claimed = opened.claimed();
        let me = &self.peers.0.me.id;
        let row = self.peers.0.store.read(|r| known::row(r, &claimed.from));
        let row = row.map_err(|_| Refusal::Full)?;
        // Not for longer than nothing new is known of them: keys are replaced.
        if let Some((sender, same)) = &self.sender
            && sender.id == claimed.from
            && *same == row
            && claimed.introduction.is_none()
        {
            opened.check(sender, me)?;
            return Ok((opened, false));
        }
        let known = row.as_deref().and_then(Introduction::from_bytes);
        let offered = claimed.introduction.as_ref();
        let known::Judged { person, keep, fork } =
            known::judge(known.as_ref(), offered, &claimed.from)?;
        // It speaks for itself, whoever shows it.
        if let Some(fork) = fork {
            self.forks.insert(claimed.from, fork);
        }
        opened.check(&person, me)?;
        self.sender = Some((person, row));
        Ok((opened, keep))
    }

    /// The change that one envelope makes. It begins when it is first polled, so polling several
    /// in order queues them in order.
    fn effect(
        &self,
        opened: Opened,
        keep: bool,
    ) -> Pin<Box<dyn Future<Output = Result<Taken, No>>>> {
        let (apply, now_ms) = (self.peers.0.apply.clone(), self.peers.now_ms());
        let (store, source) = (self.peers.0.store.clone(), self.source);
        Box::pin(async move {
            let inner = opened.claimed().clone();
            let came = Came { source, now_ms };
            store.write(move |w| effect(w, &*apply, &inner, keep, came)).await
        })
    }

    async fn tell_forks(&mut self) {
        for (person, fork) in std::mem::take(&mut self.forks) {
            if self.told.insert(person, fork) == Some(fork) {
                continue;
            }
            let Fork { at, recovered, .. } = fork;
            tracing::warn!(%person, at, recovered, "a chain forked");
            let (apply, now_ms) = (self.peers.0.apply.clone(), self.peers.now_ms());
            let tell = move |w: &mut Writer<'_>| apply.forked(w, &person, &fork, now_ms);
            if let Err(error) = self.peers.0.store.write(tell).await {
                tracing::error!(error = &error as &dyn std::error::Error, "a fork was not noted");
            }
        }
    }

    async fn acknowledge(&mut self, committed: Vec<Proof>, held: Vec<Proof>) -> Result<(), Broken> {
        if !committed.is_empty() {
            self.wire.send(&Frame::Committed(committed)).await?;
        }
        if !held.is_empty() {
            self.wire.send(&Frame::Held(held)).await?;
        }
        Ok(())
    }

    async fn refuse(&mut self, receipt: &Receipt, no: No) -> Result<(), Broken> {
        let (reason, expected) = match no {
            No::Gap(expected) => (Refusal::Gap, Some(expected)),
            No::Refused(reason) => (reason, None),
            No::Store(store::Error::Full { space: store::Space::Quota }) => (Refusal::Full, None),
            No::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "envelope not stored");
                (Refusal::Full, None)
            }
        };
        self.strike(reason);
        self.wire.send(&Frame::Refused(Refused::unlocked(receipt, reason, expected))).await
    }

    /// Refuses what could not even be unlocked: only our signature can prove that it was us.
    async fn refuse_locked(&mut self, digest: Digest, reason: Refusal) -> Result<(), Broken> {
        self.strike(reason);
        let shared = &self.peers.0;
        let pre_key = (reason == Refusal::UnknownPreKey).then(|| self.peers.pre_key());
        let refused = Refused::locked(digest, reason, pre_key, &shared.me.id, &shared.key);
        self.wire.send(&Frame::Refused(refused)).await
    }

    fn strike(&mut self, reason: Refusal) {
        self.peers.refused(reason);
        self.strikes += 1;
    }
}

fn opened_from(opened: &Opened) -> &TwinId {
    &opened.claimed().from
}

/// A link that is served.
pub(super) struct Served {
    /// Whether a contact proved themselves on it.
    contact: Cell<bool>,
    /// It has to make room.
    leave: Notify,
}

/// One of a limited number of places, given back when dropped.
struct Place<'a> {
    peers: &'a Peers,
    served: Rc<Served>,
}

impl<'a> Place<'a> {
    /// The oldest link without a contact makes room, so that strangers lock nobody out.
    fn take(peers: &'a Peers) -> Option<Self> {
        let served = Rc::new(Served { contact: Cell::new(false), leave: Notify::new() });
        let mut all = peers.0.serving.borrow_mut();
        if all.len() >= MAX_SERVED {
            let stranger = all.iter().position(|one| !one.contact.get())?;
            all.remove(stranger).leave.notify_one();
        }
        all.push(Rc::clone(&served));
        Some(Self { peers, served })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut all = self.peers.0.serving.borrow_mut();
        all.retain(|one| !Rc::ptr_eq(one, &self.served));
    }
}

/// Links served at one time; each may take up to two largest frames of memory.
const MAX_SERVED: usize = 16;
/// Envelopes taken together.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// For a frame to begin and end.
const QUIET_TIME: Duration = Duration::from_secs(15);
/// Refusals after which a link that no contact uses is closed.
const MAX_STRIKES: u32 = 64;
