//! One twin-to-twin stream as frames, with a bound on every wait. Never interprets a frame.

use link::{Decoder, Frame, FrameError};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

/// Frames over a stream.
pub(super) struct Wire {
    stream: UnixStream,
    decoder: Decoder,
    buffer: Box<[u8]>,
}

impl Wire {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, decoder: Decoder::default(), buffer: vec![0; CHUNK].into_boxed_slice() }
    }

    /// The next frame; `None` when the other end closed. May be dropped and asked again.
    pub(super) async fn recv(&mut self) -> Result<Option<Frame>, Broken> {
        loop {
            if let Some(frame) = self.decoder.pop()? {
                return Ok(Some(frame));
            }
            match self.stream.read(&mut self.buffer).await? {
                0 => return Ok(None),
                n => self.decoder.push(&self.buffer[..n])?,
            }
        }
    }

    /// As `recv`, for so long at most. A frame that comes in drips gets no more time.
    pub(super) async fn recv_within(&mut self, wait: Duration) -> Result<Option<Frame>, Broken> {
        timeout(wait, self.recv()).await.map_err(|_| Broken::TooSlow)?
    }

    /// A frame that has come already.
    pub(super) fn ready(&mut self) -> Result<Option<Frame>, Broken> {
        loop {
            if let Some(frame) = self.decoder.pop()? {
                return Ok(Some(frame));
            }
            match self.stream.try_read(&mut self.buffer) {
                // The end is for `recv` to find.
                Ok(0) => return Ok(None),
                Ok(n) => self.decoder.push(&self.buffer[..n])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) async fn send(&mut self, frame: &Frame) -> Result<(), Broken> {
        let bytes = frame.to_bytes()?;
        let written = timeout(SEND_TIME, self.stream.write_all(&bytes)).await;
        Ok(written.map_err(|_| Broken::TooSlow)??)
    }
}

/// Why a stream is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The other end sends what is no frame.
    #[error("the link holds what is no frame")]
    Frame(#[from] FrameError),
    /// The stream failed.
    #[error("the link failed")]
    Stream(#[from] io::Error),
    /// The other end does not keep up.
    #[error("the other end is too slow")]
    TooSlow,
}

const CHUNK: usize = 16 * 1024;
/// For the other end to make room for one frame.
const SEND_TIME: Duration = Duration::from_secs(20);
