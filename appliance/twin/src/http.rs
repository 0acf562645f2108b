//! HTTP/1.1 to browsers: one connection after the other comes in, requests are checked, routed and
//! answered.
//!
//! Never serves a name that is not this twin's, never keeps more of a request in memory than its
//! limits say, and never logs an address under `/x/` or anything of a body.

pub(crate) mod api;
pub(crate) mod body;
pub(crate) mod devices;
pub(crate) mod docs;
pub(crate) mod files;
pub(crate) mod head;
pub(crate) mod headers;
pub(crate) mod health;
pub(crate) mod packages;
pub(crate) mod page;
pub(crate) mod person;
pub(crate) mod problem;
pub(crate) mod route;
pub(crate) mod shelf;
pub(crate) mod stream;
pub(crate) mod things;
pub(crate) mod uploads;

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::ACCEPT_LANGUAGE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use crate::messages::{Language, Messages};
use crate::site::{Arrival, Kind, Site};

/// Pages are embedded and calls are bounded, so most answers are complete in memory.
pub(crate) type Answer = Response<stream::Body>;

/// Serves one connection until it ends; when `closing` resolves, what was asked is still answered.
pub(crate) async fn serve<I>(
    io: I,
    arrival: Rc<Arrival>,
    site: Rc<Site>,
    closing: impl Future<Output = ()>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asked = Notify::new();
    let service = service_fn(|request| {
        asked.notify_one();
        let (site, arrival) = (site.clone(), arrival.clone());
        async move { Ok::<_, Infallible>(answer(&site, &arrival, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = async {
            closing.await;
            // What was handed over is answered: its first request may still be on the way.
            asked.notified().await;
        } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %crate::chain(&error), "a connection ended early");
    }
}

async fn answer(site: &Rc<Site>, arrival: &Rc<Arrival>, request: Request<Incoming>) -> Answer {
    let started = Instant::now();
    let method = request.method().clone();
    let about = route::about(request.uri().path());
    let language = language_of(&request);
    let response = match &site.kind {
        Kind::Person(person) => person::answer(site, person, arrival, request, language).await,
        Kind::Node(node) => node.answer(site, arrival, request, language).await,
    };
    tracing::debug!(
        %method,
        about,
        status = response.status().as_u16(),
        micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}

fn language_of(request: &Request<Incoming>) -> Language<'static> {
    let header = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Messages::shipped().accepted(header.unwrap_or_default())
}

/// How long a browser may take for a head, and how long a connection may be idle between requests:
/// shorter than a twin is awake, so that sleep closes no connection that is in use.
const HEAD_WITHIN: Duration = Duration::from_secs(if cfg!(test) { 3 } else { 30 });
/// Most bytes of a request's head, and of the buffer that reads it.
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 64;
