//! The node's side of the gateway: started, told who is who, and started again.
//!
//! Never routes anything itself.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::time::{Duration, Instant};

use handover::{ADDRESSES_MAX, Channel, FromGateway, Number, ToGateway, ToTwinExecutor};
use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::net::UnixStream;
use tokio::task::spawn_local;

use super::{Event, Node, from_hex};
use crate::Error;
use crate::process::{Birth, Ears, End, Process};
use crate::walls::Given;

impl Node {
    pub(super) fn start_gateway(&mut self) -> Result<(), Error> {
        if self.stopping || self.gateway.is_some() {
            return Ok(());
        }
        let start_error = |source| Error::Start { what: "gateway", source };
        self.next += 1;
        let ears = Ears {
            heard: |_, header| Event::Gateway(header),
            ended: Event::GatewayEnded,
            events: self.events.clone(),
        };
        let limits = self.config.limits;
        let home = self.folder.empty();
        let birth = Birth {
            name: "gateway".to_owned(),
            arguments: vec!["gateway-process".to_owned()],
            given: Given {
                uid: self.folder.uids().map(crate::Uids::gateway),
                memory: limits.memory,
                processes: limits.threads,
                job: None,
            },
            home: &home,
            config: &self.config,
            groups: self.groups.as_ref(),
        };
        let gateway = Process::start(&self.folder, birth, self.next, ears).map_err(start_error)?;
        let listener = self.listener.try_clone().map_err(start_error)?;
        let (place, wakes) = (self.place.clone(), limits.wakes);
        let mut descriptors = vec![listener.into()];
        descriptors.extend(self.lan.sockets().map_err(start_error)?);
        let cards = self.config.lan.cards.clone();
        gateway.tell(ToGateway::Start { place, wakes, cards }, descriptors);
        self.gateway = Some(gateway);
        self.remembered.gateway_starts += 1;
        self.gateway_asked = None;
        self.name(Number::NODE);
        for twin in self.registry.twins().iter().map(|entry| Number(entry.number)) {
            self.name(twin);
        }
        // Twins that lived through the gateway's end get a channel to the new one.
        for (twin, known) in &self.twins {
            if let (Some(process), Ok((ours, theirs))) = (&known.process, Channel::pair()) {
                process.tell(ToTwinExecutor::Gateway, vec![theirs]);
                let (twin, instance) = (*twin, process.instance);
                self.tell_gateway(ToGateway::Awake { twin, instance }, vec![ours]);
            }
        }
        self.tell_gateway(ToGateway::Accept, Vec::new());
        Ok(())
    }

    pub(super) fn gateway_ended(&mut self, instance: u64, end: End) {
        let Some(gateway) = self.gateway.take_if(|gateway| gateway.instance == instance) else {
            return;
        };
        if self.stopping {
            return;
        }
        if end == End::Walled {
            self.walled("gateway");
        }
        let lived = gateway.since.elapsed();
        // Nobody reaches anybody without it: it is never waited for as long as for a broken twin.
        let pause = self.gateway_restart.died(lived, Instant::now());
        let pause = pause.map(|pause| pause.min(LONGEST_PAUSE));
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

    pub(super) fn hear_gateway(&mut self, header: FromGateway) -> Result<(), Error> {
        match header {
            FromGateway::Addresses { addresses } => {
                self.lan.addresses = addresses;
                self.lan.addresses.truncate(ADDRESSES_MAX);
            }
            FromGateway::NameTaken { zone } => {
                // A neighbour's word must not end a node, whose disk may just be full.
                if let Err(error) = self.name_taken(&zone) {
                    tracing::error!(%error, "the node can't take another name");
                }
            }
            FromGateway::Ready => {
                tracing::info!("the gateway is ready");
                self.service.ready(self.place.listen);
            }
            FromGateway::Here => self.gateway_asked = None,
            FromGateway::Wake { twin, after } => {
                let process = self.twins.get(&twin).and_then(|known| known.process.as_ref());
                // It was started meanwhile without having been asked for: nothing is to be waited for.
                if process.is_none_or(|process| process.instance <= after) {
                    self.wake(twin);
                }
            }
            FromGateway::TooOften { twin } => {
                if let Some(known) = self.twins.get_mut(&twin) {
                    known.knocked = Some(Instant::now());
                }
            }
            FromGateway::Stuck { twin } => {
                if let Some(process) = self.twins.get(&twin).and_then(|t| t.process.as_ref()) {
                    tracing::warn!(%twin, "a twin is stuck and is ended");
                    process.kill();
                }
            }
        }
        Ok(())
    }

    /// Connections have waited for a while: does the gateway live? It is asked only then, so that an
    /// idle one is never woken.
    pub(super) fn ask_gateway(&mut self) {
        let Some(gateway) = &self.gateway else { return };
        if self.gateway_asked.is_some() {
            return;
        }
        let instance = gateway.instance;
        self.gateway_asked = Some(instance);
        gateway.tell(ToGateway::Here, Vec::new());
        let events = self.events.clone();
        spawn_local(async move {
            tokio::time::sleep(ANSWERED_WITHIN).await;
            let _ = events.send(Event::GatewaySilent(instance));
        });
    }

    /// It was asked, and time is over.
    pub(super) fn gateway_silent(&mut self, instance: u64) {
        if self.gateway_asked.take_if(|asked| *asked == instance).is_none() {
            return;
        }
        if let Some(gateway) = self.gateway.as_ref().filter(|g| g.instance == instance) {
            tracing::warn!("the gateway leaves connections waiting and is ended");
            gateway.kill();
        }
    }

    /// Looks whether connections wait for long.
    pub(super) fn watch_listener(&self) -> std::io::Result<()> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let events = self.events.clone();
        spawn_local(async move {
            loop {
                // Registered only to wait for the first: a busy gateway's connections wake nobody here.
                // tokio has no type for a listener that is watched and not accepted from; this one only
                // lends its readiness, as in `handover`.
                let copy = listener.try_clone().map(|copy| StdStream::from(OwnedFd::from(copy)));
                let Ok(watched) = copy.and_then(UnixStream::from_std) else {
                    return tracing::error!("the listener can't be watched");
                };
                if watched.readable().await.is_err() {
                    return;
                }
                drop(watched);
                tokio::time::sleep(WAITED).await;
                if has_waiting(&listener) && events.send(Event::ConnectionsWait).is_err() {
                    return;
                }
            }
        });
        Ok(())
    }
}

fn has_waiting(listener: &std::net::TcpListener) -> bool {
    let mut polled = [PollFd::new(listener, PollFlags::IN)];
    rustix::event::poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// The longest time without a gateway.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How long connections may wait before the gateway is asked.
const WAITED: Duration = Duration::from_secs(3);
/// How long it may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(7);
