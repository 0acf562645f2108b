//! Bytes on their way in and out: who may send some, going on with what was interrupted, and finding
//! what a link leads to. Never decides what becomes of them: that is a call of `files`.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use capability::{experiences::latest::Verb, files::latest::Preview, wire::UploadId};
use data_encoding::{BASE64, HEXLOWER};
use store::{Append, Blob, Contents, ReadAll as _, Upload};

use super::{
    Caller, Fault, Inner, Life,
    api::{chat::attach, files::list},
    aside_fault, fetch,
    kinds::{self, attachment::Small},
    tables::{Id16, Rows as _},
};

/// Uploads that somebody is adding to.
pub(super) type Busy = Rc<RefCell<BTreeSet<[u8; 16]>>>;

/// Bytes being added to an upload. Dropped without [`Adding::keep`] nothing was added.
pub(crate) struct Adding {
    /// Away while a chunk is being written.
    append: Option<Append>,
    id: [u8; 16],
    busy: Busy,
}

/// What a link leads to.
pub(crate) struct Found {
    pub(crate) name: Option<String>,
    pub(crate) media_type: Option<String>,
    pub(crate) bytes: Bytes,
}

/// Bytes of a version.
pub(crate) enum Bytes {
    Blob(Contents),
    Inline(Vec<u8>),
}

/// What an address leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Link {
    /// `<item>/<version>`: a version of a file; with `/p` the small picture of it.
    Version { item: [u8; 16], version: u64, preview: bool },
    /// `m/<entry>/<number>`: a file of a message; with `/p` the small picture of it.
    Attached { seq: u64, number: u8, preview: bool },
}

impl Link {
    /// Reads what is behind `t/`.
    fn read(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let first = parts.next()?;
        let link = if first == "m" {
            let (seq, number) = (number(parts.next()?)?, number(parts.next()?)?.try_into().ok()?);
            Self::Attached { seq, number, preview: is_preview(parts.next())? }
        } else {
            let item = HEXLOWER.decode(first.as_bytes()).ok()?.try_into().ok()?;
            let version = number(parts.next()?)?;
            Self::Version { item, version, preview: is_preview(parts.next())? }
        };
        parts.next().is_none().then_some(link)
    }
}

fn number(text: &str) -> Option<u64> {
    let plain = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// Whether the last part asks for the small picture; `None`: it asks for something else.
fn is_preview(part: Option<&str>) -> Option<bool> {
    match part {
        None => Some(false),
        Some("p") => Some(true),
        Some(_) => None,
    }
}

impl Life {
    /// Begins an upload of so many bytes.
    pub(crate) async fn begin_upload(
        &self,
        caller: &Caller,
        size: u64,
    ) -> Result<(UploadId, Upload), Fault> {
        self.may_send(caller)?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Fault::failed())?;
        let begun = self.0.store.begin_upload(id, caller.owner(), size, crate::clock_ms()).await;
        if matches!(begun, Err(store::Error::Full { .. })) {
            // Something that was given up may still lie there.
            self.sweep_soon();
        }
        Ok((UploadId::from_bytes(id), begun?))
    }

    /// How far an upload is.
    pub(crate) fn upload(&self, caller: &Caller, id: &UploadId) -> Result<Upload, Fault> {
        self.may_send(caller)?;
        self.0.store.upload(id.bytes(), caller.owner())?.ok_or_else(Fault::not_found)
    }

    /// Goes on with an upload; `None` while somebody else does.
    pub(crate) fn add(&self, caller: &Caller, id: &UploadId) -> Result<Option<Adding>, Fault> {
        self.may_send(caller)?;
        let id = id.bytes();
        let busy = self.0.uploading.clone();
        if busy.borrow().contains(&id) {
            return Ok(None);
        }
        let append = self.0.store.append(id, caller.owner())?.ok_or_else(Fault::not_found)?;
        busy.borrow_mut().insert(id);
        Ok(Some(Adding { append: Some(append), id, busy }))
    }

    /// Gives an upload up.
    pub(crate) async fn drop_upload(&self, caller: &Caller, id: &UploadId) -> Result<(), Fault> {
        self.upload(caller, id)?;
        self.0.store.drop_upload(id.bytes(), crate::clock_ms()).await?;
        self.sweep_soon();
        Ok(())
    }

    /// What a link leads to, if this caller may see it.
    pub(crate) async fn version(
        &self,
        caller: &Caller,
        item: [u8; 16],
        version: u64,
        preview: bool,
    ) -> Result<Found, Fault> {
        let id = Id16(item);
        let context = self.0.context(caller);
        let (words, blob, name) = self.0.store.read(|r| {
            let view = context.view(*r)?;
            view.may_item(id, Verb::See)?;
            let row = list::row(&view, id, Some(version))?.ok_or_else(Fault::not_found)?;
            let words = list::words(&view, Some(version))?.ok_or_else(Fault::not_found)?;
            let name = view.r.file_name(id)?.map(|named| named.name);
            Ok::<_, Fault>((words, row.blob, name))
        })?;
        self.note_use(&context.used).await;
        if preview {
            return Found::preview(words.preview.as_deref());
        }
        let bytes = self.bytes(blob, words.bytes.as_deref()).await?;
        Ok(Found { name, media_type: words.media_type, bytes })
    }

    /// What any link leads to, if this caller may see it.
    pub(crate) async fn linked(&self, caller: &Caller, link: &str) -> Result<Found, Fault> {
        match link.strip_prefix("t/").and_then(Link::read).ok_or_else(Fault::not_found)? {
            Link::Version { item, version, preview } => {
                self.version(caller, item, version, preview).await
            }
            Link::Attached { seq, number, preview } => {
                self.attached(caller, seq, number, preview).await
            }
        }
    }

    /// What the link of a file of a message leads to, if this caller may see it.
    pub(crate) async fn attached(
        &self,
        caller: &Caller,
        seq: u64,
        number: u8,
        preview: bool,
    ) -> Result<Found, Fault> {
        let context = self.0.context(caller);
        let (file, here, small) = self.0.store.read(|r| {
            let view = context.view(*r)?;
            let (which, file) = attach::linked(&view, seq, number)?;
            let here = fetch::here(&view.r, &which)?;
            let content = here.map(|row| view.r.content(row.seq)).transpose()?.flatten();
            let small: Option<Small> = kinds::content(content.as_deref());
            Ok::<_, Fault>((file, here, small))
        })?;
        self.note_use(&context.used).await;
        if preview {
            return Found::preview(file.preview.as_ref().map(Preview::as_str));
        }
        let (row, name) = (here.ok_or_else(Fault::not_found)?, Some(file.name.to_string()));
        let media_type = file.media_type.map(|kind| kind.to_string());
        let small = small.map(|small| small.bytes);
        Ok(Found { name, media_type, bytes: self.bytes(row.blob, small.as_deref()).await? })
    }

    pub(super) async fn bytes(
        &self,
        blob: Option<Blob>,
        small: Option<&str>,
    ) -> Result<Bytes, Fault> {
        let Some(blob) = blob else {
            let bytes = BASE64.decode(small.unwrap_or_default().as_bytes());
            return Ok(Bytes::Inline(bytes.map_err(|_| Fault::damaged_file())?));
        };
        let store = self.0.store.clone();
        Ok(Bytes::Blob(aside_fault(move || Ok(store.contents(blob)?)).await?))
    }

    /// Sweeps what nothing names any more, if that is due, beside everything else.
    pub(crate) fn sweep_soon(&self) {
        self.0.sweep_soon();
    }

    /// Sending is of use only to who may put something somewhere.
    fn may_send(&self, caller: &Caller) -> Result<(), Fault> {
        let context = self.0.context(caller);
        self.0.store.read(|r| context.view(*r)?.may_send())
    }
}

impl Found {
    /// A small picture: its kind is what it looks like, whatever the file says it is.
    fn preview(text: Option<&str>) -> Result<Self, Fault> {
        let small: Option<Preview> = text.and_then(|text| text.parse().ok());
        let small = small.ok_or_else(Fault::not_found)?;
        let bytes = BASE64.decode(small.as_str().as_bytes()).map_err(|_| Fault::not_found())?;
        let media_type = Some(small.media_type().to_owned());
        Ok(Self { name: None, media_type, bytes: Bytes::Inline(bytes) })
    }
}

impl Inner {
    pub(super) fn sweep_soon(&self) {
        let now_ms = crate::clock_ms();
        match self.store.sweep_due() {
            Ok(Some(due)) if due <= now_ms => {}
            Ok(_) => return,
            Err(error) => {
                return tracing::warn!(error = %crate::chain(&error), "no look for what is over");
            }
        }
        let store = self.store.clone();
        // Nobody waits for it: what it could not do is due still.
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = store.sweep(now_ms) {
                tracing::warn!(error = %crate::chain(&error), "what is over was not removed");
            }
        }));
    }
}

impl Adding {
    /// How far the upload is with what was added.
    pub(crate) fn offset(&self) -> u64 {
        self.append.as_ref().map_or(0, Append::offset)
    }

    /// Bytes that are still missing.
    pub(crate) fn missing(&self) -> u64 {
        self.append.as_ref().map_or(0, Append::missing)
    }

    /// Adds bytes; those beyond the upload's size are left away.
    pub(crate) async fn add(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let mut append = self.append.take().ok_or_else(Fault::failed)?;
            let taken = append.take(bytes);
            if append.is_full() {
                append = aside_fault(move || append.flush().map(|()| append).map_err(Fault::from))
                    .await?;
            }
            self.append = Some(append);
            if taken == 0 {
                break;
            }
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Makes what was added durable.
    pub(crate) async fn keep(mut self) -> Result<Upload, Fault> {
        let append = self.append.take().ok_or_else(Fault::failed)?;
        aside_fault(move || Ok(append.commit()?)).await
    }
}

impl Drop for Adding {
    fn drop(&mut self) {
        self.busy.borrow_mut().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_things_are_read_or_refused() {
        let id = "00112233445566778899aabbccddeeff";
        for (path, preview) in [(format!("{id}/12"), false), (format!("{id}/12/p"), true)] {
            let item = HEXLOWER.decode(id.as_bytes()).unwrap().try_into().unwrap();
            assert_eq!(Link::read(&path), Some(Link::Version { item, version: 12, preview }));
        }
        let attached = |preview| Some(Link::Attached { seq: 7, number: 3, preview });
        assert_eq!((Link::read("m/7/3"), Link::read("m/7/3/p")), (attached(false), attached(true)));
        for bad in ["", "12", "x/12", "/12", "m", "m/7", "m/7/256", "m/7/3/q", "m/7/3/p/p", "m//3"]
        {
            assert_eq!(Link::read(bad), None, "{bad}");
        }
        for bad in ["", "+1", "-1", "1/2", "99999999999999999999"] {
            assert_eq!(Link::read(&format!("{id}/{bad}")), None, "{bad}");
        }
    }
}
