//! The frames in which experiences are open: an unguessable address and a token for each.
//!
//! Never keeps an address or a token, only their hashes; they survive sleep and restart and are
//! gone with the session that opened them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use store::Door;

use crate::session::{Hash, Sessions, hash_of, random};

/// All open frames of one twin.
pub(crate) struct Frames {
    door: Rc<Door>,
    by_hash: RefCell<BTreeMap<Hash, Rc<Frame>>>,
}

/// One open frame.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Frame {
    /// The experience in it.
    pub experience: String,
    /// Its release, if it is an installed one: an update doesn't change what is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// Public id of the session that opened it.
    pub session: String,
    token: Hash,
    /// Larger than that of all frames opened before it.
    number: u64,
}

/// What a browser needs to show a frame.
pub(crate) struct Opened {
    /// Its id, a part of its address.
    pub id: String,
    /// What proves that a call comes from it.
    pub token: String,
}

impl Frames {
    /// Reads the frames and leaves out those whose session has ended.
    pub(crate) fn open(door: Rc<Door>, sessions: &Sessions) -> Result<Self, store::Error> {
        let mut by_hash = BTreeMap::new();
        for (key, value) in door.prefix(PREFIX)? {
            let hash = key.get(PREFIX.len()..).and_then(|hash| Hash::try_from(hash).ok());
            let frame = serde_json::from_slice::<Frame>(&value).ok();
            match (hash, frame) {
                (Some(hash), Some(frame)) if sessions.of_id(&frame.session).is_some() => {
                    by_hash.insert(hash, Rc::new(frame));
                }
                _ => {
                    door.delete(&key)?;
                }
            }
        }
        Ok(Self { door, by_hash: RefCell::new(by_hash) })
    }

    /// Opens a frame; the oldest one of the session makes room if there are too many.
    pub(crate) fn add(
        &self,
        experience: &str,
        release: Option<u64>,
        session: &str,
    ) -> Result<Opened, store::Error> {
        let (id, token) = (random::<16>(), random::<32>());
        let hash = hash_of(&id);
        let newest = self.by_hash.borrow().values().map(|frame| frame.number).max();
        let frame = Frame {
            experience: experience.to_owned(),
            release,
            session: session.to_owned(),
            token: hash_of(&token),
            number: newest.map_or(0, |newest| newest + 1),
        };
        let bytes = serde_json::to_vec(&frame).unwrap_or_default();
        self.door.put(&key_of(&hash), &bytes)?;
        self.by_hash.borrow_mut().insert(hash, Rc::new(frame));
        self.make_room(session)?;
        Ok(Opened { id: HEXLOWER.encode(&id), token: BASE64URL_NOPAD.encode(&token) })
    }

    /// The frame of an id that came in an address.
    pub(crate) fn find(&self, id: &str) -> Option<Rc<Frame>> {
        self.by_hash.borrow().get(&hash_of_id(id)?).cloned()
    }

    /// The frame whose token a page of this session sent.
    pub(crate) fn of_token(&self, session: &str, token: &str) -> Option<Rc<Frame>> {
        let token = hash_of(&BASE64URL_NOPAD.decode(token.as_bytes()).ok()?);
        let mine = |frame: &&Rc<Frame>| frame.session == session && frame.token == token;
        self.by_hash.borrow().values().find(mine).cloned()
    }

    /// Closes a frame of this session; one that is not there is closed already.
    pub(crate) fn close(&self, id: &str, session: &str) -> Result<(), store::Error> {
        let Some(hash) = hash_of_id(id) else { return Ok(()) };
        let mine = self.by_hash.borrow().get(&hash).is_some_and(|frame| frame.session == session);
        if mine { self.remove(&hash) } else { Ok(()) }
    }

    /// Closes all frames of a session.
    pub(crate) fn end_session(&self, session: &str) -> Result<(), store::Error> {
        for (_, hash) in self.of_session(session) {
            self.remove(&hash)?;
        }
        Ok(())
    }

    fn make_room(&self, session: &str) -> Result<(), store::Error> {
        let mine = self.of_session(session);
        let over = mine.len().saturating_sub(MAX_OF_SESSION);
        for (_, hash) in mine.iter().take(over) {
            self.remove(hash)?;
        }
        Ok(())
    }

    /// The frames of a session, the oldest first.
    fn of_session(&self, session: &str) -> Vec<(u64, Hash)> {
        let all = self.by_hash.borrow();
        let mine = all.iter().filter(|(_, frame)| frame.session == session);
        let mut mine: Vec<_> = mine.map(|(hash, frame)| (frame.number, *hash)).collect();
        mine.sort_unstable();
        mine
    }

    fn remove(&self, hash: &Hash) -> Result<(), store::Error> {
        self.door.delete(&key_of(hash))?;
        self.by_hash.borrow_mut().remove(hash);
        Ok(())
    }
}

/// Whether a part of an address has the form of a frame id.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hash_of_id(id: &str) -> Option<Hash> {
    if !is_id(id) {
        return None;
    }
    Some(hash_of(&HEXLOWER.decode(id.as_bytes()).ok()?))
}

fn key_of(hash: &Hash) -> Vec<u8> {
    [PREFIX, hash].concat()
}

const PREFIX: &[u8] = b"frame/";
/// A person has a few experiences open per browser, in a few tabs each.
const MAX_OF_SESSION: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::CameBy;

    fn opened(folder: &std::path::Path) -> (Sessions, Frames) {
        let door = Rc::new(Door::open(folder).unwrap());
        let sessions = Sessions::open(door.clone()).unwrap();
        let frames = Frames::open(door, &sessions).unwrap();
        (sessions, frames)
    }

    fn session(sessions: &Sessions) -> String {
        sessions.admit(CameBy::Code, String::new(), 0).unwrap().0.id.clone()
    }

    #[test]
    fn a_frame_survives_a_restart_and_ends_with_its_session() {
        let folder = tempfile::tempdir().unwrap();
        let (id, made) = {
            let (sessions, frames) = opened(folder.path());
            let id = session(&sessions);
            let made = frames.add("chat", Some(7), &id).unwrap();
            (id, made)
        };
        {
            let (sessions, frames) = opened(folder.path());
            let found = frames.find(&made.id).unwrap();
            assert_eq!((&*found.experience, found.release), ("chat", Some(7)));
            assert!(frames.of_token(&id, &made.token).is_some());
            assert!(frames.of_token("other", &made.token).is_none());
            assert!(frames.of_token(&id, &made.id).is_none(), "the address is no token");
            sessions.end(&sessions.of_id(&id).unwrap()).unwrap();
        }
        let (_, frames) = opened(folder.path());
        assert!(frames.find(&made.id).is_none(), "the session ended");
    }

    #[test]
    fn the_oldest_frames_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let (sessions, frames) = opened(folder.path());
        let id = session(&sessions);
        let made: Vec<_> =
            (0..MAX_OF_SESSION + 2).map(|_| frames.add("chat", Some(7), &id).unwrap()).collect();
        let open: Vec<_> = made.iter().map(|frame| frames.find(&frame.id).is_some()).collect();
        assert_eq!(open[..3], [false, false, true]);
        assert!(open[3..].iter().all(|open| *open));
        frames.end_session(&id).unwrap();
        assert!(made.iter().all(|frame| frames.find(&frame.id).is_none()));
    }

    #[test]
    fn only_the_session_that_opened_a_frame_closes_it() {
        let folder = tempfile::tempdir().unwrap();
        let (sessions, frames) = opened(folder.path());
        let id = session(&sessions);
        let made = frames.add("chat", Some(7), &id).unwrap();
        frames.close(&made.id, "other").unwrap();
        assert!(frames.find(&made.id).is_some());
        frames.close(&made.id, &id).unwrap();
        frames.close(&made.id, &id).unwrap();
        frames.close("no id", &id).unwrap();
        assert!(frames.find(&made.id).is_none());
    }
}
