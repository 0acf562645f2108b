//! What people ask of the node: make, list, pair, rename, remove and verify twins.
//!
//! Whatever needs the twin itself is an [`Ask`]: it survives the twin's sleep, and fails clearly
//! when the twin keeps dying over it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Instant;

use handover::{Cannot, Number, PackageAct, Refusal, ToGateway, ToTwinExecutor};
use tokio::sync::oneshot;

use crate::control::{Answer, Asked, Known, Listed, Verb};
use crate::node::{Job, Node, Twin};
use crate::welcome::{Tried, Welcome};
use crate::{Error, Notice};

/// Something asked of a twin that it has not answered yet.
pub(crate) struct Ask {
    pub(crate) twin: Number,
    pub(crate) header: ToTwinExecutor,
    file: Option<File>,
    tries: u32,
    then: Then,
}

/// What happens with the twin's answer.
enum Then {
    /// It goes to the control socket.
    Answer(oneshot::Sender<Answer>),
    /// It goes to the console.
    Console,
    /// It goes to the browser that waits at the node twin, under this number.
    Claim(u64),
    /// The export is written; the twin can go.
    Remove { answer: oneshot::Sender<Answer>, export: PathBuf, stopping: bool },
}

impl Ask {
    pub(crate) fn descriptors(&self) -> std::io::Result<Vec<OwnedFd>> {
        self.file.iter().map(|file| file.try_clone().map(OwnedFd::from)).collect()
    }
}

impl Node {
    pub(crate) fn asked(&mut self, Asked { verb, files, answer }: Asked) {
        match self.verb(verb, files, answer) {
            Ok(()) => {}
            Err((error, answer)) => {
                let refused = if let Error::Refused(refusal) = error {
                    Answer::Refused { refusal }
                } else {
                    Answer::Failed { text: chain(&error) }
                };
                let _ = answer.send(refused);
            }
        }
    }

    fn verb(
        &mut self,
        verb: Verb,
        files: Vec<OwnedFd>,
        answer: oneshot::Sender<Answer>,
    ) -> Result<(), (Error, oneshot::Sender<Answer>)> {
        let done = match verb {
            Verb::CallNode { name } => self.call(&name),
            Verb::Network => Ok(Answer::Network { network: self.network() }),
            Verb::Create { name } => {
                self.create(&name).map(|()| Answer::Created { address: self.address(&name) })
            }
            Verb::List => Ok(Answer::List { twins: self.list() }),
            Verb::People => Ok(Answer::People { people: self.people() }),
            Verb::Status => Ok(Answer::Status {
                executor: std::process::id(),
                gateway: self.gateway.as_ref().map(|gateway| gateway.pid),
                listen: self.place.listen,
                started: self.started,
                workers: self.working(),
                quotas: self.quotas,
            }),
            Verb::Rename { name, to } => {
                self.rename(&name, &to).map(|()| Answer::Renamed { address: self.address(&to) })
            }
            Verb::Pair { name } => {
                return self.ask_twin(&name, answer, |request| ToTwinExecutor::Pair { request });
            }
            Verb::Verify { name } => {
                return self.ask_twin(&name, answer, |request| ToTwinExecutor::Verify { request });
            }
            Verb::Experience { name, act } => {
                let Ok(entry) = self.registry.find(&name) else {
                    return Err((Error::Refused(Refusal::NameUnknown), answer));
                };
                let [file] = &files[..] else {
                    let _ = answer.send(Answer::Failed { text: "not one file".to_owned() });
                    return Ok(());
                };
                if act == PackageAct::Try && !self.config.tries {
                    let _ = answer.send(Answer::NotTaken { code: "only_dev".to_owned() });
                    return Ok(());
                }
                let (twin, file) = (Number(entry.number), file.try_clone().map(File::from).ok());
                let header = |request| ToTwinExecutor::Experience { request, act };
                self.ask(twin, file, Then::Answer(answer), header);
                return Ok(());
            }
            Verb::Connect { connection } => {
                Self::connect(connection, answer);
                return Ok(());
            }
            Verb::Energy => {
                Self::energy(answer);
                return Ok(());
            }
            Verb::Health => Ok(Answer::Health { troubles: self.troubles() }),
            Verb::Repair { problem, about, repair } => Ok(self.mended(&problem, &about, &repair)),
            Verb::MetricsToken => {
                crate::scrape::new_token(&self.folder).map(|token| Answer::MetricsToken { token })
            }
            Verb::Remove { name } => return self.remove(&name, answer),
            Verb::Update { what } => {
                self.update(what, files, answer);
                return Ok(());
            }
            Verb::Screen { known } => {
                self.show(known, answer);
                return Ok(());
            }
            Verb::SetScreen { style } => self.set_style(style),
            Verb::Welcome => self.welcome_anew(),
            Verb::Work { task } => match <[OwnedFd; 2]>::try_from(files) {
                Ok([input, output]) => {
                    self.work(Job { task, input, output, answer });
                    return Ok(());
                }
                Err(_) => Ok(Answer::NotMade { why: Cannot::Unreadable }),
            },
        };
        match done {
            Ok(done) => {
                let _ = answer.send(done);
                Ok(())
            }
            Err(error) => Err((error, answer)),
        }
    }

    /// Makes a twin and starts it once, so that it has its keys and its id.
    pub(crate) fn create(&mut self, name: &str) -> Result<(), Error> {
        let twin = self.registry.add(name)?;
        self.folder.make_twin(twin)?;
        for experience in &self.config.experiences {
            self.folder.give_experience(twin, experience)?;
        }
        self.twins.insert(twin, Twin::default());
        self.keep_within(vec![twin]);
        self.welcome = None;
        self.name(twin);
        // Where TLS is spoken it is told with the certificate's fingerprint, after the first start.
        if !self.place.tls() {
            let (name, address) = (name.to_owned(), self.address(name));
            self.tell(&Notice::Twin { name, address, fingerprint: None });
        }
        self.wake(twin);
        Ok(())
    }

    fn people(&self) -> Vec<Known> {
        let known = |entry: &crate::Entry| Known {
            name: entry.name.clone(),
            address: self.address(&entry.name),
            fingerprint: entry.fingerprint.clone(),
        };
        self.registry.twins().iter().map(known).collect()
    }

    fn list(&self) -> Vec<Listed> {
        let listed = |entry: &crate::Entry| {
            let number = Number(entry.number);
            let known = self.twins.get(&number);
            let process = known.and_then(|twin| twin.process.as_ref());
            Listed {
                number: entry.number,
                name: entry.name.clone(),
                id: entry.id.clone(),
                address: self.address(&entry.name),
                fingerprint: entry.fingerprint.clone(),
                owner: entry.owner,
                awake: process.is_some(),
                pid: process.map(|process| process.pid),
                starts: known.map_or(0, |twin| twin.starts),
                walled: known.map_or(0, |twin| twin.walled),
                folder: self.folder.twin(number),
            }
        };
        self.registry.twins().iter().map(listed).collect()
    }

    fn rename(&mut self, name: &str, to: &str) -> Result<(), Error> {
        let twin = self.registry.rename(name, to)?;
        self.name(twin);
        if let Some(process) = self.twins.get(&twin).and_then(|twin| twin.process.as_ref()) {
            process.tell(ToTwinExecutor::Renamed { name: to.to_owned() }, Vec::new());
        }
        Ok(())
    }

    fn remove(
        &mut self,
        name: &str,
        answer: oneshot::Sender<Answer>,
    ) -> Result<(), (Error, oneshot::Sender<Answer>)> {
        let twin = match self.registry.find(name) {
            Ok(entry) => Number(entry.number),
            Err(refusal) => return Err((Error::Refused(refusal), answer)),
        };
        let (export, file) = match self.folder.new_export(name) {
            Ok(made) => made,
            Err(error) => return Err((error, answer)),
        };
        let then = Then::Remove { answer, export, stopping: false };
        self.ask(twin, Some(file), then, |request| ToTwinExecutor::Export { request });
        Ok(())
    }

    fn ask_twin(
        &mut self,
        name: &str,
        answer: oneshot::Sender<Answer>,
        header: impl FnOnce(u64) -> ToTwinExecutor,
    ) -> Result<(), (Error, oneshot::Sender<Answer>)> {
        match self.registry.find(name) {
            Ok(entry) => {
                let twin = Number(entry.number);
                self.ask(twin, None, Then::Answer(answer), header);
                Ok(())
            }
            Err(refusal) => Err((Error::Refused(refusal), answer)),
        }
    }

    /// Makes a pairing code for the console.
    pub(crate) fn pair_and_tell(&mut self, name: &str) {
        if let Ok(entry) = self.registry.find(name) {
            let twin = Number(entry.number);
            self.ask(twin, None, Then::Console, |request| ToTwinExecutor::Pair { request });
        }
    }

    fn ask(
        &mut self,
        twin: Number,
        file: Option<File>,
        then: Then,
        header: impl FnOnce(u64) -> ToTwinExecutor,
    ) {
        self.next += 1;
        let request = self.next;
        let ask = Ask { twin, header: header(request), file, tries: 0, then };
        let running = self.twins.get(&twin).and_then(|twin| twin.process.as_ref());
        if let (Some(process), Ok(descriptors)) = (running, ask.descriptors()) {
            process.tell(ask.header.clone(), descriptors);
            self.asks.insert(request, ask);
        } else {
            self.asks.insert(request, ask);
            self.wake(twin);
        }
    }

    // The first person

    /// Makes a welcome code and shows its address.
    pub(crate) fn new_welcome(&mut self, again: bool) -> Result<(), Error> {
        let start_error = |source| Error::Start { what: "welcome", source };
        let welcome = Welcome::new(Instant::now()).map_err(start_error)?;
        let url = self.pairing("node", welcome.code());
        self.welcome = Some(welcome);
        self.tell(&Notice::Welcome { url, elsewhere: self.place.elsewhere(), again });
        Ok(())
    }

    /// The one-time address for the first person, while there is one.
    pub(crate) fn welcome_url(&self) -> Option<String> {
        self.welcome.as_ref().map(|welcome| self.pairing("node", welcome.code()))
    }

    fn pairing(&self, name: &str, code: &str) -> String {
        format!("{}/pair#{code}", self.place.origin(name))
    }

    /// A browser at the node twin sent the code and a name.
    pub(crate) fn claim(&mut self, request: u64, code: &str, name: &str) -> Result<(), Error> {
        let tried = match &mut self.welcome {
            Some(welcome) => welcome.try_code(code, Instant::now()),
            None => Tried::Wrong,
        };
        if matches!(tried, Tried::TooOld | Tried::Void) {
            self.new_welcome(true)?;
        }
        if tried != Tried::Right {
            self.claimed(request, Err(Refusal::WrongCode));
            return Ok(());
        }
        match self.create(name) {
            Ok(()) => {}
            Err(Error::Refused(refusal)) => {
                self.claimed(request, Err(refusal));
                return Ok(());
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "a twin can't be made");
                self.claimed(request, Err(Refusal::Failed));
                return Ok(());
            }
        }
        if let Ok(entry) = self.registry.find(name) {
            let twin = Number(entry.number);
            let header = |request| ToTwinExecutor::Pair { request };
            self.ask(twin, None, Then::Claim(request), header);
        }
        Ok(())
    }

    fn claimed(&self, request: u64, outcome: Result<String, Refusal>) {
        let node = self.twins.get(&Number::NODE).and_then(|twin| twin.process.as_ref());
        if let Some(process) = node {
            process.tell(ToTwinExecutor::Claimed { request, outcome }, Vec::new());
        }
    }

    // Answers of twins

    /// What was asked of this twin under this number; nobody answers for another.
    fn asked_of(&mut self, twin: Number, request: u64) -> Option<Ask> {
        if self.asks.get(&request)?.twin != twin {
            if let Some(process) = self.twins.get(&twin).and_then(|t| t.process.as_ref()) {
                tracing::error!(%twin, "a twin answers what another was asked and is ended");
                process.kill();
            }
            return None;
        }
        self.asks.remove(&request)
    }

    pub(crate) fn code(&mut self, twin: Number, request: u64, outcome: Result<String, Refusal>) {
        let Some(ask) = self.asked_of(twin, request) else {
            return;
        };
        let Some(name) = self.registry.get(ask.twin).map(|entry| entry.name.clone()) else {
            return;
        };
        let url = outcome.map(|code| self.pairing(&name, &code));
        let elsewhere = self.place.elsewhere();
        match (ask.then, url) {
            (Then::Answer(answer), Ok(url)) => drop(answer.send(Answer::Pair { url, elsewhere })),
            (Then::Answer(answer), Err(refusal)) => {
                drop(answer.send(Answer::Refused { refusal }));
            }
            (Then::Claim(claim), url) => self.claimed(claim, url),
            (Then::Console, Ok(url)) => self.tell(&Notice::Pair { name, url, elsewhere }),
            (Then::Console, Err(refusal)) => tracing::error!(?refusal, "no pairing code"),
            (Then::Remove { .. }, _) => tracing::error!("a code came where an export was asked"),
        }
    }

    pub(crate) fn verified(&mut self, twin: Number, request: u64, outcome: Result<u64, String>) {
        if let Some(Ask { then: Then::Answer(answer), .. }) = self.asked_of(twin, request) {
            let _ = answer.send(match outcome {
                Ok(entries) => Answer::Verified { entries },
                Err(text) => Answer::Differs { text },
            });
        }
    }

    pub(crate) fn package_done(
        &mut self,
        twin: Number,
        request: u64,
        outcome: Result<String, String>,
    ) {
        if let Some(Ask { then: Then::Answer(answer), .. }) = self.asked_of(twin, request) {
            let _ = answer.send(match outcome {
                Ok(text) => Answer::Experience { text },
                Err(code) => Answer::NotTaken { code },
            });
        }
    }

    /// The export is complete: stop the twin; its end finishes the removal.
    pub(crate) fn exported(&mut self, twin: Number, request: u64, outcome: Result<u64, String>) {
        let Some(mut ask) = self.asked_of(twin, request) else {
            return;
        };
        let (Then::Remove { stopping, .. }, Ok(_)) = (&mut ask.then, &outcome) else {
            if let Then::Remove { answer, export, .. } = ask.then {
                let _ = std::fs::remove_file(export);
                let text = outcome.err().unwrap_or_default();
                let _ = answer.send(Answer::Failed { text });
            }
            return;
        };
        *stopping = true;
        if let Some(process) = self.twins.get(&ask.twin).and_then(|twin| twin.process.as_ref()) {
            process.tell(ToTwinExecutor::Stop, Vec::new());
        }
        self.tell_gateway(ToGateway::Forget { twin: ask.twin }, Vec::new());
        self.asks.insert(request, ask);
    }

    /// Removes a twin that ended for this; answers whether it did.
    pub(crate) fn finish_removal(&mut self, twin: Number) -> bool {
        let exported =
            |ask: &Ask| ask.twin == twin && matches!(ask.then, Then::Remove { stopping: true, .. });
        let request = self.asks.iter().find(|(_, ask)| exported(ask)).map(|(request, _)| *request);
        let Some(ask) = request.and_then(|request| self.asks.remove(&request)) else {
            return false;
        };
        let Then::Remove { answer, export, .. } = ask.then else {
            return false;
        };
        self.fail_asks(twin);
        let removed = self.registry.remove(twin).and_then(|()| {
            self.twins.remove(&twin);
            self.remembered.told(twin, &[]);
            let changed = self.wakes.forget(twin);
            self.wakes_changed(changed);
            self.folder.remove_twin(twin)
        });
        let _ = answer.send(match removed {
            Ok(()) => Answer::Removed { export },
            Err(error) => Answer::Failed { text: chain(&error) },
        });
        true
    }

    /// A twin died while these were asked of it.
    pub(crate) fn count_try(&mut self, twin: Number) {
        for ask in self.asks.values_mut().filter(|ask| ask.twin == twin) {
            ask.tries += 1;
        }
        let given_up = |ask: &Ask| ask.twin == twin && ask.tries >= TRIES;
        let requests: Vec<_> =
            self.asks.iter().filter(|(_, ask)| given_up(ask)).map(|(r, _)| *r).collect();
        for request in requests {
            self.fail(request);
        }
    }

    /// A twin can't be started: nobody waits for it any longer.
    pub(crate) fn fail_asks(&mut self, twin: Number) {
        let of_twin = self.asks.iter().filter(|(_, ask)| ask.twin == twin);
        let requests: Vec<_> = of_twin.map(|(request, _)| *request).collect();
        for request in requests {
            self.fail(request);
        }
    }

    fn fail(&mut self, request: u64) {
        let Some(ask) = self.asks.remove(&request) else {
            return;
        };
        let refusal = Refusal::Crashing;
        match ask.then {
            Then::Answer(answer) => drop(answer.send(Answer::Refused { refusal })),
            Then::Claim(claim) => self.claimed(claim, Err(refusal)),
            Then::Console => tracing::error!(twin = %ask.twin, "no pairing code: it keeps dying"),
            Then::Remove { answer, export, .. } => {
                let _ = std::fs::remove_file(export);
                let _ = answer.send(Answer::Refused { refusal });
            }
        }
    }
}

/// An error and its causes in one line, for a log or an operator.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// How often a twin may die over one ask.
const TRIES: u32 = 3;
