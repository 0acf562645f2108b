//! What all requests to one twin share, and what one connection knows about itself.
//!
//! Never decides anything: it only holds what `serve` made and `http` uses.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use handover::{
    Channel, FromTwin, FromTwinExecutor, HandOver, Place, Reason, Refusal, Trouble, TwinProblem,
};
use serde::Serialize;
use store::Door;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_local;

use crate::asks::Asks;
use crate::events::Sockets;
use crate::frames::Frames;
use crate::http::files::Tags;
use crate::http::shelf::Shelf;
use crate::idle::Idle;
use crate::invite::Invites;
use crate::life::Life;
use crate::limits::Limits;
use crate::node::Node;
use crate::passkeys::Passkeys;
use crate::session::Sessions;

/// One twin as browsers see it.
pub(crate) struct Site {
    /// Its name within the zone; changes when it is renamed.
    pub name: RefCell<String>,
    /// How the node is reached.
    pub place: Place,
    /// When it was last used.
    pub idle: Rc<Idle>,
    /// How often somebody may ask.
    pub limits: Limits,
    /// Tags of files.
    pub tags: Tags,
    /// Becomes true when connections shall end.
    pub closing: watch::Sender<bool>,
    /// Whose it is.
    pub kind: Kind,
}

/// Whose twin it is.
#[expect(clippy::large_enum_variant, reason = "a process has one")]
pub(crate) enum Kind {
    /// A person's.
    Person(Person),
    /// The node's own.
    Node(Node),
}

/// What belongs to a person's twin.
pub(crate) struct Person {
    /// Who is signed in.
    pub sessions: Sessions,
    /// What browsers sign in with.
    pub passkeys: Box<Passkeys>,
    /// A further device that is being let in.
    pub invites: Box<Invites>,
    /// Which experiences are open.
    pub frames: Frames,
    /// Which experiences there are.
    pub shelf: Box<Shelf>,
    /// Open event sockets.
    pub sockets: Sockets,
    /// The person's data.
    pub life: Rc<Life>,
    /// To the executor.
    pub executor: Speaker<FromTwinExecutor>,
    /// What the node may unlock.
    pub door: Rc<Door>,
    /// Where all of it lies.
    pub folder: PathBuf,
    /// What the node was told last of what is wrong here.
    pub told: RefCell<Option<Vec<TwinProblem>>>,
    /// Whether a process of this twin used up its memory not long ago.
    pub memory_short: bool,
    /// What was asked about the node, for its owner.
    pub node: BoxAsks,
    /// What only the process as a whole can do.
    pub wishes: mpsc::UnboundedSender<Wish>,
}

/// Questions to the executor that wait for their answers.
#[derive(Default)]
pub(crate) struct BoxAsks {
    pub health: Asks<Result<Vec<Trouble>, Refusal>>,
    pub repairs: Asks<Result<(), Refusal>>,
}

/// What a repair wishes of the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wish {
    /// Serve the next connection with a new certificate.
    NewCertificate,
    /// End, so that the next start can work on the closed data.
    Restart,
}

impl Site {
    /// The host name under which this twin is served, such as `ann.localhost`.
    pub(crate) fn host(&self) -> String {
        self.place.host(&self.name.borrow())
    }

    /// Waits until connections shall end.
    pub(crate) async fn closing(&self) {
        // The sender lives in `self`, so waiting can't fail while somebody waits.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }
}

impl Person {
    /// Whether somebody has a way in under this host name.
    pub(crate) fn paired(&self, host: &str) -> bool {
        self.sessions.any() || self.passkeys.any(host)
    }
}

/// One connection from a browser.
pub(crate) struct Arrival {
    /// How the gateway calls it.
    pub hand_over: HandOver,
    /// The other end, for limits and display only.
    pub peer: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The name in the TLS hello, in lower case.
    pub sni: Option<String>,
    /// On the node twin: why it did not go to a person's twin.
    pub reason: Option<Reason>,
    /// Whether somebody known sent a request over it; shared with the list of connections.
    pub known: Rc<Cell<bool>>,
    /// To the gateway.
    pub gateway: Speaker<FromTwin>,
}

impl Arrival {
    /// Somebody known sent a request: the gateway hears it once.
    pub(crate) fn is_known(&self) {
        if !self.known.replace(true) {
            self.gateway.tell(FromTwin::Known { hand_over: self.hand_over });
        }
    }
}

/// Says headers to another process in order, without making anybody wait.
pub(crate) struct Speaker<T>(mpsc::UnboundedSender<Item<T>>);

enum Item<T> {
    Header(T),
    Switch(Rc<Channel>),
    Flush(oneshot::Sender<()>),
}

impl<T> Clone for Speaker<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Serialize + 'static> Speaker<T> {
    /// Starts the task that says them; it ends when all speakers are dropped.
    pub(crate) fn new(mut channel: Rc<Channel>) -> Self {
        let (sender, mut queue) = mpsc::unbounded_channel();
        spawn_local(async move {
            while let Some(item) = queue.recv().await {
                let sent = match item {
                    Item::Header(header) => channel.send(&header, &[]).await,
                    Item::Switch(new) => {
                        channel = new;
                        Ok(())
                    }
                    Item::Flush(done) => {
                        // Nobody hears it who stopped waiting.
                        let _ = done.send(());
                        Ok(())
                    }
                };
                if let Err(error) = sent {
                    tracing::debug!(error = %crate::chain(&error), "a header was not sent");
                }
            }
        });
        Self(sender)
    }

    /// Says one; nobody hears it when the other process is gone, which its channel tells.
    pub(crate) fn tell(&self, header: T) {
        let _ = self.0.send(Item::Header(header));
    }

    /// The other process was started again and is reached over this channel from now on.
    pub(crate) fn switch(&self, channel: Rc<Channel>) {
        let _ = self.0.send(Item::Switch(channel));
    }

    /// Waits until all that was said before is sent, but not for ever.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let _ = self.0.send(Item::Flush(done));
        let _ = tokio::time::timeout(FLUSH_WITHIN, flushed).await;
    }
}

/// The other process reads at once, or is stuck.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);
