//! A gateway, an executor and a browser, as small as they can be.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use handover::{
    Channel, FromTwin, FromTwinExecutor, HandOver, Number, Place, Reason, ToTwin, ToTwinExecutor,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

pub(super) const ANN: &str = "ann.localhost:8080";
pub(super) const ORIGIN: &str = "http://ann.localhost:8080";

/// Runs a test as a twin's process runs.
pub(super) fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let tasks = LocalSet::new();
    runtime.block_on(async {
        let test = tokio::time::timeout(Duration::from_secs(60), tasks.run_until(test));
        test.await.expect("the test hangs");
    });
}

/// A running twin and both of its channels' other ends.
pub(super) struct Twin {
    pub(super) gateway: Channel,
    pub(super) executor: Channel,
    pub(super) ready: FromTwinExecutor,
    pub(super) ended: JoinHandle<Result<(), crate::Error>>,
    hand_over: u64,
}

pub(super) struct Setting {
    pub(super) twin: Number,
    pub(super) place: Place,
    pub(super) sleep_after_ms: u64,
}

impl Default for Setting {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        let place = Place { zone: "localhost".into(), listen };
        Self { twin: Number(1), place, sleep_after_ms: 0 }
    }
}

impl Twin {
    pub(super) async fn start(folder: &Path, setting: Setting) -> Self {
        let (executor, theirs) = Channel::pair().unwrap();
        let executor = Channel::from_fd(executor).unwrap();
        let (gateway, twins) = Channel::pair().unwrap();
        let Setting { twin, place, sleep_after_ms } = setting;
        for part in ["door", "life"] {
            std::fs::create_dir_all(folder.join(part)).unwrap();
        }
        let name = if twin == Number::NODE { "node" } else { "ann" }.to_owned();
        let folder = folder.to_str().unwrap().to_owned();
        let share = handover::Share::default();
        let memory_short = false;
        let start = ToTwinExecutor::Start {
            twin,
            name,
            place,
            folder,
            sleep_after_ms,
            share,
            memory_short,
        };
        executor.send(&start, &[twins.as_fd()]).await.unwrap();
        drop(twins);
        let ended = spawn_local(super::super::run(Channel::from_fd(theirs).unwrap()));
        let (ready, _) = executor.recv().await.unwrap().unwrap();
        let gateway = Channel::from_fd(gateway).unwrap();
        Self { gateway, executor, ready, ended, hand_over: 0 }
    }

    /// Hands over a new connection and waits until it is taken.
    pub(super) async fn connect(&mut self) -> Browser<TcpStream> {
        Browser(self.hand_over(false, None).await)
    }

    pub(super) async fn hand_over(&mut self, tls: bool, reason: Option<Reason>) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let browser = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        self.hand_over += 1;
        let hand_over = HandOver(self.hand_over);
        let header = ToTwin::Connection { hand_over, peer, tls, reason };
        self.gateway.send(&header, &[stream.as_fd()]).await.unwrap();
        loop {
            match self.heard().await {
                FromTwin::Taken { hand_over } if hand_over.0 == self.hand_over => return browser,
                FromTwin::Taken { .. } => panic!("taken twice"),
                FromTwin::Known { .. } | FromTwin::Open { .. } | FromTwin::Sleep => {}
            }
        }
    }

    pub(super) async fn heard(&self) -> FromTwin {
        self.gateway.recv().await.unwrap().unwrap().0
    }

    pub(super) async fn told(&self) -> FromTwinExecutor {
        loop {
            // How the twin is, is told now and then; tests of health look for it themselves.
            let (header, _) = self.executor.recv().await.unwrap().unwrap();
            if !matches!(header, FromTwinExecutor::Health { .. }) {
                return header;
            }
        }
    }

    /// A pairing code, as the console gets it.
    pub(super) async fn code(&self) -> Result<String, handover::Refusal> {
        self.executor.send(&ToTwinExecutor::Pair { request: 7 }, &[]).await.unwrap();
        loop {
            if let FromTwinExecutor::Code { request: 7, outcome } = self.told().await {
                return outcome;
            }
        }
    }

    /// Pairs a browser; what its requests carry from then on.
    pub(super) async fn pair(&mut self) -> Session {
        let code = self.code().await.unwrap();
        let mut browser = self.connect().await;
        let body = format!(r#"{{"code":"{code}"}}"#);
        let answer = browser.post("/api/identity/1/pair", "", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.header("set-cookie").unwrap();
        for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
            assert!(cookie.contains(part), "{part}");
        }
        Session(format!("Cookie: {}\r\n", cookie.split(';').next().unwrap()))
    }

    pub(super) async fn stop(self) {
        self.executor.send(&ToTwinExecutor::Stop, &[]).await.unwrap();
        self.ended.await.unwrap().unwrap();
    }
}

/// Header lines of a browser that is signed in.
pub(super) struct Session(pub(super) String);

impl Session {
    pub(super) fn with(&self, more: &str) -> String {
        format!("{}{more}", self.0)
    }
}

/// One connection of a browser.
pub(super) struct Browser<S>(pub(super) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Browser<S> {
    pub(super) async fn get(&mut self, path: &str, lines: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {ANN}\r\n{lines}\r\n")).await;
        self.answer().await.unwrap()
    }

    /// A call as the shell makes it.
    pub(super) async fn post(&mut self, path: &str, lines: &str, body: &str) -> Answer {
        let lines = format!("Origin: {ORIGIN}\r\nContent-Type: application/json\r\n{lines}");
        self.post_as(path, &lines, body).await
    }

    /// A call with exactly these header lines.
    pub(super) async fn post_as(&mut self, path: &str, lines: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: {ANN}\r\nContent-Length: {length}\r\n{lines}\r\n{body}"
        ))
        .await;
        self.answer().await.unwrap()
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes()).await;
    }

    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        // A twin that has heard enough closes: its answer says why.
        let _ = self.0.write_all(bytes).await;
        let _ = self.0.flush().await;
    }

    /// The next answer; `None` when the twin closed without one.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("").await
    }

    /// As [`Browser::answer`], to a request of this method: one to `HEAD` has no body.
    pub(super) async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
                break end + 4;
            }
            match self.0.read_u8().await {
                Ok(byte) => bytes.push(byte),
                Err(_) => return None,
            }
        };
        let head = String::from_utf8(bytes[..head].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        let length: usize = answer.header("content-length").map_or(0, |text| text.parse().unwrap());
        if status != 304 && method != "HEAD" {
            answer.body = vec![0; length];
            self.0.read_exact(&mut answer.body).await.ok()?;
        }
        Some(answer)
    }

    /// Whether the twin has closed the connection, waiting for that.
    pub(super) async fn is_closed(&mut self) -> bool {
        !matches!(self.0.read(&mut [0; 1]).await, Ok(1..))
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of a problem document, checked to be whole.
    pub(super) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        let problem: capability::Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        for text in [&problem.title, &problem.detail, &problem.what_to_do] {
            assert!(!text.is_empty() && !text.starts_with("problem."), "{text}");
        }
        problem.code
    }
}
