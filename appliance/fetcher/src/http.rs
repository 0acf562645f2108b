//! One file, or a part of it, from one server: a request, and an answer that is bounded in every way.
//!
//! Each request has a connection of its own, so that nothing of one answer can be taken for another's.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use handover::Mirror;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HOST,
    HeaderName, IF_RANGE, LOCATION, RANGE, USER_AGENT,
};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::address::{Address, content_range};
use crate::{Error, Patience, trust};

/// A mirror's folder, and how to speak with its server.
pub(crate) struct Server {
    folder: Address,
    tls: Arc<ClientConfig>,
    pub(crate) patience: Patience,
}

/// From where on a file is wanted; not from its start only if it's still the same.
pub(crate) struct From<'a> {
    pub(crate) at: u64,
    pub(crate) same: Option<&'a str>,
}

/// A file that comes.
pub(crate) struct Coming {
    /// Where it begins.
    pub(crate) at: u64,
    /// How large the whole file is, if the server says.
    pub(crate) all: Option<u64>,
    /// By which the server tells whether it's the same.
    pub(crate) same: Option<String>,
    body: Incoming,
    left: Bytes,
    _driver: Driver,
}

/// Ends with what it serves.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Server {
    pub(crate) fn new(mirror: &Mirror, patience: Patience) -> Result<Self, Error> {
        let folder = Address::folder(&mirror.address)?;
        let tls = Arc::new(trust::config(mirror.certificate.as_deref())?);
        Ok(Self { folder, tls, patience })
    }

    /// Asks for a file.
    pub(crate) async fn get(&self, name: &str, from: From<'_>) -> Result<Coming, Error> {
        let mut address = self.folder.file(name);
        for _ in 0..=REDIRECTS {
            let asked = timeout(self.patience.answer, self.ask(&address, &from)).await;
            let (answer, driver) = asked.map_err(|_| Error::Slow)??;
            if !answer.status().is_redirection() || answer.status() == StatusCode::NOT_MODIFIED {
                return coming(name, answer, driver, &from);
            }
            address = address.redirect(header(&answer, &LOCATION).unwrap_or_default())?;
        }
        Err(Error::Redirect { to: address.authority })
    }

    async fn ask(
        &self,
        address: &Address,
        from: &From<'_>,
    ) -> Result<(Response<Incoming>, Driver), Error> {
        let name = ServerName::try_from(address.host.clone())
            .map_err(|_| Error::Address("a mirror's address has a name that no server has"))?;
        let stream = connect(address).await?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await.map_err(not_safe)?;
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(BUFFER)
            .max_headers(HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let driver = Driver(tokio::spawn(async move {
            // What fails here, fails where the answer is read.
            let _ = connection.await;
        }));
        let mut request = Request::get(address.path.as_str())
            .header(HOST, &address.authority)
            .header(USER_AGENT, "hometwin")
            .header(ACCEPT_ENCODING, "identity");
        if from.at > 0 {
            request = request.header(RANGE, format!("bytes={}-", from.at));
            if let Some(same) = from.same {
                request = request.header(IF_RANGE, same);
            }
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|_| Error::Address("a mirror's address can't be asked for"))?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        Ok((answer, driver))
    }
}

/// Whether an answer is what was asked for.
fn coming(
    name: &str,
    answer: Response<Incoming>,
    driver: Driver,
    from: &From<'_>,
) -> Result<Coming, Error> {
    let (at, all) = match answer.status() {
        StatusCode::OK => (0, header(&answer, &CONTENT_LENGTH).and_then(|text| text.parse().ok())),
        StatusCode::PARTIAL_CONTENT => {
            let said = header(&answer, &CONTENT_RANGE).and_then(content_range);
            let (first, last, all) = said.ok_or(Error::Mixed("a part without a place"))?;
            if first != from.at || last + 1 != all {
                return Err(Error::Mixed("another part than was asked for"));
            }
            (first, Some(all))
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            return Err(Error::Mixed("the file is shorter than it should be"));
        }
        status => return Err(Error::Missing { status: status.as_u16(), file: name.to_owned() }),
    };
    let kind = header(&answer, &CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("text/html") || kind.starts_with("application/xhtml") {
        return Err(Error::Page { file: name.to_owned() });
    }
    if header(&answer, &CONTENT_ENCODING).is_some_and(|how| how != "identity") {
        return Err(Error::Mixed("it is packed in a way that nobody asked for"));
    }
    // A weak one says that it means the same, not that its bytes are.
    let same = header(&answer, &ETAG).filter(|tag| !tag.starts_with("W/")).map(str::to_owned);
    let body = answer.into_body();
    Ok(Coming { at, all, same, body, left: Bytes::new(), _driver: driver })
}

impl Coming {
    /// The next bytes, so many at most; none at the end.
    pub(crate) async fn some(&mut self, most: usize) -> Result<Bytes, Error> {
        while self.left.is_empty() {
            let Some(frame) = self.body.frame().await else { return Ok(Bytes::new()) };
            // What is no data is a trailer, which says nothing here.
            self.left = frame.map_err(broken)?.into_data().unwrap_or_default();
        }
        Ok(self.left.split_to(most.min(self.left.len())))
    }

    /// Exactly so many bytes into the empty buffer, within this time.
    pub(crate) async fn fill(
        &mut self,
        buffer: &mut Vec<u8>,
        length: usize,
        within: Duration,
    ) -> Result<(), Error> {
        let all = async {
            while buffer.len() < length {
                let some = self.some(length - buffer.len()).await?;
                if some.is_empty() {
                    return Err(Error::gone("the connection broke off")(END.into()));
                }
                buffer.extend_from_slice(&some);
            }
            Ok(())
        };
        timeout(within, all).await.unwrap_or(Err(Error::Slow))
    }
}

async fn connect(address: &Address) -> Result<TcpStream, Error> {
    let gone = Error::gone("the server can't be reached");
    // Blocks, and there is nothing else to do meanwhile; the resolver has a patience of its own.
    let found = (address.host.as_str(), address.port).to_socket_addrs();
    let found: Vec<SocketAddr> = found.map_err(Error::gone("the server isn't found"))?.collect();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in found.into_iter().take(ADDRESSES) {
        match timeout(CONNECTED_WITHIN, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(gone(last))
}

fn not_safe(error: io::Error) -> Error {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match of_tls {
        Some(_) => Error::Certificate(error),
        None => Error::gone("the connection broke off")(error),
    }
}

fn broken(error: hyper::Error) -> Error {
    if error.is_parse() || error.is_parse_too_large() {
        return Error::Mixed("its answer is no HTTP");
    }
    Error::gone("the connection broke off")(io::Error::other(error))
}

fn header<'a>(answer: &'a Response<Incoming>, name: &HeaderName) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

const END: io::ErrorKind = io::ErrorKind::UnexpectedEof;
const REDIRECTS: usize = 3;
const ADDRESSES: usize = 4;
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
const BUFFER: usize = 64 << 10;
const HEADERS: usize = 64;
