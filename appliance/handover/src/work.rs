//! What a worker is asked and what it answers: one job, and one answer.
//!
//! Nothing here does I/O, and no job says what kind of file it gives: the worker looks for itself.

use serde::{Deserialize, Serialize};

/// What is to be made of a foreign file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A small picture of it: of an image, of a film.
    Preview {
        /// It fits into a square of so many pixels a side; nothing is made larger than it is.
        side: u16,
    },
    /// The words in it, as UTF-8.
    Text,
}

/// How much one job may take and give; the kernel holds it to memory and time besides.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Bounds {
    /// Bytes that it reads.
    pub input: u64,
    /// Bytes that it writes.
    pub output: u64,
    /// Pixels of a picture that it opens.
    pub pixels: u64,
}

/// Executor to worker.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub enum ToWorker {
    /// The one job. +fd the file, open to read; +fd an empty file, open to write.
    Do {
        /// What to make.
        task: Task,
        /// Of how much, at most.
        bounds: Bounds,
    },
}

/// Worker to executor.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub enum FromWorker {
    /// It is made and written.
    Done(Made),
    /// It can't be made.
    Failed(Cannot),
}

/// What a worker says of its work. Who uses the result believes it no more than the file it was made
/// of: the worker could have been taken over by that file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Made {
    /// What the file turned out to be.
    pub of: Kind,
    /// What was made.
    pub kind: Kind,
    /// Bytes written.
    pub bytes: u64,
    /// Width and height of a picture.
    pub size: Option<(u16, u16)>,
    /// Whether there was more than may be written.
    pub cut: bool,
}

/// Kinds of files that a worker tells apart.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Office Open XML text.
    Docx,
    /// GIF.
    Gif,
    /// A web page.
    Html,
    /// JPEG.
    Jpeg,
    /// A film, also one from a Mac.
    Mp4,
    /// OpenDocument text.
    Odt,
    /// PDF.
    Pdf,
    /// PNG.
    Png,
    /// Plain text.
    Text,
    /// A film, as browsers record it.
    Webm,
    /// WebP.
    Webp,
}

/// Why nothing was made; each has a sentence in the message files.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cannot {
    /// Too much waits already.
    Busy,
    /// It isn't what it begins as.
    Damaged,
    /// It can't be read without its password.
    Locked,
    /// It is a film whose pictures nothing here can open.
    NoPoster,
    /// It is of no kind that this can be made of.
    NotKnown,
    /// The worker broke off: it wanted more memory than it may have, or met a mistake of ours.
    Stopped,
    /// It is larger, or of more pixels, than is opened.
    TooLarge,
    /// It took longer than it may.
    TooSlow,
    /// The file can't be read.
    Unreadable,
    /// The result can't be written.
    Unwritable,
}

impl Cannot {
    /// Its stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Damaged => "damaged",
            Self::Locked => "locked",
            Self::NoPoster => "no_poster",
            Self::NotKnown => "not_known",
            Self::Stopped => "stopped",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Unreadable => "unreadable",
            Self::Unwritable => "unwritable",
        }
    }

    /// All of them, for whoever must have a sentence for each.
    pub const ALL: [Self; 10] = [
        Self::Busy,
        Self::Damaged,
        Self::Locked,
        Self::NoPoster,
        Self::NotKnown,
        Self::Stopped,
        Self::TooLarge,
        Self::TooSlow,
        Self::Unreadable,
        Self::Unwritable,
    ];
}
