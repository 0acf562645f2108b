//! The gateway's promises at its boundary: the test is executor, twin and browser at once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use handover::{Channel, FromGateway, FromTwin, Number, Place, Rate, Reason, ToGateway, ToTwin};
use tokio::task::{LocalSet, spawn_local};

const ANN: Number = Number(1);
const BOB: Number = Number(2);

/// The executor's side of a running gateway.
struct Executor {
    channel: Channel,
    address: SocketAddr,
}

impl Executor {
    async fn start() -> Self {
        let this = Self::begin().await;
        this.opens().await;
        this
    }

    async fn begin() -> Self {
        let (ours, theirs) = Channel::pair().unwrap();
        spawn_local(gateway::run(Channel::from_fd(theirs).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let channel = Channel::from_fd(ours).unwrap();
        let place = Place { zone: "localhost".to_owned(), listen: address };
        let wakes = Rate { at_once: 20, per_minute: 4 };
        channel
            .send(&ToGateway::Start { place, wakes, cards: Vec::new() }, &[listener.as_fd()])
            .await
            .unwrap();
        for (twin, name) in [(Number::NODE, "node"), (ANN, "ann"), (BOB, "bob")] {
            let id = Some([twin.0 as u8; 32]);
            channel.send(&ToGateway::Name { twin, name: name.to_owned(), id }, &[]).await.unwrap();
        }
        Self { channel, address }
    }

    /// The twins are named: from here on it accepts.
    async fn opens(&self) {
        self.channel.send(&ToGateway::Accept, &[]).await.unwrap();
        assert_eq!(self.hears().await, FromGateway::Ready);
    }

    async fn hears(&self) -> FromGateway {
        within(self.channel.recv()).await.unwrap().unwrap().0
    }

    async fn is_asked_to_wake(&self, wanted: Number) {
        let heard = self.hears().await;
        assert!(matches!(heard, FromGateway::Wake { twin, .. } if twin == wanted), "{heard:?}");
    }

    /// Starts a twin: answers the wake-up with a channel.
    async fn awakes(&self, twin: Number) -> Channel {
        self.awakes_as(twin, 7).await
    }

    async fn awakes_as(&self, twin: Number, instance: u64) -> Channel {
        let (ours, theirs) = Channel::pair().unwrap();
        let awake = ToGateway::Awake { twin, instance };
        self.channel.send(&awake, &[theirs.as_fd()]).await.unwrap();
        Channel::from_fd(ours).unwrap()
    }

    fn browser(&self, host: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET /marked HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        stream
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("an answer in time")
}

/// Takes one connection as a twin does, answers over it, and tells its reason.
async fn take(twin: &Channel, answer: &str) -> Option<Reason> {
    let (header, mut fds) = within(twin.recv::<ToTwin>()).await.unwrap().unwrap();
    let ToTwin::Connection { hand_over, reason, tls: false, .. } = header else {
        panic!("not a plain connection: {header:?}")
    };
    let mut stream = TcpStream::from(fds.pop().unwrap());
    stream.set_nonblocking(false).unwrap();
    twin.send(&FromTwin::Taken { hand_over }, &[]).await.unwrap();
    let mut request = [0; 512];
    let read = stream.read(&mut request).unwrap();
    assert!(request[..read].starts_with(b"GET /marked"), "nothing was read before the twin");
    stream.write_all(answer.as_bytes()).unwrap();
    reason
}

/// What the browser reads until the end: the gateway has let go of its copy by then.
async fn answer(mut browser: TcpStream) -> String {
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        browser.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        browser.read_to_string(&mut text).unwrap();
        text
    });
    read.await.unwrap()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_sleeping_twin_is_woken_once_and_gets_all_that_waited() {
    run(async {
        let executor = Executor::start().await;
        let browsers = [executor.browser("ann.localhost"), executor.browser("ann.localhost")];
        executor.is_asked_to_wake(ANN).await;
        let ann = executor.awakes(ANN).await;
        for browser in browsers {
            assert_eq!(take(&ann, "hello").await, None);
            assert_eq!(answer(browser).await, "hello");
        }
    });
}

#[test]
fn nobody_is_told_that_no_twin_is_here_before_all_are_named() {
    run(async {
        let executor = Executor::begin().await;
        let browser = executor.browser("eve.localhost");
        let early = tokio::time::timeout(Duration::from_millis(100), executor.hears()).await;
        assert!(early.is_err(), "a connection was accepted: {early:?}");
        let (twin, name) = (Number(9), "eve".to_owned());
        let named = ToGateway::Name { twin, name, id: None };
        executor.channel.send(&named, &[]).await.unwrap();
        executor.opens().await;
        executor.is_asked_to_wake(twin).await;
        let eve = executor.awakes(twin).await;
        assert_eq!(take(&eve, "here").await, None);
        assert_eq!(answer(browser).await, "here");
    });
}

#[test]
fn what_a_dead_twin_did_not_take_goes_to_the_next_one() {
    run(async {
        let executor = Executor::start().await;
        let browser = executor.browser("ann.localhost");
        assert_eq!(executor.hears().await, FromGateway::Wake { twin: ANN, after: 0 });
        for _ in 0..3 {
            let dying = executor.awakes(ANN).await;
            within(dying.recv::<ToTwin>()).await.unwrap().unwrap();
            drop(dying);
            // It names the one that is gone, so that the next one is not taken for it.
            assert_eq!(executor.hears().await, FromGateway::Wake { twin: ANN, after: 7 });
        }
        let ann = executor.awakes(ANN).await;
        take(&ann, "at last").await;
        assert_eq!(answer(browser).await, "at last");
    });
}

#[test]
fn the_end_of_one_process_is_not_taken_for_the_end_of_the_next() {
    run(async {
        let executor = Executor::start().await;
        let _browser = executor.browser("ann.localhost");
        executor.hears().await;
        let first = executor.awakes_as(ANN, 1).await;
        take(&first, "one").await;
        first.send(&FromTwin::Sleep, &[]).await.unwrap();
        assert_eq!(within(first.recv::<ToTwin>()).await.unwrap().unwrap().0, ToTwin::Quiet);
        // The executor has reaped it and starts the next by itself, before its channel's end is seen.
        let next = executor.awakes_as(ANN, 2).await;
        let late = executor.browser("ann.localhost");
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(first);
        take(&next, "two").await;
        assert_eq!(answer(late).await, "two");
        next.send(&FromTwin::Open { request: 1, to: [9; 32] }, &[]).await.unwrap();
        let refused = within(next.recv::<ToTwin>()).await.unwrap().unwrap().0;
        assert_eq!(refused, ToTwin::Refused { request: 1, reason: Reason::NotHere });
        next.send(&FromTwin::Sleep, &[]).await.unwrap();
        assert_eq!(within(next.recv::<ToTwin>()).await.unwrap().unwrap().0, ToTwin::Quiet);
    });
}

#[test]
fn a_twin_that_leaves_is_sent_nothing_more_and_newcomers_wait_for_the_next() {
    run(async {
        let executor = Executor::start().await;
        let first = executor.browser("ann.localhost");
        executor.hears().await;
        let ann = executor.awakes(ANN).await;
        take(&ann, "one").await;
        assert_eq!(answer(first).await, "one");

        ann.send(&FromTwin::Sleep, &[]).await.unwrap();
        assert_eq!(within(ann.recv::<ToTwin>()).await.unwrap().unwrap().0, ToTwin::Quiet);
        let late = executor.browser("ann.localhost");
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(ann);
        executor.is_asked_to_wake(ANN).await;
        let ann = executor.awakes(ANN).await;
        take(&ann, "two").await;
        assert_eq!(answer(late).await, "two");
    });
}

#[test]
fn strangers_names_go_to_the_node_twin_with_the_reason() {
    run(async {
        let executor = Executor::start().await;
        let mut waiting = vec![executor.browser("carl.localhost")];
        executor.is_asked_to_wake(Number::NODE).await;
        let node = executor.awakes(Number::NODE).await;
        waiting.push(executor.browser("127.0.0.1:8080"));
        waiting.push(executor.browser("ann.evil.example"));
        for browser in waiting {
            assert_eq!(take(&node, "who?").await, Some(Reason::NotHere));
            assert_eq!(answer(browser).await, "who?");
        }
        let named = executor.browser("node.localhost");
        assert_eq!(take(&node, "it's me").await, None);
        assert_eq!(answer(named).await, "it's me");
    });
}

#[test]
fn a_twin_that_cannot_start_is_explained_by_the_node_twin() {
    run(async {
        let executor = Executor::start().await;
        let browser = executor.browser("ann.localhost");
        executor.is_asked_to_wake(ANN).await;
        let failed = ToGateway::Failed { twin: ANN, reason: Reason::Crashing };
        executor.channel.send(&failed, &[]).await.unwrap();
        executor.is_asked_to_wake(Number::NODE).await;
        let node = executor.awakes(Number::NODE).await;
        assert_eq!(take(&node, "sorry").await, Some(Reason::Crashing));
        assert_eq!(answer(browser).await, "sorry");
    });
}

#[test]
fn a_scanner_stops_waking_twins_and_is_told_so() {
    run(async {
        let executor = Executor::start().await;
        let _browser = executor.browser("node.localhost");
        executor.is_asked_to_wake(Number::NODE).await;
        let node = executor.awakes(Number::NODE).await;
        take(&node, "hello").await;
        let mut woken = 0;
        // A twin that stops as soon as it was looked at, and a stranger who looks again and again.
        loop {
            let _browser = executor.browser("ann.localhost");
            tokio::select! {
                reason = take(&node, "slowly") => {
                    assert_eq!(reason, Some(Reason::TooOften));
                    break;
                }
                wake = executor.hears() => assert!(matches!(wake, FromGateway::Wake { twin: ANN, .. })),
            }
            woken += 1;
            assert!(woken <= 20, "the budget ends");
            let ann = executor.awakes(ANN).await;
            take(&ann, "hello").await;
            ann.send(&FromTwin::Sleep, &[]).await.unwrap();
            within(ann.recv::<ToTwin>()).await.unwrap().unwrap();
            drop(ann);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
}

#[test]
fn twins_are_connected_by_id_and_unknown_ids_are_refused() {
    run(async {
        let executor = Executor::start().await;
        let _browser = executor.browser("ann.localhost");
        executor.hears().await;
        let ann = executor.awakes(ANN).await;
        take(&ann, "hello").await;

        ann.send(&FromTwin::Open { request: 1, to: [9; 32] }, &[]).await.unwrap();
        let refused = within(ann.recv::<ToTwin>()).await.unwrap().unwrap().0;
        assert_eq!(refused, ToTwin::Refused { request: 1, reason: Reason::NotHere });

        ann.send(&FromTwin::Open { request: 2, to: [2; 32] }, &[]).await.unwrap();
        let (opened, mut fds) = within(ann.recv::<ToTwin>()).await.unwrap().unwrap();
        assert_eq!(opened, ToTwin::Opened { request: 2 });
        let mut ours = std::os::unix::net::UnixStream::from(fds.pop().unwrap());
        ours.write_all(b"sealed").unwrap();

        executor.is_asked_to_wake(BOB).await;
        let bob = executor.awakes(BOB).await;
        let (header, mut fds) = within(bob.recv::<ToTwin>()).await.unwrap().unwrap();
        assert!(matches!(header, ToTwin::Link { .. }));
        let mut theirs = std::os::unix::net::UnixStream::from(fds.pop().unwrap());
        let mut bytes = [0; 6];
        theirs.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"sealed");
    });
}
