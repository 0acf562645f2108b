//! A life through its public face: JSON in, JSON out, two people over socket pairs. After every
//! scenario both are compared with a replay of their journals.

mod attachments;
mod chat;
mod contacts;
mod erase;
mod events;
mod files;
mod forks;
mod grants;
mod history;
mod opening;
mod packages;
mod random;
mod records;
mod skew;
mod spaces;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    net::SocketAddr,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use handover::{Number, Place};
use serde_json::{Value, json};
use store::ReadAll as _;
use tempfile::TempDir;
use tokio::{
    net::UnixStream,
    task::{AbortHandle, JoinHandle, LocalSet},
};

use super::{Caller, Delta, Fault, Life, Subscription, api, peers};

/// One person for a test.
pub(super) struct One {
    pub(super) life: Rc<Life>,
    _folder: TempDir,
}

/// Two people whose twins reach each other while `online`.
pub(super) struct Two {
    pub(super) ann: One,
    pub(super) bob: One,
    pub(super) online: Rc<Cell<bool>>,
    links: Rc<RefCell<Vec<AbortHandle>>>,
}

/// Runs a scenario with two people, then compares both with their journals.
pub(super) fn check<F: Future<Output = ()>>(scenario: impl FnOnce(Rc<Two>) -> F) {
    run(async {
        let (ann, bob) = (One::new("ann").await, One::new("bob").await);
        let (online, links) = (Rc::new(Cell::new(true)), Rc::default());
        let two = Rc::new(Two { ann, bob, online, links });
        let pumps = [two.pump(&two.ann, &two.bob), two.pump(&two.bob, &two.ann)];
        scenario(Rc::clone(&two)).await;
        for pump in pumps {
            pump.abort();
        }
        two.ann.verify().await;
        two.bob.verify().await;
    });
}

/// Runs a scenario with one person, then compares with the journal.
pub(super) fn check_one<F: Future<Output = ()>>(scenario: impl FnOnce(Rc<One>) -> F) {
    run(async {
        let one = Rc::new(One::new("ann").await);
        scenario(Rc::clone(&one)).await;
        one.verify().await;
    });
}

pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(60), test).await.unwrap() };
    runtime.block_on(LocalSet::new().run_until(limited));
}

pub(super) fn place() -> Place {
    Place { zone: "localhost".to_owned(), listen: SocketAddr::from(([127, 0, 0, 1], 8080)) }
}

impl Two {
    /// Ann and Bob are contacts.
    pub(super) async fn meet(&self) {
        let card = self.bob.ask("identity", "card", json!({})).await["link"].clone();
        self.ann.ask("contacts", "request", json!({"id": id(), "card": card, "note": "hi"})).await;
        self.bob.until_contact("asks").await;
        let contact = self.ann.life.id().to_string();
        self.bob.ask("contacts", "accept", json!({"id": id(), "contact": contact})).await;
        self.ann.until_contact("accepted").await;
    }

    /// Cuts what connects them, now and until `online` is set again.
    pub(super) fn part(&self) {
        self.online.set(false);
        self.links.borrow_mut().drain(..).for_each(|link| link.abort());
    }

    fn pump(&self, from: &One, to: &One) -> JoinHandle<()> {
        let (from, to, online) = (from.life.clone(), to.life.clone(), self.online.clone());
        let links = self.links.clone();
        tokio::task::spawn_local(async move {
            let open = |id| {
                let (to, online, links) = (to.clone(), online.clone(), links.clone());
                async move {
                    if !online.get() || id != to.id() {
                        return Err(handover::Reason::NotHere);
                    }
                    let (ours, theirs) = UnixStream::pair().unwrap();
                    let served =
                        tokio::task::spawn_local(
                            async move { to.serve_link(theirs, Number(1)).await },
                        );
                    links.borrow_mut().push(served.abort_handle());
                    Ok(ours)
                }
            };
            from.pump(open).await;
        })
    }
}

impl One {
    pub(super) async fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let life = Life::open(&folder.path().join("life"), name, place(), None).await.unwrap();
        Self { life: Rc::new(life), _folder: folder }
    }

    /// The newest entry in its journal, told of or not yet.
    pub(super) fn last_seq(&self) -> u64 {
        self.life.0.store.read(|r| r.head()).unwrap().seq
    }

    pub(super) async fn call(
        &self,
        caller: &Caller,
        capability: &str,
        method: &str,
        body: Value,
    ) -> Result<Value, Fault> {
        let body = body.to_string().into_bytes();
        let answer = self.life.call(caller, capability, 1, method, &body).await?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    /// A call of the person that succeeds.
    pub(super) async fn ask(&self, capability: &str, method: &str, body: Value) -> Value {
        let answer = self.call(&shell(), capability, method, body).await;
        answer.unwrap_or_else(|fault| panic!("{capability}.{method}: {fault:?}"))
    }

    /// The code of a call of the person that fails.
    pub(super) async fn fails(&self, capability: &str, method: &str, body: Value) -> &'static str {
        self.call(&shell(), capability, method, body).await.unwrap_err().code
    }

    pub(super) async fn say(&self, conversation: &str, text: &str) -> Value {
        let body = json!({"id": id(), "conversation": conversation, "text": text});
        self.ask("chat", "send", body).await
    }

    /// The texts of a conversation, newest first; `-` for a deleted one.
    pub(super) async fn texts(&self, conversation: &str) -> Vec<String> {
        let page = self.ask("chat", "messages", json!({"conversation": conversation})).await;
        let text = |message: &Value| message["text"].as_str().unwrap_or("-").to_owned();
        page["items"].as_array().unwrap().iter().map(text).collect()
    }

    /// The newest message of a conversation.
    pub(super) async fn newest(&self, conversation: &str) -> Value {
        let body = json!({"conversation": conversation, "limit": 1});
        self.ask("chat", "messages", body).await["items"][0].clone()
    }

    /// The conversation with the other of two people.
    pub(super) async fn talk(&self) -> Value {
        let page = self.ask("chat", "conversations", json!({})).await;
        let items = page["items"].as_array().unwrap();
        items.iter().find(|one| one["with"]["me"] == false).cloned().unwrap_or_default()
    }

    pub(super) async fn talk_id(&self) -> String {
        self.talk().await["conversation"].as_str().unwrap().to_owned()
    }

    pub(super) async fn contact(&self) -> Value {
        self.ask("contacts", "list", json!({})).await["items"][0].clone()
    }

    pub(super) async fn until_contact(&self, state: &str) {
        until(async || self.contact().await["state"] == state).await;
    }

    pub(super) async fn until_texts(&self, conversation: &str, texts: &[&str]) {
        until(async || self.texts(conversation).await == texts).await;
    }

    pub(super) async fn history(&self, filter: Value) -> Vec<Value> {
        self.ask("history", "list", filter).await["items"].as_array().unwrap().clone()
    }

    /// Undoes the newest entry of a kind.
    pub(super) async fn undo(&self, kind: &str) -> Result<Value, Fault> {
        let seq = self.history(json!({"kinds": [kind]})).await[0]["seq"].clone();
        self.call(&shell(), "history", "undo", json!({"id": id(), "seq": seq})).await
    }

    pub(super) fn follow(&self, caller: &Caller, capability: &str, topic: Value) -> Subscription {
        self.life.subscribe(caller, capability, 1, topic, None).unwrap()
    }

    pub(super) async fn verify(&self) {
        self.life.verify().await.unwrap();
    }
}

pub(super) fn shell() -> Caller {
    Caller::Person { session: "s1".to_owned() }
}

pub(super) fn experience(name: &str) -> Caller {
    Caller::Experience { name: name.to_owned(), session: "s1".to_owned() }
}

/// A fresh id.
pub(super) fn id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:032x}", NEXT.fetch_add(1, Ordering::Relaxed) | 1 << 60)
}

/// Waits until it is so.
pub(super) async fn until(so: impl AsyncFn() -> bool) {
    for _ in 0..2000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never became so");
}

/// The next event, as JSON.
pub(super) async fn heard(subscription: &mut Subscription) -> Value {
    let next = tokio::time::timeout(Duration::from_secs(10), subscription.next()).await;
    match next.expect("something is heard in time") {
        Some(Delta::Event { event, .. }) => event,
        other => panic!("{other:?} instead of an event"),
    }
}

/// Whether nothing is heard for a moment.
pub(super) async fn silent(subscription: &mut Subscription) -> bool {
    tokio::time::timeout(Duration::from_millis(100), subscription.next()).await.is_err()
}
