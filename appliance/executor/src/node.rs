//! The node's loop: one event at a time, and never a wait for another process.
//!
//! What becomes of the gateway is in `node/gateway.rs`, of the twins in `node/twins.rs`, of workers in
//! `node/workers.rs`.

mod gateway;
mod helped;
mod mirror;
mod twins;
mod updates;
mod workers;

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::time::{Duration, Instant, SystemTime};

use handover::{
    FromGateway, FromTwinExecutor, FromWorker, Number, Place, ToGateway, ToTwinExecutor,
};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{AbortHandle, spawn_local};

pub(crate) use self::workers::Job;
use self::workers::Workers;
use crate::control::{self, Asked};
use crate::groups::Groups;
use crate::health::Remembered;
use crate::lan::Lan;
use crate::process::{End, Process};
use crate::restart::Restart;
use crate::screen::Screens;
use crate::service::{Service, Started};
use crate::verbs::Ask;
use crate::wakes::Wakes;
use crate::walls::{self, Reach};
use crate::welcome::Welcome;
use crate::{Config, DataFolder, Error, Notice, Registry, Uids, doctor};

pub use helped::Quotas;
pub use updates::ask_slots;

/// Everything that can happen to a node.
pub(crate) enum Event {
    Asked(Asked),
    /// The service manager wants to hear that this loop goes round.
    Beat,
    /// Connections have been waiting for the gateway for some time.
    ConnectionsWait,
    /// A time that a sleeping twin asked for has come.
    Due(Number),
    Gateway(FromGateway),
    GatewayEnded(u64, End),
    /// The gateway was asked whether it lives; has it answered?
    GatewaySilent(u64),
    /// Who is to be woken has changed, and is written.
    KeepWakes,
    /// An ending process was given time; is it gone?
    Overdue(Number, u64),
    /// What came of asking the kernel to keep twins within their room.
    Quotas(Quotas),
    StartGateway,
    Stop,
    Twin(u64, FromTwinExecutor),
    TwinEnded(u64, End),
    Worker(u64, FromWorker),
    WorkerEnded(u64, End),
    /// A worker's time is over.
    WorkerLate(u64),
}

/// The node's state; everything in it belongs to the loop.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) folder: DataFolder,
    pub(crate) registry: Registry,
    pub(crate) place: Place,
    pub(crate) gateway: Option<Process<ToGateway>>,
    /// The gateway that was asked whether it lives, and has not answered yet.
    gateway_asked: Option<u64>,
    groups: Option<Groups>,
    pub(crate) twins: BTreeMap<Number, Twin>,
    pub(crate) asks: HashMap<u64, Ask>,
    pub(crate) workers: Workers,
    pub(crate) welcome: Option<Welcome>,
    pub(crate) screens: Screens,
    pub(crate) lan: Lan,
    /// Of the node twin's certificate, once it has run.
    pub(crate) fingerprint: Option<String>,
    pub(crate) remembered: Remembered,
    pub(crate) wakes: Wakes,
    /// They are going to be written.
    wakes_changed: bool,
    /// What this machine and this user give to keep the node's processes apart.
    pub(crate) ground: Vec<doctor::Finding>,
    pub(crate) next: u64,
    notify: Box<dyn Fn(&Notice)>,
    pub(crate) service: Service,
    pub(crate) started: Started,
    pub(crate) quotas: Quotas,
    /// Who has the kernel keep twins within their room, once somebody was asked to.
    asker: Option<UnboundedSender<Vec<Number>>>,
    /// A new system that is just being written.
    update: updates::Going,
    listener: TcpListener,
    events: UnboundedSender<Event>,
    pub(crate) gateway_restart: Restart,
    stopping: bool,
}

/// What is known of one twin, awake or asleep.
#[derive(Default)]
pub(crate) struct Twin {
    pub(crate) process: Option<Process<ToTwinExecutor>>,
    pub(crate) starts: u32,
    /// How often its wall ended it since the node was started.
    pub(crate) walled: u32,
    pub(crate) restart: Restart,
    /// Why it can't open its data, as it said.
    pub(crate) broken: Option<String>,
    /// When so many strangers came that it was not woken for all of them.
    pub(crate) knocked: Option<Instant>,
    /// When a process of it had used up its memory.
    pub(crate) memory_short: Option<Instant>,
    /// Start it again as soon as the process that is ending is gone.
    wanted: bool,
    /// When it wants to be woken, in milliseconds since 1970.
    wake_at_ms: Option<i64>,
    timer: Option<AbortHandle>,
}

/// Runs a node until the shutdown future resolves.
pub(crate) async fn run(
    config: Config,
    folder: DataFolder,
    service: Service,
    notify: Box<dyn Fn(&Notice)>,
    shutdown: impl Future<Output = ()>,
) -> Result<DataFolder, Error> {
    let (events, mut happened) = mpsc::unbounded_channel();
    let mut node = Node::open(config, folder, service, notify, events.clone())?;
    let asked = events.clone();
    let hear = move |ask| drop(asked.send(Event::Asked(ask)));
    control::serve(node.folder.path(), hear.clone())?;
    if let Some(console) = node.service.take_console() {
        let failed = |source| Error::Start { what: "console's socket", source };
        control::serve_console(console, hear).map_err(failed)?;
    }
    node.shut_in()?;
    node.start_gateway()?;
    node.watch_listener().map_err(|source| Error::Start { what: "watch", source })?;
    node.open_doors()?;
    node.keep_within(node.twins.keys().copied().collect());
    node.set_timers();
    node.keep_beating();
    tokio::pin!(shutdown);
    loop {
        let event = tokio::select! {
            () = &mut shutdown => break,
            event = happened.recv() => event.unwrap_or(Event::Stop),
        };
        node.handle(event)?;
        node.look_at_screen();
    }
    node.stop(&mut happened).await;
    Ok(node.folder)
}

impl Node {
    fn open(
        config: Config,
        folder: DataFolder,
        mut service: Service,
        notify: Box<dyn Fn(&Notice)>,
        events: UnboundedSender<Event>,
    ) -> Result<Self, Error> {
        let registry = Registry::open(&folder)?;
        let address = config.listen;
        let started = service.started();
        let given = service.take_listener().map_or_else(|| TcpListener::bind(address), Ok);
        let bound = given.and_then(|listener| {
            // The library lets 128 wait, which a start of all browsers at once exceeds.
            rustix::net::listen(&listener, BACKLOG)?;
            let listen = listener.local_addr()?;
            Ok((listener, listen))
        });
        let (listener, listen) = bound.map_err(|source| Error::Listen { address, source })?;
        // Who is given a listener is given what else it needs: its own would be in an empty network.
        let lan = Lan::open(&folder, &config, listen, started.socket.then(|| service.take_lan()))?;
        let place = Place { zone: lan.zone(&config, listen), listen };
        if lan.is_mute(&place) {
            tracing::warn!("{} can't be announced: hometwin-lan.socket gave nothing", place.zone);
        }
        folder.make_twin(Number::NODE)?;
        let numbers = registry.twins().iter().map(|entry| Number(entry.number));
        let twins = numbers.chain([Number::NODE]).map(|twin| (twin, Twin::default())).collect();
        let mut remembered = Remembered::open(&folder);
        remembered.note_time();
        let numbers = registry.twins().iter().map(|entry| Number(entry.number));
        let wakes = Wakes::open(&folder, numbers);
        let screens = Screens::open(&folder);
        Ok(Self {
            config,
            folder,
            registry,
            remembered,
            wakes,
            wakes_changed: false,
            ground: Vec::new(),
            place,
            gateway: None,
            gateway_asked: None,
            groups: None,
            twins,
            asks: HashMap::new(),
            workers: Workers::default(),
            welcome: None,
            screens,
            lan,
            fingerprint: None,
            next: 0,
            notify,
            service,
            started,
            quotas: Quotas::default(),
            asker: None,
            update: updates::Going::default(),
            listener,
            events,
            gateway_restart: Restart::default(),
            stopping: false,
        })
    }

    /// From here on this process can do only what it needs, and all that it starts even less.
    fn shut_in(&mut self) -> Result<(), Error> {
        self.groups = Groups::prepare().ok();
        let mut read = self.config.experiences.clone();
        read.push(self.config.disk_reports.clone());
        let reach = Reach {
            data: self.folder.path(),
            read: &read,
            groups: self.groups.as_ref().map(Groups::path),
            uids: self.folder.uids().map(Uids::range),
        };
        // Looked at before: from behind the wall the machine can't be seen.
        self.ground = doctor::ground(&self.config, reach.uids.is_some(), reach.groups.is_some());
        walls::enter_executor(&reach).map_err(Error::Walls)?;
        let missing = self.ground.iter().filter(|finding| !finding.holds);
        let missing: Vec<_> = missing.cloned().collect();
        if !missing.is_empty() {
            self.tell(&Notice::Walls { missing });
        }
        Ok(())
    }

    /// A wall ended one of the node's processes.
    fn walled(&self, name: &str) {
        tracing::error!(process = name, "a process tried what its wall forbids and was ended");
        self.tell(&Notice::Walled { name: name.to_owned() });
    }

    /// Says where everybody is.
    pub(crate) fn announce(&mut self) -> Result<(), Error> {
        for entry in self.registry.twins() {
            self.tell(&Notice::Twin {
                name: entry.name.clone(),
                address: self.address(&entry.name),
                fingerprint: entry.fingerprint.clone(),
            });
        }
        Ok(())
    }

    /// Says where everything is, and makes the twins that were asked for at the start.
    fn open_doors(&mut self) -> Result<(), Error> {
        self.tell(&Notice::Listening { address: self.place.listen });
        self.announce()?;
        for name in std::mem::take(&mut self.config.people) {
            if self.registry.find(&name).is_err() {
                self.create(&name)?;
                self.pair_and_tell(&name);
            }
        }
        if self.registry.twins().is_empty() {
            self.new_welcome(false)?;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Asked(asked) => self.asked(asked),
            Event::Beat => self.service.alive(),
            Event::ConnectionsWait => self.ask_gateway(),
            Event::Due(twin) => self.due(twin),
            Event::Gateway(header) => self.hear_gateway(header)?,
            Event::GatewayEnded(instance, end) => self.gateway_ended(instance, end),
            Event::GatewaySilent(instance) => self.gateway_silent(instance),
            Event::KeepWakes => self.keep_wakes(),
            Event::Overdue(twin, instance) => self.overdue(twin, instance),
            Event::Quotas(heard) => self.hear_quotas(heard),
            Event::StartGateway => self.start_gateway()?,
            Event::Stop => {}
            Event::Twin(instance, header) => {
                if let Some(twin) = self.by_instance(instance) {
                    self.hear_twin(twin, header);
                }
            }
            Event::TwinEnded(instance, end) => {
                if let Some(twin) = self.by_instance(instance) {
                    self.twin_ended(twin, end);
                }
            }
            Event::Worker(instance, said) => self.hear_worker(instance, said),
            Event::WorkerEnded(instance, end) => self.worker_ended(instance, end),
            Event::WorkerLate(instance) => self.worker_late(instance),
        }
        Ok(())
    }

    /// The only timer of an idle node, and only under a watchdog. It goes through the loop: what hangs
    /// there is silent.
    fn keep_beating(&self) {
        let Some(every) = self.service.beat() else { return };
        let events = self.events.clone();
        spawn_local(async move {
            while events.send(Event::Beat).is_ok() {
                tokio::time::sleep(every).await;
            }
        });
    }

    fn by_instance(&self, instance: u64) -> Option<Number> {
        let has = |twin: &Twin| twin.process.as_ref().is_some_and(|p| p.instance == instance);
        self.twins.iter().find(|(_, twin)| has(twin)).map(|(number, _)| *number)
    }

    // End

    async fn stop(&mut self, happened: &mut UnboundedReceiver<Event>) {
        self.stopping = true;
        self.service.stopping();
        self.asks.clear();
        self.tell_gateway(ToGateway::Stop, Vec::new());
        for process in self.twins.values().filter_map(|twin| twin.process.as_ref()) {
            process.tell(ToTwinExecutor::Stop, Vec::new());
        }
        let all_gone = async {
            while self.gateway.is_some() || self.twins.values().any(|twin| twin.process.is_some()) {
                let Some(event) = happened.recv().await else {
                    return;
                };
                if let Err(error) = self.handle(event) {
                    tracing::error!(%error, "while stopping");
                }
            }
        };
        if tokio::time::timeout(END_WITHIN, all_gone).await.is_err() {
            tracing::warn!("some processes did not end in time and are ended");
        }
        self.wakes.write_at_end();
        // Dropping a process that still runs kills it.
        let _ = std::fs::remove_file(crate::folder::control_socket(self.folder.path()));
    }

    // Small things

    pub(crate) fn tell(&self, notice: &Notice) {
        (self.notify)(notice);
    }

    pub(crate) fn address(&self, name: &str) -> String {
        format!("{}/", self.place.origin(name))
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// How many connections may wait to be accepted; the system has a limit of its own.
const BACKLOG: i32 = 4096;
/// How long a process may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);
