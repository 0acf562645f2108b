//! What is said on one event socket.
//!
//! One task owns the socket: it reads, and writes one message at a time. Each subscription waits
//! in a task of its own until its event fits into the short queue before the socket.

use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use capability::identity::v1 as identity;
use capability::wire::{ClientMessage, SUBSCRIPTIONS_MAX, ServerMessage, True};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};

use super::{Place, read_message};
use crate::frames::Frame;
use crate::http::problem::Trouble;
use crate::life::{Caller, Delta, Subscription};
use crate::limits::Who;
use crate::messages::Language;
use crate::session::Session;
use crate::site::{Kind, Site};

/// One open socket.
pub(super) struct Talk {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    site: Rc<Site>,
    session: Rc<Session>,
    language: Language<'static>,
    running: HashMap<u32, Running>,
    /// Tells a subscription from an earlier one of the same number.
    started: u64,
    sender: mpsc::Sender<Said>,
    queue: mpsc::Receiver<Said>,
}

/// A subscription that runs; dropped, it stops.
struct Running {
    start: u64,
    /// The frame on whose behalf it runs, if it is for an experience.
    frame: Option<Weak<Frame>>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a subscription has to say.
struct Said {
    sub: u32,
    start: u64,
    delta: Delta,
}

/// How a socket ends: a WebSocket close code and a word for programs.
type End = (u16, &'static str);

impl Talk {
    pub(super) fn new(
        socket: WebSocketStream<TokioIo<Upgraded>>,
        site: Rc<Site>,
        session: Rc<Session>,
        language: Language<'static>,
    ) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        Self { socket, site, session, language, running: HashMap::new(), started: 0, sender, queue }
    }

    /// Talks until one side ends it.
    pub(super) async fn run(mut self, place: &Place) {
        let (site, session) = (self.site.clone(), self.session.clone());
        let end = loop {
            let turn = tokio::select! {
                biased;
                () = session.ended() => break SIGNED_OUT,
                () = site.closing() => break STOPPING,
                () = place.taken() => break TOO_MANY,
                Some(said) = self.queue.recv() => self.pass_on(said).await,
                message = self.socket.next() => self.hear(message).await,
            };
            if let Err(end) = turn {
                break end;
            }
        };
        // Nothing more is sent on behalf of the session from here on.
        self.running.clear();
        let (code, reason) = end;
        tracing::debug!(code, reason, "an event socket ended");
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        let farewell = async {
            self.socket.send(Message::Close(Some(frame))).await?;
            // The browser's answer; without it the close code can be lost to a reset.
            while self.socket.next().await.transpose()?.is_some() {}
            Ok::<_, tungstenite::Error>(())
        };
        let _ = tokio::time::timeout(FAREWELL_WITHIN, farewell).await;
    }

    async fn hear(&mut self, message: Option<tungstenite::Result<Message>>) -> Result<(), End> {
        match message {
            Some(Ok(Message::Text(text))) => match read_message(&text) {
                Ok(message) => self.act(message).await,
                Err(trouble) => self.refuse(&text, &trouble).await,
            },
            // The library answers pings itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
                self.refuse("", &Trouble::bad_message()).await
            }
            Some(Ok(Message::Close(_))) | None => Err(BYE),
            Some(Err(tungstenite::Error::Capacity(_))) => Err(TOO_LARGE),
            Some(Err(_)) => Err(BROKEN),
        }
    }

    async fn act(&mut self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::Unsubscribe { sub } => {
                self.running.remove(&sub);
                Ok(())
            }
            ClientMessage::Subscribe { sub, capability, major, topic, at, frame } => {
                let wish = Wish { capability: capability.as_str(), major, topic, at };
                match self.subscribe(sub, wish, frame.as_deref()).await {
                    Ok(()) => Ok(()),
                    Err(trouble) => self.say_problem(sub, &trouble).await,
                }
            }
        }
    }

    async fn subscribe(
        &mut self,
        sub: u32,
        wish: Wish<'_>,
        frame: Option<&str>,
    ) -> Result<(), Trouble> {
        self.running.retain(|_, running| !running.task.is_finished());
        if self.running.contains_key(&sub) {
            return Err(Trouble::sub_in_use());
        }
        if self.running.len() >= SUBSCRIPTIONS_MAX {
            return Err(Trouble::too_many_subscriptions());
        }
        let Kind::Person(person) = &self.site.kind else { return Err(Trouble::not_found()) };
        let session = self.session.id.clone();
        let (caller, who, frame) = match frame {
            None => (Caller::Person { session: session.clone() }, Who::Person(session), None),
            Some(token) => {
                let frame = person.frames.of_token(&session, token);
                let frame = frame.ok_or_else(Trouble::frame_closed)?;
                let name = frame.experience.clone();
                let (who, weak) = (Who::of(&frame), Rc::downgrade(&frame));
                (Caller::Experience { name, session }, who, Some(weak))
            }
        };
        self.site.limits.take(&who, Instant::now()).map_err(Trouble::too_fast)?;
        let Wish { capability, major, topic, at } = wish;
        let (start, sender) = (self.started + 1, self.sender.clone());
        // Who is signed in is no part of a life: the door tells of it itself.
        let task = if (capability, major) == ("identity", 1) {
            if frame.is_some() {
                return Err(Trouble::only_shell());
            }
            let read = serde_json::from_value(topic);
            let identity::Topic {} = read.map_err(|error| Trouble::unread(&error))?;
            spawn_local(follow_devices(person.sessions.watch(), at, sub, start, sender))
        } else {
            let subscription = person.life.subscribe(&caller, capability, major, topic, at)?;
            spawn_local(follow(subscription, sub, start, sender))
        };
        self.started = start;
        self.running.insert(sub, Running { start, frame, task });
        Ok(())
    }

    /// Passes an event on, unless its subscription has ended in between.
    async fn pass_on(&mut self, said: Said) -> Result<(), End> {
        let Said { sub, start, delta } = said;
        let Some(running) = self.running.get(&sub).filter(|running| running.start == start) else {
            return Ok(());
        };
        if running.frame.as_ref().is_some_and(|frame| frame.strong_count() == 0) {
            self.running.remove(&sub);
            return self.say_problem(sub, &Trouble::frame_closed()).await;
        }
        match delta {
            Delta::Event { at, event } => self.say(&ServerMessage::Event { sub, at, event }).await,
            Delta::Resync => {
                self.running.remove(&sub);
                self.say(&ServerMessage::Resync { sub, resync: True }).await
            }
            Delta::Ended(fault) => {
                self.running.remove(&sub);
                self.say_problem(sub, &fault.into()).await
            }
        }
    }

    /// Says what is wrong with a message and ends the socket: its sender is broken.
    async fn refuse(&mut self, text: &str, trouble: &Trouble) -> Result<(), End> {
        let sub = serde_json::from_str::<Value>(text).ok();
        let sub = sub.and_then(|value| u32::try_from(value.get("sub")?.as_u64()?).ok());
        self.say_problem(sub.unwrap_or(0), trouble).await?;
        Err(MALFORMED)
    }

    async fn say_problem(&mut self, sub: u32, trouble: &Trouble) -> Result<(), End> {
        let problem = trouble.document(self.language);
        self.say(&ServerMessage::Problem { sub, problem }).await
    }

    async fn say(&mut self, message: &ServerMessage) -> Result<(), End> {
        let text = serde_json::to_string(message).map_err(|_| BROKEN)?;
        let sent = self.socket.send(Message::text(text));
        match tokio::time::timeout(HEARD_WITHIN, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(BROKEN),
            Err(_) => Err(TOO_SLOW),
        }
    }
}

/// What a browser wants to hear about.
struct Wish<'a> {
    capability: &'a str,
    major: u32,
    topic: Value,
    at: Option<u64>,
}

/// Takes the next event only when the one before has its place in the queue.
async fn follow(mut subscription: Subscription, sub: u32, start: u64, to: mpsc::Sender<Said>) {
    while let Some(delta) = subscription.next().await {
        if to.send(Said { sub, start, delta }).await.is_err() {
            return;
        }
    }
}

/// Tells of every change to who is signed in; who has heard of another state begins anew.
async fn follow_devices(
    mut changes: watch::Receiver<u64>,
    at: Option<u64>,
    sub: u32,
    start: u64,
    to: mpsc::Sender<Said>,
) {
    if at.is_some_and(|at| at != *changes.borrow_and_update()) {
        let _ = to.send(Said { sub, start, delta: Delta::Resync }).await;
        return;
    }
    while changes.changed().await.is_ok() {
        let at = *changes.borrow_and_update();
        let event = serde_json::to_value(identity::Event::Devices).unwrap_or_default();
        if to.send(Said { sub, start, delta: Delta::Event { at, event } }).await.is_err() {
            return;
        }
    }
}

/// Events that wait before the socket; more wait in the journal.
const QUEUE: usize = 16;
/// How long a browser may leave a message unread.
const HEARD_WITHIN: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 30 });
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);

const BYE: End = (1000, "bye");
const BROKEN: End = (1002, "broken");
const TOO_LARGE: End = (1009, "too_large");
const STOPPING: End = (1012, "stopping");
const MALFORMED: End = (4400, "malformed");
const SIGNED_OUT: End = (4401, "signed_out");
const TOO_SLOW: End = (4408, "too_slow");
const TOO_MANY: End = (4409, "too_many");
