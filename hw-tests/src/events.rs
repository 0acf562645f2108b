//! The event socket as a browser's shared worker holds it.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use crate::{Person, Result};

/// An open event socket.
pub struct Events {
    socket: WebSocket<TcpStream>,
}

impl Events {
    /// Opens it with the person's cookie and this origin.
    ///
    /// # Errors
    /// If the twin refuses it.
    pub fn open(person: &Person, origin: &str) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", person.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let url = format!("ws://{}/events", person.authority());
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("origin", origin.parse()?);
        request.headers_mut().insert("cookie", person.cookie.parse()?);
        let (socket, _) = tungstenite::client(request, stream).map_err(|e| e.to_string())?;
        Ok(Self { socket })
    }

    /// Subscribes to a topic, from a known state or from now on.
    ///
    /// # Errors
    /// If the socket is closed.
    pub fn subscribe(
        &mut self,
        sub: u32,
        capability: &str,
        topic: &Value,
        at: Option<u64>,
    ) -> Result<()> {
        let mut wish = json!({
            "op": "subscribe", "sub": sub, "capability": capability, "major": 1, "topic": topic
        });
        if let Some(at) = at {
            wish["at"] = at.into();
        }
        self.send(&wish)
    }

    /// Sends any JSON.
    ///
    /// # Errors
    /// If the socket is closed.
    pub fn send(&mut self, message: &Value) -> Result<()> {
        self.send_text(&message.to_string())
    }

    /// Sends any text.
    ///
    /// # Errors
    /// If the socket is closed.
    pub fn send_text(&mut self, text: &str) -> Result<()> {
        Ok(self.socket.send(Message::text(text))?)
    }

    /// The next message, or `None` if there is none in this time.
    ///
    /// # Errors
    /// If the socket is closed or says something that is no JSON.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Value>> {
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.get_ref().set_read_timeout(Some(left))?;
            match self.socket.read() {
                Ok(Message::Text(text)) => return Ok(Some(serde_json::from_str(text.as_str())?)),
                Ok(Message::Close(frame)) => {
                    let code = frame.map_or(CloseCode::Status, |frame| frame.code);
                    return Err(format!("the twin closed the event socket ({code})").into());
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if timed_out(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads until a message fits.
    ///
    /// # Errors
    /// If none does in time; what came instead is in the text.
    pub fn wait(&mut self, what: &str, mut fits: impl FnMut(&Value) -> bool) -> Result<Value> {
        let end = Instant::now() + Duration::from_secs(15);
        let mut others = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.next(left)? {
                Some(message) if fits(&message) => return Ok(message),
                Some(message) => others.push(message.to_string()),
                None => return Err(format!("no event {what}; instead: {others:?}").into()),
            }
        }
    }
}

fn timed_out(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    [TimedOut, WouldBlock].contains(&error.kind())
}
