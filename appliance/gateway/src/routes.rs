//! Who is where: names, twins, and every hand-over that no twin has taken yet.
//!
//! Never waits while it holds the table, never drops a descriptor that a twin was promised.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use handover::{
    Channel, FromGateway, FromTwin, HandOver, Id, Number, Pace, Place, Rate, Reason,
    TAKEN_WITHIN_MS, ToTwin,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_local};

use crate::budget::{Budget, Short};
use crate::lan::News;

/// The routing table; clones share it.
#[derive(Clone)]
pub(crate) struct Routes {
    executor: Rc<Channel>,
    tell: mpsc::UnboundedSender<FromGateway>,
    table: Rc<RefCell<Table>>,
}

/// Where a connection goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// The twin that explains and pairs.
    Node,
    /// A person's twin.
    Twin(Number),
}

struct Table {
    place: Place,
    /// Who announces names in the home's network.
    lan: Option<mpsc::UnboundedSender<News>>,
    /// Every twin was named.
    complete: bool,
    names: HashMap<String, Number>,
    ids: HashMap<Id, Number>,
    twins: HashMap<Number, Twin>,
    budget: Budget,
    /// Connections that woke a twin, until it says that it knows them.
    charged: BTreeMap<HandOver, (Number, Source)>,
    next: u64,
}

/// Who woke a twin.
#[derive(Clone, Copy)]
enum Source {
    Address(SocketAddr),
    Neighbour(Number),
}

#[derive(Default)]
struct Twin {
    state: State,
    /// The last process of it that there was.
    last: u64,
    /// Its channel hasn't ended yet, whatever the executor knows already.
    followed: bool,
    /// The process after it, followed when that has ended.
    next: Option<(u64, Rc<Channel>)>,
    /// Handed over or waiting, and not taken yet.
    untaken: BTreeMap<HandOver, Pending>,
}

#[derive(Default)]
enum State {
    /// No process, nobody waiting for one.
    #[default]
    Asleep,
    /// The executor was asked; what comes waits.
    Waking,
    /// A process with this queue to it.
    Awake(mpsc::UnboundedSender<Outgoing>),
    /// It was told that nothing more comes; what comes waits for its end and a new start.
    Leaving,
}

/// Something for one twin, whole until it is taken.
struct Pending {
    header: Header,
    descriptor: Rc<OwnedFd>,
    watch: Option<AbortHandle>,
}

#[derive(Clone, Copy)]
enum Header {
    Connection { peer: SocketAddr, tls: bool, reason: Option<Reason> },
    Link { from: Number },
}

/// One message in the queue to a twin.
enum Outgoing {
    HandOver(HandOver),
    Answer(ToTwin, Option<OwnedFd>),
}

impl Routes {
    pub(crate) fn new(executor: Rc<Channel>, wakes: Rate, place: Place) -> Self {
        let (tell, mut told) = mpsc::unbounded_channel();
        let channel = executor.clone();
        spawn_local(async move {
            while let Some(header) = told.recv().await {
                if channel.send::<FromGateway>(&header, &[]).await.is_err() {
                    return;
                }
            }
        });
        let table = Rc::new(RefCell::new(Table::new(wakes, place)));
        Self { executor, tell, table }
    }

    pub(crate) fn executor(&self) -> Rc<Channel> {
        self.executor.clone()
    }

    pub(crate) fn tell_executor(&self, header: FromGateway) {
        // The queue ends only with the executor's channel, which ends this process.
        let _ = self.tell.send(header);
    }

    /// For others of this process who tell the executor something.
    pub(crate) fn telling(&self) -> mpsc::UnboundedSender<FromGateway> {
        self.tell.clone()
    }

    /// How the node is reached.
    pub(crate) fn place(&self) -> Place {
        self.table.borrow().place.clone()
    }

    // Names in the home's network

    /// From now on names are announced there.
    pub(crate) fn announced_by(&self, lan: mpsc::UnboundedSender<News>) {
        self.table.borrow_mut().lan = Some(lan);
    }

    /// Has them announced as they are now. Before all are known nothing is: they would be called twice.
    pub(crate) fn call_names(&self) {
        let mut table = self.table.borrow_mut();
        table.complete = true;
        table.call_names();
    }

    /// The node has another zone.
    pub(crate) fn move_to(&self, place: Place) {
        let mut table = self.table.borrow_mut();
        table.place = place.clone();
        if let Some(lan) = &table.lan {
            let _ = lan.send(News::Place(place));
        }
        table.call_names();
    }

    /// Tells the neighbours that the names are free.
    pub(crate) async fn say_farewell(&self) {
        let (done, said) = tokio::sync::oneshot::channel();
        let lan = self.table.borrow_mut().lan.take();
        if lan.is_some_and(|lan| lan.send(News::End(done)).is_ok()) {
            let _ = said.await;
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<Number> {
        self.table.borrow().names.get(name).copied()
    }

    /// Learns a twin's name and id, new or changed.
    pub(crate) fn name(&self, twin: Number, name: String, id: Option<Id>) {
        let mut table = self.table.borrow_mut();
        table.names.retain(|_, named| *named != twin);
        table.names.insert(name, twin);
        if let Some(id) = id {
            table.ids.retain(|_, known| *known != twin);
            table.ids.insert(id, twin);
        }
        table.twins.entry(twin).or_default();
        table.call_names();
    }

    /// Drops a removed twin and all that waits for it.
    pub(crate) fn forget(&self, twin: Number) {
        let mut table = self.table.borrow_mut();
        table.names.retain(|_, named| *named != twin);
        table.ids.retain(|_, known| *known != twin);
        table.twins.remove(&twin);
        table.budget.forget(twin);
        table.call_names();
    }

    /// Sends a peeked connection on its way, waking the twin when the budget allows.
    pub(crate) fn connection(
        &self,
        target: Target,
        socket: OwnedFd,
        peer: SocketAddr,
        tls: bool,
        reason: Option<Reason>,
    ) {
        let mut table = self.table.borrow_mut();
        let (twin, reason) = match target {
            Target::Node => (Number::NODE, reason),
            Target::Twin(twin) if self.may_reach(&mut table, twin, peer) => (twin, None),
            Target::Twin(_) => (Number::NODE, Some(Reason::TooOften)),
        };
        if twin == Number::NODE && !self.may_reach(&mut table, twin, peer) {
            return tracing::debug!("a source over its budget found the node twin asleep");
        }
        let woke = !table.is_awake(twin);
        let header = Header::Connection { peer, tls, reason };
        let Some(hand_over) = self.add(&mut table, twin, header, Rc::new(socket)) else {
            return tracing::warn!(%twin, "too much waits for a twin: a connection was dropped");
        };
        if woke {
            table.charge(hand_over, twin, Source::Address(peer));
        }
    }

    fn may_reach(&self, table: &mut Table, twin: Number, peer: SocketAddr) -> bool {
        if table.is_awake(twin) {
            return true;
        }
        match table.budget.take(peer.ip(), twin, Instant::now()) {
            Ok(()) => true,
            Err(Short::Source | Short::Twin { news: false }) => false,
            Err(Short::Twin { news: true }) => {
                self.tell_executor(FromGateway::TooOften { twin });
                false
            }
        }
    }

    /// The executor started this twin; everything that waits goes to it, as soon as all is heard that the
    /// process before it said. That may be later: they are two channels.
    pub(crate) fn awake(&self, twin: Number, instance: u64, channel: Rc<Channel>) {
        let mut table = self.table.borrow_mut();
        match table.twins.get_mut(&twin) {
            None => tracing::warn!(%twin, "a twin nobody has named is awake"),
            Some(route) if route.followed => route.next = Some((instance, channel)),
            Some(route) => self.follow(twin, route, instance, channel),
        }
    }

    fn follow(&self, twin: Number, route: &mut Twin, instance: u64, channel: Rc<Channel>) {
        let (queue, outgoing) = mpsc::unbounded_channel();
        for hand_over in route.untaken.keys() {
            let _ = queue.send(Outgoing::HandOver(*hand_over));
        }
        route.state = State::Awake(queue);
        (route.last, route.followed) = (instance, true);
        let sending = spawn_local(self.clone().send_to(twin, channel.clone(), outgoing));
        spawn_local(self.clone().listen_to(twin, channel, sending.abort_handle()));
    }

    /// The executor can't start this twin: who waits is told by the node twin.
    pub(crate) fn failed(&self, twin: Number, reason: Reason) {
        let mut table = self.table.borrow_mut();
        let Some(route) = table.twins.get_mut(&twin) else {
            return;
        };
        route.state = State::Asleep;
        let waiting = std::mem::take(&mut route.untaken);
        if twin == Number::NODE {
            return tracing::error!(?reason, "the node twin can't be started");
        }
        for pending in waiting.into_values() {
            // A link's other end learns it from the closed stream, and tries again later.
            if let Header::Connection { peer, tls, .. } = pending.header {
                let header = Header::Connection { peer, tls, reason: Some(reason) };
                self.add(&mut table, Number::NODE, header, pending.descriptor);
            }
        }
    }

    fn add(
        &self,
        table: &mut Table,
        twin: Number,
        header: Header,
        descriptor: Rc<OwnedFd>,
    ) -> Option<HandOver> {
        let hand_over = HandOver(table.next);
        let route = table.twins.entry(twin).or_default();
        if route.untaken.len() >= MAX_UNTAKEN {
            return None;
        }
        table.next += 1;
        route.untaken.insert(hand_over, Pending { header, descriptor, watch: None });
        match &route.state {
            State::Asleep => {
                route.state = State::Waking;
                self.tell_executor(FromGateway::Wake { twin, after: route.last });
            }
            State::Awake(queue) => {
                let _ = queue.send(Outgoing::HandOver(hand_over));
            }
            State::Waking | State::Leaving => {}
        }
        Some(hand_over)
    }

    /// Writes one twin's queue to its channel.
    async fn send_to(
        self,
        twin: Number,
        channel: Rc<Channel>,
        mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
    ) {
        while let Some(message) = outgoing.recv().await {
            let sent = match message {
                Outgoing::HandOver(hand_over) => self.offer(twin, hand_over, &channel).await,
                Outgoing::Answer(header, fd) => {
                    let fds: Vec<_> = fd.iter().map(AsFd::as_fd).collect();
                    channel.send(&header, &fds).await
                }
            };
            if sent.is_err() {
                return; // `listen_to` sees the end and keeps what is untaken.
            }
        }
    }

    async fn offer(
        &self,
        twin: Number,
        hand_over: HandOver,
        channel: &Channel,
    ) -> Result<(), handover::Error> {
        let (header, descriptor) = {
            let mut table = self.table.borrow_mut();
            let route = table.twins.get_mut(&twin);
            let Some(pending) = route.and_then(|route| route.untaken.get_mut(&hand_over)) else {
                return Ok(());
            };
            let watch = spawn_local(self.clone().watch(twin, hand_over));
            pending.watch = Some(watch.abort_handle());
            (pending.header, pending.descriptor.clone())
        };
        let header = match header {
            Header::Connection { peer, tls, reason } => {
                ToTwin::Connection { hand_over, peer, tls, reason }
            }
            Header::Link { from } => ToTwin::Link { hand_over, from },
        };
        channel.send(&header, &[descriptor.as_fd()]).await
    }

    /// Liveness is judged by unanswered hand-overs and by nothing else.
    async fn watch(self, twin: Number, hand_over: HandOver) {
        tokio::time::sleep(Duration::from_millis(TAKEN_WITHIN_MS)).await;
        let table = self.table.borrow();
        if table.twins.get(&twin).is_some_and(|route| route.untaken.contains_key(&hand_over)) {
            tracing::warn!(%twin, "a twin does not take what it is handed");
            self.tell_executor(FromGateway::Stuck { twin });
        }
    }

    /// Follows one twin's channel to its end.
    async fn listen_to(self, twin: Number, channel: Rc<Channel>, sending: AbortHandle) {
        let mut pace = Pace::new(HEADERS_A_SECOND);
        loop {
            pace.keep().await;
            match channel.recv::<FromTwin>().await {
                Ok(Some((header, _))) => self.hear(twin, &header),
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%twin, %error, "a twin can't be understood");
                    break;
                }
            }
        }
        sending.abort();
        self.gone(twin);
    }

    fn hear(&self, twin: Number, header: &FromTwin) {
        let mut table = self.table.borrow_mut();
        match *header {
            FromTwin::Taken { hand_over } => {
                let route = table.twins.get_mut(&twin);
                let taken = route.and_then(|route| route.untaken.remove(&hand_over));
                if let Some(watch) = taken.and_then(|pending| pending.watch) {
                    watch.abort();
                }
            }
            FromTwin::Known { hand_over } => table.known(hand_over, twin),
            FromTwin::Open { request, to } => self.open(&mut table, twin, request, to),
            FromTwin::Sleep => {
                let Some(route) = table.twins.get_mut(&twin) else {
                    return;
                };
                // The queue is in order: "quiet" comes after every hand-over before it.
                if let State::Awake(queue) = std::mem::replace(&mut route.state, State::Leaving) {
                    let _ = queue.send(Outgoing::Answer(ToTwin::Quiet, None));
                }
            }
        }
    }

    /// Connects two twins of this node by a socket pair.
    fn open(&self, table: &mut Table, from: Number, request: u64, to: Id) {
        let answer = match table.ids.get(&to).copied() {
            Some(target) => self.link(table, from, target, request),
            None => refusal(request, Reason::NotHere),
        };
        if let Some(State::Awake(queue)) = table.twins.get(&from).map(|route| &route.state) {
            let _ = queue.send(answer);
        }
    }

    fn link(&self, table: &mut Table, from: Number, target: Number, request: u64) -> Outgoing {
        let wakes = !table.is_awake(target);
        if !table.budget.take_link(from, wakes, Instant::now()) {
            return refusal(request, Reason::TooOften);
        }
        let Ok((ours, theirs)) = stream_pair() else {
            return refusal(request, Reason::TooOften);
        };
        let Some(hand_over) = self.add(table, target, Header::Link { from }, Rc::new(theirs))
        else {
            return refusal(request, Reason::TooOften);
        };
        if wakes {
            table.charge(hand_over, target, Source::Neighbour(from));
        }
        Outgoing::Answer(ToTwin::Opened { request }, Some(ours))
    }

    /// A twin's process ended, as agreed or not: what it did not take waits for the next one.
    fn gone(&self, twin: Number) {
        let mut table = self.table.borrow_mut();
        let Some(route) = table.twins.get_mut(&twin) else {
            return;
        };
        for pending in route.untaken.values_mut() {
            if let Some(watch) = pending.watch.take() {
                watch.abort();
            }
        }
        route.followed = false;
        if let Some((instance, channel)) = route.next.take() {
            self.follow(twin, route, instance, channel);
        } else if route.untaken.is_empty() {
            route.state = State::Asleep;
        } else {
            route.state = State::Waking;
            self.tell_executor(FromGateway::Wake { twin, after: route.last });
        }
    }
}

impl Table {
    fn new(wakes: Rate, place: Place) -> Self {
        Self {
            place,
            lan: None,
            complete: false,
            names: HashMap::new(),
            ids: HashMap::new(),
            twins: HashMap::new(),
            budget: Budget::new(wakes),
            charged: BTreeMap::new(),
            next: 0,
        }
    }

    fn call_names(&self) {
        if let (Some(lan), true) = (&self.lan, self.complete) {
            let twins = self.names.keys().filter(|name| *name != "node");
            let _ = lan.send(News::Names(twins.cloned().collect()));
        }
    }

    /// Whether what comes now needs no start of its own. Who finds a twin on its way out wants a new
    /// one, unless somebody before them does already.
    fn is_awake(&self, twin: Number) -> bool {
        self.twins.get(&twin).is_some_and(|route| match route.state {
            State::Asleep => false,
            State::Leaving => !route.untaken.is_empty(),
            State::Awake(_) | State::Waking => true,
        })
    }

    fn charge(&mut self, hand_over: HandOver, twin: Number, source: Source) {
        self.charged.insert(hand_over, (twin, source));
        if self.charged.len() > MAX_CHARGED {
            self.charged.pop_first();
        }
    }

    fn known(&mut self, hand_over: HandOver, by: Number) {
        if let Some((twin, source)) = self.charged.get(&hand_over).copied()
            && twin == by
        {
            self.charged.remove(&hand_over);
            match source {
                Source::Address(peer) => self.budget.give_back(peer.ip(), twin),
                Source::Neighbour(from) => self.budget.give_link_back(from),
            }
        }
    }
}

fn refusal(request: u64, reason: Reason) -> Outgoing {
    Outgoing::Answer(ToTwin::Refused { request, reason }, None)
}

fn stream_pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// How many headers of one twin are heard in a second: each connection needs one or two.
const HEADERS_A_SECOND: u32 = 2_000;
/// What may wait for one twin, or lie untaken with it.
const MAX_UNTAKEN: usize = 256;
/// How many wake-ups are remembered for the case that they are given back.
const MAX_CHARGED: usize = 1024;
