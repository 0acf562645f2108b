//! Bodies of answers: most are complete in memory, large ones come in parts. Of a large one no more
//! is in memory than the part that is being sent and the one that is being read.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

/// A body.
pub(crate) struct Body(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Parts { parts: mpsc::Receiver<Result<Bytes, Broken>>, left: u64 },
}

/// The rest of a body can't be read: the connection ends, so that nobody takes it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the content can't be read")]
pub(crate) struct Broken;

impl Body {
    /// A body of so many bytes that come in parts; and where they go.
    pub(crate) fn parts(size: u64) -> (Self, mpsc::Sender<Result<Bytes, Broken>>) {
        let (sender, parts) = mpsc::channel(1);
        (Self(Kind::Parts { parts, left: size }), sender)
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        let bytes = bytes.into();
        Self(Kind::Whole((!bytes.is_empty()).then_some(bytes)))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self(Kind::Whole(None))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Parts { left: 0, .. } => Poll::Ready(None),
            Kind::Parts { parts, left } => parts.poll_recv(context).map(|part| {
                // Whoever sends them ends only with the last one.
                let part = part.unwrap_or(Err(Broken));
                Some(part.map(|bytes| {
                    *left = left.saturating_sub(bytes.len() as u64);
                    Frame::data(bytes)
                }))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Parts { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.0 {
            Kind::Whole(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Kind::Parts { left, .. } => *left,
        })
    }
}
