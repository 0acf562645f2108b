//! What can go wrong in the store, each case told apart once. Never repeats the text of its source.
use std::io;
use std::path::PathBuf;

/// Why the store could not do what was asked. Whatever the case, nothing already committed is
/// damaged, and a change that failed left no trace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process, or another handle of this one, has the folder open.
    #[error("{} is in use by another process", .folder.display())]
    Busy {
        /// The folder that was asked for.
        folder: PathBuf,
    },
    /// The folder holds no store and [`Options::create`](crate::Options::create) was off.
    #[error("no data file at {}", .path.display())]
    Missing {
        /// Where the data file was looked for.
        path: PathBuf,
    },
    /// The data file was not written by this product.
    #[error("{} is not one of our data files", .path.display())]
    Foreign {
        /// The data file.
        path: PathBuf,
    },
    /// The data file is shorter than what it says it holds: an interrupted copy or a failing disk.
    #[error("{} is cut short: {length} of {wanted} bytes; restore it from a copy", .path.display())]
    Truncated {
        /// The data file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
        /// The length its own header asks for, in bytes.
        wanted: u64,
    },
    /// A newer release changed the layout of the data file.
    #[error("{} has format {found}, this release knows up to {known}; update first", .path.display())]
    NewerFormat {
        /// The data file.
        path: PathBuf,
        /// The format number in the file.
        found: u32,
        /// The newest format number this release reads.
        known: u32,
    },
    /// The data file is from before the first release, in a layout that nothing reads any more.
    #[error("{} has format {found}, which only builds before the first release had", .path.display())]
    OlderFormat {
        /// The data file.
        path: PathBuf,
        /// The format number in the file.
        found: u32,
    },
    /// A newer release wrote this journal entry.
    #[error("journal entry {seq} has format {format}, which only a newer release reads")]
    NewerEntry {
        /// The entry.
        seq: u64,
        /// The format number it carries.
        format: u8,
    },
    /// The folder or file system does not allow writing.
    #[error("the folder of the data file cannot be written; check its owner and its mount")]
    ReadOnly {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no room for this change.
    #[error("no room for this change: {}", .space.advice())]
    Full {
        /// What ran out.
        space: Space,
    },
    /// Something is larger than the store takes.
    #[error("{what} of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A key is empty or too long, or a table name is empty or holds a zero byte.
    #[error("unusable key in {table}: {length} bytes")]
    BadKey {
        /// The table, `vault` or `door`.
        table: String,
        /// The length of the key in bytes.
        length: usize,
    },
    /// An entry kind that belongs to the store itself, or that is empty.
    #[error("entry kind {kind:?} cannot be written by a caller")]
    BadKind {
        /// The kind that was asked for.
        kind: String,
    },
    /// An entry that does not exist was named.
    #[error("no journal entry {seq}")]
    NoEntry {
        /// The entry.
        seq: u64,
    },
    /// Nothing of what was to be erased has content (any more).
    #[error("journal entry {seq} has no content to erase")]
    NothingToErase {
        /// The first of the named entries without content.
        seq: u64,
    },
    /// The fold refused an entry.
    #[error("entry {seq} of kind {kind} cannot be applied: {reason}")]
    Fold {
        /// The entry.
        seq: u64,
        /// Its kind.
        kind: String,
        /// What the fold said.
        reason: String,
    },
    /// The change panicked; it was rolled back and the store goes on.
    #[error("the change panicked and was rolled back: {what}")]
    Panicked {
        /// The panic message.
        what: String,
    },
    /// A step of the change failed, the change went on regardless and was rolled back.
    #[error("a failed step of the change was ignored, so all of it was rolled back")]
    Spoiled,
    /// A blocking write was asked for from inside a write.
    #[error("a write inside a write would wait for itself")]
    Nested,
    /// A check found that the data differ: nothing is written until that is settled.
    #[error("writing was stopped because the data differ: {found}")]
    Stopped {
        /// What was found.
        found: String,
    },
    /// A large content is not what it was, or not there; everything else is.
    #[error("the content of a file is damaged: {at}")]
    Blob {
        /// Which part, and in what way.
        at: String,
    },
    /// The upload is gone: it was given up meanwhile.
    #[error("there is no such upload any more")]
    NoUpload,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// The data file contradicts itself.
    #[error("the data file is damaged at {at}; restore it from a copy")]
    Damaged {
        /// Where: an entry or a page.
        at: String,
    },
    /// An earlier write to the disk failed in a way that only reopening the store can settle.
    #[error("the disk failed during an earlier write; start the twin again")]
    Broken,
    /// The system offered no random bytes for a salt.
    #[error("no random bytes from the system")]
    Random,
    /// The file system reported something else.
    #[error("the file system failed at {}", .path.display())]
    File {
        /// The file or folder in question.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Reading or writing failed.
    #[error("the disk or the receiver of the data failed")]
    Io {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database engine reported something unexpected.
    #[error("the database engine failed")]
    Engine {
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What ran out when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// The disk, or the quota on it.
    Disk,
    /// The address space given to the data file ([`Options::map_limit`](crate::Options::map_limit)).
    Map,
    /// What this store may take ([`Options::quota`](crate::Options::quota)).
    Quota,
}

impl Space {
    fn advice(self) -> &'static str {
        match self {
            Self::Disk => "the disk or its quota is full; free some space and try again",
            Self::Map => "the data file has reached its limit; raise the limit or erase something",
            Self::Quota => {
                "the data take all the room they may; erase something or raise the quota"
            }
        }
    }
}

/// Why a fold could not apply an entry. Returned by [`Fold`](crate::Fold) methods.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The entry makes no sense to this fold: the change that appends it fails with this reason.
    #[error("{0}")]
    Refused(String),
    /// The tables could not be read or written.
    #[error(transparent)]
    Store(#[from] Error),
}

impl FoldError {
    /// Refuses the entry; `reason` is for the log, it must not hold content.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }

    /// The same as an [`Error`], naming the entry.
    pub(crate) fn at(self, seq: u64, kind: &str) -> Error {
        match self {
            Self::Store(error) => error,
            Self::Refused(reason) => Error::Fold { seq, kind: kind.to_owned(), reason },
        }
    }
}

/// Sorts what the engine said into our cases.
#[expect(clippy::needless_pass_by_value, reason = "used as the argument of `map_err`")]
pub(crate) fn engine(error: heed::Error) -> Error {
    engine_ref(&error)
}

/// As [`engine`], for an error that several callers have to be told about.
pub(crate) fn engine_ref(error: &heed::Error) -> Error {
    use heed::MdbError;
    match error {
        heed::Error::Io(source) => io_error(copy_of(source)),
        heed::Error::Mdb(MdbError::MapFull) => Error::Full { space: Space::Map },
        heed::Error::Mdb(MdbError::Panic) => Error::Broken,
        heed::Error::Mdb(MdbError::Corrupted) => Error::Damaged { at: "a page".to_owned() },
        heed::Error::Mdb(MdbError::PageNotFound) => Error::Damaged { at: "a lost page".to_owned() },
        heed::Error::Mdb(other) => Error::Engine { source: Box::new(*other) },
        heed::Error::Encoding(_) | heed::Error::Decoding(_) | heed::Error::EnvAlreadyOpened => {
            Error::Engine { source: error.to_string().into() }
        }
    }
}

/// Sorts an I/O error without a path into our cases.
pub(crate) fn io_error(source: io::Error) -> Error {
    use io::ErrorKind as Kind;
    let kind = source.kind();
    if matches!(kind, Kind::StorageFull | Kind::QuotaExceeded) {
        Error::Full { space: Space::Disk }
    } else if matches!(kind, Kind::ReadOnlyFilesystem | Kind::PermissionDenied) {
        Error::ReadOnly { source }
    } else {
        Error::Io { source }
    }
}

/// The same error once more.
pub(crate) fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
