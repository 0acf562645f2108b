//! The tables of a twin's data: their names, keys and rows. Rows hold ids, times and the numbers
//! of journal entries, never content: a text is read from its entry when it is shown, so an
//! erased one is gone from everywhere at once. Only names of files are here, to find and sort them
//! by; the fold takes them out when they are erased.
//!
//! | table | key | row |
//! |---|---|---|
//! | `me` | `me` | [`Me`] |
//! | `chain` | twin id | the person's operation chain |
//! | `contact` | twin id | [`Contact`] |
//! | `conversation` | conversation | [`Conversation`] |
//! | `active` | last activity, conversation | nothing |
//! | `message` | conversation, time, author, message | [`Message`] |
//! | `message_at` | author, message, in a space also that | conversation, time, author, message |
//! | `attached` | author, message, number | [`Attached`] |
//! | `unread` | conversation, time, author, message | nothing |
//! | `grant` | grant | [`Grant`] |
//! | `installed` | name of an experience | [`Installed`] |
//! | `release` | name of an experience, entry | [`Release`] |
//! | `undone` | entry | the entry that undid it |
//! | `held` | entry | [`Held`] |
//! | `file` | item | [`File`] |
//! | `file_in` | folder, files after folders, name, item | nothing |
//! | `file_name` | item | [`Named`] |
//! | `file_trash` | time, item | nothing |
//! | `file_version` | item, entry | [`Version`] |
//!
//! Those of spaces and records are in `spaces`.

pub(crate) mod spaces;

use data_encoding::HEXLOWER;
use link::TwinId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use store::{Error, ReadTables, Tables};

pub(crate) const ME: &str = "me";
pub(crate) const CHAIN: &str = "chain";
pub(crate) const CONTACT: &str = "contact";
pub(crate) const CONVERSATION: &str = "conversation";
pub(crate) const ACTIVE: &str = "active";
pub(crate) const MESSAGE: &str = "message";
pub(crate) const MESSAGE_AT: &str = "message_at";
pub(crate) const ATTACHED: &str = "attached";
pub(crate) const UNREAD: &str = "unread";
pub(crate) const GRANT: &str = "grant";
pub(crate) const INSTALLED: &str = "installed";
pub(crate) const RELEASE: &str = "release";
pub(crate) const UNDONE: &str = "undone";
pub(crate) const HELD: &str = "held";
pub(crate) const FILE: &str = "file";
pub(crate) const FILE_IN: &str = "file_in";
pub(crate) const FILE_NAME: &str = "file_name";
pub(crate) const FILE_TRASH: &str = "file_trash";
pub(crate) const FILE_VERSION: &str = "file_version";

/// The key of the one row in [`ME`].
pub(crate) const ME_KEY: &[u8] = b"me";

/// The person whose twin this is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Me {
    pub(crate) id: TwinId,
    /// The conversation with oneself.
    pub(crate) notebook: Id16,
    /// The entry that holds the profile.
    pub(crate) profile: u64,
}

/// How things stand with a contact.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    Accepted,
    Asked,
    Asks,
    Blocked,
    Denied,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Contact {
    pub(crate) standing: Standing,
    pub(crate) since_ms: i64,
    pub(crate) rev: u64,
    /// The entry that holds what they call themselves.
    pub(crate) profile: u64,
    /// The entry that holds the words of the request.
    pub(crate) note: Option<u64>,
    /// The entry that holds what one calls them.
    pub(crate) petname: Option<u64>,
    /// Where unblocking leads back to.
    pub(crate) before_block: Option<Standing>,
    pub(crate) conversation: Option<Id16>,
    /// The last time that two chains of theirs disagreed.
    pub(crate) fork: Option<Forked>,
}

/// Two chains of a contact disagreed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Forked {
    /// The entry that says how.
    pub(crate) seq: u64,
    /// Our person has taken note.
    pub(crate) seen: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Conversation {
    pub(crate) with: TwinId,
    /// With oneself.
    pub(crate) notebook: bool,
    /// Of the space with the same id; `with` is who made it, and what was written before this time
    /// was never unread.
    pub(crate) space: Option<i64>,
    /// The entry that holds the other's name, once they are no contact any more.
    pub(crate) name: Option<u64>,
    pub(crate) active_ms: i64,
    pub(crate) unread: u64,
    /// The newest message by display order.
    pub(crate) last: Option<Mark>,
    /// Up to where one has read.
    pub(crate) read: Option<Mark>,
    /// The entry that moved `read`.
    pub(crate) read_by: Option<u64>,
    /// Up to where the other has read.
    pub(crate) other_read: Option<Mark>,
}

impl Conversation {
    /// One in which nothing was said yet.
    pub(crate) fn new(with: TwinId, active_ms: i64) -> Self {
        Self {
            with,
            notebook: false,
            space: None,
            name: None,
            active_ms,
            unread: 0,
            last: None,
            read: None,
            read_by: None,
            other_read: None,
        }
    }

    /// Whether a message is one that our person has to read.
    pub(crate) fn concerns(&self, mark: &Mark, me: &TwinId) -> bool {
        match self.space {
            Some(since_ms) => mark.author != *me && mark.time_ms >= since_ms,
            None => mark.author == self.with && !self.notebook,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Message {
    /// The entry that said it.
    pub(crate) seq: u64,
    /// The entry that holds the text of now.
    pub(crate) text: u64,
    pub(crate) edited_ms: Option<i64>,
    /// The author's clock at the last change: the newest change wins.
    pub(crate) changed_ms: i64,
    pub(crate) deleted: bool,
    pub(crate) reply_to: Option<Id16>,
    pub(crate) rev: u64,
    /// Stands for something that only a newer release can read.
    pub(crate) needs_update: bool,
    /// It was said in a space: its words are in a text that its author signed.
    pub(crate) in_space: bool,
}

/// The bytes of a file of a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Attached {
    /// The entry of the message: without its content this is gone too.
    pub(crate) said: u64,
    /// The entry that brought it.
    pub(crate) seq: u64,
    pub(crate) size: u64,
    /// Where it lies, if not in its entry.
    pub(crate) blob: Option<store::Blob>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Grant {
    pub(crate) grant: Id16,
    pub(crate) experience: String,
    /// Of one conversation; of all without, if it is not of a folder or a space.
    pub(crate) conversation: Option<Id16>,
    /// Of a folder and all that is in it.
    pub(crate) folder: Option<Id16>,
    /// Of a space, and there of records of these types.
    pub(crate) space: Option<Id16>,
    pub(crate) types: Vec<String>,
    pub(crate) add: bool,
    pub(crate) change: bool,
    /// Whether what was before the grant may be seen.
    pub(crate) history: bool,
    pub(crate) since_ms: i64,
    pub(crate) seq: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Held {
    pub(crate) from: TwinId,
    pub(crate) conversation: Id16,
    pub(crate) capability: String,
    pub(crate) major: u16,
}

/// An experience that is or was here.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Installed {
    /// The entry that installed what is used; none once it was removed.
    pub(crate) release: Option<u64>,
}

/// A release of an experience.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Release {
    pub(crate) version: String,
    pub(crate) hash: String,
    pub(crate) author: TwinId,
    pub(crate) size: u64,
    /// Where its package lies, if not in its entry.
    pub(crate) blob: Option<store::Blob>,
    pub(crate) since_ms: i64,
}

/// A file or a folder.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct File {
    pub(crate) folder: Id16,
    /// The entry that brought what a file holds; a folder has none.
    pub(crate) version: Option<u64>,
    /// How many versions are kept.
    pub(crate) versions: u32,
    pub(crate) made_ms: i64,
    /// The entry that made it.
    pub(crate) made: u64,
    pub(crate) changed_ms: i64,
    pub(crate) trashed_ms: Option<i64>,
    pub(crate) rev: u64,
}

/// The name of a file or folder.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Named {
    /// The entry that has it in its content.
    pub(crate) seq: u64,
    pub(crate) name: String,
}

/// What a file held.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Version {
    pub(crate) size: u64,
    /// Where it lies, if not in its entry.
    pub(crate) blob: Option<store::Blob>,
    pub(crate) made_ms: i64,
}

/// The place of a message in its conversation. Ordered as messages are shown.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Mark {
    pub(crate) time_ms: i64,
    pub(crate) author: TwinId,
    pub(crate) message: Id16,
}

impl Mark {
    /// The key of the message, in [`MESSAGE`] and [`UNREAD`].
    pub(crate) fn key(&self, conversation: Id16) -> Vec<u8> {
        let time = sortable(self.time_ms);
        [&conversation.0[..], &time, self.author.as_bytes(), &self.message.0].concat()
    }

    /// Conversation and place from a key.
    pub(crate) fn from_key(key: &[u8]) -> Option<(Id16, Self)> {
        let (conversation, rest) = key.split_first_chunk::<16>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (author, message) = rest.split_first_chunk::<32>()?;
        let time_ms = (u64::from_be_bytes(*time) ^ SIGN).cast_signed();
        let author = TwinId::from_bytes(*author);
        let message = Id16(message.try_into().ok()?);
        Some((Id16(*conversation), Self { time_ms, author, message }))
    }
}

/// Key of a message in [`MESSAGE_AT`].
pub(crate) fn message_at(author: &TwinId, message: Id16) -> Vec<u8> {
    [&author.as_bytes()[..], &message.0].concat()
}

/// Key of a message of a space in [`MESSAGE_AT`]: elsewhere its author may have used the id again.
pub(crate) fn message_in(author: &TwinId, message: Id16, space: Id16) -> Vec<u8> {
    [&message_at(author, message)[..], &space.0].concat()
}

/// Key of a file of a message in [`ATTACHED`].
pub(crate) fn attached(author: &TwinId, message: Id16, number: u8) -> Vec<u8> {
    [&message_at(author, message)[..], &[number]].concat()
}

/// Key of a release in [`RELEASE`].
pub(crate) fn release(experience: &str, seq: u64) -> Vec<u8> {
    [&releases(experience)[..], &seq.to_be_bytes()].concat()
}

/// What the keys of all releases of an experience begin with; a name has no zero byte.
pub(crate) fn releases(experience: &str) -> Vec<u8> {
    [experience.as_bytes(), &[0]].concat()
}

/// Key of a conversation in [`ACTIVE`].
pub(crate) fn active(active_ms: i64, conversation: Id16) -> Vec<u8> {
    [&sortable(active_ms)[..], &conversation.0].concat()
}

/// Key of an item in [`FILE_IN`]. A name has no zero byte and at most 255 bytes.
pub(crate) fn file_in(file: &File, name: &str, item: Id16) -> Vec<u8> {
    [&file_named(file.folder, file.version.is_some(), name)[..], &item.0].concat()
}

/// What the keys of all items of this name in a folder begin with.
pub(crate) fn file_named(folder: Id16, is_file: bool, name: &str) -> Vec<u8> {
    [&folder.0[..], &[u8::from(is_file)], name.as_bytes(), &[0]].concat()
}

/// Key of an item in [`FILE_TRASH`].
pub(crate) fn file_trash(trashed_ms: i64, item: Id16) -> Vec<u8> {
    [&sortable(trashed_ms)[..], &item.0].concat()
}

/// Key of a version in [`FILE_VERSION`].
pub(crate) fn file_version(item: Id16, seq: u64) -> Vec<u8> {
    [&item.0[..], &seq.to_be_bytes()].concat()
}

/// Bytes that sort as the times do.
fn sortable(time_ms: i64) -> [u8; 8] {
    (time_ms.cast_unsigned() ^ SIGN).to_be_bytes()
}

const SIGN: u64 = 1 << 63;

/// A 16-byte id, hexadecimal in text.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Id16(pub(crate) [u8; 16]);

impl Id16 {
    /// The folder that holds everything; no row is about it.
    pub(crate) const ROOT: Self = Self([0; 16]);
}

impl std::fmt::Display for Id16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl Serialize for Id16 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { self.0.serialize(to) }
    }
}

impl<'de> Deserialize<'de> for Id16 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if !from.is_human_readable() {
            return <[u8; 16]>::deserialize(from).map(Self);
        }
        let text = String::deserialize(from)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("not 32 hexadecimal digits"))
    }
}

/// The tables as what they hold, wherever they can be read.
pub(crate) trait Rows: ReadTables {
    fn row<T: DeserializeOwned>(&self, table: &str, key: &[u8]) -> Result<Option<T>, Error> {
        self.get(table, key)?.map(|bytes| parsed(table, &bytes)).transpose()
    }

    fn me(&self) -> Result<Me, Error> {
        let missing = || Error::Damaged { at: "the row of the person".to_owned() };
        self.row(ME, ME_KEY)?.ok_or_else(missing)
    }

    fn contact(&self, id: &TwinId) -> Result<Option<Contact>, Error> {
        self.row(CONTACT, id.as_bytes())
    }

    fn conversation(&self, id: Id16) -> Result<Option<Conversation>, Error> {
        self.row(CONVERSATION, &id.0)
    }

    /// A message in this conversation, with its place.
    fn find_in(
        &self,
        conversation: Id16,
        author: &TwinId,
        message: Id16,
    ) -> Result<Option<(Mark, Message)>, Error> {
        let key = match self.get(MESSAGE_AT, &message_in(author, message, conversation))? {
            Some(key) => Some(key),
            None => self.get(MESSAGE_AT, &message_at(author, message))?,
        };
        let Some(key) = key.filter(|key| key.starts_with(&conversation.0)) else {
            return Ok(None);
        };
        self.message_of(&key).map(|(_, mark, row)| Some((mark, row)))
    }

    /// A message by author and id, wherever it was said.
    fn find_anywhere(
        &self,
        author: &TwinId,
        message: Id16,
    ) -> Result<Option<(Id16, Mark, Message)>, Error> {
        let at = message_at(author, message);
        let found = self.prefix(MESSAGE_AT, &at, 1, store::Direction::Forward)?;
        found.first().map(|(_, key)| self.message_of(key)).transpose()
    }

    /// The message with this key.
    fn message_of(&self, key: &[u8]) -> Result<(Id16, Mark, Message), Error> {
        let lost = || Error::Damaged { at: "a row of a message".to_owned() };
        let (conversation, mark) = Mark::from_key(key).ok_or_else(lost)?;
        Ok((conversation, mark, self.row(MESSAGE, key)?.ok_or_else(lost)?))
    }

    /// A message between two people by author and id, with its place.
    fn find_message(
        &self,
        author: &TwinId,
        message: Id16,
    ) -> Result<Option<(Id16, Mark, Message)>, Error> {
        let Some(key) = self.get(MESSAGE_AT, &message_at(author, message))? else {
            return Ok(None);
        };
        self.message_of(&key).map(Some)
    }

    fn file(&self, item: Id16) -> Result<Option<File>, Error> {
        self.row(FILE, &item.0)
    }

    fn file_name(&self, item: Id16) -> Result<Option<Named>, Error> {
        self.row(FILE_NAME, &item.0)
    }

    fn undone_by(&self, seq: u64) -> Result<Option<u64>, Error> {
        let row = self.get(UNDONE, &seq.to_be_bytes())?;
        Ok(row.and_then(|row| row.try_into().ok()).map(u64::from_be_bytes))
    }
}

impl<T: ReadTables> Rows for T {}

/// A row as [`put`] wrote it.
pub(crate) fn parsed<T: DeserializeOwned>(table: &str, bytes: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes).map_err(|_| Error::Damaged { at: format!("a row of {table}") })
}

/// Writes a row in a form that says nothing about itself: whoever changes a row's type raises the
/// version of the fold, and all are written anew.
pub(crate) fn put(
    t: &mut Tables<'_>,
    table: &str,
    key: &[u8],
    row: &impl Serialize,
) -> Result<(), Error> {
    let bytes = postcard::to_stdvec(row).map_err(|e| Error::Engine { source: Box::new(e) })?;
    t.put(table, key, &bytes)
}

/// JSON, for what lasts: shapes and contents of entries, bodies of letters.
pub(crate) fn written(json: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(json).map_err(|source| Error::Engine { source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_messages_are_shown() {
        let place = |time_ms, author, message| Mark {
            time_ms,
            author: TwinId::from_bytes([author; 32]),
            message: Id16([message; 16]),
        };
        let places = [
            place(i64::MIN, 9, 9),
            place(-1, 0, 0),
            place(0, 0, 0),
            place(5, 1, 9),
            place(5, 2, 0),
            place(5, 2, 1),
            place(i64::MAX, 0, 0),
        ];
        let conversation = Id16([7; 16]);
        let keys: Vec<_> = places.iter().map(|mark| mark.key(conversation)).collect();
        assert!(keys.is_sorted() && places.is_sorted());
        for (key, mark) in keys.iter().zip(places) {
            assert_eq!(Mark::from_key(key), Some((conversation, mark)));
        }
        assert_eq!(Mark::from_key(&keys[0][1..]), None);
    }
}
