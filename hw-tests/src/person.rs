//! A person's client: pairs by address, calls capabilities with cookie and origin, as the shell does.
//!
//! Connects to loopback by number and names the twin in `Host`, so it needs no name service.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{Request, Response};

use crate::{Events, Result};

/// A paired client of one twin.
#[derive(Clone)]
pub struct Person {
    /// The twin's name.
    pub name: String,
    /// The node's port; a restarted node may have another one.
    pub port: u16,
    /// `__Host-twin=...`
    pub cookie: String,
    agent: Agent,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value; empty if it isn't there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        found.next().map_or("", |(_, value)| value.as_str())
    }

    /// The body as JSON; `null` if it's none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why a call gave no result.
#[derive(Debug)]
pub enum Fault {
    /// The connection broke: nobody knows whether the call was done.
    Lost(String),
    /// The twin answered with a problem document.
    Problem {
        /// The status.
        status: u16,
        /// Its stable code.
        code: String,
        /// All of it.
        document: Value,
    },
}

impl Fault {
    /// The problem's code; empty for a broken connection.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Lost(_) => "",
            Self::Problem { code, .. } => code,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost(why) => write!(f, "connection lost: {why}"),
            Self::Problem { status, document, .. } => write!(f, "{status}: {document}"),
        }
    }
}

impl std::error::Error for Fault {}

impl Person {
    /// Opens a pairing address: `http://ann.localhost:8080/pair#CODE`.
    ///
    /// # Errors
    /// If the code is refused or no session is made.
    pub fn pair(url: &str) -> Result<Self> {
        let (place, code) =
            url.split_once("/pair#").ok_or_else(|| format!("{url} pairs nothing"))?;
        let mut person = Self::stranger(place)?;
        let answer = person.post("/api/identity/1/pair", &[], &json!({ "code": code }))?;
        if answer.status != 200 {
            return Err(format!("pairing: {} {}", answer.status, answer.text()).into());
        }
        let cookie = answer.header("set-cookie");
        if !cookie.starts_with("__Host-twin=") {
            return Err(format!("no session in {cookie:?}").into());
        }
        person.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(person)
    }

    /// A client without a session for `http://ann.localhost:8080`.
    ///
    /// # Errors
    /// If that is no address of a twin.
    pub fn stranger(place: &str) -> Result<Self> {
        let host = place.trim_start_matches("http://").trim_end_matches('/');
        let (name, port) = host
            .split_once(".localhost:")
            .ok_or_else(|| format!("{place} is no address on loopback"))?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .new_agent();
        Ok(Self { name: name.to_owned(), port: port.parse()?, cookie: String::new(), agent })
    }

    /// Keeps its connection open between calls, as a browser does.
    #[must_use]
    pub fn keeping_connections(mut self) -> Self {
        self.agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .new_agent();
        self
    }

    /// Name and port as the browser writes them.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}.localhost:{}", self.name, self.port)
    }

    /// The twin's origin.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.authority())
    }

    /// One call of a capability.
    ///
    /// # Errors
    /// A problem of the twin's, or a broken connection.
    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!` in place")]
    pub fn call(
        &self,
        capability: &str,
        method: &str,
        body: Value,
    ) -> std::result::Result<Value, Fault> {
        self.call_as(capability, method, &[], &body)
    }

    /// One call with further headers, such as an experience's token.
    ///
    /// # Errors
    /// A problem of the twin's, or a broken connection.
    pub fn call_as(
        &self,
        capability: &str,
        method: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> std::result::Result<Value, Fault> {
        let path = format!("/api/{capability}/1/{method}");
        let answer = self.post(&path, headers, body).map_err(|e| Fault::Lost(e.to_string()))?;
        let document = answer.json();
        if answer.status == 200 {
            return Ok(document);
        }
        let code = document["code"].as_str().unwrap_or_default().to_owned();
        Err(Fault::Problem { status: answer.status, code, document })
    }

    /// Posts JSON with cookie and the own origin; a header given here replaces the usual one.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Result<Answer> {
        let usual = [("origin", self.origin()), ("content-type", "application/json".to_owned())];
        let mut request = Request::post(self.url(path));
        for (name, value) in usual.iter().filter(|(name, _)| headers.iter().all(|h| h.0 != *name)) {
            request = request.header(*name, value);
        }
        let request = self.dress(request, headers).body(body.to_string())?;
        read(self.agent.run(request)?)
    }

    /// Gets a page with the cookie.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let request = self.dress(Request::get(self.url(path)), headers).body(())?;
        read(self.agent.run(request)?)
    }

    /// Opens the event socket.
    ///
    /// # Errors
    /// If the twin refuses it.
    pub fn events(&self) -> Result<Events> {
        Events::open(self, &self.origin())
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn dress(
        &self,
        mut request: ureq::http::request::Builder,
        headers: &[(&str, &str)],
    ) -> ureq::http::request::Builder {
        if headers.iter().all(|(name, _)| *name != "host") {
            request = request.header("host", self.authority());
        }
        if !self.cookie.is_empty() && headers.iter().all(|(name, _)| *name != "cookie") {
            request = request.header("cookie", &self.cookie);
        }
        // An empty value leaves the header out.
        let set = headers.iter().filter(|(_, value)| !value.is_empty());
        set.fold(request, |request, (name, value)| request.header(*name, *value))
    }
}

fn read(mut response: Response<ureq::Body>) -> Result<Answer> {
    let headers = response.headers().iter();
    let headers =
        headers.map(|(k, v)| (k.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
    Ok(Answer {
        status: response.status().as_u16(),
        headers: headers.collect(),
        body: response.body_mut().read_to_vec()?,
    })
}

/// Sends these bytes to a port and reads until the other side closes or is silent for too long.
///
/// # Errors
/// If nobody listens.
pub fn raw(port: u16, bytes: &[u8], patience: Duration) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    // The other side may close while we still write: what it said is what counts.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read) = stream.read(&mut piece) {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..read]);
    }
    Ok(answer)
}

/// A fresh id for a write: 32 hexadecimal digits.
///
/// # Panics
/// If the system has no random numbers.
#[must_use]
#[expect(clippy::expect_used, reason = "a test machine without random numbers tests nothing")]
pub fn fresh_id() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the system gives random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
