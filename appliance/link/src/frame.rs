//! Frames of a twin-to-twin stream: a length (4 bytes, big endian) and a canonical frame. The
//! decoder takes bytes as they come and never holds more than one largest frame and one push.

use crate::{answer::Refused, codec, envelope::MAX_ENVELOPE, ids::Proof};
use serde::{Deserialize, Serialize};

/// One step of the talk between two twins.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Frame {
    /// A sealed envelope.
    Envelope(#[serde(with = "codec::block")] Vec<u8>),
    /// The effects of these are durable at the receiver.
    Committed(Vec<Proof>),
    /// These are durably kept and will take effect after an update.
    Held(Vec<Proof>),
    /// One was not taken.
    Refused(Refused),
    /// Nothing more will come from this side.
    Bye,
}

impl Frame {
    /// The bytes on the stream, length included.
    ///
    /// # Errors
    /// `TooLarge` beyond the limits.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FrameError> {
        self.within_limits()?;
        let body = codec::encode(self);
        let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLarge)?;
        if body.len() > MAX_FRAME {
            return Err(FrameError::TooLarge);
        }
        let mut bytes = Vec::with_capacity(LENGTH + body.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    fn within_limits(&self) -> Result<(), FrameError> {
        let fits = match self {
            Self::Envelope(bytes) => bytes.len() <= MAX_ENVELOPE,
            Self::Committed(proofs) | Self::Held(proofs) => proofs.len() <= MAX_BATCH,
            Self::Refused(_) | Self::Bye => true,
        };
        if fits { Ok(()) } else { Err(FrameError::TooLarge) }
    }
}

/// Reads frames from a stream that may be cut anywhere. After an error it stays in error: the
/// stream has lost its rhythm and is to be closed.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    failed: Option<FrameError>,
}

impl Decoder {
    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// `TooLarge` when more is pushed than was popped; the first error again after any.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        if self.buffer.len() + bytes.len() > 2 * (LENGTH + MAX_FRAME) {
            return Err(self.fail(FrameError::TooLarge));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next complete frame; `None` until more bytes have come.
    ///
    /// # Errors
    /// `TooLarge` as soon as a length says so, `Malformed` for bytes that are no canonical frame.
    pub fn pop(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let waiting = &self.buffer[self.start..];
        let Some((length, rest)) = waiting.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_FRAME {
            return Err(self.fail(FrameError::TooLarge));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let Some(frame) = codec::decode::<Frame>(body) else {
            return Err(self.fail(FrameError::Malformed));
        };
        if let Err(error) = frame.within_limits() {
            return Err(self.fail(error));
        }
        self.start += LENGTH + length;
        Ok(Some(frame))
    }

    /// Whether part of a frame has come and the rest has not.
    #[must_use]
    pub fn is_inside_frame(&self) -> bool {
        self.start < self.buffer.len()
    }

    fn fail(&mut self, error: FrameError) -> FrameError {
        self.buffer = Vec::new();
        self.start = 0;
        self.failed = Some(error);
        error
    }
}

/// What is wrong with a stream of frames.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// Bytes that are no canonical frame.
    #[error("the stream holds bytes that are no frame")]
    Malformed,
    /// Beyond the size limits.
    #[error("a frame is larger than {MAX_FRAME} bytes or holds too much")]
    TooLarge,
}

impl FrameError {
    /// A stable code for counting.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
        }
    }
}

/// Bytes of one frame without its length.
pub const MAX_FRAME: usize = 1024 * 1024;
/// Answers in one frame.
pub const MAX_BATCH: usize = 1024;
const LENGTH: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, PreKey, Refusal, SigningKey, TwinId};
    use proptest::prelude::*;

    fn frames() -> Vec<Frame> {
        let (me, key) = (TwinId::from_bytes([1; 32]), SigningKey::from_bytes(&[1; 32]));
        let pre_key = PreKey::from_bytes(&[3; 32]).unwrap().sign(&me, 9, &key);
        let refused = |reason, pre_key| {
            Frame::Refused(Refused::locked(Digest::of(b"x"), reason, pre_key, &me, &key))
        };
        vec![
            Frame::Envelope(vec![7; 300]),
            Frame::Committed(vec![Proof::new([1; 16]), Proof::new([2; 16])]),
            Frame::Held(vec![]),
            refused(Refusal::UnknownPreKey, Some(pre_key)),
            refused(Refusal::Other(999), None),
            Frame::Bye,
        ]
    }

    fn decoded(pieces: &[&[u8]]) -> Result<Vec<Frame>, FrameError> {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.push(piece)?;
            while let Some(frame) = decoder.pop()? {
                out.push(frame);
            }
        }
        Ok(out)
    }

    #[test]
    fn a_stream_may_be_cut_at_every_byte() {
        let bytes: Vec<u8> = frames().iter().flat_map(|f| f.to_bytes().unwrap()).collect();
        for at in 0..=bytes.len() {
            assert_eq!(decoded(&[&bytes[..at], &bytes[at..]]), Ok(frames()), "cut at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decoded(&single), Ok(frames()));
    }

    #[test]
    fn an_error_is_final_and_early() {
        let mut decoder = Decoder::default();
        decoder.push(&(MAX_FRAME as u32 + 1).to_be_bytes()).unwrap();
        assert_eq!(decoder.pop(), Err(FrameError::TooLarge));
        assert_eq!(decoder.push(&Frame::Bye.to_bytes().unwrap()), Err(FrameError::TooLarge));
        assert_eq!(decoder.pop(), Err(FrameError::TooLarge));
        // An empty frame, an unknown kind, a spare byte, a longer form of a number.
        for body in [&[][..], &[9], &[4, 0], &[0x84, 0]] {
            let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
            bytes.extend_from_slice(body);
            assert_eq!(decoded(&[&bytes]), Err(FrameError::Malformed), "{body:?}");
        }
    }

    #[test]
    fn limits_hold_on_both_sides() {
        let largest = Frame::Envelope(vec![1; MAX_ENVELOPE]);
        assert_eq!(decoded(&[&largest.to_bytes().unwrap()]), Ok(vec![largest]));
        let big = Frame::Envelope(vec![1; MAX_ENVELOPE + 1]);
        assert_eq!(big.to_bytes(), Err(FrameError::TooLarge));
        let many = Frame::Committed(vec![Proof::new([0; 16]); MAX_BATCH + 1]);
        assert_eq!(many.to_bytes(), Err(FrameError::TooLarge));
        let body = codec::encode(&many);
        let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(&body);
        assert_eq!(decoded(&[&bytes]), Err(FrameError::TooLarge));
        let mut decoder = Decoder::default();
        let flood = vec![0; 3 * MAX_FRAME];
        assert_eq!(decoder.push(&flood), Err(FrameError::TooLarge));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            crate::fuzz::frame(&bytes);
        }
    }
}
