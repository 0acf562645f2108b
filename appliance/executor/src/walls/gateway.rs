//! What the gateway may do: accept from the listener it was given, peek, and pass descriptors on.
//!
//! It opens no file at all, not even to read, and can't connect to anywhere.

use super::{Call, Files, Policy, calls};

pub(super) const POLICY: Policy = Policy {
    files: Files::Nothing,
    calls: &[
        calls::MEMORY,
        calls::THREADS,
        calls::WAITING,
        calls::TIME,
        calls::SELF,
        calls::DESCRIPTORS,
        calls::CONVERSATION,
        MORE,
    ],
    // Connections that are being peeked at or wait for a twin that wakes up.
    descriptors: 65_536,
};

/// What only the gateway needs.
const MORE: &[Call] = &[
    Call::Any(libc::SYS_accept4),
    // The two ends of a stream between twins; nothing else has these.
    Call::If(libc::SYS_socketpair, &[super::Rule::Is(0, libc::AF_UNIX as u32)]),
];
