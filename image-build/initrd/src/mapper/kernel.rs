//! The kernel's device mapper: one ioctl, one block of bytes. Knows nothing of what is mapped.
//!
//! No crate has these calls without a C library and its headers; the layout is that of
//! `struct dm_ioctl` and `struct dm_target_spec` in linux/dm-ioctl.h, version 4.
#![expect(unsafe_code, reason = "no safe function sends a request to the device mapper")]

use std::fs::File;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    Create,
    Load,
    Resume,
}

/// One request, with room for its table and for the answer.
pub(crate) struct Request {
    bytes: Box<[u8; SIZE]>,
}

impl Request {
    /// About the device of this name.
    pub(crate) fn new(name: &str) -> Self {
        let mut request = Self { bytes: Box::new([0; SIZE]) };
        for (at, number) in [4_u32, 0, 0, SIZE as u32, HEAD as u32].into_iter().enumerate() {
            request.put(at * 4, &number.to_ne_bytes());
        }
        request.text(NAME, 127, name);
        request
    }

    /// Says what a new device is called by others; about one that exists, the kernel takes one name.
    pub(crate) fn with_uuid(mut self, uuid: &str) -> Self {
        self.text(UUID, 128, uuid);
        self
    }

    /// Nothing is ever written through it.
    pub(crate) fn read_only(mut self) -> Self {
        self.put(FLAGS, &READ_ONLY.to_ne_bytes());
        self
    }

    /// The whole device is this one target.
    pub(crate) fn with_target(mut self, kind: &str, sectors: u64, table: &str) -> Self {
        self.put(TARGETS, &1_u32.to_ne_bytes());
        self.put(HEAD + 8, &sectors.to_ne_bytes());
        self.text(HEAD + 24, 15, kind);
        self.text(HEAD + TARGET, SIZE - HEAD - TARGET - 1, table);
        self
    }

    /// Sends it; the answer is the device's number.
    pub(crate) fn send(mut self, control: &File, verb: Verb) -> Result<u64, Errno> {
        let bytes = &mut *self.bytes;
        // SAFETY: the kernel reads and writes at most the SIZE bytes that the request says it has,
        // and these are `bytes`, borrowed until the call is over. Each opcode belongs to one verb.
        unsafe {
            match verb {
                Verb::Create => ioctl(control, Updater::<CREATE, _>::new(bytes)),
                Verb::Load => ioctl(control, Updater::<LOAD, _>::new(bytes)),
                Verb::Resume => ioctl(control, Updater::<RESUME, _>::new(bytes)),
            }?;
        }
        let number = &self.bytes[DEVICE..DEVICE + 8];
        Ok(u64::from_ne_bytes(number.try_into().unwrap_or_default()))
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Cut to its room; what is cut is refused by the kernel, which knows no such thing.
    fn text(&mut self, at: usize, room: usize, text: &str) {
        let length = text.len().min(room);
        self.put(at, &text.as_bytes()[..length]);
    }
}

const SIZE: usize = 4096;
/// Where the head of a request ends and its table starts.
const HEAD: usize = 312;
const TARGETS: usize = 20;
const FLAGS: usize = 28;
const DEVICE: usize = 40;
const NAME: usize = 48;
const UUID: usize = 176;
/// The head of a target, before its words.
const TARGET: usize = 40;
const READ_ONLY: u32 = 1;
const CREATE: Opcode = opcode::read_write::<[u8; HEAD]>(0xfd, 3);
const RESUME: Opcode = opcode::read_write::<[u8; HEAD]>(0xfd, 6);
const LOAD: Opcode = opcode::read_write::<[u8; HEAD]>(0xfd, 9);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_lies_as_the_kernel_reads_it() {
        let request =
            Request::new("root").with_uuid("CRYPT").read_only().with_target("verity", 8, "1 2 3");
        let at = |from: usize, length: usize| &request.bytes[from..from + length];
        assert_eq!(at(0, 4), 4_u32.to_ne_bytes());
        assert_eq!(at(12, 4), 4096_u32.to_ne_bytes());
        assert_eq!(at(16, 4), 312_u32.to_ne_bytes());
        assert_eq!(at(20, 4), 1_u32.to_ne_bytes());
        assert_eq!(at(28, 4), 1_u32.to_ne_bytes());
        assert_eq!(at(48, 5), b"root\0");
        assert_eq!(at(176, 6), b"CRYPT\0");
        assert_eq!(at(312 + 8, 8), 8_u64.to_ne_bytes());
        assert_eq!(at(312 + 24, 7), b"verity\0");
        assert_eq!(at(312 + 40, 6), b"1 2 3\0");
    }

    #[test]
    fn the_numbers_are_the_kernels() {
        assert_eq!(CREATE, 0xc138_fd03);
        assert_eq!(RESUME, 0xc138_fd06);
        assert_eq!(LOAD, 0xc138_fd09);
    }

    #[test]
    fn text_that_is_too_long_is_cut() {
        let request = Request::new(&"n".repeat(300)).with_uuid(&"u".repeat(300));
        assert_eq!(request.bytes[NAME + 127], 0);
        assert_eq!(request.bytes[UUID + 128], 0);
    }
}
