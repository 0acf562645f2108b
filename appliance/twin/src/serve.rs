//! The life of a twin's process: start, taking what the gateway hands over, sleep, stop.
//!
//! Never reads a connection itself and never decides who may do what.

mod connections;
mod opens;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use handover::{
    Channel, FromTwin, FromTwinExecutor, HandOver, Number, PackageAct, Refusal, Share, ToTwin,
    ToTwinExecutor,
};
use store::Door;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;

use self::connections::Connections;
use self::opens::Opens;
use crate::frames::Frames;
use crate::http::shelf::{self, Shelf};
use crate::idle::Idle;
use crate::life::{Fault, Life, packages};
use crate::limits::Limits;
use crate::node::Node;
use crate::passkeys::Passkeys;
use crate::session::Sessions;
use crate::site::{Kind, Person, Site, Speaker, Wish};
use crate::{Error, chain, health, room};

/// Runs one twin; needs a `LocalSet`.
pub(crate) async fn run(channel: Channel) -> Result<(), Error> {
    let start = Start::receive(&channel).await?;
    let channel = Rc::new(channel);
    let executor = Speaker::new(channel.clone());
    let gateway = Channel::from_fd(start.gateway).map_err(Error::Gateway)?;
    let gateway = Rc::new(gateway);
    let (new_gateway, gateways) = mpsc::unbounded_channel();
    let to_gateway = Speaker::new(gateway.clone());

    let opened = open(start.about, executor.clone(), to_gateway.clone(), new_gateway);
    let served = match opened.await {
        Ok(served) => served,
        Err((name, why)) => {
            executor.tell(FromTwinExecutor::Broken { text: why.clone() });
            executor.flush().await;
            return Err(Error::Broken { name, why });
        }
    };
    let ended = served.until_end(&channel, gateway, gateways).await;
    served.finish().await;
    executor.flush().await;
    to_gateway.flush().await;
    ended
}

/// What the executor said first.
struct Start {
    gateway: OwnedFd,
    about: About,
}

struct About {
    twin: Number,
    name: String,
    place: handover::Place,
    folder: String,
    sleep_after: Option<Duration>,
    share: Share,
    memory_short: bool,
}

impl Start {
    async fn receive(channel: &Channel) -> Result<Self, Error> {
        let first = channel.recv::<ToTwinExecutor>().await.map_err(Error::Executor)?;
        let Some((header, mut descriptors)) = first else { return Err(Error::NoStart) };
        let ToTwinExecutor::Start {
            twin,
            name,
            place,
            folder,
            sleep_after_ms,
            share,
            memory_short,
        } = header
        else {
            return Err(Error::NoStart);
        };
        let gateway = descriptors.pop().ok_or(Error::NoStart)?;
        let sleep_after = (sleep_after_ms > 0).then(|| Duration::from_millis(sleep_after_ms));
        let about = About { twin, name, place, folder, sleep_after, share, memory_short };
        Ok(Self { gateway, about })
    }
}

/// A twin that is open for work.
struct Served {
    site: Rc<Site>,
    sleep_after: Option<Duration>,
    /// Set once sleep was asked for.
    sleepy: Cell<bool>,
    connections: Connections,
    opens: Rc<Opens>,
    executor: Speaker<FromTwinExecutor>,
    gateway: Speaker<FromTwin>,
    new_gateway: mpsc::UnboundedSender<Rc<Channel>>,
    wishes: RefCell<mpsc::UnboundedReceiver<Wish>>,
}

type Unopened = (String, String);
type Gateways = mpsc::UnboundedReceiver<Rc<Channel>>;

async fn open(
    about: About,
    executor: Speaker<FromTwinExecutor>,
    gateway: Speaker<FromTwin>,
    new_gateway: mpsc::UnboundedSender<Rc<Channel>>,
) -> Result<Served, Unopened> {
    let About { twin, name, place, folder, sleep_after, share, memory_short } = about;
    let broken = |what: &str, error: &dyn std::error::Error| {
        (name.clone(), format!("{what} can't be opened: {}", chain(error)))
    };
    let folder_path = Path::new(&folder);
    let door = Door::open(&folder_path.join("door")).map_err(|error| broken("door", &error))?;
    let door = Rc::new(door);
    let (wish, wishes) = mpsc::unbounded_channel();
    let (kind, id, paired) = if twin == Number::NODE {
        (Kind::Node(Node::new(executor.clone())), None, false)
    } else {
        let sessions = Sessions::open(door.clone()).map_err(|error| broken("sessions", &error))?;
        let passkeys = Passkeys::open(door.clone()).map_err(|error| broken("passkeys", &error))?;
        let frames =
            Frames::open(door.clone(), &sessions).map_err(|error| broken("frames", &error))?;
        let quota = room::for_life(share.disk, folder_path);
        let life = Life::open(&folder_path.join("life"), &name, place.clone(), quota)
            .await
            .map_err(|error| broken("life", &error))?;
        let paired = sessions.any() || passkeys.any(&place.host(&name));
        let id = *life.id().as_bytes();
        let life = Rc::new(life);
        let shelf = Box::new(Shelf::open(&folder_path.join("experiences")));
        // What differs is not written, also not by us.
        if life.watch_stopped().borrow().is_none() {
            shelf::install_own(&life).await;
        }
        let sockets = crate::events::Sockets::default();
        let person = Person {
            sessions,
            passkeys: Box::new(passkeys),
            invites: Default::default(),
            frames,
            shelf,
            sockets,
            life,
            executor: executor.clone(),
            door: door.clone(),
            folder: folder_path.to_owned(),
            told: RefCell::default(),
            memory_short,
            node: Default::default(),
            wishes: wish,
        };
        (Kind::Person(person), Some(id), paired)
    };
    let site = Rc::new(Site {
        name: RefCell::new(name.clone()),
        place,
        idle: Idle::new(sleep_after.unwrap_or_default()),
        limits: Limits::new(share.requests),
        tags: Default::default(),
        closing: watch::Sender::new(false),
        kind,
    });
    let connections = Connections::new(site.clone(), door, gateway.clone(), share.connections);
    // Everywhere but on loopback the first connection needs it, and the executor prints it.
    let fingerprint = if site.place.tls() {
        let certificate = connections.certificate();
        Some(certificate.map_err(|error| broken("certificate", &error))?.fingerprint)
    } else {
        None
    };
    executor.tell(FromTwinExecutor::Ready { id, fingerprint, paired });
    let opens = Rc::new(Opens::new(gateway.clone()));
    let sleepy = Cell::new(false);
    let wishes = RefCell::new(wishes);
    Ok(Served {
        site,
        sleep_after,
        sleepy,
        connections,
        opens,
        executor,
        gateway,
        new_gateway,
        wishes,
    })
}

impl Served {
    /// Serves until there is a reason to end.
    async fn until_end(
        &self,
        executor: &Channel,
        gateway: Rc<Channel>,
        gateways: Gateways,
    ) -> Result<(), Error> {
        tokio::select! {
            ended = self.follow_executor(executor) => ended,
            () = self.follow_gateways(gateway, gateways) => Ok(()),
            () = self.ask_for_sleep() => Ok(()),
            () = self.pump() => Ok(()),
            () = self.follow_health() => Ok(()),
            () = self.follow_wishes() => Ok(()),
        }
    }

    async fn follow_executor(&self, executor: &Channel) -> Result<(), Error> {
        while let Some((header, mut descriptors)) =
            executor.recv().await.map_err(Error::Executor)?
        {
            match header {
                ToTwinExecutor::Start { .. } => tracing::warn!("a second start was ignored"),
                ToTwinExecutor::Gateway => self.meet_gateway(descriptors.pop()),
                ToTwinExecutor::Renamed { name } => self.rename(name),
                ToTwinExecutor::Pair { request } => self.make_code(request),
                ToTwinExecutor::Verify { request } => self.verify(request),
                ToTwinExecutor::Export { request } => self.export(request, descriptors.pop()),
                ToTwinExecutor::Experience { request, act } => {
                    self.package(request, act, descriptors.pop());
                }
                ToTwinExecutor::Claimed { request, outcome } => match &self.site.kind {
                    Kind::Node(node) => node.claimed(request, outcome),
                    Kind::Person(_) => tracing::warn!("an answer for the node twin was ignored"),
                },
                ToTwinExecutor::NodeHealth { request, outcome } => match &self.site.kind {
                    Kind::Person(person) => person.node.health.answer(request, outcome),
                    Kind::Node(_) => tracing::warn!("an answer for a person's twin was ignored"),
                },
                ToTwinExecutor::NodeRepaired { request, outcome } => match &self.site.kind {
                    Kind::Person(person) => person.node.repairs.answer(request, outcome),
                    Kind::Node(_) => tracing::warn!("an answer for a person's twin was ignored"),
                },
                ToTwinExecutor::Scraped { request, outcome } => match &self.site.kind {
                    Kind::Node(node) => node.scraped(request, outcome),
                    Kind::Person(_) => tracing::warn!("an answer for the node twin was ignored"),
                },
                ToTwinExecutor::Stop => return Ok(()),
            }
        }
        Ok(())
    }

    /// Follows one gateway after the other; returns when one says that nothing more comes.
    async fn follow_gateways(&self, mut gateway: Rc<Channel>, mut more: Gateways) {
        loop {
            let next = tokio::select! {
                biased;
                next = more.recv() => next,
                quiet = self.follow_gateway(&gateway) => {
                    if quiet {
                        return;
                    }
                    // What was taken goes on; the executor brings the next gateway.
                    self.opens.none_will_come();
                    more.recv().await
                }
            };
            // The sender lives in `self`, so there is always a next one to wait for.
            let Some(next) = next else { return };
            gateway = next;
            self.opens.none_will_come();
            self.gateway.switch(gateway.clone());
            if self.sleepy.get() {
                self.gateway.tell(FromTwin::Sleep);
            }
        }
    }

    fn meet_gateway(&self, descriptor: Option<OwnedFd>) {
        match descriptor.map(Channel::from_fd) {
            // Its receiver lives as long as this twin serves.
            Some(Ok(channel)) => drop(self.new_gateway.send(Rc::new(channel))),
            Some(Err(_)) | None => tracing::error!("no usable channel to the new gateway"),
        }
    }

    /// Takes what a gateway hands over, until it says that nothing more comes (`true`) or is gone.
    async fn follow_gateway(&self, gateway: &Channel) -> bool {
        loop {
            let (header, mut descriptors) = match gateway.recv::<ToTwin>().await {
                Ok(Some(received)) => received,
                Ok(None) => {
                    tracing::info!("the gateway is gone");
                    return false;
                }
                Err(error) => {
                    tracing::error!(error = %chain(&error), "the gateway can't be understood");
                    return false;
                }
            };
            match header {
                ToTwin::Connection { hand_over, peer, tls, reason } => {
                    self.connections.take(hand_over, descriptors.pop(), peer, tls, reason);
                    self.gateway.tell(FromTwin::Taken { hand_over });
                }
                ToTwin::Link { hand_over, from } => {
                    self.take_link(hand_over, from, descriptors.pop());
                }
                ToTwin::Opened { request } => self.opens.opened(request, descriptors.pop()),
                ToTwin::Refused { request, reason } => self.opens.refused(request, reason),
                ToTwin::Quiet if self.sleepy.get() => return true,
                ToTwin::Quiet => tracing::warn!("a quiet that nobody asked for was ignored"),
            }
        }
    }

    /// Asks for sleep after the idle time; the gateway's answer ends the serving.
    async fn ask_for_sleep(&self) {
        let busy = || match &self.site.kind {
            // Codes live in memory, so the twin stays awake as long as one waits.
            Kind::Person(person) => {
                let busy = || person.life.busy().then_some(BUSY_AGAIN);
                person.sessions.code_waits().or_else(|| person.invites.waits()).or_else(busy)
            }
            Kind::Node(_) => None,
        };
        match self.sleep_after {
            Some(_) => self.site.idle.over(busy).await,
            None => self.site.idle.left().await,
        }
        tracing::debug!("idle: asking for sleep");
        self.say_when_due();
        self.sleepy.set(true);
        self.gateway.tell(FromTwin::Sleep);
        std::future::pending().await
    }

    /// Looks at the start, whenever writing stops or goes on, when room gets short and when too much
    /// was asked.
    async fn follow_health(&self) {
        if let Kind::Person(person) = &self.site.kind {
            let (mut stopped, mut room) = (person.life.watch_stopped(), person.life.watch_room());
            let mut asked = self.site.limits.watch();
            loop {
                health::look_and_tell(&self.site, person);
                let changed = tokio::select! {
                    changed = stopped.changed() => changed,
                    changed = room.changed() => changed,
                    changed = asked.changed() => changed,
                };
                if changed.is_err() {
                    break;
                }
            }
        }
        std::future::pending().await
    }

    /// Does what repairs wish of the process.
    async fn follow_wishes(&self) {
        loop {
            let wish = std::future::poll_fn(|context| self.wishes.borrow_mut().poll_recv(context));
            match wish.await {
                Some(Wish::NewCertificate) => {
                    self.connections.forget_certificate();
                    self.tell_certificate();
                }
                Some(Wish::Restart) => self.site.idle.leave(),
                None => return std::future::pending().await,
            }
        }
    }

    /// Delivers to other twins for ever.
    async fn pump(&self) {
        if let Kind::Person(person) = &self.site.kind {
            let opens = self.opens.clone();
            let open = move |to: link::TwinId| {
                let opens = opens.clone();
                async move { opens.open(*to.as_bytes()).await }
            };
            person.life.pump(open).await;
        }
        std::future::pending().await
    }

    /// Lets everything end that was taken: requests are answered, event sockets say goodbye and
    /// come back to whoever runs next.
    async fn finish(&self) {
        self.site.closing.send_replace(true);
        if tokio::time::timeout(FINISH_WITHIN, self.connections.all_ended()).await.is_err() {
            tracing::info!("connections that did not end in time were dropped");
        }
        self.say_when_due();
    }

    fn say_when_due(&self) {
        if let Kind::Person(person) = &self.site.kind {
            self.executor.tell(FromTwinExecutor::WakeAt { time_ms: person.life.due_ms() });
        }
    }

    fn take_link(&self, hand_over: HandOver, from: Number, descriptor: Option<OwnedFd>) {
        let stream = descriptor.map(into_stream);
        self.gateway.tell(FromTwin::Taken { hand_over });
        let Kind::Person(person) = &self.site.kind else { return };
        let Some(Ok(stream)) = stream else {
            tracing::error!("a link came without a usable socket");
            return;
        };
        let (life, site, gateway) = (person.life.clone(), self.site.clone(), self.gateway.clone());
        spawn_local(async move {
            if life.serve_link(stream, from).await {
                gateway.tell(FromTwin::Known { hand_over });
                drop(site.idle.hold());
            }
        });
    }

    fn rename(&self, name: String) {
        if let Kind::Person(person) = &self.site.kind {
            person.life.rename(&name);
        }
        self.site.name.replace(name);
        self.connections.forget_certificate();
        self.tell_certificate();
    }

    /// A new name has a new certificate, whose fingerprint people compare.
    fn tell_certificate(&self) {
        let Kind::Person(person) = &self.site.kind else { return };
        if !self.site.place.tls() {
            return;
        }
        match self.connections.certificate() {
            Ok(certificate) => self.executor.tell(FromTwinExecutor::Ready {
                id: Some(*person.life.id().as_bytes()),
                fingerprint: Some(certificate.fingerprint),
                paired: person.paired(&self.site.host()),
            }),
            Err(error) => {
                tracing::error!(error = %chain(&error), "no certificate for the new name")
            }
        }
    }

    fn make_code(&self, request: u64) {
        let outcome = match &self.site.kind {
            Kind::Person(person) if person.paired(&self.site.host()) => Err(Refusal::AlreadyPaired),
            Kind::Person(person) => Ok(person.sessions.new_code()),
            Kind::Node(_) => Err(Refusal::NameReserved),
        };
        self.executor.tell(FromTwinExecutor::Code { request, outcome });
    }

    fn package(&self, request: u64, act: PackageAct, descriptor: Option<OwnedFd>) {
        let (Kind::Person(_), Some(file)) = (&self.site.kind, descriptor) else {
            let outcome = Err("no_package".to_owned());
            return self.executor.tell(FromTwinExecutor::Experience { request, outcome });
        };
        let (site, executor) = (self.site.clone(), self.executor.clone());
        let hold = self.site.idle.hold();
        spawn_local(async move {
            if let Kind::Person(person) = &site.kind {
                let outcome = package_done(person, act, file.into()).await;
                executor.tell(FromTwinExecutor::Experience { request, outcome });
            }
            drop(hold);
        });
    }

    fn verify(&self, request: u64) {
        let Kind::Person(person) = &self.site.kind else {
            let outcome = Err("the node twin has no journal".to_owned());
            return self.executor.tell(FromTwinExecutor::Verified { request, outcome });
        };
        let (life, executor) = (person.life.clone(), self.executor.clone());
        let hold = self.site.idle.hold();
        spawn_local(async move {
            let outcome = life.verify().await;
            executor.tell(FromTwinExecutor::Verified { request, outcome });
            drop(hold);
        });
    }

    fn export(&self, request: u64, descriptor: Option<OwnedFd>) {
        let (Kind::Person(person), Some(file)) = (&self.site.kind, descriptor) else {
            let outcome = Err("there is nothing to export, or no file to write to".to_owned());
            return self.executor.tell(FromTwinExecutor::Exported { request, outcome });
        };
        let (life, executor) = (person.life.clone(), self.executor.clone());
        let hold = self.site.idle.hold();
        spawn_local(async move {
            let outcome = life.export(file.into()).await;
            executor.tell(FromTwinExecutor::Exported { request, outcome });
            drop(hold);
        });
    }
}

/// Does what was asked with a package; its name and version, or why not.
async fn package_done(person: &Person, act: PackageAct, file: File) -> Result<String, String> {
    let read = tokio::task::spawn_blocking(move || packages::read(&file).map(|all| (file, all)));
    let (file, bytes) = read.await.ok().and_then(Result::ok).ok_or("too_large")?;
    // What fills the sentences goes with the code, a line for each.
    let told = |fault: Fault| {
        let line = |(name, value): &(&str, String)| format!("\n{name}={value}");
        format!("{}{}", fault.code, fault.args.iter().map(line).collect::<String>())
    };
    let package = if act == PackageAct::Install {
        person.life.install(store::Actor::System, bytes).await
    } else {
        let signed = person.life.sign_package(&bytes);
        let signed = signed.map_err(|why| told(packages::refused(why)))?;
        if act == PackageAct::Try {
            return person.shelf.try_out(signed).await.map_err(told);
        }
        packages::write(&file, &signed).map_err(|_| "full".to_owned())?;
        packages::judged(signed).await.map(|(_, package)| package)
    };
    let package = package.map_err(told)?;
    Ok(format!("{} {}", package.manifest.name, package.manifest.version))
}

/// A stream that another process made.
fn into_stream(descriptor: OwnedFd) -> std::io::Result<UnixStream> {
    let stream = std::os::unix::net::UnixStream::from(descriptor);
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// How soon to look again while messages are on their way.
const BUSY_AGAIN: Duration = Duration::from_secs(2);
/// How long what was taken may take to end.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
