//! The node's own twin: explains itself to whoever comes without a twin's name, says why a twin
//! can't be reached, and sets up the first twin.
//!
//! Never holds a person's data or credentials, and offers nothing to anyone without the console's
//! one-time code.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use capability::node::v1::{Claim, Claimed};
use capability::wire::Retry;
use handover::{FromTwinExecutor, Place, Reason, Refusal, Sample, network};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::oneshot;

use crate::asks::Asks;
use crate::http::head::{self, Authority};
use crate::http::problem::Trouble;
use crate::http::stream::Body;
use crate::http::{Answer, body, files, headers, page, person};
use crate::limits::Who;
use crate::messages::Language;
use crate::metrics;
use crate::site::{Arrival, Site, Speaker};

/// What the node twin has besides its name: a way to ask the executor.
pub(crate) struct Node {
    executor: Speaker<FromTwinExecutor>,
    waiting: RefCell<HashMap<u64, oneshot::Sender<Outcome>>>,
    request: Cell<u64>,
    tries: RefCell<VecDeque<Instant>>,
    scrapes: Asks<Result<Vec<Sample>, Refusal>>,
    wrong_tokens: RefCell<VecDeque<(Instant, IpAddr)>>,
}

type Outcome = Result<String, Refusal>;

impl Node {
    pub(crate) fn new(executor: Speaker<FromTwinExecutor>) -> Self {
        Self {
            executor,
            waiting: RefCell::default(),
            request: Cell::new(0),
            tries: RefCell::default(),
            scrapes: Asks::default(),
            wrong_tokens: RefCell::default(),
        }
    }

    /// The executor's answer to a scrape.
    pub(crate) fn scraped(&self, request: u64, outcome: Result<Vec<Sample>, Refusal>) {
        self.scrapes.answer(request, outcome);
    }

    /// The executor's answer to a claim.
    pub(crate) fn claimed(&self, request: u64, outcome: Outcome) {
        if let Some(waiting) = self.waiting.borrow_mut().remove(&request) {
            let _ = waiting.send(outcome);
        }
    }

    /// Answers a request.
    pub(crate) async fn answer(
        &self,
        site: &Site,
        arrival: &Arrival,
        request: Request<Incoming>,
        language: Language<'static>,
    ) -> Answer {
        let (head, body) = request.into_parts();
        let mut answer = match self.act(site, arrival, &head, body).await {
            Ok(answer) => answer,
            Err(trouble) if page::is_looked_at(&head) => page::of(&trouble, language),
            Err(trouble) => trouble.response(language),
        };
        headers::plain(answer.headers_mut());
        if arrival.reason.is_some() {
            // The next request shall find its twin again, and not this page.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn act(
        &self,
        site: &Site,
        arrival: &Arrival,
        head: &Parts,
        body: Incoming,
    ) -> Result<Answer, Trouble> {
        let at = Authority::of(head, arrival)?;
        let who = Who::Stranger(network(arrival.peer.ip()));
        site.limits.take(&who, Instant::now()).map_err(Trouble::too_fast)?;
        let path = head.uri.path();
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        if let Some(reason) = arrival.reason {
            let dress = reads && reason != Reason::PlainHttp && is_dress(path);
            return if dress {
                file(site, head, path)
            } else {
                refer(&site.place, reason, &at, head)
            };
        }
        if at.host() != site.host() {
            return Err(Trouble::misdirected().closing());
        }
        if head.method == Method::GET && path == "/metrics" {
            return self.metrics(arrival, head).await;
        }
        if reads {
            return file(site, head, path);
        }
        if head.method == Method::POST && path == "/api/node/1/claim" {
            return self.claim(site, arrival, &at, head, body).await;
        }
        Err(Trouble::not_found())
    }

    async fn claim(
        &self,
        site: &Site,
        arrival: &Arrival,
        at: &Authority,
        head: &Parts,
        body: Incoming,
    ) -> Result<Answer, Trouble> {
        at.check_origin(head).map_err(Trouble::closing)?;
        head::check_json(&head.headers).map_err(Trouble::closing)?;
        let asked: Claim = body::parse(&body::read(body, body::MAX_OF_STRANGER).await?)?;
        self.count_try()?;
        let request = self.request.get() + 1;
        self.request.set(request);
        let (sender, outcome) = oneshot::channel();
        self.waiting.borrow_mut().insert(request, sender);
        let (code, name) = (asked.code.to_string(), asked.name.to_string());
        self.executor.tell(FromTwinExecutor::Claim { request, code, name });
        let outcome = tokio::time::timeout(CLAIMED_WITHIN, outcome).await;
        self.waiting.borrow_mut().remove(&request);
        let next = match outcome {
            Ok(Ok(Ok(next))) => next,
            Ok(Ok(Err(refusal))) => return Err(refused(refusal)),
            Ok(Err(_)) | Err(_) => return Err(Trouble::failed()),
        };
        arrival.is_known();
        drop(site.idle.hold());
        let claimed = serde_json::to_vec(&Claimed { next });
        claimed.map(person::json).map_err(|error| Trouble::inside(&error))
    }

    /// Numbers for whoever shows the token. They never keep the node twin awake.
    async fn metrics(&self, arrival: &Arrival, head: &Parts) -> Result<Answer, Trouble> {
        let source = arrival.peer.ip();
        self.check_wrong_tokens(source)?;
        let token = head::text(&head.headers, &AUTHORIZATION);
        let Some(token) = token.and_then(|text| text.strip_prefix("Bearer ")) else {
            return Err(self.wrong_token(source));
        };
        let token = blake3::derive_key(handover::SCRAPE_TOKEN, token.trim().as_bytes());
        let ask = |request| self.executor.tell(FromTwinExecutor::Scrape { request, token });
        match self.scrapes.ask(CLAIMED_WITHIN, ask).await {
            Some(Ok(samples)) => {
                arrival.is_known();
                let mut answer = Response::new(Body::from(metrics::text(&samples)));
                let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
                answer.headers_mut().insert(CONTENT_TYPE, kind);
                Ok(answer)
            }
            Some(Err(_)) => Err(self.wrong_token(source)),
            None => Err(Trouble::failed()),
        }
    }

    fn wrong_token(&self, source: IpAddr) -> Trouble {
        self.wrong_tokens.borrow_mut().push_back((Instant::now(), source));
        Trouble::no_token()
    }

    /// Whoever guesses is not heard for a while, and all who guess together not without end.
    fn check_wrong_tokens(&self, source: IpAddr) -> Result<(), Trouble> {
        let mut wrong = self.wrong_tokens.borrow_mut();
        while wrong.front().is_some_and(|(time, _)| time.elapsed() > TRIES_WITHIN) {
            wrong.pop_front();
        }
        let own = wrong.iter().filter(|(_, other)| *other == source).count();
        if own >= MAX_WRONG_TOKENS || wrong.len() >= MAX_WRONG_TOKENS * 10 {
            return Err(Trouble::too_often());
        }
        Ok(())
    }

    /// The executor counts tries per code; this keeps a flood away from it.
    fn count_try(&self) -> Result<(), Trouble> {
        let mut tries = self.tries.borrow_mut();
        while tries.front().is_some_and(|time| time.elapsed() > TRIES_WITHIN) {
            tries.pop_front();
        }
        if tries.len() >= MAX_TRIES {
            return Err(Trouble::too_often());
        }
        tries.push_back(Instant::now());
        Ok(())
    }
}

/// A page or file for whoever opens the node's own address.
fn file(site: &Site, head: &Parts, path: &str) -> Result<Answer, Trouble> {
    let file = match path {
        "/" | "/pair" => files::shell("node.html"),
        _ => match path.split_at_checked(1).and_then(|(_, path)| path.split_once('/')) {
            Some(("sdk", path)) => files::sdk(path),
            Some(("shell", path)) => files::shell(path),
            Some(_) | None => None,
        },
    };
    let file = file.ok_or_else(Trouble::not_found)?;
    Ok(site.tags.answer(&file, &head.headers))
}

/// Whether it is a part of the page that says why a twin does not answer.
fn is_dress(path: &str) -> bool {
    let ours = path.starts_with("/sdk/") || path.starts_with("/shell/");
    ours && (path.ends_with(".css") || path.ends_with(".svg"))
}

/// Says why the twin that was asked for does not answer.
fn refer(place: &Place, reason: Reason, at: &Authority, head: &Parts) -> Result<Answer, Trouble> {
    if let (Reason::PlainHttp, Some(label)) = (reason, place.name_of(at.host())) {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let secure = format!("{}{path}", place.origin(label));
        if let Ok(secure) = HeaderValue::from_str(&secure) {
            let mut answer = Response::new(Body::default());
            *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
            answer.headers_mut().insert(LOCATION, secure);
            return Ok(answer);
        }
    }
    let (status, retry) = match reason {
        Reason::Broken => (503, Retry::No),
        Reason::Crashing | Reason::Stopping => (503, Retry::Later),
        Reason::NotHere => (404, Retry::No),
        // Plain HTTP to an address that has no secure form either.
        Reason::PlainHttp => (404, Retry::No),
        Reason::TooOften => (429, Retry::Later),
    };
    let mut trouble = Trouble::new(reason_code(reason), status, retry).closing();
    trouble.values.push(("example", place.origin(EXAMPLE)));
    Err(trouble)
}

fn refused(refusal: Refusal) -> Trouble {
    let (status, retry) = match refusal {
        Refusal::WrongCode => (403, Retry::No),
        Refusal::NameForm | Refusal::NameReserved | Refusal::NodeNameForm => (400, Retry::No),
        Refusal::NameTaken | Refusal::AlreadyPaired => (409, Retry::No),
        Refusal::NameUnknown => (404, Retry::No),
        Refusal::Crashing => (503, Retry::Later),
        Refusal::Failed => (500, Retry::Later),
        Refusal::NotOwner => (403, Retry::No),
        Refusal::NotOffered => (404, Retry::No),
    };
    Trouble::new(refusal_code(refusal), status, retry)
}

/// The code whose sentences explain a refusal.
pub(crate) fn refusal_code(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::AlreadyPaired => "claimed",
        Refusal::Crashing => "crashing",
        Refusal::Failed => "failed",
        Refusal::NameForm | Refusal::NameReserved | Refusal::NodeNameForm => "bad_name",
        Refusal::NameTaken => "name_taken",
        Refusal::NameUnknown => "not_here",
        Refusal::WrongCode => "bad_code",
        Refusal::NotOwner => "not_owner",
        Refusal::NotOffered => "not_found",
    }
}

/// The code whose sentences explain a reason.
pub(crate) fn reason_code(reason: Reason) -> &'static str {
    match reason {
        Reason::Broken => "broken",
        Reason::Crashing => "crashing",
        Reason::NotHere => "not_here",
        Reason::PlainHttp => "plain_http",
        Reason::Stopping => "stopping",
        Reason::TooOften => "too_often",
    }
}

/// The name in examples of addresses.
const EXAMPLE: &str = "ann";
const MAX_TRIES: usize = 20;
/// Of one source, in that time.
const MAX_WRONG_TOKENS: usize = 10;
const TRIES_WITHIN: Duration = Duration::from_secs(60);
/// A new twin's process is started before the answer comes.
const CLAIMED_WITHIN: Duration = Duration::from_secs(30);
