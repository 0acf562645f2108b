//! The node's side of its twins: woken, heard, ended, and started again.
//!
//! Never looks into a twin's folder, and believes a twin only about itself.

use std::time::{Duration, Instant};

use handover::{Channel, FromTwinExecutor, Number, Reason, ToGateway, ToTwinExecutor};
use tokio::task::spawn_local;

use super::{END_WITHIN, Event, Node, hex, now_ms};
use crate::health::memory_short;
use crate::process::{Birth, Ears, End, Process};
use crate::walls::Given;
use crate::{Error, Notice, wakes};

impl Node {
    /// Starts a twin, or notes that it is wanted while its last process is still ending.
    pub(crate) fn wake(&mut self, twin: Number) {
        let Some(known) = self.twins.get_mut(&twin).filter(|_| !self.stopping) else {
            return;
        };
        if let Some(process) = &known.process {
            let instance = process.instance;
            if !std::mem::replace(&mut known.wanted, true) {
                self.give_time(twin, instance);
            }
            return;
        }
        if !known.restart.may_start(Instant::now()) {
            return self.refuse(twin);
        }
        if let Err(error) = self.start_twin(twin) {
            tracing::error!(%twin, %error, "a twin can't be started");
            self.refuse(twin);
        }
    }

    /// Its time has come. Whoever was started meanwhile, by somebody else, needs nothing.
    pub(super) fn due(&mut self, twin: Number) {
        if self.twins.get(&twin).is_some_and(|known| known.process.is_none()) {
            self.wake(twin);
        }
    }

    fn refuse(&mut self, twin: Number) {
        let broken = self.twins.get(&twin).is_some_and(|known| known.broken.is_some());
        let reason = if broken { Reason::Broken } else { Reason::Crashing };
        self.tell_gateway(ToGateway::Failed { twin, reason }, Vec::new());
        self.fail_asks(twin);
    }

    fn start_twin(&mut self, twin: Number) -> std::io::Result<()> {
        self.next += 1;
        let ears =
            Ears { heard: Event::Twin, ended: Event::TwinEnded, events: self.events.clone() };
        // Its last process is gone and the next is not born: nobody else touches the files now.
        self.folder.give_twin(twin).map_err(std::io::Error::other)?;
        let limits = self.config.limits;
        let home = self.folder.twin(twin);
        let birth = Birth {
            name: format!("twin-{twin}"),
            arguments: vec!["twin-process".to_owned(), twin.to_string()],
            given: Given {
                uid: self.folder.uids().map(|uids| uids.twin(twin)),
                memory: limits.memory,
                processes: limits.threads,
                job: None,
            },
            home: &home,
            config: &self.config,
            groups: self.groups.as_ref(),
        };
        let process = Process::start(&self.folder, birth, self.next, ears)?;
        let (ours, theirs) = Channel::pair()?;
        let name = self.registry.get(twin).map_or("node", |entry| entry.name.as_str());
        let sleep_after = self.config.sleep_after.map_or(0, |time| time.as_millis() as u64);
        let start = ToTwinExecutor::Start {
            twin,
            name: name.to_owned(),
            place: self.place.clone(),
            // Where it is born; by any other name it may be out of its reach.
            folder: ".".to_owned(),
            sleep_after_ms: sleep_after,
            share: limits.share,
            memory_short: self
                .twins
                .get(&twin)
                .is_some_and(|known| memory_short::is_recent(known.memory_short, Instant::now())),
        };
        process.tell(start, vec![theirs]);
        for ask in self.asks.values().filter(|ask| ask.twin == twin) {
            process.tell(ask.header.clone(), ask.descriptors()?);
        }
        tracing::info!(%twin, pid = process.pid, "twin started");
        self.tell_gateway(ToGateway::Awake { twin, instance: process.instance }, vec![ours]);
        let known = self.twins.entry(twin).or_default();
        known.starts += 1;
        known.wanted = false;
        if let Some(timer) = known.timer.take() {
            timer.abort();
        }
        known.process = Some(process);
        let changed = twin != Number::NODE && self.wakes.woken(twin);
        self.wakes_changed(changed);
        Ok(())
    }

    pub(super) fn twin_ended(&mut self, twin: Number, end: End) {
        let clean = end == End::Clean;
        let Some(known) = self.twins.get_mut(&twin) else {
            return;
        };
        let Some(process) = known.process.take() else {
            return;
        };
        if end == End::Walled {
            known.walled += 1;
            let name = self.registry.get(twin).map_or("node", |entry| entry.name.as_str());
            self.walled(name);
        }
        if end == End::Memory {
            tracing::warn!(%twin, "a twin used up its memory and was ended");
        }
        let Some(known) = self.twins.get_mut(&twin) else {
            return;
        };
        // One that died stays among those to be woken, should the node end before it is back.
        let changed = match (clean, known.broken.is_some()) {
            (true, _) => self.wakes.slept(twin, known.wake_at_ms),
            (false, true) => self.wakes.settled(twin),
            (false, false) => false,
        };
        let now = Instant::now();
        if end == End::Memory {
            known.memory_short = Some(now);
        }
        let mut again = None;
        if clean {
            tracing::info!(%twin, "twin ended");
            known.restart.slept();
        } else if known.broken.is_some() {
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
        self.wakes_changed(changed);
        if self.finish_removal(twin) {
            return;
        }
        let Some(known) = self.twins.get_mut(&twin) else {
            return;
        };
        let wanted = std::mem::take(&mut known.wanted);
        self.remembered.note_time();
        if !clean {
            self.remembered.crashes += 1;
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
        self.wake_in(twin, wakes::wait(at_ms, now_ms()));
    }

    /// At the node's start: what twins said before it ended, and those that it ended with.
    pub(super) fn set_timers(&mut self) {
        for (twin, wait) in self.wakes.waits(now_ms()) {
            self.wake_in(twin, wait);
        }
    }

    /// Has it written in a moment, if there is something, and together with what else changes in it.
    pub(crate) fn wakes_changed(&mut self, changed: bool) {
        if !changed || std::mem::replace(&mut self.wakes_changed, true) {
            return;
        }
        let events = self.events.clone();
        spawn_local(async move {
            tokio::time::sleep(KEPT_WITHIN).await;
            let _ = events.send(Event::KeepWakes);
        });
    }

    pub(super) fn keep_wakes(&mut self) {
        self.wakes_changed = false;
        self.wakes.write();
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

    pub(super) fn overdue(&mut self, twin: Number, instance: u64) {
        let Some(known) = self.twins.get(&twin).filter(|known| known.wanted) else {
            return;
        };
        if let Some(process) = known.process.as_ref().filter(|p| p.instance == instance) {
            tracing::warn!(%twin, "a twin did not end in time and is ended");
            process.kill();
        }
    }

    pub(super) fn hear_twin(&mut self, twin: Number, header: FromTwinExecutor) {
        match header {
            FromTwinExecutor::Ready { id, fingerprint, .. } => {
                if !self.may_say(twin) {
                    return;
                }
                if let Some(known) = self.twins.get_mut(&twin) {
                    known.broken = None;
                }
                let (id, fingerprint) = (id.map(|id| hex(&id)), fingerprint.map(|f| hex(&f)));
                if twin == Number::NODE {
                    self.fingerprint.clone_from(&fingerprint);
                }
                self.learn(twin, id, fingerprint);
            }
            FromTwinExecutor::Broken { text } => {
                if !self.may_say(twin) {
                    return;
                }
                if let Some(known) = self.twins.get_mut(&twin) {
                    known.broken = Some(text.clone());
                }
                let name = self.registry.get(twin).map_or("node", |entry| entry.name.as_str());
                // It sees its folder as the current one; the operator needs to know where that is.
                let text = format!("{text} ({})", self.folder.twin(twin).display());
                tracing::error!(%twin, text, "a twin can't open its data");
                self.tell(&Notice::Broken { name: name.to_owned(), text });
            }
            FromTwinExecutor::Paired => tracing::info!(%twin, "a device was paired"),
            FromTwinExecutor::WakeAt { time_ms } => {
                if let Some(known) = self.twins.get_mut(&twin) {
                    known.wake_at_ms = time_ms;
                }
            }
            FromTwinExecutor::Claim { request, code, name } => {
                let claimed = match twin {
                    Number::NODE => self.claim(request, &code, &name),
                    _ => Ok(()),
                };
                if let Err(error) = claimed {
                    tracing::error!(%error, "a claim can't be answered");
                }
            }
            FromTwinExecutor::Code { request, outcome } => self.code(twin, request, outcome),
            FromTwinExecutor::Verified { request, outcome } => {
                self.verified(twin, request, outcome)
            }
            FromTwinExecutor::Exported { request, outcome } => {
                self.exported(twin, request, outcome)
            }
            FromTwinExecutor::Experience { request, outcome } => {
                self.package_done(twin, request, outcome);
            }
            FromTwinExecutor::Health { problems } => {
                if self.remembered.is_news(twin, &problems) && self.may_say(twin) {
                    self.twin_told(twin, &problems);
                }
            }
            FromTwinExecutor::NodeHealth { request } => self.asked_by_twin(twin, request),
            FromTwinExecutor::NodeRepair { request, problem, about, repair } => {
                self.mend_for_twin(twin, request, [&problem, &about, &repair]);
            }
            FromTwinExecutor::Scrape { request, token } => self.scraped(twin, request, &token),
        }
    }

    /// Whether this process may say how it opened. Said without end it would be written to the disk
    /// and to the console as often.
    fn may_say(&mut self, twin: Number) -> bool {
        let known = self.twins.get_mut(&twin);
        let Some(process) = known.and_then(|known| known.process.as_mut()) else { return false };
        process.may_say = process.may_say.saturating_sub(1);
        process.may_say > 0
    }

    fn learn(&mut self, twin: Number, id: Option<String>, fingerprint: Option<String>) {
        let before = self.registry.get(twin).cloned();
        match self.registry.learn(twin, id, fingerprint) {
            Ok(()) => {}
            Err(Error::Refused(_)) => {
                tracing::error!(%twin, "a twin claims an id that is not its own and is ended");
                if let Some(process) = self.twins.get(&twin).and_then(|t| t.process.as_ref()) {
                    process.kill();
                }
                return;
            }
            // It is told again at the next start.
            Err(error) => return tracing::error!(%twin, %error, "a twin's id can't be noted"),
        }
        let Some(entry) = self.registry.get(twin) else {
            return;
        };
        if before.as_ref().is_some_and(|before| before.fingerprint != entry.fingerprint) {
            self.tell(&Notice::Twin {
                name: entry.name.clone(),
                address: self.address(&entry.name),
                fingerprint: entry.fingerprint.clone(),
            });
        }
        self.name(twin);
    }
}

/// How long a twin that is woken may have been awake before that is on the disk. Whoever waits for it
/// does not wait for the disk too, and a thousand at once are one write or a few.
const KEPT_WITHIN: Duration = Duration::from_millis(300);
