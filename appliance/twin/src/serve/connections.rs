//! Connections from browsers: taken, tuned, wrapped in TLS where it is spoken, and counted.
//!
//! Never holds more than its limit: strangers make room first, so they can't lock anybody out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use handover::{FromTwin, HandOver, Reason, network};
use rustix::net::sockopt;
use store::Door;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::spawn_local;

use crate::http;
use crate::limits::Who;
use crate::site::{Arrival, Site, Speaker};
use crate::tls::{self, Certificate};

/// All connections of a twin.
pub(crate) struct Connections {
    site: Rc<Site>,
    door: Rc<Door>,
    gateway: Speaker<FromTwin>,
    certificate: RefCell<Option<Certificate>>,
    open: Rc<Open>,
    /// How many there may be.
    most: usize,
}

/// Those that have not ended, the oldest first.
#[derive(Default)]
struct Open {
    list: RefCell<BTreeMap<u64, Entry>>,
    next: Cell<u64>,
    none_left: Notify,
}

struct Entry {
    evict: Rc<Notify>,
    known: Rc<Cell<bool>>,
    source: IpAddr,
}

/// One connection's place in the list, free again when dropped.
struct Place {
    open: Rc<Open>,
    number: u64,
}

impl Connections {
    pub(crate) fn new(
        site: Rc<Site>,
        door: Rc<Door>,
        gateway: Speaker<FromTwin>,
        most: u32,
    ) -> Self {
        let (open, most) = (Rc::default(), usize::try_from(most).unwrap_or(usize::MAX));
        Self { site, door, gateway, certificate: RefCell::default(), open, most }
    }

    /// Takes one over; it is served in a task of its own.
    pub(crate) fn take(
        &self,
        hand_over: HandOver,
        descriptor: Option<OwnedFd>,
        peer: SocketAddr,
        tls: bool,
        reason: Option<Reason>,
    ) {
        let Some(Ok(stream)) = descriptor.map(into_stream) else {
            tracing::error!("a connection came without a usable socket");
            return;
        };
        let certificate = if tls { self.certificate().map(Some) } else { Ok(None) };
        let certificate = match certificate {
            Ok(certificate) => certificate,
            Err(error) => {
                tracing::error!(error = %crate::chain(&error), "no TLS for a connection");
                return;
            }
        };
        let (evict, known) = (Rc::new(Notify::new()), Rc::new(Cell::new(false)));
        let entry =
            Entry { evict: evict.clone(), known: known.clone(), source: network(peer.ip()) };
        let (place, evicted) = self.open.enter(entry, self.most);
        if let Some(source) = evicted {
            self.site.limits.note(&Who::Stranger(source), Instant::now());
        }
        let (site, gateway) = (self.site.clone(), self.gateway.clone());
        let leave = evict.clone();
        let mut arrival = Arrival { hand_over, peer, tls, sni: None, reason, known, gateway };
        spawn_local(async move {
            let _place = place;
            let served = async {
                match certificate {
                    None => serve(stream, arrival, site).await,
                    Some(certificate) => {
                        let Some(stream) = shake_hands(&certificate, stream).await else { return };
                        let (_, session) = stream.get_ref();
                        arrival.sni = session.server_name().map(str::to_ascii_lowercase);
                        serve(stream, arrival, site).await;
                    }
                }
            };
            tokio::select! {
                () = served => {}
                () = leave.notified() => tracing::debug!("a connection made room"),
            }
        });
    }

    /// The twin's certificate, made when it is needed first.
    pub(crate) fn certificate(&self) -> Result<Certificate, tls::Error> {
        if let Some(ready) = self.certificate.borrow().as_ref() {
            return Ok(ready.clone());
        }
        let made = tls::certificate(&self.door, &self.site.host())?;
        self.certificate.replace(Some(made.clone()));
        Ok(made)
    }

    /// The next TLS connection needs a certificate for another name.
    pub(crate) fn forget_certificate(&self) {
        self.certificate.replace(None);
    }

    /// Waits until there is none left.
    pub(crate) async fn all_ended(&self) {
        while !self.open.list.borrow().is_empty() {
            self.open.none_left.notified().await;
        }
    }
}

async fn serve<I>(io: I, arrival: Arrival, site: Rc<Site>)
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    tracing::debug!(peer = %arrival.peer, tls = arrival.tls, "a connection came in");
    let closing = site.clone();
    http::serve(io, Rc::new(arrival), site, async move { closing.closing().await }).await;
}

async fn shake_hands(
    certificate: &Certificate,
    stream: TcpStream,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let shaken = certificate.acceptor.accept(stream);
    match tokio::time::timeout(HELLO_WITHIN, shaken).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

impl Open {
    /// Whose place it is now, and from where the one came that has to leave for it.
    fn enter(self: &Rc<Self>, entry: Entry, most: usize) -> (Place, Option<IpAddr>) {
        let number = self.next.get();
        self.next.set(number + 1);
        let mut list = self.list.borrow_mut();
        let mut evicted = None;
        if list.len() >= most {
            let stranger = list.values().find(|one| !one.known.get());
            if let Some(one) = stranger.or_else(|| list.values().next()) {
                one.evict.notify_one();
                evicted = Some(one.source);
            }
        }
        list.insert(number, entry);
        (Place { open: self.clone(), number }, evicted)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut list = self.open.list.borrow_mut();
        list.remove(&self.number);
        if list.is_empty() {
            self.open.none_left.notify_one();
        }
    }
}

fn into_stream(descriptor: OwnedFd) -> std::io::Result<TcpStream> {
    let stream = std::net::TcpStream::from(descriptor);
    stream.set_nonblocking(true)?;
    if let Err(error) = tune(&stream) {
        tracing::debug!(%error, "a connection could not be tuned");
    }
    TcpStream::from_std(stream)
}

/// The kernel finds out whether a silent browser is still there, so that the twin can sleep deeply
/// while a page is open.
fn tune(stream: &std::net::TcpStream) -> rustix::io::Result<()> {
    sockopt::set_tcp_nodelay(stream, true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(60))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(20))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    sockopt::set_tcp_user_timeout(stream, 60_000)
}

const HELLO_WITHIN: Duration = Duration::from_secs(10);
