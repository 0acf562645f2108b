//! Why nothing comes from a mirror. Each has a short name, by which message files have its sentence.

use std::io;

/// Why nothing is brought.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address of a mirror.
    #[error("{0}")]
    Address(&'static str),
    /// What is there won't be used.
    #[error("the bundle there won't be used")]
    Bundle(#[from] update::Error),
    /// The connection is not safe: the server can't show that it is the right one.
    #[error("the server can't show who it is")]
    Certificate(#[source] io::Error),
    /// Nobody answers, or the connection breaks off again and again.
    #[error("{what}")]
    Gone {
        /// What failed.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file to write to can't be written or read.
    #[error("what comes can't be kept")]
    Keep(#[source] io::Error),
    /// There is no such file, or the server doesn't give it.
    #[error("the server answers {status} for {file}")]
    Missing {
        /// Its answer.
        status: u16,
        /// The file.
        file: String,
    },
    /// Its files don't belong together.
    #[error("what the server sends doesn't fit what was signed: {0}")]
    Mixed(&'static str),
    /// It was asked to bring something nowhere.
    #[error("there is no file to write to")]
    NoFile,
    /// It has an older system than the one that runs.
    #[error("the newest there is {version}, and {here} runs here")]
    Old {
        /// What it has.
        version: update::Version,
        /// What runs.
        here: update::Version,
    },
    /// A web page comes instead of a file: something on the way wants a password, or it's the wrong
    /// address.
    #[error("a web page comes instead of the file {file}")]
    Page {
        /// The file.
        file: String,
    },
    /// It leads elsewhere, and not to a place that is as safe.
    #[error("the server leads to {to:?}")]
    Redirect {
        /// Where.
        to: String,
    },
    /// No room for the whole bundle.
    #[error("{bytes} more bytes would be needed")]
    Room {
        /// How many more.
        bytes: u64,
    },
    /// It takes too long.
    #[error("the server takes too long")]
    Slow,
    /// It has what runs here already, and nobody has vouched for long that this is the newest.
    #[error("nobody has vouched for the mirror's newest version since its time was over")]
    Stale,
    /// The system was built without keys.
    #[error("this system trusts nobody")]
    TrustsNobody,
}

impl Error {
    /// Its name in message files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Address(_) => "mirror_address",
            Self::Bundle(error) => error.name(),
            Self::Certificate(_) => "mirror_certificate",
            Self::Gone { .. } => "mirror_gone",
            Self::Keep(_) | Self::NoFile => "unreadable",
            Self::Missing { .. } => "mirror_missing",
            Self::Mixed(_) => "mirror_mixed",
            Self::Old { .. } => "mirror_old",
            Self::Page { .. } => "mirror_page",
            Self::Redirect { .. } => "mirror_redirect",
            Self::Room { .. } => "room",
            Self::Slow => "mirror_slow",
            Self::Stale => "mirror_stale",
            Self::TrustsNobody => "trusts_nobody",
        }
    }

    /// Whether the next try may do better.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Gone { .. } | Self::Slow)
            || matches!(self, Self::Missing { status: 500..|429| 408, .. })
    }

    pub(crate) fn gone(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Gone { what, source }
    }

    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }
}
