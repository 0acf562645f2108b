//! The conversation with the kernel about network cards: asked once, and again when it says that
//! something changed.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{RecvFlags, SendFlags};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::cards::{Card, Question, Table};

pub(super) struct Kernel {
    /// tokio has no type for a socket to the kernel; this one only lends its readiness, as in `handover`.
    socket: UdpSocket,
    table: Table,
    /// What is known, while the next is being asked.
    known: Table,
    /// What it was asked last and has not answered yet.
    asking: Option<Question>,
    number: u32,
    /// Something changed while it answered.
    again: bool,
}

impl Kernel {
    /// Asks for the first time.
    pub(super) fn open(socket: OwnedFd) -> io::Result<Self> {
        let (table, known) = (Table::default(), Table::default());
        let socket = UdpSocket::from_std(socket.into())?;
        let mut kernel = Self { socket, table, known, asking: None, number: 0, again: false };
        kernel.begin()?;
        Ok(kernel)
    }

    /// The cards of these names that can be spoken on.
    pub(super) fn cards(&self, wanted: &[String]) -> Vec<Card> {
        self.known.cards(wanted)
    }

    /// Waits until something is known that was not known before. Nothing is lost when it's dropped.
    pub(super) async fn changed(&mut self) -> io::Result<()> {
        loop {
            self.socket.readable().await?;
            if self.hear()? {
                return Ok(());
            }
        }
    }

    /// Reads all that there is; whether the last question is answered with it.
    fn hear(&mut self) -> io::Result<bool> {
        let (mut bytes, mut complete) = (vec![0; SAYS], false);
        loop {
            let receive = || {
                let received = rustix::net::recv(&self.socket, &mut bytes[..], RecvFlags::DONTWAIT);
                Ok(received.map(|(length, _)| length)?)
            };
            let received = self.socket.try_io(Interest::READABLE, receive);
            let read = match received {
                Ok(length) => self.table.read(bytes.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // It had more to say than there was room for; what it was asked may be lost too.
                Err(error) if error.raw_os_error() == Some(NO_ROOM) => {
                    (self.asking, self.again) = (None, true);
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.again |= read.changed;
            match self.asking {
                Some(Question::Links) if read.done => self.ask(Question::Addresses)?,
                Some(Question::Addresses) if read.done => {
                    self.asking = None;
                    self.known = std::mem::take(&mut self.table);
                    complete = true;
                }
                Some(_) | None => {}
            }
        }
        if self.again && self.asking.is_none() {
            self.begin()?;
        }
        Ok(complete)
    }

    fn begin(&mut self) -> io::Result<()> {
        self.again = false;
        self.table = Table::default();
        self.ask(Question::Links)
    }

    fn ask(&mut self, question: Question) -> io::Result<()> {
        self.number = self.number.wrapping_add(1).max(1);
        self.asking = Some(question);
        self.table.await_answer(self.number);
        rustix::net::send(&self.socket, &question.bytes(self.number), SendFlags::DONTWAIT)?;
        Ok(())
    }
}

const NO_ROOM: i32 = rustix::io::Errno::NOBUFS.raw_os_error();
/// The kernel puts as much into one message.
const SAYS: usize = 32 * 1024;
