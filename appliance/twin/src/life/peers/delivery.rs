//! One link to one person: seals what waits, in order, sends a window of it ahead, and takes a
//! letter out of the outbox only against the receiver's proof.

use super::{
    Delivered, Peers, Working, known,
    outbox::{self, Waiting},
    several::Several,
    vault,
    wire::{Broken, Wire},
};
use link::{Frame, Introduction, Receipt, Refusal, Refused, Sealed, SignedPreKey, TwinId, seal};
use std::{collections::VecDeque, future::Future, time::Duration};
use store::Writer;
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
        over: VecDeque::new(),
        lies: 0,
        sent: 0,
        introduced: false,
        rounds: 0,
        progress: false,
        clearing: Several::new(),
        working: Some(working),
    };
    let ended = delivery.until_idle().await;
    // What is still in the outbox when the link is gone would be sent once more.
    let ended = ended.and(delivery.cleared().await);
    delivery.count_lies().await;
    match ended {
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
    /// Answered, or sent anew: a late or a second answer about it is no lie.
    over: VecDeque<Receipt>,
    /// Answers that nobody but a liar in between can have given.
    lies: u64,
    /// The highest number sent since the last start from the beginning.
    sent: u64,
    /// Whether the receiver was told who we are since then.
    introduced: bool,
    /// Starts from the beginning since the last progress.
    rounds: u32,
    progress: bool,
    /// What arrived and is being taken out of the outbox.
    clearing: Several<'static, Result<(), store::Error>>,
    working: Option<Working>,
}

struct Flying {
    counter: u64,
    receipt: Receipt,
    size: usize,
    /// Kept here too: what was taken out of the outbox meanwhile can still arrive.
    about: Option<Vec<u8>>,
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
    #[error("somebody on the way answers for the receiver")]
    Lies,
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
            if idle && self.clearing.is_empty() {
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
                cleared = self.clearing.next() => cleared?,
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
        let Sealed { bytes, receipt } = sealed;
        let size = bytes.len();
        self.flight.push(Flying { counter, receipt, size, about: letter.about });
        self.wire.send(&Frame::Envelope(bytes)).await?;
        Ok(size)
    }

    /// Says whether it answered something that was sent.
    async fn answer(&mut self, frame: Frame) -> Result<bool, Stop> {
        match frame {
            Frame::Committed(proofs) => {
                self.count(proofs.iter(), |receipt, proof| receipt.committed() == *proof)?;
                let proven = |receipt: &Receipt| proofs.contains(&receipt.committed());
                self.arrived(proven, Delivered::Committed).await
            }
            Frame::Held(proofs) => {
                self.count(proofs.iter(), |receipt, proof| receipt.held() == *proof)?;
                let proven = |receipt: &Receipt| proofs.contains(&receipt.held());
                self.arrived(proven, Delivered::Held).await
            }
            Frame::Refused(refused) => {
                let receiver = self.receiver()?;
                let holds = |receipt: &Receipt, refused: &Refused| {
                    refused.holds(receipt, || receiver.chain.check().ok())
                };
                self.count([&refused].into_iter(), holds)?;
                match self.flight.iter().find(|f| holds(&f.receipt, &refused)) {
                    Some(flying) => self.refused(flying.counter, &refused).await.map(|()| true),
                    // Of a round that is over, or a lie.
                    None => Ok(false),
                }
            }
            Frame::Bye if self.flight.is_empty() => Ok(false),
            Frame::Bye => Err(Stop::Closed),
            Frame::Envelope(_) => Err(Stop::Turn),
        }
    }

    /// Counts the answers that prove nothing about anything that was sent here.
    fn count<'p, P: 'p>(
        &mut self,
        answers: impl Iterator<Item = &'p P>,
        proves: impl Fn(&Receipt, &P) -> bool,
    ) -> Result<(), Stop> {
        for answer in answers {
            let mut sent = self.flight.iter().map(|f| &f.receipt).chain(&self.over);
            if !sent.any(|receipt| proves(receipt, answer)) {
                self.lies += 1;
            }
        }
        if self.lies >= MAX_LIES { Err(Stop::Lies) } else { Ok(()) }
    }

    async fn count_lies(&self) {
        let lies = self.lies;
        if lies == 0 {
            return;
        }
        tracing::warn!(to = %self.to, lies, "answers without proof were ignored");
        let count = move |w: &mut Writer<'_>| vault::count(w, vault::UNPROVEN, "answer", lies);
        if let Err(error) = self.peers.0.store.write(count).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "lies not counted");
        }
    }

    async fn arrived(
        &mut self,
        proven: impl Fn(&Receipt) -> bool,
        how: Delivered,
    ) -> Result<bool, Stop> {
        let (done, flight) = std::mem::take(&mut self.flight)
            .into_iter()
            .partition::<Vec<_>, _>(|flying| proven(&flying.receipt));
        self.flight = flight;
        if done.is_empty() {
            return Ok(false);
        }
        self.is_over(done.iter().map(|flying| flying.receipt));
        let (to, now_ms) = (self.to, self.peers.now_ms());
        let apply = self.peers.0.apply.clone();
        // It need not be durable at once: were it lost, the receiver would answer once more.
        self.clearing.push(self.peers.0.store.write_within(CLEAR_WITHIN, move |w| {
            for flying in &done {
                let letter = outbox::clear(w, &to, flying.counter)?;
                let about = letter.and_then(|letter| letter.about);
                if let Some(about) = about.as_ref().or(flying.about.as_ref()) {
                    apply.delivered(w, &to, about, how, now_ms)?;
                }
            }
            Ok::<_, store::Error>(())
        }));
        self.rounds = 0;
        self.progress = true;
        Ok(true)
    }

    /// Waits until the outbox holds nothing that has arrived.
    async fn cleared(&mut self) -> Result<(), Stop> {
        while !self.clearing.is_empty() {
            self.clearing.next().await?;
        }
        Ok(())
    }

    fn is_over(&mut self, receipts: impl IntoIterator<Item = Receipt>) {
        self.over.extend(receipts);
        let beyond = self.over.len().saturating_sub(MAX_OVER);
        self.over.drain(..beyond);
    }

    async fn refused(&mut self, counter: u64, refused: &Refused) -> Result<(), Stop> {
        let reason = refused.reason();
        match reason {
            Refusal::Gap => {}
            Refusal::Full => return Err(reason.into()),
            Refusal::UnknownPreKey => self.learn(refused.pre_key().ok_or(reason)?).await?,
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
        self.cleared().await?;
        let flight = std::mem::take(&mut self.flight);
        self.is_over(flight.into_iter().map(|flying| flying.receipt));
        self.sent = 0;
        self.introduced = false;
        Ok(())
    }

    /// The receiver, as they are known.
    fn receiver(&self) -> Result<Introduction, Stop> {
        let to = self.to;
        self.peers.0.store.read(|r| known::load(r, &to))?.ok_or(Stop::Stranger)
    }

    /// Takes the pre-key that a receiver names, when it is one of theirs and a new one.
    async fn learn(&self, pre_key: SignedPreKey) -> Result<(), Stop> {
        let (to, known) = (self.to, self.receiver()?);
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
            vault::count(w, vault::RETURNED, reason.code(), 1)?;
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
/// How long what arrived may stay in the outbox, to share the commit of the next write. The person
/// sees so much later that it did.
const CLEAR_WITHIN: Duration = Duration::from_millis(250);
const MAX_ROUNDS: u32 = 4;
/// Enough for the answers of all rounds that may be on their way.
const MAX_OVER: usize = MAX_ROUNDS as usize * WINDOW;
/// A link on which somebody lies so often is given up.
const MAX_LIES: u64 = 64;
