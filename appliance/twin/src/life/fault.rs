//! Why a call to a twin's data was not done: a code, its numbers and what fills the sentences.
//! It has no sentences itself and never carries what a person wrote.

use capability::wire::{FieldProblem, Retry};

/// A call that was not done, and nothing of it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}")]
pub struct Fault {
    /// Stable; also finds the sentences (`problem.<code>.title|detail|do`).
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Whether the same call can succeed when sent again.
    pub retry: Retry,
    /// What fills the placeholders of the sentences.
    pub args: Vec<(&'static str, String)>,
    /// The fields that were not understood.
    pub fields: Vec<FieldProblem>,
    /// The revision that the thing has now, or the entry that stands in the way.
    pub rev: Option<u64>,
    /// In a batch: which call.
    pub call: Option<u16>,
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $status:literal $retry:ident;)*) => {
        impl Fault {
            /// Every code there is; the message files have sentences for each.
            pub const CODES: &[&str] = &[$(stringify!($name)),*];

            $($(#[$doc])* #[must_use] pub fn $name() -> Self {
                Self::new(stringify!($name), $status, Retry::$retry)
            })*
        }
    };
}

faults! {
    /// The contact is accepted already, or blocked.
    already = 409 No;
    /// A package that isn't whole or has what no experience may have.
    bad_package = 400 No;
    /// A package whose signature is wrong.
    bad_signature = 400 No;
    /// The text is no valid card.
    bad_card = 400 No;
    /// A field of a record is not what its type says.
    bad_record = 400 No;
    /// The type of records is not possible, not known or not compatible with what it was.
    bad_type = 400 No;
    /// The cursor is not one of ours, or of another list.
    bad_cursor = 400 No;
    /// Something later stands on what should be undone.
    built_upon = 409 No;
    /// This has no undo, or was undone already.
    cannot_undo = 409 No;
    /// The other is no contact any more.
    closed = 409 No;
    /// In a space nobody can send files yet.
    no_files_there = 409 No;
    /// Somebody was faster.
    conflict = 409 Now;
    /// The data contradict themselves.
    damaged = 500 No;
    /// The message was deleted.
    deleted = 409 No;
    /// A file's content is not what it was.
    damaged_file = 500 No;
    /// Something inside failed; the log says what.
    failed = 500 Later;
    /// Something else has this name there.
    file_exists = 409 No;
    /// The disk is full.
    full = 507 Later;
    /// The twin has used up its room on the disk: somebody has to do something first.
    full_twin = 507 No;
    /// It is not here any more, or not yet.
    gone = 409 No;
    /// The id names something else already.
    id_taken = 409 No;
    /// A folder can't lie in itself.
    into_itself = 409 No;
    /// The request is not what the method takes.
    malformed = 400 No;
    /// Only its author may.
    not_author = 403 No;
    /// There is no such thing, or not for this caller.
    not_found = 404 No;
    /// The experience may see this thing but not do that with it.
    not_granted = 403 No;
    /// An experience defines types of its own name only.
    not_yours = 403 No;
    /// Only what is in the trash can be deleted.
    not_in_trash = 409 No;
    /// What should be installed is no package.
    no_package = 400 No;
    /// What was sent is not complete, or gone.
    no_upload = 409 No;
    /// Nothing of what was named has content.
    nothing_to_erase = 409 No;
    /// A newer release is here.
    older_version = 409 No;
    /// A package of this name, but by somebody else.
    other_author = 409 No;
    /// Another release with the same version is here.
    same_version = 409 No;
    /// One's own card.
    own_card = 400 No;
    /// Only who made the space may.
    only_owner = 403 No;
    /// One may look at the space, not change what is in it.
    only_see = 403 No;
    /// Only the shell may call this.
    only_shell = 403 No;
    /// The data can't be written at the moment.
    read_only = 503 Later;
    /// The data differ from their journal: nothing is written until that is settled.
    stopped = 503 No;
    /// Folders lie too deep in each other.
    too_deep = 409 No;
    /// A larger text than the twin takes.
    too_large = 413 No;
    /// Too many calls in a batch, or none.
    too_many = 400 No;
    /// This twin has no such capability, version or method.
    unknown_method = 404 No;
    /// That can't be done with how things stand with the contact.
    wrong_state = 409 No;
}

impl Fault {
    fn new(code: &'static str, status: u16, retry: Retry) -> Self {
        let (args, fields) = (Vec::new(), Vec::new());
        Self { code, status, retry, args, fields, rev: None, call: None }
    }

    /// Fills a placeholder of the sentences.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.args.push((name, value.into()));
        self
    }

    /// Names the revision in the way.
    #[must_use]
    pub fn at(mut self, rev: u64) -> Self {
        self.rev = Some(rev);
        self
    }

    /// Names a field.
    #[must_use]
    pub fn field(mut self, field: &str, detail: impl Into<String>) -> Self {
        self.fields.push(FieldProblem { field: field.to_owned(), detail: detail.into() });
        self
    }

    /// Names the call of a batch.
    pub(crate) fn in_call(mut self, call: u16) -> Self {
        self.call = Some(call);
        self
    }

    /// A request that could not be read. The reader's words name fields, never values of theirs.
    pub(crate) fn unread(error: &serde_json::Error) -> Self {
        Self::malformed().field("", error.to_string())
    }

    /// Something that cannot go wrong did: the log gets the reason.
    pub(crate) fn inside(what: &str) -> Self {
        tracing::error!(what, "a call failed inside");
        Self::failed()
    }
}

impl From<store::Error> for Fault {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the store may get more; those few are told apart"
    )]
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Full { space: store::Space::Quota } => Self::full_twin(),
            store::Error::Full { .. } => Self::full(),
            store::Error::ReadOnly { .. } => Self::read_only(),
            store::Error::TooLarge { .. } => Self::too_large(),
            store::Error::NoEntry { seq } => Self::not_found().with("seq", seq.to_string()),
            store::Error::NothingToErase { .. } => Self::nothing_to_erase(),
            store::Error::Stopped { .. } => Self::stopped(),
            store::Error::NoUpload => Self::no_upload(),
            store::Error::Blob { .. } => {
                tracing::error!(%error, "a file can't be read");
                Self::damaged_file()
            }
            store::Error::Damaged { .. } => {
                tracing::error!(%error, "the data are damaged");
                Self::damaged()
            }
            other => Self::inside(&other.to_string()),
        }
    }
}
