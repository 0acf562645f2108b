//! Requests to a person's twin: checked, led to files, calls, frames or the event socket.
//!
//! Never answers under a name that is not the twin's, and never looks at cookies under `/x/`.

use std::rc::Rc;
use std::time::{Duration, Instant};

use handover::network;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};

use super::head::{self, Authority};
use super::problem::Trouble;
use super::route::{Route, route};
use super::stream::Body;
use super::{Answer, api, docs, files, headers, page, things, uploads};
use crate::idle::Hold;
use crate::limits::Who;
use crate::messages::Language;
use crate::session::Session;
use crate::site::{Arrival, Person, Site};
use crate::{clock_ms, events};

/// One request and all it may touch.
pub(crate) struct Visit<'a> {
    /// The twin.
    pub site: &'a Rc<Site>,
    /// Its person's part.
    pub person: &'a Person,
    /// The connection.
    pub arrival: &'a Rc<Arrival>,
    /// The head of the request.
    pub head: &'a Parts,
    /// Where it was meant to go.
    pub at: Authority,
    /// The language of its problems.
    pub language: Language<'static>,
}

/// Answers a request to a person's twin.
pub(crate) async fn answer(
    site: &Rc<Site>,
    person: &Person,
    arrival: &Rc<Arrival>,
    request: Request<Incoming>,
    language: Language<'static>,
) -> Answer {
    let (mut head, body) = request.into_parts();
    let at = match check_authority(site, arrival, &head) {
        Ok(at) => at,
        Err(trouble) if page::is_looked_at(&head) => {
            return dressed(page::of(&trouble, language), headers::plain);
        }
        Err(trouble) => return dressed(trouble.response(language), headers::data),
    };
    let upgrade = head.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let visit = Visit { site, person, arrival, head: &head, at, language };
    if let Err(wait) = site.limits.take(&visit.who(), Instant::now()) {
        return visit.too_fast(wait);
    }
    match route(&head.method, head.uri.path()) {
        Ok(Route::Shell(path)) => visit.page(files::shell(path).or_else(|| other_page(path))),
        Ok(Route::Docs(path)) => match docs::answer(path) {
            Some(answer) => dressed(answer, headers::plain),
            None => visit.problem(&Trouble::not_found()),
        },
        Ok(Route::Sdk(path)) => visit.page(files::sdk(path)),
        Ok(Route::Frame { id, path }) => visit.frame(id, path).await,
        Ok(Route::Uploads) => visit.data(uploads::begin(&visit, body).await),
        Ok(Route::Upload(id)) => visit.data(uploads::one(&visit, id, body).await),
        Ok(Route::Call(called)) => visit.data(api::call(&visit, called, body).await),
        Ok(Route::Batch) => visit.data(api::batch(&visit, body).await),
        Ok(Route::Events) => visit.data(events::upgrade(&visit, upgrade)),
        Err(trouble) if head.uri.path().starts_with("/x/") => {
            dressed(trouble.response(language), headers::no_frame)
        }
        Err(trouble) => visit.problem(&trouble),
    }
}

/// The name must be this twin's own, in the hello and in the head.
fn check_authority(site: &Site, arrival: &Arrival, head: &Parts) -> Result<Authority, Trouble> {
    let at = Authority::of(head, arrival)?;
    let own = site.host();
    let hello_fits = !arrival.tls || arrival.sni.as_deref() == Some(&*own);
    if at.host() == own && hello_fits { Ok(at) } else { Err(Trouble::misdirected().closing()) }
}

/// Addresses that have no file of their own open the shell, which shows what belongs there.
fn other_page(path: &str) -> Option<files::File> {
    if path == "pair.html" { files::shell("index.html") } else { None }
}

impl Visit<'_> {
    /// The session of whoever asks. A known browser keeps the twin awake while it is served.
    pub(crate) fn session(&self) -> Result<(Rc<Session>, Hold), Trouble> {
        let token = head::token(&self.head.headers).ok_or_else(Trouble::signed_out)?;
        let session = self.person.sessions.of_token(token).ok_or_else(Trouble::signed_out)?;
        self.person.sessions.used(&session, clock_ms());
        Ok((session, self.used()))
    }

    /// Whose share of requests this is. Below `/x/` the address says it, and no cookie is looked at.
    pub(crate) fn who(&self) -> Who {
        let stranger = || Who::Stranger(network(self.arrival.peer.ip()));
        let frame = match route(&self.head.method, self.head.uri.path()) {
            Ok(Route::Frame { id, .. }) => match self.person.frames.find(id) {
                Some(frame) => Some(frame),
                None => return stranger(),
            },
            Ok(_) | Err(_) => None,
        };
        let session = || self.person.sessions.of_token(head::token(&self.head.headers)?);
        match (frame, api::token(&self.head.headers)) {
            (Some(frame), _) => Who::of(&frame),
            (None, Some(token)) => {
                let frame = session()
                    .and_then(|session| self.person.frames.of_token(&session.id, token.ok()?));
                frame.map_or_else(stranger, |frame| Who::of(&frame))
            }
            (None, None) => session().map_or_else(stranger, |one| Who::Person(one.id.clone())),
        }
    }

    fn too_fast(&self, wait: Duration) -> Answer {
        let trouble = Trouble::too_fast(wait);
        if self.head.uri.path().starts_with("/x/") {
            dressed(trouble.response(self.language), headers::no_frame)
        } else {
            self.problem(&trouble)
        }
    }

    /// Whoever asks is known.
    fn used(&self) -> Hold {
        self.arrival.is_known();
        self.site.idle.hold()
    }

    fn page(&self, file: Option<files::File>) -> Answer {
        let Some(file) = file else { return self.problem(&Trouble::not_found()) };
        // A known browser that loads a page is about to use it, and keeps its cookie for longer.
        let known = self.session();
        let mut answer = self.site.tags.answer(&file, &self.head.headers);
        if known.is_ok() && file.is_page() {
            set_cookie(&mut answer, head::token(&self.head.headers));
        }
        dressed(answer, |headers| headers::shell(headers, &self.at))
    }

    /// A problem with an address, as a page where a person looks at it.
    fn problem(&self, trouble: &Trouble) -> Answer {
        if page::is_looked_at(self.head) {
            dressed(page::of(trouble, self.language), headers::plain)
        } else {
            dressed(trouble.response(self.language), headers::data)
        }
    }

    fn data(&self, outcome: Result<Answer, Trouble>) -> Answer {
        let answer = outcome.unwrap_or_else(|trouble| trouble.response(self.language));
        dressed(answer, headers::data)
    }

    async fn frame(&self, id: &str, path: &str) -> Answer {
        let Some(frame) = self.person.frames.find(id) else { return self.no_frame() };
        let hold = self.used();
        let session = self.person.sessions.of_id(&frame.session);
        let file = match path.split_once('/') {
            Some(("sdk", path)) => files::sdk(path),
            Some(("t", path)) => {
                let (life, asked) = (&self.person.life, &self.head.headers);
                return match things::answer(life, &frame, session, path, asked, hold).await {
                    Ok(answer) => dressed(answer, headers::thing),
                    Err(trouble) => dressed(trouble.response(self.language), headers::no_frame),
                };
            }
            Some(_) | None => {
                let life = &self.person.life;
                let shown = self.person.shelf.of_frame(life, &frame).await.ok().flatten();
                let file = shown.as_ref().and_then(|shown| Some((shown.file(path)?, shown)));
                let Some((file, shown)) = file else { return self.no_frame() };
                let mut answer = self.site.tags.answer(&file, &self.head.headers);
                if let (Some(at), StatusCode::OK) = (file.at(), answer.status()) {
                    match shown.contents(life).await {
                        Some(all) => {
                            let body = things::body(all, at.start, at.end, session, hold);
                            *answer.body_mut() = body;
                        }
                        None => return self.no_frame(),
                    }
                }
                return dressed(answer, |headers| headers::frame(headers, &self.at, id));
            }
        };
        let Some(file) = file else { return self.no_frame() };
        let answer = self.site.tags.answer(&file, &self.head.headers);
        dressed(answer, |headers| headers::frame(headers, &self.at, id))
    }

    fn no_frame(&self) -> Answer {
        dressed(Trouble::not_found().response(self.language), headers::no_frame)
    }
}

/// JSON as an answer.
pub(crate) fn json(bytes: Vec<u8>) -> Answer {
    let mut answer = Response::new(Body::from(bytes));
    let kind = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// Sets or removes the session cookie.
pub(crate) fn set_cookie(answer: &mut Answer, token: Option<&str>) {
    let (token, age) = token.map_or(("", 0), |token| (token, COOKIE_LIVES_S));
    let name = head::COOKIE_NAME;
    let text = format!("{name}={token}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}");
    // A token has only letters that a header may have.
    if let Ok(value) = HeaderValue::from_str(&text) {
        answer.headers_mut().insert(SET_COOKIE, value);
    }
}

fn dressed(mut answer: Answer, dress: impl FnOnce(&mut hyper::HeaderMap)) -> Answer {
    dress(answer.headers_mut());
    answer
}

/// As long as browsers keep a cookie at most: 400 days.
const COOKIE_LIVES_S: u32 = 400 * 24 * 60 * 60;
