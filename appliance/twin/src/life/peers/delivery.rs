//! One link to one person: seals what waits, in order, sends a window of it ahead, and takes a
//! letter out of the outbox only against the receiver's proof.

use super::{
    Delivered, Peers, Working, known,
    outbox::{self, Waiting},
    vault,
    wire::{Broken, Wire},
};
use link::{Digest, Frame, Proof, Refusal, Sealed, SignedPreKey, TwinId, seal};
use std::{future::Future, time::Duration};
use tokio::{
    net::UnixStream,
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

/// How a link ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// Nothing was waiting any more.
    Done,
    /// Something waits and could not be delivered now.
    Away {
        /// Whether something else could.
        progress: bool,
    },
}

/// Delivers to one person until nothing waits for a while, or something is in the way.
pub(super) async fn run<F, Fut>(peers: &Peers, to: TwinId, open: &F) -> End
where
    F: Fn(TwinId) -> Fut,
    Fut: Future<Output = Result<UnixStream, handover::Reason>>,
{
    let working = peers.working();
    let stream = match timeout(OPEN_TIME, open(to)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(reason)) => {
            tracing::debug!(%to, ?reason, "no link");
            return End::Away { progress: false };
        }
        Err(_) => return End::Away { progress: false },
    };
    let mut delivery = Delivery {
        peers,
        to,
        wire: Wire::new(stream),
        flight: Vec::new(),
        sent: 0,
        introduced: false,
        rounds: 0,
        progress: false,
        working: Some(working),
    };
    match delivery.until_idle().await {
        Ok(()) => End::Done,
        Err(stop) => {
            tracing::debug!(%to, stop = &stop as &dyn std::error::Error, "link ended");
            End::Away { progress: delivery.progress }
        }
    }
}

struct Delivery<'a> {
    peers: &'a Peers,
    to: TwinId,
    wire: Wire,
    /// Sent and not answered, in order.
    flight: Vec<Flying>,
    /// The highest number sent since the last start from the beginning.
    sent: u64,
    /// Whether the receiver was told who we are since then.
    introduced: bool,
    /// Starts from the beginning since the last progress.
    rounds: u32,
    progress: bool,
    working: Option<Working>,
}

struct Flying {
    counter: u64,
    digest: Digest,
    committed: Proof,
    held: Proof,
    size: usize,
}

/// Why a link ended with letters still waiting.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("the link broke")]
    Broken(#[from] Broken),
    #[error("the other end closed the link")]
    Closed,
    #[error("the receiver cannot take it now")]
    Refused(#[from] Refusal),
    #[error("nothing is known to seal to")]
    Stranger,
    #[error("the store failed")]
    Store(#[from] store::Error),
    #[error("the other end answers out of turn")]
    Turn,
}

impl Delivery<'_> {
    async fn until_idle(&mut self) -> Result<(), Stop> {
        let (mut seq, mut wake) = (self.peers.0.store.watch(), self.peers.0.wake.subscribe());
        let mut idle = false;
        let mut deadline = Instant::now() + ANSWER_TIME;
        loop {
            seq.mark_unchanged();
            wake.mark_unchanged();
            self.fill().await?;
            if idle != self.flight.is_empty() {
                idle = !idle;
                deadline = Instant::now() + if idle { IDLE_TIME } else { ANSWER_TIME };
            }
            if idle {
                self.working = None;
            }
            tokio::select! {
                frame = self.wire.recv() => match frame? {
                    // What answers nothing gives no more time.
                    Some(frame) => if self.answer(frame).await? {
                        deadline = Instant::now() + ANSWER_TIME;
                        idle = false;
                    },
                    None if idle => return Ok(()),
                    None => return Err(Stop::Closed),
                },
                () = either(&mut seq, &mut wake) => {}
                () = sleep_until(deadline) => {
                    if idle {
                        // The other end may be gone already, which is as good.
                        drop(self.wire.send(&Frame::Bye).await);
                        return Ok(());
                    }
                    return Err(Broken::TooSlow.into());
                }
            }
        }
    }

    /// Sends what waits, as far as the window goes.
    async fn fill(&mut self) -> Result<(), Stop> {
        let in_flight: usize = self.flight.iter().map(|f| f.size).sum();
        let room = WINDOW.saturating_sub(self.flight.len());
        if room == 0 || in_flight >= WINDOW_BYTES {
            return Ok(());
        }
        let (to, sent) = (self.to, self.sent);
        let (letters, known) = self.peers.0.store.read(|r| {
            Ok::<_, store::Error>((outbox::waiting(r, &to, sent, room)?, known::load(r, &to)?))
        })?;
        if letters.is_empty() {
            return Ok(());
        }
        let pre_key = known.ok_or(Stop::Stranger)?.pre_key;
        self.working.get_or_insert_with(|| self.peers.working());
        let mut bytes = in_flight;
        for letter in letters {
            if bytes >= WINDOW_BYTES {
                break;
            }
            bytes += self.send(letter, &pre_key).await?;
        }
        Ok(())
    }

    async fn send(&mut self, letter: Waiting, pre_key: &SignedPreKey) -> Result<usize, Stop> {
        let mut inner = letter.inner;
        let counter = inner.counter;
        self.sent = counter;
        inner.after = self.flight.last().map_or(0, |f| f.counter);
        if !self.introduced {
            inner.introduction = Some(self.peers.introduction());
        }
        let sealed = match seal(&inner, pre_key, &self.peers.0.key) {
            Ok(sealed) => sealed,
            Err(link::SealError::Random | link::SealError::PreKey) => return Err(Stop::Stranger),
            Err(link::SealError::Capability | link::SealError::TooLarge) => {
                self.park(counter, Refusal::Malformed).await?;
                return Ok(0);
            }
        };
        self.introduced = true;
        let Sealed { bytes, digest, committed, held } = sealed;
        let size = bytes.len();
        self.flight.push(Flying { counter, digest, committed, held, size });
        self.wire.send(&Frame::Envelope(bytes)).await?;
        Ok(size)
    }

    /// Says whether it answered something that was sent.
    async fn answer(&mut self, frame: Frame) -> Result<bool, Stop> {
        match frame {
            Frame::Committed(proofs) => {
                self.arrived(|f| proofs.contains(&f.committed), Delivered::Committed).await
            }
            Frame::Held(proofs) => {
                self.arrived(|f| proofs.contains(&f.held), Delivered::Held).await
            }
            Frame::Refused { digest, reason, pre_key, expected: _ } => {
                match self.flight.iter().find(|f| f.digest == digest) {
                    Some(flying) => {
                        self.refused(flying.counter, reason, pre_key).await.map(|()| true)
                    }
                    // Of a round that is over.
                    None => Ok(false),
                }
            }
            Frame::Bye if self.flight.is_empty() => Ok(false),
            Frame::Bye => Err(Stop::Closed),
            Frame::Envelope(_) => Err(Stop::Turn),
        }
    }

    async fn arrived(
        &mut self,
        proven: impl Fn(&Flying) -> bool,
        how: Delivered,
    ) -> Result<bool, Stop> {
        let numbers: Vec<u64> =
            self.flight.iter().filter(|f| proven(f)).map(|f| f.counter).collect();
        if numbers.is_empty() {
            return Ok(false);
        }
        let (to, now_ms) = (self.to, self.peers.now_ms());
        let (apply, done) = (self.peers.0.apply.clone(), numbers.clone());
        let write = self.peers.0.store.write(move |w| {
            for counter in done {
                let letter = outbox::clear(w, &to, counter)?;
                if let Some(about) = letter.and_then(|l| l.about) {
                    apply.delivered(w, &to, &about, how, now_ms)?;
                }
            }
            Ok::<_, store::Error>(())
        });
        write.await?;
        self.flight.retain(|f| !numbers.contains(&f.counter));
        self.rounds = 0;
        self.progress = true;
        Ok(true)
    }

    async fn refused(
        &mut self,
        counter: u64,
        reason: Refusal,
        pre_key: Option<SignedPreKey>,
    ) -> Result<(), Stop> {
        match reason {
            Refusal::Gap => {}
            Refusal::Full => return Err(reason.into()),
            Refusal::UnknownPreKey => self.learn(pre_key.ok_or(reason)?).await?,
            Refusal::Forged
            | Refusal::Malformed
            | Refusal::NotAuthor
            | Refusal::NotContact
            | Refusal::NotForMe
            | Refusal::OldEpoch
            | Refusal::Other(_)
            | Refusal::TooLarge
            | Refusal::UnknownSender => {
                self.park(counter, reason).await?;
                self.rounds = 0;
            }
        }
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(reason.into());
        }
        // What was sent behind it is answered with a gap or for an old key: begin again.
        self.flight.clear();
        self.sent = 0;
        self.introduced = false;
        Ok(())
    }

    /// Takes the pre-key that a receiver names, when it is one of theirs and a new one.
    async fn learn(&self, pre_key: SignedPreKey) -> Result<(), Stop> {
        let to = self.to;
        let known = self.peers.0.store.read(|r| known::load(r, &to))?.ok_or(Stop::Stranger)?;
        let person = known.chain.check().map_err(|_| Stop::Stranger)?;
        if pre_key == known.pre_key || pre_key.check(&person).is_err() {
            return Err(Refusal::UnknownPreKey.into());
        }
        Ok(self.peers.0.store.write(move |w| known::learn(w, &to, pre_key)).await?)
    }

    async fn park(&self, counter: u64, reason: Refusal) -> Result<(), Stop> {
        tracing::info!(to = %self.to, %reason, "a letter was refused");
        let (to, now_ms) = (self.to, self.peers.now_ms());
        let apply = self.peers.0.apply.clone();
        let write = self.peers.0.store.write(move |w| {
            vault::count(w, vault::RETURNED, reason, 1)?;
            let letter = outbox::park(w, &to, counter, reason)?;
            match letter.and_then(|l| l.about) {
                Some(about) => apply.delivered(w, &to, &about, Delivered::Failed(reason), now_ms),
                None => Ok::<_, store::Error>(()),
            }
        });
        Ok(write.await?)
    }
}

/// Something was written. A closed store says nothing more; the pump notices that.
async fn either(seq: &mut watch::Receiver<u64>, wake: &mut watch::Receiver<()>) {
    let changed = tokio::select! {
        changed = seq.changed() => changed,
        changed = wake.changed() => changed,
    };
    if changed.is_err() {
        std::future::pending().await
    }
}

/// Letters sent ahead of their answers.
const WINDOW: usize = 64;
/// Their size; one largest may exceed it.
const WINDOW_BYTES: usize = 1024 * 1024;
/// A receiver may have to wake up first.
const OPEN_TIME: Duration = Duration::from_secs(20);
const ANSWER_TIME: Duration = Duration::from_secs(if cfg!(test) { 3 } else { 30 });
/// An unused link is closed soon, so that both twins may sleep.
const IDLE_TIME: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 3000 });
const MAX_ROUNDS: u32 = 4;
