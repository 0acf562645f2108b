//! The walls around the node's processes: what each program may do, and how it is shut in.
//!
//! ```text
//! walls/{twin,gateway,worker,executor,
//!        steward,slots,fetcher}.rs         the policies: one file per program, closed but for its lists
//! walls/calls.rs                           lists of system calls that several programs need
//! walls/build.rs                           from a policy to Landlock rules and seccomp filters
//! walls/own.rs, inherited.rs               uid, capabilities, limits; descriptors from outside
//! walls/ground.rs                          what this machine and this user can give, for the doctor
//! ```
//!
//! A child calls [`enter`] before it has a second thread and before it has read a byte from anyone;
//! there is no way back. Nothing here ever opens a wall again, and there is no setting that leaves
//! one away: what a kernel lacks is reported, never passed over in silence.

mod build;
mod calls;
mod executor;
mod fetcher;
mod gateway;
pub mod ground;
mod inherited;
mod own;
mod slots;
mod steward;
mod twin;
mod worker;

use std::io;

pub(crate) use self::executor::{NEEDED, Reach, enter_executor};
pub use self::fetcher::enter_fetcher;
pub(crate) use self::inherited::adopt;
pub use self::own::{ForJob, Given};
pub(crate) use self::slots::enter_slots;
pub(crate) use self::steward::enter_steward;

/// A program that is shut in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Program {
    /// The network door.
    Gateway,
    /// One twin.
    Twin,
    /// One job with one foreign file.
    Worker,
}

/// What a program may do; all else is refused.
struct Policy {
    /// The files it can reach.
    files: Files,
    /// System calls that work; any other answers `EPERM`.
    calls: &'static [&'static [Call]],
    /// Descriptors it may have open.
    descriptors: u64,
}

/// The files that a program can reach.
enum Files {
    /// None at all.
    Nothing,
    /// What lies in its folder, the current one at the start, to read and write; never to execute.
    OwnFolder,
}

/// One system call that works.
#[derive(Clone, Copy)]
enum Call {
    /// With any arguments.
    Any(i64),
    /// Only if all of this is so. The same call may be listed again with other rules.
    If(i64, &'static [Rule]),
}

/// What must be so about an argument, counted from 0. Only its lower 32 bits are looked at, which
/// are all there are for flags, numbers of commands and descriptors.
#[derive(Clone, Copy)]
enum Rule {
    /// It is this.
    Is(u8, u32),
    /// It has all of these bits.
    With(u8, u32),
    /// It has none of these bits.
    Without(u8, u32),
    /// It is the caller's own process id.
    Me(u8),
    /// It is a null pointer, all 64 bits.
    Null(u8),
}

impl Program {
    fn policy(self) -> Policy {
        match self {
            Self::Gateway => gateway::POLICY,
            Self::Twin => twin::POLICY,
            Self::Worker => worker::POLICY,
        }
    }
}

/// Shuts this process in for good. Call it while there is one thread only; for a twin with its
/// folder as the current one, for the others with an empty one.
///
/// # Errors
/// When a wall that this kernel has can't be built: the process must end then.
pub fn enter(program: Program, given: Given) -> Result<Entered, Error> {
    let policy = program.policy();
    let folder = build::here()?;
    let has_seccomp = build::has_seccomp();
    own::become_own(given)?;
    own::limit(given, policy.descriptors)?;
    own::bind_to_parent()?;
    let landlock = build::shut_files(&policy.files, folder)?;
    if has_seccomp {
        build::shut_calls(policy.calls)?;
    }
    Ok(Entered { landlock, seccomp: has_seccomp })
}

/// Which walls stand after [`enter`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entered {
    /// Whether the kernel guards files, by Landlock.
    pub landlock: bool,
    /// Whether the kernel guards calls, by seccomp.
    pub seccomp: bool,
}

impl Entered {
    /// Whether all of them do.
    #[must_use]
    pub fn whole(self) -> bool {
        self.landlock && self.seccomp
    }
}

/// Which wall could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the wall can't be built: {step}")]
pub struct Error {
    step: &'static str,
    #[source]
    source: io::Error,
}

impl Error {
    fn at(step: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |errno| Self { step, source: errno.into() }
    }

    fn of<E: std::error::Error + Send + Sync + 'static>(
        step: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |error| Self { step, source: io::Error::other(error) }
    }
}
