//! What a worker may do: read the one file it was given, write the one it was given, and think.
//!
//! It opens nothing, has no second thread, and talks to nobody but the executor, which ends it after
//! its one job. The narrowest policy of all: what it reads was made by strangers.

use super::{Call, Files, Policy, Rule, calls};

pub(super) const POLICY: Policy = Policy {
    files: Files::Nothing,
    calls: &[MEMORY, calls::WAITING, calls::TIME, calls::SELF, calls::DESCRIPTORS, MORE],
    // The three standard ones, the channel, its two files, and what it polls with.
    descriptors: 16,
};

/// Memory of its own only: none is shared, and none becomes code.
const MEMORY: &[Call] = &[
    Call::Any(libc::SYS_brk),
    Call::Any(libc::SYS_madvise),
    Call::If(
        libc::SYS_mmap,
        &[
            calls::NO_CODE,
            Rule::Without(3, (libc::MAP_SHARED | libc::MAP_GROWSDOWN) as u32),
            Rule::With(3, libc::MAP_ANONYMOUS as u32),
        ],
    ),
    Call::If(libc::SYS_mprotect, &[calls::NO_CODE]),
    Call::Any(libc::SYS_mremap),
    Call::Any(libc::SYS_munmap),
];

/// What only a worker needs: its job, and its answer.
const MORE: &[Call] = &[
    Call::Any(libc::SYS_recvmsg),
    Call::Any(libc::SYS_sendmsg),
    // Whether what it took over is a channel.
    Call::Any(libc::SYS_getsockopt),
];
