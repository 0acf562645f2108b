//! The store of one twin: an append-only, hash-chained journal, tables folded from it, and a vault
//! for what must not be history, in one LMDB data file. Never opens a socket, never holds a key
//! of the twin (it signs through [`Sign`]), never reads a clock into the journal.
//!
//! Everything a person would see or undo is an [`Entry`]: its *shape* (ids, references) stays for
//! ever, its *content* can be erased. [`Writer::append`] writes the entry and lets the [`Fold`]
//! update the tables in the same transaction; nothing else writes tables. One thread writes; it
//! commits whole groups of changes and answers after the disk has them.
//!
//! Shapes and contents are opaque bytes here. Times are milliseconds since 1970 and come from the
//! caller; order is `seq` alone.
//!
//! Contents that are too large for an entry lie beside the data file, in chunks named by what is in
//! them ([`Blob`]); the tables say which are needed, and the others are swept away.
//!
//! One process per folder: a second one gets [`Error::Busy`].
mod blobs;
mod checkpoint;
mod commit;
mod door;
mod entry;
mod env;
mod error;
mod export;
mod fold;
mod glance;
mod handles;
mod length;
mod maintain;
mod meta;
mod quota;
mod read;
mod rebuild;
mod repair;
mod rows;
mod stop;
mod store;
mod sweep;
mod tell;
mod uploads;
mod verify;
mod write;

pub use blobs::{BLOB_LIMIT, Blob, CHUNK, Contents, INLINE};
pub use checkpoint::{CHECKPOINT_EVERY, Checkpoint, Sign};
pub use door::{Door, DoorWriter};
pub use entry::{
    Actor, CONTENT_LIMIT, ERASE, Entry, Hash, Head, KIND_LIMIT, NewEntry, SHAPE_LIMIT,
};
pub use error::{Error, FoldError, Space};
pub use fold::{Fold, Tables};
pub use maintain::{Compacted, Usage, compact, maintain, maintain_at};
pub use meta::ERASE_WITHIN_MS;
pub use quota::Room;
pub use read::{ReadAll, ReadTables, Reader};
pub use repair::{forget_copies, kept_copies};
pub use rows::{Direction, Row};
pub use stop::{Part, Stopped, stopped};
pub use store::{Options, Store};
pub use sweep::{SWEEP_WITHIN_MS, Swept};
pub use uploads::{Append, Content, UPLOAD_KEPT_MS, Upload, UploadId};
pub use verify::{Difference, RowDifference, Verified, VerifyError, verify_folder};
pub use write::Writer;
