//! Names of rows in the vault, all in one place so that no two are the same.

use crate::life::tables::Id16;

/// The twin key and the recovery key.
pub(crate) const KEYS: &[u8] = b"life/keys";
/// The secret from which pseudonyms come.
pub(crate) const PSEUDONYMS: &[u8] = b"life/pseudonyms";
/// All of [`once`].
pub(crate) const ONCE: &[u8] = b"life/once/";

/// The answer to a write that was done.
pub(crate) fn once(id: [u8; 16]) -> Vec<u8> {
    [ONCE, &id[..]].concat()
}

/// First and next number of [`once_nth`] of a caller, two big-endian numbers. The person is the
/// caller without a name.
pub(crate) fn once_range(caller: &str) -> Vec<u8> {
    [b"life/once-range", caller.as_bytes()].concat()
}

/// The id of the n-th write of a caller, for forgetting the oldest. Of names, and a name is a plain
/// word, no start is another.
pub(crate) fn once_nth(caller: &str, n: u64) -> Vec<u8> {
    let end: &[u8] = if caller.is_empty() { b"" } else { b"/" };
    [b"life/once-nth/", caller.as_bytes(), end, &n.to_be_bytes()].concat()
}

/// How far one's own message has come; nothing once it is delivered.
pub(crate) fn sent(message: Id16) -> Vec<u8> {
    [&b"life/sent/"[..], &message.0[..]].concat()
}

/// When a grant was last used, to the hour.
pub(crate) fn used(grant: Id16) -> Vec<u8> {
    [&b"life/used/"[..], &grant.0[..]].concat()
}
