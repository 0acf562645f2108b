//! Calls of capabilities: who calls is found out here, what happens is decided by the life half.
//!
//! The door itself answers what is about devices (`devices`) and about open frames, and nothing else.

use bytes::Bytes;
use capability::experiences::v1 as experiences;
use capability::wire::{BATCH_MAX, Batch, BatchResults, Nothing};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName};
use serde::Serialize;
use serde_json::Value;

use super::devices::{self, Asked, WayIn};
use super::person::{Visit, json};
use super::problem::Trouble;
use super::route::Called;
use super::{Answer, body, head, health, packages};
use crate::life::{Caller, Fault};
use crate::session::Session;

/// Answers one call.
pub(crate) async fn call(
    visit: &Visit<'_>,
    called: Called<'_>,
    body: Incoming,
) -> Result<Answer, Trouble> {
    check_sender(visit)?;
    if let Some(way) = WayIn::find(called.capability, called.major, called.method) {
        // Also where it would do no harm: no experience has anything to do with it.
        if token(&visit.head.headers).is_some() {
            return Err(Trouble::only_shell());
        }
        let body = body::read(body, body::MAX_OF_STRANGER).await?;
        return devices::come_in(visit, way, &body);
    }
    let (session, _hold) = visit.session()?;
    let method = Own::find(called.capability, called.major, called.method);
    if matches!(caller(visit, &session)?, Caller::Experience { .. }) && method.is_some() {
        return Err(Trouble::only_shell());
    }
    let (caller, body) = read(visit, &session, body).await?;
    if let Some(method) = method {
        return own(visit, &session, &caller, method, &body).await;
    }
    let Called { capability, major, method } = called;
    let answer = visit.person.life.call(&caller, capability, major, method, &body).await?;
    Ok(json(answer))
}

/// Answers several calls that happen together.
pub(crate) async fn batch(visit: &Visit<'_>, body: Incoming) -> Result<Answer, Trouble> {
    check_sender(visit)?;
    let (session, _hold) = visit.session()?;
    let (caller, body) = read(visit, &session, body).await?;
    let Batch { calls } = body::parse(&body)?;
    if calls.is_empty() || calls.len() > BATCH_MAX {
        return Err(Trouble::malformed());
    }
    let more = u32::try_from(calls.len() - 1).unwrap_or(u32::MAX);
    visit.site.limits.take_more(&visit.who(), more);
    for (call, number) in calls.iter().zip(0_u16..) {
        let (capability, method) = (call.capability.as_str(), call.method.as_str());
        let way_in = WayIn::find(capability, call.major, method).is_some();
        if way_in || Own::find(capability, call.major, method).is_some() {
            let mut trouble = Trouble::not_in_batch();
            trouble.call = Some(number);
            return Err(trouble);
        }
    }
    let results = visit.person.life.batch(&caller, calls).await?;
    let results = results.iter().map(|result| serde_json::from_slice(result));
    let results: Vec<Value> =
        results.collect::<Result<_, _>>().map_err(|error| Trouble::inside(&error))?;
    answer(&BatchResults { results })
}

/// Reads a body on behalf of whoever may call, before and after: reading takes time, and a session
/// or a frame may end meanwhile. Of nobody else a byte is read.
async fn read(
    visit: &Visit<'_>,
    session: &Session,
    body: Incoming,
) -> Result<(Caller, Bytes), Trouble> {
    caller(visit, session)?;
    let body = body::read(body, body::MAX_OF_CALL).await?;
    if session.has_ended() {
        return Err(Trouble::signed_out());
    }
    Ok((caller(visit, session)?, body))
}

fn check_sender(visit: &Visit<'_>) -> Result<(), Trouble> {
    visit.at.check_origin(visit.head).map_err(Trouble::closing)?;
    head::check_json(&visit.head.headers).map_err(Trouble::closing)
}

/// Who calls: the person's own pages, or an experience on whose behalf they do.
pub(crate) fn caller(visit: &Visit<'_>, session: &Session) -> Result<Caller, Trouble> {
    match token(&visit.head.headers) {
        None => Ok(Caller::Person { session: session.id.clone() }),
        // Never falls back to the person: an unreadable token is nobody's.
        Some(token) => experience(visit, session, token.unwrap_or_default()),
    }
}

/// The token of an experience, if there is one; an error if it can't be read.
pub(crate) fn token(headers: &HeaderMap) -> Option<Result<&str, ()>> {
    let mut tokens = headers.get_all(EXPERIENCE).iter();
    let token = tokens.next()?.to_str().ok().filter(|_| tokens.next().is_none());
    Some(token.ok_or(()))
}

/// The experience of a frame's token.
pub(crate) fn experience(
    visit: &Visit<'_>,
    session: &Session,
    token: &str,
) -> Result<Caller, Trouble> {
    let frame = visit.person.frames.of_token(&session.id, token);
    let frame = frame.ok_or_else(Trouble::frame_closed)?;
    Ok(Caller::Experience { name: frame.experience.clone(), session: session.id.clone() })
}

/// What the door answers itself.
#[derive(Clone, Copy)]
enum Own {
    Device(Asked),
    List,
    Open,
    Inspect,
    Install,
    Close,
    Health,
    Repair,
    PutOff,
    NodeHealth,
    NodeRepair,
}

impl Own {
    fn find(capability: &str, major: u32, method: &str) -> Option<Self> {
        match (capability, major, method) {
            ("identity", _, _) => Asked::find(major, method).map(Self::Device),
            ("experiences", 1, "list") => Some(Self::List),
            ("experiences", 1, "open") => Some(Self::Open),
            ("experiences", 1, "inspect") => Some(Self::Inspect),
            ("experiences", 1, "install") => Some(Self::Install),
            ("experiences", 1, "close") => Some(Self::Close),
            ("health", 1, "list") => Some(Self::Health),
            ("health", 1, "repair") => Some(Self::Repair),
            ("health", 1, "put_off") => Some(Self::PutOff),
            ("node", 1, "health") => Some(Self::NodeHealth),
            ("node", 1, "repair") => Some(Self::NodeRepair),
            _ => None,
        }
    }
}

async fn own(
    visit: &Visit<'_>,
    session: &Session,
    caller: &Caller,
    method: Own,
    body: &[u8],
) -> Result<Answer, Trouble> {
    match method {
        Own::Device(asked) => devices::answer_known(visit, session, caller, asked, body).await,
        Own::List => {
            let Nothing {} = body::parse(body)?;
            answer(&installed(visit, caller).await?)
        }
        Own::Open => open(visit, session, &body::parse(body)?).await,
        Own::Inspect => answer(&packages::inspect(visit, caller, &body::parse(body)?).await?),
        Own::Install => {
            packages::install(visit, caller, &body::parse(body)?).await?;
            answer(&installed(visit, caller).await?)
        }
        Own::Close => {
            let asked: experiences::Close = body::parse(body)?;
            let closed = visit.person.frames.close(&asked.frame, &session.id);
            closed.map_err(|error| Trouble::inside(&error))?;
            answer(&Nothing {})
        }
        Own::Health => {
            let Nothing {} = body::parse(body)?;
            answer(&health::list(visit)?)
        }
        Own::Repair => answer(&health::repair(visit, &body::parse(body)?).await?),
        Own::PutOff => answer(&health::put_off(visit, &body::parse(body)?)?),
        Own::NodeHealth => {
            let Nothing {} = body::parse(body)?;
            answer(&health::of_node(visit).await?)
        }
        Own::NodeRepair => answer(&health::repair_node(visit, &body::parse(body)?).await?),
    }
}

/// What is on the shelf, with the grants that the life half knows.
async fn installed(visit: &Visit<'_>, caller: &Caller) -> Result<experiences::Installed, Trouble> {
    let grants = visit.person.life.call(caller, "experiences", 1, "grants", b"{}").await?;
    let grants: experiences::Grants =
        serde_json::from_slice(&grants).map_err(|error| Trouble::inside(&error))?;
    let mut items = Vec::new();
    for found in visit.person.shelf.all(&visit.person.life).await? {
        let manifest = found.shown.manifest.clone();
        items.push(experiences::Experience {
            grants: grants
                .items
                .iter()
                .filter(|one| one.experience == manifest.name)
                .cloned()
                .collect(),
            name: manifest.name.clone(),
            version: manifest.version.to_string(),
            title: packages::title(&manifest),
            wants: manifest.wants.clone(),
            release: found.used.as_ref().map(|used| used.seq),
            author: match &found.used {
                Some(used) if !found.shown.is_of_program() => {
                    Some(packages::author(visit, &used.release.author)?)
                }
                Some(_) | None => None,
            },
        });
    }
    Ok(experiences::Installed { items })
}

async fn open(
    visit: &Visit<'_>,
    session: &Session,
    asked: &experiences::Open,
) -> Result<Answer, Trouble> {
    let found = visit.person.shelf.find(&visit.person.life, asked.name.as_str()).await?;
    let found = found.ok_or_else(Trouble::not_found)?;
    let (installed, release) = (&found.shown.manifest, found.used.map(|used| used.seq));
    let opened = visit.person.frames.add(installed.name.as_str(), release, &session.id);
    let opened = opened.map_err(|error| Trouble::inside(&error))?;
    let url = format!("/x/{}/{}", opened.id, installed.entry);
    answer(&experiences::Opened { frame: opened.id, token: opened.token, url })
}

/// A value as an answer.
pub(crate) fn answer(value: &impl Serialize) -> Result<Answer, Trouble> {
    serde_json::to_vec(value).map(json).map_err(|error| Trouble::inside(&error))
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        let mut trouble = Self::new(fault.code, fault.status, fault.retry);
        trouble.values = fault.args;
        trouble.fields = fault.fields;
        trouble.rev = fault.rev;
        trouble.call = fault.call;
        trouble
    }
}

const EXPERIENCE: HeaderName = HeaderName::from_static("experience");
