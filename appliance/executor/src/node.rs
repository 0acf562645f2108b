//! The node's loop: one event at a time, and never a wait for another process.

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime};

use handover::{
    Channel, FromGateway, FromTwinExecutor, Number, Place, Reason, ToGateway, ToTwinExecutor,
};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{AbortHandle, spawn_local};

use crate::control::{self, Asked};
use crate::process::{Ears, Process};
use crate::restart::Restart;
use crate::verbs::Ask;
use crate::welcome::Welcome;
use crate::{Config, DataFolder, Error, Notice, Registry};

/// Everything that can happen to a node.
pub(crate) enum Event {
    Asked(Asked),
    /// A time that a sleeping twin asked for has come.
    Due(Number),
    Gateway(FromGateway),
    GatewayEnded(u64),
    /// An ending process was given time; is it gone?
    Overdue(Number, u64),
    StartGateway,
    Stop,
    Twin(u64, FromTwinExecutor),
    TwinEnded(u64, bool),
}

/// The node's state; everything in it belongs to the loop.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) folder: DataFolder,
    pub(crate) registry: Registry,
    pub(crate) place: Place,
    pub(crate) gateway: Option<Process<ToGateway>>,
    pub(crate) twins: BTreeMap<Number, Twin>,
    pub(crate) asks: HashMap<u64, Ask>,
    pub(crate) welcome: Option<Welcome>,
    pub(crate) next: u64,
    notify: Box<dyn Fn(&Notice)>,
    listener: TcpListener,
    events: UnboundedSender<Event>,
    gateway_restart: Restart,
    stopping: bool,
}

/// What is known of one twin, awake or asleep.
#[derive(Default)]
pub(crate) struct Twin {
    pub(crate) process: Option<Process<ToTwinExecutor>>,
    pub(crate) starts: u32,
    restart: Restart,
    /// It said that it can't open its data.
    broken: bool,
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
    notify: Box<dyn Fn(&Notice)>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (events, mut happened) = mpsc::unbounded_channel();
    let mut node = Node::open(config, folder, notify, events.clone())?;
    let asked = events.clone();
    control::serve(node.folder.path(), move |ask| drop(asked.send(Event::Asked(ask))))?;
    node.start_gateway()?;
    node.announce()?;
    tokio::pin!(shutdown);
    loop {
        let event = tokio::select! {
            () = &mut shutdown => break,
            event = happened.recv() => event.unwrap_or(Event::Stop),
        };
        node.handle(event)?;
    }
    node.stop(&mut happened).await;
    Ok(())
}

impl Node {
    fn open(
        config: Config,
        folder: DataFolder,
        notify: Box<dyn Fn(&Notice)>,
        events: UnboundedSender<Event>,
    ) -> Result<Self, Error> {
        let registry = Registry::open(&folder)?;
        let address = config.listen;
        let bound = TcpListener::bind(address).and_then(|listener| {
            let place = Place { zone: config.zone.clone(), listen: listener.local_addr()? };
            Ok((listener, place))
        });
        let (listener, place) = bound.map_err(|source| Error::Listen { address, source })?;
        folder.make_twin(Number::NODE)?;
        let numbers = registry.twins().iter().map(|entry| Number(entry.number));
        let twins = numbers.chain([Number::NODE]).map(|twin| (twin, Twin::default())).collect();
        Ok(Self {
            config,
            folder,
            registry,
            place,
            gateway: None,
            twins,
            asks: HashMap::new(),
            welcome: None,
            next: 0,
            notify,
            listener,
            events,
            gateway_restart: Restart::default(),
            stopping: false,
        })
    }

    /// Says where everything is, and makes the twins that were asked for at the start.
    fn announce(&mut self) -> Result<(), Error> {
        self.tell(&Notice::Listening { address: self.place.listen });
        for entry in self.registry.twins() {
            self.tell(&Notice::Twin {
                name: entry.name.clone(),
                address: self.address(&entry.name),
                fingerprint: entry.fingerprint.clone(),
            });
        }
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
            Event::Due(twin) => self.wake(twin),
            Event::Gateway(header) => self.hear_gateway(&header),
            Event::GatewayEnded(instance) => self.gateway_ended(instance),
            Event::Overdue(twin, instance) => self.overdue(twin, instance),
            Event::StartGateway => self.start_gateway()?,
            Event::Stop => {}
            Event::Twin(instance, header) => {
                if let Some(twin) = self.by_instance(instance) {
                    self.hear_twin(twin, header)?;
                }
            }
            Event::TwinEnded(instance, clean) => {
                if let Some(twin) = self.by_instance(instance) {
                    self.twin_ended(twin, clean);
                }
            }
        }
        Ok(())
    }

    fn by_instance(&self, instance: u64) -> Option<Number> {
        let has = |twin: &Twin| twin.process.as_ref().is_some_and(|p| p.instance == instance);
        self.twins.iter().find(|(_, twin)| has(twin)).map(|(number, _)| *number)
    }

    // Gateway

    fn start_gateway(&mut self) -> Result<(), Error> {
        if self.stopping || self.gateway.is_some() {
            return Ok(());
        }
        let start_error = |source| Error::Start { what: "gateway", source };
        self.next += 1;
        let ears = Ears {
            heard: |_, header| Event::Gateway(header),
            ended: |instance, _| Event::GatewayEnded(instance),
            events: self.events.clone(),
        };
        let gateway = Process::start(
            &self.folder,
            &["gateway-process"],
            &self.config.environment,
            self.next,
            ears,
        )
        .map_err(start_error)?;
        let listener = self.listener.try_clone().map_err(start_error)?;
        gateway.tell(ToGateway::Start { place: self.place.clone() }, vec![listener.into()]);
        self.gateway = Some(gateway);
        self.name(Number::NODE);
        for twin in self.registry.twins().iter().map(|entry| Number(entry.number)) {
            self.name(twin);
        }
        // Twins that lived through the gateway's end get a channel to the new one.
        for (twin, known) in &self.twins {
            if let (Some(process), Ok((ours, theirs))) = (&known.process, Channel::pair()) {
                process.tell(ToTwinExecutor::Gateway, vec![theirs]);
                self.tell_gateway(ToGateway::Awake { twin: *twin }, vec![ours]);
            }
        }
        Ok(())
    }

    fn gateway_ended(&mut self, instance: u64) {
        let Some(gateway) = self.gateway.take_if(|gateway| gateway.instance == instance) else {
            return;
        };
        if self.stopping {
            return;
        }
        let lived = gateway.since.elapsed();
        let pause = self.gateway_restart.died(lived, Instant::now());
        tracing::warn!(?pause, "the gateway ended and is started again");
        let events = self.events.clone();
        spawn_local(async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            let _ = events.send(Event::StartGateway);
        });
    }

    /// Tells the gateway a twin's name and id.
    pub(crate) fn name(&self, twin: Number) {
        let (name, id) = match self.registry.get(twin) {
            Some(entry) => (entry.name.clone(), entry.id.as_deref().and_then(from_hex)),
            None if twin == Number::NODE => ("node".to_owned(), None),
            None => return,
        };
        self.tell_gateway(ToGateway::Name { twin, name, id }, Vec::new());
    }

    pub(crate) fn tell_gateway(&self, header: ToGateway, descriptors: Vec<OwnedFd>) {
        if let Some(gateway) = &self.gateway {
            gateway.tell(header, descriptors);
        }
    }

    fn hear_gateway(&mut self, header: &FromGateway) {
        match *header {
            FromGateway::Ready => tracing::info!("the gateway is ready"),
            FromGateway::Wake { twin } => self.wake(twin),
            FromGateway::Stuck { twin } => {
                tracing::warn!(%twin, "a twin is stuck and is ended");
                if let Some(process) = self.twins.get_mut(&twin).and_then(|t| t.process.as_mut()) {
                    process.kill();
                }
            }
        }
    }

    // Twins

    /// Starts a twin, or notes that it is wanted while its last process is still ending.
    pub(crate) fn wake(&mut self, twin: Number) {
        let Some(known) = self.twins.get_mut(&twin).filter(|_| !self.stopping) else {
            return;
        };
        if let Some(process) = &known.process {
            known.wanted = true;
            let instance = process.instance;
            return self.give_time(twin, instance);
        }
        if !known.restart.may_start(Instant::now()) {
            return self.refuse(twin);
        }
        if let Err(error) = self.start_twin(twin) {
            tracing::error!(%twin, %error, "a twin can't be started");
            self.refuse(twin);
        }
    }

    fn refuse(&mut self, twin: Number) {
        let broken = self.twins.get(&twin).is_some_and(|known| known.broken);
        let reason = if broken { Reason::Broken } else { Reason::Crashing };
        self.tell_gateway(ToGateway::Failed { twin, reason }, Vec::new());
        self.fail_asks(twin);
    }

    fn start_twin(&mut self, twin: Number) -> std::io::Result<()> {
        self.next += 1;
        let ears =
            Ears { heard: Event::Twin, ended: Event::TwinEnded, events: self.events.clone() };
        let number = twin.to_string();
        let arguments = ["twin-process", number.as_str()];
        let process =
            Process::start(&self.folder, &arguments, &self.config.environment, self.next, ears)?;
        let (ours, theirs) = Channel::pair()?;
        let name = self.registry.get(twin).map_or("node", |entry| entry.name.as_str());
        let sleep_after = self.config.sleep_after.map_or(0, |time| time.as_millis() as u64);
        let start = ToTwinExecutor::Start {
            twin,
            name: name.to_owned(),
            place: self.place.clone(),
            folder: self.folder.twin(twin).to_string_lossy().into_owned(),
            sleep_after_ms: sleep_after,
        };
        process.tell(start, vec![theirs]);
        for ask in self.asks.values().filter(|ask| ask.twin == twin) {
            process.tell(ask.header.clone(), ask.descriptors()?);
        }
        tracing::info!(%twin, pid = process.pid, "twin started");
        self.tell_gateway(ToGateway::Awake { twin }, vec![ours]);
        let known = self.twins.entry(twin).or_default();
        known.starts += 1;
        known.wanted = false;
        if let Some(timer) = known.timer.take() {
            timer.abort();
        }
        known.process = Some(process);
        Ok(())
    }

    fn twin_ended(&mut self, twin: Number, clean: bool) {
        let Some(known) = self.twins.get_mut(&twin) else {
            return;
        };
        let Some(process) = known.process.take() else {
            return;
        };
        let now = Instant::now();
        let mut again = None;
        if clean {
            tracing::info!(%twin, "twin ended");
            known.restart.slept();
        } else if known.broken {
            // What was said about its data is better than "it keeps stopping".
            known.restart.is_broken(now);
        } else {
            // It may have died with letters to deliver, so it comes back without being asked.
            let pause = known.restart.died(now - process.since, now);
            again = known.restart.may_return().then(|| pause.unwrap_or_default());
            if let Some(pause) = pause {
                let name = self.registry.get(twin).map_or("node", |entry| entry.name.as_str());
                let notice = Notice::Crashing { name: name.to_owned(), wait_s: pause.as_secs() };
                self.tell(&notice);
            }
        }
        if self.stopping {
            return;
        }
        if self.finish_removal(twin) {
            return;
        }
        let Some(known) = self.twins.get_mut(&twin) else {
            return;
        };
        let wanted = std::mem::take(&mut known.wanted);
        if !clean {
            self.count_try(twin);
        }
        if wanted || self.asks.values().any(|ask| ask.twin == twin) {
            self.wake(twin);
        } else if let Some(pause) = again.filter(|_| twin != Number::NODE) {
            self.wake_in(twin, pause);
        } else {
            self.set_timer(twin);
        }
    }

    /// A sleeping twin's timer is the executor's: none is set while it is awake.
    fn set_timer(&mut self, twin: Number) {
        let Some(known) = self.twins.get_mut(&twin) else {
            return;
        };
        let Some(at_ms) = known.wake_at_ms.take() else {
            return;
        };
        self.wake_in(twin, Duration::from_millis(u64::try_from(at_ms - now_ms()).unwrap_or(0)));
    }

    fn wake_in(&mut self, twin: Number, wait: Duration) {
        let events = self.events.clone();
        let timer = spawn_local(async move {
            tokio::time::sleep(wait).await;
            let _ = events.send(Event::Due(twin));
        });
        if let Some(known) = self.twins.get_mut(&twin) {
            known.timer = Some(timer.abort_handle());
        }
    }

    fn give_time(&self, twin: Number, instance: u64) {
        let events = self.events.clone();
        spawn_local(async move {
            tokio::time::sleep(END_WITHIN).await;
            let _ = events.send(Event::Overdue(twin, instance));
        });
    }

    fn overdue(&mut self, twin: Number, instance: u64) {
        let Some(known) = self.twins.get_mut(&twin).filter(|known| known.wanted) else {
            return;
        };
        if let Some(process) = known.process.as_mut().filter(|p| p.instance == instance) {
            tracing::warn!(%twin, "a twin did not end in time and is ended");
            process.kill();
        }
    }

    fn hear_twin(&mut self, twin: Number, header: FromTwinExecutor) -> Result<(), Error> {
        match header {
            FromTwinExecutor::Ready { id, fingerprint, .. } => {
                if let Some(known) = self.twins.get_mut(&twin) {
                    known.broken = false;
                }
                let (id, fingerprint) = (id.map(|id| hex(&id)), fingerprint.map(|f| hex(&f)));
                self.learn(twin, id, fingerprint)?;
            }
            FromTwinExecutor::Broken { text } => {
                if let Some(known) = self.twins.get_mut(&twin) {
                    known.broken = true;
                }
                let name = self.registry.get(twin).map_or("node", |entry| entry.name.as_str());
                self.tell(&Notice::Broken { name: name.to_owned(), text });
            }
            FromTwinExecutor::Paired => tracing::info!(%twin, "a device was paired"),
            FromTwinExecutor::WakeAt { time_ms } => {
                if let Some(known) = self.twins.get_mut(&twin) {
                    known.wake_at_ms = time_ms;
                }
            }
            FromTwinExecutor::Claim { request, code, name } => {
                if twin == Number::NODE {
                    self.claim(request, &code, &name)?;
                }
            }
            FromTwinExecutor::Code { request, outcome } => self.code(request, outcome),
            FromTwinExecutor::Verified { request, outcome } => self.verified(request, outcome),
            FromTwinExecutor::Exported { request, outcome } => self.exported(request, outcome),
        }
        Ok(())
    }

    fn learn(
        &mut self,
        twin: Number,
        id: Option<String>,
        fingerprint: Option<String>,
    ) -> Result<(), Error> {
        let before = self.registry.get(twin).cloned();
        self.registry.learn(twin, id, fingerprint)?;
        let Some(entry) = self.registry.get(twin) else {
            return Ok(());
        };
        if before.as_ref().is_some_and(|before| before.fingerprint != entry.fingerprint) {
            self.tell(&Notice::Twin {
                name: entry.name.clone(),
                address: self.address(&entry.name),
                fingerprint: entry.fingerprint.clone(),
            });
        }
        self.name(twin);
        Ok(())
    }

    // End

    async fn stop(&mut self, happened: &mut UnboundedReceiver<Event>) {
        self.stopping = true;
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

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// How long a process may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);
