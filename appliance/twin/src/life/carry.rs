//! Carries files of messages: gathers what arrived, asks for the next pieces, and sends what others
//! asked for. Works on rows of the vault, each step durable before the next, so it goes on after any
//! kill. Never has more than some pieces of one file in memory, and never decides who may have what:
//! that was decided when the row was written.

use std::collections::BTreeMap;

use capability::{
    chat::latest::{Body, Piece, Want},
    wire::{MessageId, More},
};
use data_encoding::BASE64;
use link::TwinId;
use store::{CHUNK, Content, Error, ReadAll as _, Reader, Store, Writer};

use super::{
    Fault, Life,
    api::{conversation_of, names},
    aside_fault,
    fetch::{self, AT_ONCE, Fetch, PIECE, Stage, Which},
    kinds::{
        By,
        attachment::{ATTACHED_KIND, Arrived, Small},
        content,
        file::Bytes,
        put,
    },
    peers,
    post::{About, Post, post},
    tables::{Rows as _, Standing},
};

/// Whose the uploads are that gather what comes. No experience has such a name.
const OWNER: &str = "/received/";
/// Files that come from one person at a time.
const FROM_ONE: usize = 4;

impl Life {
    /// Carries for ever; sleeps without a timer while nothing is to be done.
    pub(super) async fn carry(&self) {
        let errands = self.0.shared.errands.clone();
        loop {
            self.0.carrying.set(true);
            // What wakes us may still be within its write: after this empty one it is over.
            let settled: Result<(), Error> = self.0.store.write(|_| Ok(())).await;
            let done = match settled {
                Ok(()) => self.run_errands().await,
                Err(error) => Err(error.into()),
            };
            if let Err(fault) = done {
                tracing::warn!(code = fault.code, "files of messages wait");
            }
            self.0.carrying.set(false);
            errands.notified().await;
        }
    }

    pub(super) async fn run_errands(&self) -> Result<(), Fault> {
        self.pay().await?;
        let mut coming = self.0.store.read(fetch::all)?;
        coming.retain(|(_, fetch)| fetch.stage == Stage::Coming);
        // What was begun goes on first, so that one person never has more than these begun.
        coming.sort_by_key(|(_, fetch)| fetch.upload.is_none());
        let mut from = BTreeMap::<TwinId, usize>::new();
        for (which, fetch) in coming {
            if !self.0.store.read(|r| is_contact(r, &which.author))? {
                // Nobody would send it any more.
                self.stop(which, None).await?;
                continue;
            }
            let under_way = from.entry(which.author).or_default();
            *under_way += 1;
            if *under_way > FROM_ONE {
                continue;
            }
            match self.gather(which, fetch).await {
                Ok(()) => {}
                Err(Fault { code: "full" | "full_twin", .. }) => {
                    self.stop(which, Some(Stage::NoRoom)).await?;
                }
                // The others don't wait for this one.
                Err(fault) => tracing::warn!(code = fault.code, "a file of a message waits"),
            }
        }
        Ok(())
    }

    /// One step for a file that comes: begins it, adds what arrived, asks for more or ends it.
    async fn gather(&self, which: Which, fetch: Fetch) -> Result<(), Fault> {
        let store = &self.0.store;
        let Some(id) = fetch.upload else { return self.begin(which, fetch).await };
        let owner = owner(&which.author);
        let Some(mut append) = store.append(id, &owner)? else {
            // It was given up after some days: from the beginning.
            return self.begin(which, Fetch::new(fetch.size, fetch.asked)).await;
        };
        let prefix = names::pieces(&which.author, which.message, which.number);
        let pieces = store.read(|r| r.vault_prefix(&prefix))?;
        if pieces.is_empty() && append.missing() > 0 && fetch.wanted > append.offset() {
            // Asked for, and on its way.
            return Ok(());
        }
        let mut keys = Vec::new();
        for (key, bytes) in pieces {
            let offset = key.last_chunk().map_or(0, |offset| u64::from_be_bytes(*offset));
            if offset == append.offset() {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let taken = append.take(rest);
                    if append.is_full() {
                        append = aside_fault(move || Ok(append.flush().map(|()| append)?)).await?;
                    }
                    if taken == 0 {
                        break;
                    }
                    rest = rest.get(taken..).unwrap_or_default();
                }
            }
            keys.push(key);
        }
        let upload = aside_fault(move || Ok(append.commit()?)).await?;
        if upload.is_complete() {
            return self.arrived(which, id).await;
        }
        let me = self.0.shared.me;
        let write = move |w: &mut Writer<'_>| {
            for key in &keys {
                w.vault_delete(key)?;
            }
            let Some(mut now) = which.read(&w.reader())?.filter(|now| now.upload == Some(id))
            else {
                return Ok(());
            };
            if upload.offset >= now.wanted {
                now.next = upload.offset;
                want(w, &me, which, &mut now)?;
            }
            Ok::<_, Fault>(which.put(w, &now)?)
        };
        store.write(write).await?;
        self.0.peers.wake();
        self.tell(which);
        Ok(())
    }

    /// Makes room for a file and asks for its first pieces.
    async fn begin(&self, which: Which, fetch: Fetch) -> Result<(), Fault> {
        let usage = self.0.store.usage()?;
        let half = usage.quota.map_or(u64::MAX, |quota| quota / 2);
        // Nobody fills more than half of a twin without being asked to.
        if !fetch.asked && usage.used().saturating_add(fetch.size) > half {
            return self.stop(which, None).await;
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Fault::failed())?;
        self.0.store.begin_upload(id, &owner(&which.author), fetch.size, crate::clock_ms()).await?;
        if fetch.size == 0 {
            return self.arrived(which, id).await;
        }
        let me = self.0.shared.me;
        let write = move |w: &mut Writer<'_>| {
            if which.read(&w.reader())?.is_none_or(|now| now.stage != Stage::Coming) {
                return Ok(());
            }
            which.drop_pieces(w)?;
            let mut now = Fetch { upload: Some(id), next: 0, wanted: 0, ..fetch };
            want(w, &me, which, &mut now)?;
            Ok::<_, Fault>(which.put(w, &now)?)
        };
        self.0.store.write(write).await?;
        self.0.peers.wake();
        self.tell(which);
        Ok(())
    }

    /// All of it is here: it is journaled, unless its message went meanwhile.
    async fn arrived(&self, which: Which, id: [u8; 16]) -> Result<(), Fault> {
        let by = By {
            actor: store::Actor::Contact(*which.author.as_bytes()),
            now_ms: crate::clock_ms(),
        };
        let write = move |w: &mut Writer<'_>| {
            if which.read(&w.reader())?.is_none() {
                return Ok(());
            }
            w.vault_delete(&which.key())?;
            which.drop_pieces(w)?;
            let Some(content) = w.take_upload(id, &owner(&which.author))? else { return Ok(()) };
            journal(w, &by, which, content).map(drop)
        };
        let done: Result<(), Error> = self.0.store.write(write).await;
        done?;
        // Another one may wait for its turn.
        self.0.shared.errands.notify_one();
        Ok(())
    }

    /// Ends fetching; without a stage it waits for its person's word.
    async fn stop(&self, which: Which, stage: Option<Stage>) -> Result<(), Fault> {
        let write = move |w: &mut Writer<'_>| {
            let Some(now) = which.read(&w.reader())? else { return Ok(()) };
            which.drop_pieces(w)?;
            let stopped = stage.map(|stage| Fetch { stage, ..Fetch::new(now.size, now.asked) });
            match stopped {
                Some(stopped) => which.put(w, &stopped),
                None => w.vault_delete(&which.key()).map(drop),
            }
        };
        let stopped: Result<(), Error> = self.0.store.write(write).await;
        stopped?;
        self.tell(which);
        Ok(())
    }

    /// Shows how far it is.
    fn tell(&self, which: Which) {
        // Nobody listening is fine.
        let _ = self.0.moved.send((which.author, which.message));
    }

    /// Sends what others asked for, a little at a time: the next when this has arrived.
    async fn pay(&self) -> Result<(), Fault> {
        let owed = self.0.store.read(|r| r.vault_prefix(names::OWED))?;
        for (key, row) in owed {
            if let Err(fault) = self.pay_one(key, row).await {
                tracing::warn!(code = fault.code, "a file of a message is not sent yet");
            }
        }
        Ok(())
    }

    async fn pay_one(&self, key: Vec<u8>, row: Vec<u8>) -> Result<(), Fault> {
        let which = key.get(names::OWED.len()..).and_then(Which::of_key);
        let offset = row.try_into().map(u64::from_be_bytes);
        let (Some(Which { author: to, message, number }), Ok(offset)) = (which, offset) else {
            return Ok(());
        };
        if self.0.store.read(|r| peers::many_wait(r, &to))? {
            return Ok(());
        }
        let mine = Which { author: self.0.shared.me, message, number };
        let (pieces, quotes) = self.cut(mine, offset).await?;
        let me = self.0.shared.me;
        let write = move |w: &mut Writer<'_>| {
            w.vault_delete(&key)?;
            for (offset, bytes) in pieces {
                let message = MessageId::from_bytes(message.0);
                let piece = Piece { message, number, offset, bytes, more: More::new() };
                say(w, &me, to, &Body::Piece(piece), quotes.clone())?;
            }
            Ok::<_, Fault>(())
        };
        self.0.store.write(write).await?;
        self.0.peers.wake();
        Ok(())
    }

    /// The next pieces of a file of one's own message, and the entries that they repeat; an empty one
    /// when it is gone.
    async fn cut(
        &self,
        which: Which,
        offset: u64,
    ) -> Result<(Vec<(u64, Option<String>)>, Vec<u64>), Fault> {
        let found = self.0.store.read(|r| {
            let Some(row) = fetch::here(r, &which)? else { return Ok(None) };
            let small: Option<Small> = match row.blob {
                Some(_) => None,
                None => content(r.content(row.seq)?.as_deref()),
            };
            Ok::<_, Error>(Some((row, small)))
        })?;
        let Some((row, small)) = found.filter(|(row, _)| offset < row.size) else {
            return Ok((vec![(offset, None)], Vec::new()));
        };
        let store = self.0.store.clone();
        let to = row.size.min(offset.saturating_add(PIECE * AT_ONCE));
        let bytes = aside_fault(move || match (row.blob, small) {
            (Some(blob), _) => range(&store, blob, offset, to).map_err(Fault::from),
            (None, small) => {
                let small = BASE64.decode(small.unwrap_or(Small::of(b"")).bytes.as_bytes());
                let all = small.map_err(|_| Fault::damaged_file())?;
                let at = usize::try_from(offset).unwrap_or(usize::MAX);
                Ok(all.get(at..).unwrap_or_default().to_vec())
            }
        });
        let bytes = match bytes.await {
            Ok(bytes) if !bytes.is_empty() => bytes,
            // What can't be read here will never arrive there.
            Ok(_) | Err(Fault { code: "damaged_file", .. }) => {
                return Ok((vec![(offset, None)], Vec::new()));
            }
            Err(fault) => return Err(fault),
        };
        let piece = usize::try_from(PIECE).unwrap_or(usize::MAX);
        let cut = bytes.chunks(piece).zip((offset..).step_by(piece));
        let pieces = cut.map(|(bytes, at)| (at, Some(BASE64.encode(bytes)))).collect();
        Ok((pieces, vec![row.said, row.seq]))
    }
}

/// Everybody's are counted apart: nobody's many push out another's.
fn owner(author: &TwinId) -> String {
    format!("{OWNER}{author}")
}

/// The bytes from here to there. Blocks the thread.
fn range(store: &Store, blob: store::Blob, from: u64, to: u64) -> Result<Vec<u8>, Error> {
    let (contents, chunk) = (store.contents(blob)?, CHUNK as u64);
    let mut bytes = Vec::new();
    for index in from / chunk..to.div_ceil(chunk) {
        let start = index * chunk;
        let part = contents.chunk(index)?;
        let within = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(part.len());
        let (begin, end) = (within(from).min(part.len()), within(to).min(part.len()));
        bytes.extend_from_slice(part.get(begin..end).unwrap_or_default());
    }
    Ok(bytes)
}

/// Asks for the next pieces.
fn want(w: &mut Writer<'_>, me: &TwinId, which: Which, fetch: &mut Fetch) -> Result<(), Fault> {
    let want = Want {
        message: MessageId::from_bytes(which.message.0),
        number: which.number,
        offset: fetch.next,
        more: More::new(),
    };
    fetch.wanted = fetch.size.min(fetch.next.saturating_add(PIECE * AT_ONCE));
    say(w, me, which.author, &Body::Want(want), Vec::new())
}

/// Says it to somebody who is still a contact.
fn say(
    w: &mut Writer<'_>,
    me: &TwinId,
    to: TwinId,
    body: &Body,
    quotes: Vec<u64>,
) -> Result<(), Fault> {
    if !is_contact(&w.reader(), &to)? {
        return Ok(());
    }
    let about = About { quotes, ..About::default() };
    post(w, Post { to, thread: conversation_of(me, &to), capability: "chat", about }, body)
}

fn is_contact(r: &Reader<'_>, id: &TwinId) -> Result<bool, Error> {
    Ok(r.contact(id)?.is_some_and(|one| one.standing == Standing::Accepted))
}

/// Journals the bytes of a file of a message.
pub(super) fn journal(
    w: &mut Writer<'_>,
    by: &By,
    which: Which,
    content: Content,
) -> Result<u64, Error> {
    let Which { author, message, number } = which;
    let (bytes, small) = match content {
        Content::Blob(blob) => (Bytes { size: blob.size, blob: Some(blob) }, None),
        Content::Inline(bytes) => {
            (Bytes { size: bytes.len() as u64, blob: None }, Some(Small::of(&bytes)))
        }
    };
    put(w, by, ATTACHED_KIND, &Arrived { author, message, number, bytes }, small.as_ref())
}
