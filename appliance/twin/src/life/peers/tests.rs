//! Two twins over socket pairs, with and without accidents.

use super::*;
use link::{Card, Frame, Introduction, Keys, PreKey, Refusal, seal};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use store::{Actor, Direction, Entry, Fold, FoldError, NewEntry, Options, ReadAll as _, Tables};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::{JoinHandle, LocalSet, spawn_local},
    time::{sleep, timeout},
};

mod accidents;
mod refusals;
mod talk;
mod withdrawn;

/// Capabilities that write down what they are told.
struct Recorder {
    contacts: Mutex<BTreeSet<TwinId>>,
    blocked: Mutex<BTreeSet<TwinId>>,
    /// The highest major version of `chat` that is understood.
    major: AtomicU16,
}

impl Apply for Recorder {
    fn understands(&self, capability: &str, major: u16) -> bool {
        capability == "chat" && major <= self.major.load(Ordering::Relaxed)
    }

    fn standing(&self, _: &Reader<'_>, person: &TwinId) -> Result<Standing, store::Error> {
        Ok(if self.blocked.lock().unwrap().contains(person) {
            Standing::Blocked
        } else if self.contacts.lock().unwrap().contains(person) {
            Standing::Contact
        } else {
            Standing::Stranger
        })
    }

    fn receive(
        &self,
        w: &mut Writer<'_>,
        from: &TwinId,
        inner: &Inner,
        _: i64,
    ) -> Result<(), Failure> {
        // Written before anything is refused: a refusal has to take it back.
        note(w, "test.said", from, &inner.body)?;
        let stranger = self.standing(&w.reader(), from)? != Standing::Contact;
        match &inner.body[..] {
            b"not mine" => Err(Refusal::NotAuthor.into()),
            b"may I?" => Ok(()),
            _ if stranger => Err(Refusal::NotContact.into()),
            b"ping" => {
                enqueue(w, letter(*from, b"pong")).unwrap();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn forked(
        &self,
        w: &mut Writer<'_>,
        person: &TwinId,
        fork: &Fork,
        _: i64,
    ) -> Result<(), Failure> {
        let text = format!("at {} {}", fork.at, fork.recovered);
        Ok(note(w, "test.forked", person, text.as_bytes()).map(drop)?)
    }

    fn displaced(&self, w: &mut Writer<'_>, person: &TwinId, _: i64) -> Result<(), Failure> {
        Ok(note(w, "test.displaced", person, person.to_string().as_bytes()).map(drop)?)
    }

    fn hold(&self, w: &mut Writer<'_>, inner: &Inner, _: i64) -> Result<u64, Failure> {
        Ok(note(w, "test.held", &inner.from, &inner.body)?)
    }

    fn release(
        &self,
        w: &mut Writer<'_>,
        _: u64,
        inner: &Inner,
        now_ms: i64,
    ) -> Result<(), Failure> {
        self.receive(w, &inner.from, inner, now_ms)
    }

    fn delivered(
        &self,
        w: &mut Writer<'_>,
        to: &TwinId,
        about: &[u8],
        how: Delivered,
        _: i64,
    ) -> Result<(), store::Error> {
        let text = format!("{} {how:?}", String::from_utf8_lossy(about));
        note(w, "test.delivered", to, text.as_bytes()).map(drop)
    }
}

fn note(w: &mut Writer<'_>, kind: &str, who: &TwinId, text: &[u8]) -> Result<u64, store::Error> {
    w.append(NewEntry {
        time_ms: 0,
        actor: Actor::Contact(*who.as_bytes()),
        kind: kind.into(),
        version: 1,
        shape: Vec::new(),
        content: Some(text.to_vec()),
    })
}

struct NoTables;

impl Fold for NoTables {
    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, _: &Entry, _: Option<&[u8]>, _: &mut Tables<'_>) -> Result<(), FoldError> {
        Ok(())
    }
}

/// A person, whose twin can be stopped and started again.
struct Home {
    folder: TempDir,
    keys: Keys,
    chain: Chain,
    apply: Arc<Recorder>,
}

impl Home {
    fn new(n: u8) -> Self {
        let key = |n| SigningKey::from_bytes(&[n; 32]);
        let keys = Keys { twin: key(n), recovery: key(n + 100) };
        let (contacts, blocked) = (Mutex::default(), Mutex::default());
        let apply = Recorder { contacts, blocked, major: AtomicU16::new(1) };
        let (folder, apply) = (TempDir::new().unwrap(), Arc::new(apply));
        Self { folder, chain: Chain::begin(&keys), keys, apply }
    }

    fn id(&self) -> TwinId {
        self.chain.check().unwrap().id
    }

    fn knows(&self, other: &Self) {
        self.apply.contacts.lock().unwrap().insert(other.id());
    }

    async fn start(&self) -> Peers {
        self.start_at(now_ms).await
    }

    async fn start_at(&self, clock: fn() -> i64) -> Peers {
        let store = open_store(self.folder.path()).await;
        let me = Me { chain: self.chain.clone(), key: self.keys.twin.clone() };
        Peers::open(store, me, self.apply.clone(), clock).await.unwrap()
    }

    fn card(&self, peers: &Peers) -> Card {
        Card::new(self.chain.clone(), peers.pre_key(), "", "", &self.keys.twin).unwrap()
    }
}

/// Both know each other's cards and are contacts.
async fn friends() -> (Home, Peers, Home, Peers) {
    let (ann, bob) = (Home::new(1), Home::new(2));
    ann.knows(&bob);
    bob.knows(&ann);
    let (a, b) = (ann.start().await, bob.start().await);
    introduce(&a, ann.card(&a), &b, bob.card(&b)).await;
    (ann, a, bob, b)
}

async fn introduce(a: &Peers, ann: Card, b: &Peers, bob: Card) {
    a.0.store.write(move |w| meet(w, &bob)).await.unwrap();
    b.0.store.write(move |w| meet(w, &ann)).await.unwrap();
}

/// The last handle of a store may still be on its way out.
async fn open_store(folder: &Path) -> Store {
    let options = Options { map_size: 1 << 28, ..Options::default() };
    for _ in 0..200 {
        match Store::open(folder, options.clone(), Box::new(NoTables)) {
            Err(store::Error::Busy { .. }) => sleep(Duration::from_millis(5)).await,
            opened => return opened.unwrap(),
        }
    }
    panic!("the store stays busy");
}

fn letter(to: TwinId, body: &[u8]) -> Letter {
    let about = Some(body[..body.len().min(60)].to_vec());
    let (thread, capability, major) = ([7; 16], "chat".to_owned(), 1);
    Letter { to, thread, capability, major, body: body.to_vec(), about }
}

async fn say(peers: &Peers, to: TwinId, body: &[u8]) {
    say_as(peers, letter(to, body)).await;
}

async fn say_as(peers: &Peers, letter: Letter) {
    peers.0.store.write(move |w| enqueue(w, letter)).await.unwrap();
    peers.wake();
}

/// Runs a pump whose links all lead to one twin.
fn pump(from: &Peers, to: &Peers) -> JoinHandle<()> {
    let (from, to) = (from.clone(), to.clone());
    spawn_local(async move { from.pump(|_| connect(to.clone())).await })
}

/// Delivers to whoever the test plays at the other end of the link.
async fn pump_by_hand(from: &Peers) -> (JoinHandle<()>, wire::Wire) {
    let (far, from) = (Rc::new(RefCell::new(None)), from.clone());
    let given = far.clone();
    let pumping = spawn_local(async move {
        let open = |_| {
            let (near, far) = UnixStream::pair().unwrap();
            given.replace(Some(far));
            async { Ok(near) }
        };
        from.pump(open).await;
    });
    until("a link", || far.borrow().is_some()).await;
    (pumping, wire::Wire::new(far.take().unwrap()))
}

async fn connect(to: Peers) -> Result<UnixStream, handover::Reason> {
    let (near, far) = UnixStream::pair().unwrap();
    spawn_local(async move { to.serve(far, 1).await });
    Ok(near)
}

/// What was written down of one kind, in order.
fn noted(peers: &Peers, kind: &str) -> Vec<String> {
    let read = |r: &Reader<'_>| {
        let mut texts = Vec::new();
        for entry in r.entries(1, 10_000, Direction::Forward)? {
            if entry.kind == kind {
                let text = r.content(entry.seq)?.unwrap_or_default();
                texts.push(String::from_utf8(text).unwrap());
            }
        }
        Ok::<_, store::Error>(texts)
    };
    peers.0.store.read(read).unwrap()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(3)).await;
        }
    };
    timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn empty(peers: &Peers) -> bool {
    peers.0.store.read(outbox::pending).unwrap().is_empty()
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}
