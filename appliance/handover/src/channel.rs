//! A sequenced-packet socket that carries one header and a few descriptors per message.
//!
//! Never blocks a thread, never trusts the other end's sizes, never leaves a descriptor open that
//! nobody asked for.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// One end of a channel between two processes of the node.
#[derive(Debug)]
pub struct Channel {
    // tokio has no type for sequenced packets: this one only lends its readiness, bytes go through
    // `sendmsg` and `recvmsg` below.
    socket: UnixStream,
}

impl Channel {
    /// Makes a connected pair; each end becomes a `Channel` in the process that keeps it.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let pair =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok(pair)
    }

    /// Takes over one end. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// When the descriptor is no sequenced-packet socket, or can't be polled.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        if rustix::net::sockopt::socket_type(&fd)? != SocketType::SEQPACKET {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "descriptor is not a sequenced-packet socket",
            ));
        }
        rustix::io::ioctl_fionbio(&fd, true)?;
        let socket = UnixStream::from_std(fd.into())?;
        Ok(Self { socket })
    }

    /// Takes what standard input leads to, as every process does that the executor starts; what is
    /// left in its place reads as empty. The end becomes a channel by [`Channel::from_fd`], which
    /// opens nothing: between the two a process can be shut in.
    ///
    /// # Errors
    /// When standard input is no channel: the program was started by hand.
    pub fn take_stdin() -> io::Result<OwnedFd> {
        let end = io::stdin().as_fd().try_clone_to_owned()?;
        if rustix::net::sockopt::socket_type(&end)? != SocketType::SEQPACKET {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let nothing = std::fs::File::open("/dev/null")?;
        rustix::stdio::dup2_stdin(&nothing)?;
        Ok(end)
    }

    /// Sends a header if it can be sent now; what is lost is no loss.
    pub fn offer<T: Serialize>(&self, header: &T) {
        if let Ok(bytes) = encode(header, 0) {
            let _ = self
                .socket
                .try_io(Interest::WRITABLE, || send_now(self.socket.as_fd(), &bytes, &[]));
        }
    }

    /// Sends one header with borrowed descriptors; waits while the other end's queue is full.
    ///
    /// # Errors
    /// When the header is too large or the other end is gone.
    pub async fn send<T: Serialize>(
        &self,
        header: &T,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), Error> {
        let bytes = encode(header, descriptors.len())?;
        let sent = self
            .socket
            .async_io(Interest::WRITABLE, || send_now(self.socket.as_fd(), &bytes, descriptors))
            .await?;
        debug_assert_eq!(sent, bytes.len(), "sequenced packets are sent whole");
        Ok(())
    }

    /// Receives the next header and its descriptors; `None` once the other end is closed.
    ///
    /// # Errors
    /// When what came is no header of this kind. The channel is of no use after that.
    pub async fn recv<T: DeserializeOwned>(&self) -> Result<Option<(T, Vec<OwnedFd>)>, Error> {
        let received =
            self.socket.async_io(Interest::READABLE, || recv_now(self.socket.as_fd())).await;
        let (bytes, descriptors) = match received {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some((decode(&bytes)?, descriptors)))
    }
}

/// Why a message could not be sent or understood.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket failed; most often the other process is gone.
    #[error("channel to the other process failed")]
    Io(#[from] io::Error),
    /// Nothing that this direction's header type can be.
    #[error("header of {len} bytes can't be read")]
    Malformed {
        /// Its length.
        len: usize,
    },
    /// More bytes or descriptors than a message may have.
    #[error("message is over {MAX_HEADER} bytes or {MAX_DESCRIPTORS} descriptors")]
    TooLarge,
}

fn encode<T: Serialize>(header: &T, descriptors: usize) -> Result<Vec<u8>, Error> {
    let bytes = postcard::to_stdvec(header).map_err(|_| Error::TooLarge)?;
    if bytes.is_empty() || bytes.len() > MAX_HEADER || descriptors > MAX_DESCRIPTORS {
        return Err(Error::TooLarge);
    }
    Ok(bytes)
}

/// Reads a header: all of `bytes`, and nothing that could have been written otherwise.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    match postcard::take_from_bytes(bytes) {
        Ok((header, [])) => Ok(header),
        Ok(_) | Err(_) => Err(Error::Malformed { len: bytes.len() }),
    }
}

fn send_now(fd: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let sent = rustix::net::sendmsg(fd, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(sent)
}

fn recv_now(fd: BorrowedFd<'_>) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; MAX_HEADER];
    let message = rustix::net::recvmsg(
        fd,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut descriptors = Vec::new();
    for item in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = item {
            descriptors.extend(rights);
        }
    }
    if message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, Error::TooLarge));
    }
    bytes.truncate(message.bytes);
    Ok((bytes, descriptors))
}

/// The largest header in bytes.
pub const MAX_HEADER: usize = 4096;
/// The most descriptors that travel with one header.
pub const MAX_DESCRIPTORS: usize = 4;

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;
    use crate::{FromTwin, HandOver, Reason, ToTwin};

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    }

    fn ends() -> (Channel, Channel) {
        let (a, b) = Channel::pair().unwrap();
        (Channel::from_fd(a).unwrap(), Channel::from_fd(b).unwrap())
    }

    #[test]
    fn header_and_descriptor_arrive_together() {
        run(async {
            let (gateway, twin) = ends();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(b"peeked, not read").unwrap();
            let header = ToTwin::Link { hand_over: HandOver(7), from: crate::Number(3) };
            gateway.send(&header, &[file.as_fd()]).await.unwrap();

            let (got, mut fds) = twin.recv::<ToTwin>().await.unwrap().unwrap();
            assert_eq!(got, header);
            let mut copy = std::fs::File::from(fds.pop().unwrap());
            let mut text = String::new();
            copy.rewind().unwrap();
            copy.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), fds.len()), ("peeked, not read", 0));
        });
    }

    #[test]
    fn end_of_the_other_side_is_none_and_sending_to_it_fails() {
        run(async {
            let (gateway, twin) = ends();
            twin.send(&FromTwin::Sleep, &[]).await.unwrap();
            drop(twin);
            let (got, _) = gateway.recv::<FromTwin>().await.unwrap().unwrap();
            assert_eq!(got, FromTwin::Sleep, "what was sent before the end still arrives");
            assert!(gateway.recv::<FromTwin>().await.unwrap().is_none());
            assert!(gateway.send(&ToTwin::Quiet, &[]).await.is_err());
        });
    }

    #[test]
    fn too_many_descriptors_and_too_long_headers_are_refused_by_the_sender() {
        run(async {
            let (gateway, _twin) = ends();
            let file = tempfile::tempfile().unwrap();
            let many = [file.as_fd(); MAX_DESCRIPTORS + 1];
            let refused = gateway.send(&ToTwin::Quiet, &many).await;
            assert!(matches!(refused, Err(Error::TooLarge)));
            let refused = gateway.send(&"x".repeat(MAX_HEADER), &[]).await;
            assert!(matches!(refused, Err(Error::TooLarge)));
        });
    }

    #[test]
    fn smuggled_sizes_are_refused_by_the_receiver() {
        run(async {
            let (a, b) = Channel::pair().unwrap();
            let twin = Channel::from_fd(b).unwrap();
            rustix::net::send(&a, &[0; MAX_HEADER + 1], SendFlags::empty()).unwrap();
            assert!(twin.recv::<ToTwin>().await.is_err());
            rustix::net::send(&a, &[255, 1, 2], SendFlags::empty()).unwrap();
            assert!(matches!(twin.recv::<ToTwin>().await, Err(Error::Malformed { len: 3 })));
        });
    }

    #[test]
    fn only_a_sequenced_packet_socket_is_a_channel() {
        run(async {
            let file = OwnedFd::from(tempfile::tempfile().unwrap());
            assert!(Channel::from_fd(file).is_err());
        });
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_header_or_a_clear_error(bytes in proptest::collection::vec(0_u8.., 0..300)) {
            crate::fuzz::headers(&bytes);
        }

        #[test]
        fn a_header_survives_the_wire(hand_over: u64, port: u16, tls: bool) {
            let header = ToTwin::Connection {
                hand_over: HandOver(hand_over),
                peer: ([127, 0, 0, 1], port).into(),
                tls,
                reason: tls.then_some(Reason::TooOften),
            };
            let bytes = encode(&header, 1).unwrap();
            proptest::prop_assert_eq!(decode::<ToTwin>(&bytes).unwrap(), header);
        }
    }
}
