//! What a twin may do: work with its own files, with descriptors it was given, and with memory.
//!
//! It has no socket of its own making, starts no program and no process, signals nobody, and sees no
//! file outside its folder.

use super::{Call, Files, Policy, calls};

pub(super) const POLICY: Policy = Policy {
    files: Files::OwnFolder,
    calls: &[
        calls::MEMORY,
        calls::THREADS,
        calls::WAITING,
        calls::TIME,
        calls::SELF,
        calls::DESCRIPTORS,
        calls::CONVERSATION,
        calls::OWN_FILES,
        MORE,
    ],
    // A browser's connections, the links to other twins, and some twenty of its own.
    descriptors: 1024,
};

/// What only a twin needs.
const MORE: &[Call] = &[
    // A journal's lock, and the store's.
    Call::Any(libc::SYS_flock),
];
