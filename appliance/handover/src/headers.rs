//! What the processes of a node say to each other; one enum per direction.
//!
//! Nothing here does I/O. `+fd` in a comment says which descriptors travel with the header.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::health::{Sample, Trouble, TwinProblem};
use crate::{Place, Rate};

/// A twin's number on this node: it never changes, whatever the twin is called. 0 is the node twin.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Number(pub u32);

impl Number {
    /// The node's own twin.
    pub const NODE: Self = Self(0);
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A twin id as bytes (BLAKE3 of its genesis operation). The `link` crate has the full type.
pub type Id = [u8; 32];

/// Executor to gateway.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum ToGateway {
    /// First header: how the node is reached. +fd the listening socket; those for names in the home's
    /// network, where it announces any.
    Start {
        /// Zone and address.
        place: Place,
        /// How often a source may wake twins, and how often a twin may be woken, by strangers.
        wakes: Rate,
        /// The network cards on which names are announced; none: on all.
        cards: Vec<String>,
    },
    /// The node has another zone: every name is another one.
    Place {
        /// Zone and address.
        place: Place,
    },
    /// A twin can be reached under this name from now on (also sent after a rename).
    Name {
        /// The twin.
        twin: Number,
        /// Its name within the zone.
        name: String,
        /// Its twin id, once it has told it.
        id: Option<Id>,
    },
    /// This twin is gone for good.
    Forget {
        /// The twin.
        twin: Number,
    },
    /// The twin runs. +fd the gateway's end of a channel to it ([`ToTwin`] / [`FromTwin`]).
    Awake {
        /// The twin.
        twin: Number,
        /// Which of its processes; larger than all before.
        instance: u64,
    },
    /// The twin can't be started now; what waits for it goes to the node twin with this reason.
    Failed {
        /// The twin.
        twin: Number,
        /// Why.
        reason: Reason,
    },
    /// Connections have been waiting for some time: answer [`FromGateway::Here`].
    Here,
    /// Stop accepting and exit.
    Stop,
    /// Every twin was named, and every one that runs was told: accept connections, answer
    /// [`FromGateway::Ready`]. Before, somebody would be told that no twin is where one is.
    Accept,
}

/// Gateway to executor.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum FromGateway {
    /// The answer to [`ToGateway::Here`].
    Here,
    /// Under these addresses the home's network reaches the node, [`ADDRESSES_MAX`] at most.
    Addresses {
        /// The best first.
        addresses: Vec<IpAddr>,
    },
    /// Another machine in the home's network has a name of this zone: it needs another one.
    NameTaken {
        /// The zone that can't be had.
        zone: String,
    },
    /// Names are loaded, the listener is being accepted from.
    Ready,
    /// Somebody wants this twin and there is no channel to it.
    Wake {
        /// The twin.
        twin: Number,
        /// Its last process that the gateway was told of: a later one is on its way already.
        after: u64,
    },
    /// So many strangers woke this twin that the next have to wait. Said once a minute at most.
    TooOften {
        /// The twin.
        twin: Number,
    },
    /// The twin left a hand-over unanswered for [`TAKEN_WITHIN_MS`].
    Stuck {
        /// The twin.
        twin: Number,
    },
}

/// How many addresses are told.
pub const ADDRESSES_MAX: usize = 8;

/// How long a twin may leave a hand-over unanswered before it is called stuck.
pub const TAKEN_WITHIN_MS: u64 = 10_000;

/// Names one hand-over between the gateway and one twin; unique while the gateway lives.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct HandOver(pub u64);

/// Gateway to twin.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum ToTwin {
    /// A browser's connection of which nothing was read yet. +fd the TCP socket.
    Connection {
        /// Answer with [`FromTwin::Taken`].
        hand_over: HandOver,
        /// The other end's address.
        peer: SocketAddr,
        /// Whether its first bytes are a TLS ClientHello.
        tls: bool,
        /// Set only for the node twin: why the connection came to it and not to a person's twin.
        reason: Option<Reason>,
    },
    /// Another twin wants to talk. +fd a connected Unix stream socket.
    Link {
        /// Answer with [`FromTwin::Taken`].
        hand_over: HandOver,
        /// The twin that opened it: whose share of the places for strangers it uses. Who speaks
        /// on it is proven inside and nowhere else.
        from: Number,
    },
    /// The answer to [`FromTwin::Open`]. +fd a connected Unix stream socket.
    Opened {
        /// The number given in the request.
        request: u64,
    },
    /// The other answer to [`FromTwin::Open`].
    Refused {
        /// The number given in the request.
        request: u64,
        /// Why.
        reason: Reason,
    },
    /// The answer to [`FromTwin::Sleep`]: nothing more comes over this channel.
    Quiet,
}

/// Twin to gateway.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum FromTwin {
    /// The twin has this connection in hand: the gateway closes its copy of the descriptor.
    Taken {
        /// Which.
        hand_over: HandOver,
    },
    /// What came over this hand-over proved to be from a person or twin that is known:
    /// it does not count against the wake budget of its source.
    Known {
        /// Which.
        hand_over: HandOver,
    },
    /// Connect to another twin.
    Open {
        /// Chosen by the twin, repeated in the answer.
        request: u64,
        /// The twin to be reached.
        to: Id,
    },
    /// Nothing to do: stop routing, answer [`ToTwin::Quiet`] after the last hand-over.
    Sleep,
}

/// Why a connection or a link does not reach the twin that was asked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Reason {
    /// The twin can't open its data; somebody has to look at it.
    Broken,
    /// The twin stops again and again; the executor waits before it tries again.
    Crashing,
    /// No twin of this node has this name or id, or no name was given at all.
    NotHere,
    /// Plain HTTP where only TLS is spoken.
    PlainHttp,
    /// Too many wake-ups from this source or for this name in a short time.
    TooOften,
    /// The node is stopping.
    Stopping,
}

/// What one twin may use of what it counts itself. The kernel counts the rest.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Share {
    /// Bytes on the disk; `None`: what there is.
    pub disk: Option<u64>,
    /// Browsers' connections at a time.
    pub connections: u32,
    /// Requests of one browser's person; of their experiences together, and of strangers.
    pub requests: Rate,
}

impl Default for Share {
    fn default() -> Self {
        // Texts of a life take some hundred MiB; what one twin takes is missing for all others. A
        // household's browsers need a few dozen connections, and a page some fifty files at once.
        let requests = Rate { at_once: 1_000, per_minute: 12_000 };
        Self { disk: Some(10 << 30), connections: 256, requests }
    }
}

/// Executor to twin.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum ToTwinExecutor {
    /// First header. +fd the twin's end of its channel to the gateway.
    Start {
        /// Who it is on this node.
        twin: Number,
        /// Its name; `node` for the node twin.
        name: String,
        /// How the node is reached.
        place: Place,
        /// The twin's folder, as it is seen by the process itself: behind its wall it may have no
        /// other name than `.`. Its `door` and `life` are inside. Made by the executor.
        folder: String,
        /// After how many idle milliseconds to ask for sleep; 0: never.
        sleep_after_ms: u64,
        /// What it may use.
        share: Share,
        /// One of its processes used up its memory not long ago.
        memory_short: bool,
    },
    /// The gateway was started again: talk to this one from now on. Connections taken before go
    /// on. +fd the twin's end of a new channel to it.
    Gateway,
    /// The twin was renamed; sessions go on, addresses change.
    Renamed {
        /// The new name.
        name: String,
    },
    /// Make a one-time pairing code; refused once a device is paired.
    Pair {
        /// Repeated in the answer.
        request: u64,
    },
    /// Replay the journal and compare.
    Verify {
        /// Repeated in the answer.
        request: u64,
    },
    /// Write everything in plain text. +fd the file to write to.
    Export {
        /// Repeated in the answer.
        request: u64,
    },
    /// Do this with the package of an experience. +fd the package, open to read and to write.
    Experience {
        /// Repeated in the answer.
        request: u64,
        /// What.
        act: PackageAct,
    },
    /// Node twin only: the answer to [`FromTwinExecutor::Claim`].
    Claimed {
        /// The number given in the request.
        request: u64,
        /// The address to open next (a pairing address of the new twin), or a refusal's code.
        outcome: Result<String, Refusal>,
    },
    /// Finish what was taken and exit.
    Stop,
    /// The answer to [`FromTwinExecutor::NodeHealth`].
    NodeHealth {
        /// The number given in the request.
        request: u64,
        /// The most pressing first, as many as [`fitting`](crate::fitting) leaves.
        outcome: Result<Vec<Trouble>, Refusal>,
    },
    /// The answer to [`FromTwinExecutor::NodeRepair`].
    NodeRepaired {
        /// The number given in the request.
        request: u64,
        /// Whether it was done.
        outcome: Result<(), Refusal>,
    },
    /// Node twin only: the answer to [`FromTwinExecutor::Scrape`].
    Scraped {
        /// The number given in the request.
        request: u64,
        /// What is counted.
        outcome: Result<Vec<Sample>, Refusal>,
    },
}

/// What is done with the package of an experience.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageAct {
    /// It is installed.
    Install,
    /// It gets the twin's signature.
    Sign,
    /// It is shown until the twin's process ends, without a signature and instead of what is
    /// installed. Only on a node that was started for that, whose data are thrown away.
    Try,
}

/// Twin to executor.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum FromTwinExecutor {
    /// Open for work.
    Ready {
        /// The twin's id; `None` for the node twin.
        id: Option<Id>,
        /// SHA-256 of its TLS certificate (DER); `None` where only plain HTTP is served.
        fingerprint: Option<[u8; 32]>,
        /// Whether a device is paired.
        paired: bool,
    },
    /// The twin can't open its data and exits after this; the text is for the operator.
    Broken {
        /// What happened and what to do.
        text: String,
    },
    /// A device was paired.
    Paired,
    /// The answer to [`ToTwinExecutor::Pair`].
    Code {
        /// The number given in the request.
        request: u64,
        /// The code, or a refusal's code.
        outcome: Result<String, Refusal>,
    },
    /// The answer to [`ToTwinExecutor::Verify`].
    Verified {
        /// The number given in the request.
        request: u64,
        /// Entries replayed, or what differs.
        outcome: Result<u64, String>,
    },
    /// The answer to [`ToTwinExecutor::Export`].
    Exported {
        /// The number given in the request.
        request: u64,
        /// Lines written, or what went wrong.
        outcome: Result<u64, String>,
    },
    /// The answer to [`ToTwinExecutor::Experience`].
    Experience {
        /// The number given in the request.
        request: u64,
        /// Its name and version; or the code of why it was not done, and a line `name=value` for each
        /// thing that fills its sentences.
        outcome: Result<String, String>,
    },
    /// Wake this twin at that time even if nobody comes (milliseconds since 1970); replaces the
    /// one said before.
    WakeAt {
        /// `None` cancels.
        time_ms: Option<i64>,
    },
    /// Node twin only: a newcomer typed a name, and the one-time code of the console.
    Claim {
        /// Repeated in the answer.
        request: u64,
        /// The code from the address's fragment.
        code: String,
        /// The wished name.
        name: String,
    },
    /// What the twin has found to be wrong with itself; replaces what it said before.
    Health {
        /// Kinds only.
        problems: Vec<TwinProblem>,
    },
    /// An owner's twin only: how is the node?
    NodeHealth {
        /// Repeated in the answer.
        request: u64,
    },
    /// An owner's twin only: do what was offered for a problem of the node.
    NodeRepair {
        /// Repeated in the answer.
        request: u64,
        /// The problem's name.
        problem: String,
        /// Which of several.
        about: String,
        /// What was offered.
        repair: String,
    },
    /// Node twin only: somebody asks for the metrics.
    Scrape {
        /// Repeated in the answer.
        request: u64,
        /// The hash of the token that they showed.
        token: [u8; 32],
    },
}

/// Why the executor or a twin says no to a verb; each has a sentence in the message files.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Refusal {
    /// The twin has a device already; further ones are paired from it.
    AlreadyPaired,
    /// The twin stops again and again.
    Crashing,
    /// Something failed inside; the log says what.
    Failed,
    /// Not a name: 1 to 32 of a-z, 0-9 and `-`, not at either end.
    NameForm,
    /// Not a name for a node: 1 to 27 of a-z, 0-9 and `-`, not at either end.
    NodeNameForm,
    /// `node www open lan relay` are reserved.
    NameReserved,
    /// Another twin has it.
    NameTaken,
    /// No twin has this name.
    NameUnknown,
    /// The code is wrong, used, or older than two minutes.
    WrongCode,
    /// Only an owner of the node may.
    NotOwner,
    /// The problem is gone, or this was not offered for it.
    NotOffered,
}
