//! A whole node, in which one process obeys the red team.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hw_tests::{Node, Options, Person, Result, fresh_id, red_team, until};
use serde_json::json;

/// A node where Bob's twin or the gateway is the red team as soon as it has orders.
pub(crate) struct Taken {
    pub(crate) node: Node,
    pub(crate) ann: Person,
    bob: Person,
}

impl Taken {
    pub(crate) fn start() -> Result<Self> {
        Self::start_on(Options::people(&["ann", "bob"]))
    }

    pub(crate) fn start_on(options: Options) -> Result<Self> {
        let options = Options { program: Some(red_team()?), ..options };
        let node = Node::start(&options)?;
        let (ann, bob) = (node.pair("ann")?, node.pair("bob")?);
        for (person, text) in [(&ann, "ann's note"), (&bob, "bob's note")] {
            write(person, text)?;
        }
        Ok(Self { node, ann, bob })
    }

    /// From now on Bob's twin obeys these orders.
    pub(crate) fn take(&self, order: &str) -> Result<()> {
        fs::write(self.orders(), format!("twin 2: {order}\n"))?;
        if let Some(twin) = self.node.awake("bob")? {
            twin.kill()?;
        }
        let line = format!("orders: {}", order.split(' ').next().unwrap_or_default());
        until("the red team", Duration::from_secs(20), || {
            let _ = self.node.awake("bob")?.is_none().then(|| knock(&self.bob));
            Ok(self.node.log().contains(&line).then_some(()))
        })
    }

    /// From now on the gateway obeys these orders.
    pub(crate) fn take_gateway(&self, order: &str) -> Result<()> {
        fs::write(self.orders(), format!("gateway: {order}\n"))?;
        until("the red team", Duration::from_secs(60), || {
            if self.node.log().contains(&format!("orders: {order}")) {
                return Ok(Some(()));
            }
            self.node.gateway()?.kill()?;
            // Several deaths right after the start are a crash loop.
            std::thread::sleep(Duration::from_millis(2_200));
            Ok(None)
        })
    }

    pub(crate) fn orders(&self) -> PathBuf {
        self.node.data().join("orders")
    }

    /// Ann notices nothing for some time.
    pub(crate) fn ann_is_well(&self, time: Duration) -> Result<()> {
        let begin = Instant::now();
        loop {
            let asked = Instant::now();
            write(&self.ann, "still here")?;
            let took = asked.elapsed();
            assert!(took < Duration::from_secs(8), "a note took {took:?}");
            if begin.elapsed() >= time {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(self.node.executor().alive());
        Ok(())
    }

    /// Bob's own twin is back, with all that was acknowledged, by itself once it is free again.
    pub(crate) fn bob_is_back(&self) -> Result<()> {
        fs::remove_file(self.orders())?;
        if let Some(twin) = self.node.awake("bob")? {
            twin.kill()?;
        }
        until("bob's twin", Duration::from_secs(90), || {
            let page = self.bob.call("chat", "messages", json!({ "conversation": "self" }));
            Ok(page.ok().filter(|page| page["items"][0]["text"] == "bob's note").map(drop))
        })
    }

    /// Whether the owner is told of this problem of Bob's twin.
    pub(crate) fn owner_knows(&self, problem: &str) -> Result<bool> {
        let list = self.node.verb(&["node", "health"])?.json();
        let mut items = list["items"].as_array().into_iter().flatten();
        Ok(items.any(|item| item["problem"] == problem && item["about"] == "bob"))
    }

    pub(crate) fn bob_knows(&self, problem: &str) -> Result<bool> {
        knows(&self.bob, problem)
    }
}

/// Whether this problem is in a person's own list.
pub(crate) fn knows(person: &Person, problem: &str) -> Result<bool> {
    let list = person.call("health", "list", json!({}))?;
    let mut items = list["items"].as_array().into_iter().flatten();
    Ok(items.any(|item| item["problem"] == problem))
}

pub(crate) fn write(person: &Person, text: &str) -> Result<()> {
    let note = json!({ "id": fresh_id(), "conversation": "self", "text": text });
    person.call("chat", "send", note).map(drop).map_err(|fault| format!("{fault:?}").into())
}

/// A connection that wakes a twin, without waiting for an answer.
fn knock(person: &Person) {
    use std::io::Write;
    if let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", person.port)) {
        let host = format!("{}.localhost:{}", person.name, person.port);
        let _ = stream.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        std::thread::sleep(Duration::from_millis(200));
    }
}
