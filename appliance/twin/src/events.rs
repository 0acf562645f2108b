//! The event socket: one WebSocket per browser that carries all its subscriptions.
//!
//! Never pings (an open socket of a page that nobody touches costs nothing), never lets a slow
//! reader's events pile up, and never outlives the session that opened it.

mod talk;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use capability::wire::{ClientMessage, SOCKET_MESSAGE_MAX};
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper::{Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::http::Answer;
use crate::http::head;
use crate::http::person::Visit;
use crate::http::problem::Trouble;
use crate::http::stream::Body;

/// Answers the request that opens the socket, and starts it.
pub(crate) fn upgrade(visit: &Visit<'_>, upgrade: Option<OnUpgrade>) -> Result<Answer, Trouble> {
    let wanted = asks_for_socket(&visit.head.headers) && visit.head.version == Version::HTTP_11;
    let (Some(upgrade), true) = (upgrade, wanted) else { return Err(Trouble::not_a_socket()) };
    visit.at.check_origin(visit.head)?;
    let key = head::text(&visit.head.headers, &SEC_WEBSOCKET_KEY).unwrap_or_default();
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
    let accept = accept.map_err(|error| Trouble::inside(&error))?;
    let (session, hold) = visit.session()?;
    let place = visit.person.sockets.enter();
    let (site, language) = (visit.site.clone(), visit.language);
    spawn_local(async move {
        // Fails when the browser is gone before it heard the answer.
        let Ok(io) = upgrade.await else { return };
        let io = TokioIo::new(io);
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(limits())).await;
        talk::Talk::new(socket, site, session, language).run(&place).await;
        drop(hold);
    });
    let mut answer = Response::new(Body::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(answer)
}

fn asks_for_socket(headers: &HeaderMap) -> bool {
    let says = |name: &HeaderName, word: &str| {
        let mut texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        texts.any(|text| text.split(',').any(|one| one.trim().eq_ignore_ascii_case(word)))
    };
    says(&CONNECTION, "upgrade")
        && says(&UPGRADE, "websocket")
        && says(&SEC_WEBSOCKET_VERSION, "13")
        && headers.contains_key(SEC_WEBSOCKET_KEY)
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(SOCKET_MESSAGE_MAX))
        .max_frame_size(Some(SOCKET_MESSAGE_MAX))
}

/// Reads a message from a browser.
pub(crate) fn read_message(text: &str) -> Result<ClientMessage, Trouble> {
    serde_json::from_str(text).map_err(|error| {
        let mut trouble = Trouble::unread(&error);
        trouble.code = "bad_message";
        trouble
    })
}

/// The open sockets of a twin; the oldest makes room when there are too many.
#[derive(Default)]
pub(crate) struct Sockets(Rc<RefCell<VecDeque<Rc<Notify>>>>);

/// One socket's place among them, free again when dropped.
pub(crate) struct Place {
    all: Rc<RefCell<VecDeque<Rc<Notify>>>>,
    leave: Rc<Notify>,
}

impl Sockets {
    fn enter(&self) -> Place {
        let leave = Rc::new(Notify::new());
        let mut all = self.0.borrow_mut();
        all.push_back(leave.clone());
        if all.len() > MAX_SOCKETS
            && let Some(oldest) = all.pop_front()
        {
            oldest.notify_one();
        }
        Place { all: self.0.clone(), leave }
    }
}

impl Place {
    /// Waits until another socket needs the place.
    async fn taken(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.borrow_mut().retain(|one| !Rc::ptr_eq(one, &self.leave));
    }
}

/// A browser needs one; more come from tabs of browsers without shared workers.
const MAX_SOCKETS: usize = 64;
