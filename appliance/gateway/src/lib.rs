//! The node's network door: accepts connections, learns the wanted name by *peeking*, and hands the
//! untouched socket to the twin of that name.
//!
//! It never reads a byte of a connection, never holds a TLS key or a twin's key, opens no file and
//! keeps no data: killed and started again, it is told all it needs by the executor. In a home's network
//! it answers for the node's names (`lan.rs`).
//!
//! ```text
//!  browser ──TCP──> listener ─ peek ─ name ─┬─ twin awake ── Connection+fd ──> twin
//!                                           ├─ asleep ── Wake ──> executor ── Awake+fd ─┐
//!                                           │      (connection waits, untouched) <──────┘
//!                                           └─ no such name ── Connection+reason ──> node twin
//!  twin A ── Open(id of B) ──> socketpair ── Link+fd ──> twin B
//! ```
//!
//! A hand-over stays in the gateway's hands until the twin says *taken*: when a twin dies before
//! that, the same socket goes to the one that is started in its place.

mod budget;
pub mod lan;
pub mod peek;
mod routes;

use std::net::TcpListener as StdListener;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use handover::{Channel, FromGateway, Place, Rate, Reason, ToGateway};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{LocalSet, spawn_local};

use crate::lan::Lan;
use crate::peek::{Seen, Wanted};
use crate::routes::{Routes, Target};

/// Why the gateway can't go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The channel to the executor broke or said something unreadable.
    #[error("the executor can't be understood")]
    Executor(#[source] handover::Error),
    /// The first header was not a start, or came without a listener.
    #[error("started without a listener")]
    NoListener,
    /// The listener can't be used.
    #[error("the listening socket can't be used")]
    Listener(#[source] std::io::Error),
}

/// Serves until the executor says stop or is gone.
///
/// # Errors
/// When the executor's channel or the listener fails; what waits is lost then, what twins hold is
/// not.
pub async fn run(channel: Channel) -> Result<(), Error> {
    LocalSet::new().run_until(serve(channel)).await
}

async fn serve(channel: Channel) -> Result<(), Error> {
    let start = start(&channel).await?;
    let routes = Routes::new(Rc::new(channel), start.wakes, start.place);
    if !start.lan.is_empty() {
        announce(&routes, start.lan, start.cards);
    }
    let complete = Rc::new(Notify::new());
    let (told, served) = (complete.clone(), routes.clone());
    let accepting = spawn_local(async move {
        told.notified().await;
        served.tell_executor(FromGateway::Ready);
        served.call_names();
        accept(start.listener, served).await;
    });
    let ended = follow_executor(&routes, &complete).await;
    accepting.abort();
    ended
}

struct Start {
    place: Place,
    wakes: Rate,
    listener: TcpListener,
    /// Sockets for names in the home's network, and the cards that are chosen for it.
    lan: Vec<OwnedFd>,
    cards: Vec<String>,
}

async fn start(channel: &Channel) -> Result<Start, Error> {
    let first = channel.recv::<ToGateway>().await.map_err(Error::Executor)?;
    let Some((ToGateway::Start { place, wakes, cards }, descriptors)) = first else {
        return Err(Error::NoListener);
    };
    let mut descriptors = descriptors.into_iter();
    let listener = StdListener::from(descriptors.next().ok_or(Error::NoListener)?);
    listener.set_nonblocking(true).map_err(Error::Listener)?;
    let listener = TcpListener::from_std(listener).map_err(Error::Listener)?;
    Ok(Start { place, wakes, listener, lan: descriptors.collect(), cards })
}

/// Has the node's names announced. Without it the node is reached by its address, so nothing here ends
/// the gateway.
fn announce(routes: &Routes, sockets: Vec<OwnedFd>, cards: Vec<String>) {
    let (place, tell) = (routes.place(), routes.telling());
    match Lan::open(sockets, cards, place, tell) {
        Ok(Some(lan)) => {
            let (news, told) = tokio::sync::mpsc::unbounded_channel();
            routes.announced_by(news);
            spawn_local(lan.run(told));
        }
        Ok(None) => tracing::warn!("too few sockets to announce names in the home's network"),
        Err(error) => tracing::warn!(%error, "names can't be announced in the home's network"),
    }
}

async fn follow_executor(routes: &Routes, complete: &Notify) -> Result<(), Error> {
    let executor = routes.executor();
    while let Some((header, mut descriptors)) = executor.recv().await.map_err(Error::Executor)? {
        match header {
            ToGateway::Start { .. } => tracing::warn!("a second start was ignored"),
            ToGateway::Name { twin, name, id } => routes.name(twin, name, id),
            ToGateway::Forget { twin } => routes.forget(twin),
            ToGateway::Awake { twin, instance } => match descriptors.pop().map(Channel::from_fd) {
                Some(Ok(channel)) => routes.awake(twin, instance, Rc::new(channel)),
                Some(Err(_)) | None => tracing::error!(%twin, "no usable channel to a twin"),
            },
            ToGateway::Failed { twin, reason } => routes.failed(twin, reason),
            ToGateway::Place { place } => routes.move_to(place),
            ToGateway::Here => routes.tell_executor(FromGateway::Here),
            ToGateway::Accept => complete.notify_one(),
            ToGateway::Stop => break,
        }
    }
    routes.say_farewell().await;
    Ok(())
}

async fn accept(listener: TcpListener, routes: Routes) {
    let peeking = Arc::new(Semaphore::new(MAX_PEEKING));
    loop {
        // Waiting here leaves newcomers in the kernel's queue, where they cost nothing.
        let Ok(permit) = peeking.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let routes = routes.clone();
                spawn_local(async move {
                    receive(stream, &routes).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors, most often: wait for some to be closed.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Learns where a connection wants to go, and sends it there untouched.
async fn receive(stream: TcpStream, routes: &Routes) {
    let Ok(peer) = stream.peer_addr() else { return };
    let seen = match tokio::time::timeout(PEEK_WITHIN, peek::look(&stream)).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(error)) => return tracing::debug!(%error, "a connection named nobody"),
        Err(_) => return tracing::debug!("a connection named nobody in time"),
    };
    let local = stream.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let (target, reason) = direct(&seen, local && peer.ip().is_loopback(), routes);
    let Ok(stream) = stream.into_std() else {
        return;
    };
    let tls = matches!(seen, Seen::Tls(_));
    routes.connection(target, OwnedFd::from(stream), peer, tls, reason);
}

/// A person's twin is reached only by a name of its own; all else goes to the node's twin.
fn direct(seen: &Seen, loopback: bool, routes: &Routes) -> (Target, Option<Reason>) {
    let wanted = match seen {
        Seen::Plain(_) if !loopback => return (Target::Node, Some(Reason::PlainHttp)),
        Seen::Plain(host) => Wanted::of(host.as_deref(), "localhost"),
        Seen::Tls(host) => match Wanted::of(host.as_deref(), &routes.place().zone) {
            Wanted::Elsewhere if loopback => Wanted::of(host.as_deref(), "localhost"),
            wanted @ (Wanted::Elsewhere | Wanted::Name(_)) => wanted,
        },
    };
    match wanted {
        Wanted::Name(name) if name == "node" => (Target::Node, None),
        Wanted::Name(name) => match routes.find(&name) {
            Some(twin) => (Target::Twin(twin), None),
            None => (Target::Node, Some(Reason::NotHere)),
        },
        Wanted::Elsewhere => (Target::Node, Some(Reason::NotHere)),
    }
}

/// How long a connection may take to name somebody.
const PEEK_WITHIN: Duration = Duration::from_secs(5);
/// How many connections may be at that stage at once; later ones wait in the kernel's queue.
const MAX_PEEKING: usize = 512;
