//! Names of rows in the vault, all in one place so that no two are the same.

use link::TwinId;

use crate::life::tables::{self, Id16};

/// The twin key and the recovery key.
pub(crate) const KEYS: &[u8] = b"life/keys";
/// The secret from which pseudonyms come.
pub(crate) const PSEUDONYMS: &[u8] = b"life/pseudonyms";
/// All of [`once`].
pub(crate) const ONCE: &[u8] = b"life/once/";

/// The answer to a write that was done, on the shelf of its time.
pub(crate) fn once(caller: &str, shelf: u64, id: [u8; 16]) -> Vec<u8> {
    [&once_shelf(caller, shelf)[..], &id].concat()
}

/// All of one shelf of a caller.
pub(crate) fn once_shelf(caller: &str, shelf: u64) -> Vec<u8> {
    [&once_of(caller)[..], &shelf.to_be_bytes()].concat()
}

/// All of a caller. The person is the one without a name; a name is a plain word.
pub(crate) fn once_of(caller: &str) -> Vec<u8> {
    [ONCE, caller.as_bytes(), b"/"].concat()
}

/// How far one's own message has come; nothing once it is delivered.
pub(crate) fn sent(message: Id16) -> Vec<u8> {
    [&b"life/sent/"[..], &message.0[..]].concat()
}

/// All of [`fetch`].
pub(crate) const FETCH: &[u8] = b"life/fetch/";

/// A file of somebody's message that is not here yet.
pub(crate) fn fetch(author: &TwinId, message: Id16, number: u8) -> Vec<u8> {
    [FETCH, &tables::attached(author, message, number)].concat()
}

/// The files of a message that are not here yet.
pub(crate) fn fetches(author: &TwinId, message: Id16) -> Vec<u8> {
    [FETCH, &tables::message_at(author, message)].concat()
}

/// Bytes of a file that arrived and lie in no upload yet, all of one file.
pub(crate) fn pieces(author: &TwinId, message: Id16, number: u8) -> Vec<u8> {
    [&b"life/piece/"[..], &tables::attached(author, message, number)].concat()
}

/// All of [`owed`].
pub(crate) const OWED: &[u8] = b"life/owed/";

/// A file of one's own message that somebody wants.
pub(crate) fn owed(to: &TwinId, message: Id16, number: u8) -> Vec<u8> {
    [OWED, &tables::attached(to, message, number)].concat()
}

/// When a grant was last used, to the hour.
pub(crate) fn used(grant: Id16) -> Vec<u8> {
    [&b"life/used/"[..], &grant.0[..]].concat()
}

/// In which hour, and how often in it, the owner of a space said that more of somebody counts.
pub(crate) fn counted(space: Id16) -> Vec<u8> {
    [&b"life/counted/"[..], &space.0[..]].concat()
}
