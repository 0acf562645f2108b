//! The outbox: letters in the vault, unsealed, so that they can be sealed anew whenever the
//! receiver's pre-key changes. A letter leaves it only by the receiver's proof of a durable
//! commit, by being parked for a reason, or with its receiver.

use super::vault;
use link::{Inner, Refusal, TwinId};
use store::{Direction, ReadAll as _, Reader, Writer};

/// Something to tell another twin.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Whom. `meet` them first.
    pub(crate) to: TwinId,
    /// The conversation or space.
    pub(crate) thread: [u8; 16],
    /// The capability that understands the body.
    pub(crate) capability: String,
    /// Its major version.
    pub(crate) major: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// What `Apply::delivered` is told in the end, up to 255 bytes; `None` when nobody needs to
    /// know.
    pub(crate) about: Option<Vec<u8>>,
}

/// Why a letter cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboxError {
    /// No envelope could hold it.
    #[error("the letter does not fit into an envelope")]
    Form,
    /// `Peers::open` has not been here, so nobody knows who sends.
    #[error("the outbox has no sender yet")]
    NotOpen,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] store::Error),
}

/// Puts a letter into the outbox, in the write that it belongs to. Letters to one person arrive
/// in the order in which they are put here.
pub(crate) fn enqueue(w: &mut Writer<'_>, letter: Letter) -> Result<(), OutboxError> {
    let (epoch, from) = vault::me(&w.reader())?.ok_or(OutboxError::NotOpen)?;
    let Letter { to, thread, capability, major, body, about } = letter;
    let about = about.unwrap_or_default();
    if about.len() > usize::from(u8::MAX)
        || body.len() > link::MAX_BODY
        || !link::is_plain_word(&capability)
        || to == from
    {
        return Err(OutboxError::Form);
    }
    let counter = next_number(w, &to)?;
    let inner = Inner {
        from,
        to,
        thread,
        epoch,
        counter,
        after: 0,
        capability,
        major,
        introduction: None,
        body,
    };
    let about = Some(about).filter(|about| !about.is_empty());
    let row = Waiting { inner, about }.row();
    w.vault_put(&vault::numbered(vault::OUT, &to, counter), &row)?;
    Ok(w.vault_put(&vault::of(vault::PENDING, &to), &[])?)
}

/// Drops everything that waits for a person or is parked, e.g. when they are blocked or removed.
/// Gives what those that waited are about: nobody will hear of them.
pub(crate) fn forget(w: &mut Writer<'_>, to: &TwinId) -> Result<Vec<Vec<u8>>, store::Error> {
    let mut about = Vec::new();
    for (key, row) in w.vault_prefix(&vault::of(vault::OUT, to))? {
        w.vault_delete(&key)?;
        about.extend(Waiting::read(&row).and_then(|letter| letter.about));
    }
    for (key, _) in w.vault_prefix(&vault::of(vault::PARKED, to))? {
        w.vault_delete(&key)?;
    }
    w.vault_delete(&vault::of(vault::AWAY, to))?;
    w.vault_delete(&vault::of(vault::PENDING, to))?;
    Ok(about)
}

/// Whether something that this capability says is among the last that wait for a person.
pub(crate) fn waits(r: &Reader<'_>, to: &TwinId, capability: &str) -> Result<bool, store::Error> {
    let last =
        r.vault_page(&vault::of(vault::OUT, to), None, LAST_LOOKED_AT, Direction::Backward)?;
    let mut letters = last.iter().filter_map(|(_, row)| Waiting::read(row));
    Ok(letters.any(|letter| letter.inner.capability == capability))
}

/// Whether so many letters wait for a person that what can wait should.
pub(crate) fn many_wait(r: &Reader<'_>, to: &TwinId) -> Result<bool, store::Error> {
    let first = r.vault_page(&vault::of(vault::OUT, to), None, MANY, Direction::Forward)?;
    Ok(first.len() >= MANY)
}

/// Whether so many letters that are about something which begins like this wait for a person.
pub(crate) fn as_many_wait(
    r: &Reader<'_>,
    to: &TwinId,
    begin: &[u8],
    limit: usize,
) -> Result<bool, store::Error> {
    let all = vault::of(vault::OUT, to);
    let (mut from, mut count) = (None::<Vec<u8>>, 0);
    loop {
        let page = r.vault_page(&all, from.as_deref(), LAST_LOOKED_AT, Direction::Forward)?;
        let about = |row: &[u8]| row.get(1..).is_some_and(|row| row.starts_with(begin));
        count += page.iter().filter(|(_, row)| about(row)).count();
        if count >= limit || page.len() < LAST_LOOKED_AT {
            return Ok(count >= limit);
        }
        // The key after the last.
        from = page.last().map(|(key, _)| [&key[..], &[0]].concat());
    }
}

/// What waits for a person, the oldest first.
#[cfg(test)]
pub(crate) fn bodies(r: &Reader<'_>, to: &TwinId) -> Result<Vec<Vec<u8>>, store::Error> {
    Ok(waiting(r, to, 0, usize::MAX)?.into_iter().map(|letter| letter.inner.body).collect())
}

/// Puts what is parked for a person back into the outbox, under new numbers and behind what is
/// there. Says how many there were.
pub(crate) fn retry(w: &mut Writer<'_>, to: &TwinId) -> Result<usize, OutboxError> {
    let parked = w.vault_prefix(&vault::of(vault::PARKED, to))?;
    for (key, row) in &parked {
        w.vault_delete(key)?;
        let Some(entry) = row.get(REASON..).and_then(Waiting::read) else {
            continue;
        };
        let Inner { thread, capability, major, body, .. } = entry.inner;
        let letter = Letter { to: *to, thread, capability, major, body, about: entry.about };
        enqueue(w, letter)?;
    }
    Ok(parked.len())
}

/// A letter that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) inner: Inner,
    pub(super) about: Option<Vec<u8>>,
}

impl Waiting {
    /// The row of a letter. What it is about was found short when it was put here.
    pub(super) fn row(&self) -> Vec<u8> {
        let about = self.about.as_deref().unwrap_or_default();
        let length = u8::try_from(about.len()).unwrap_or_default();
        [&[length][..], &about[..length.into()], &self.inner.to_bytes()].concat()
    }

    pub(super) fn read(row: &[u8]) -> Option<Self> {
        let (length, rest) = row.split_first()?;
        let (about, inner) = rest.split_at_checked(usize::from(*length))?;
        let about = (!about.is_empty()).then(|| about.to_vec());
        Some(Self { inner: Inner::from_bytes(inner)?, about })
    }
}

/// The people for whom letters wait.
pub(super) fn pending(r: &Reader<'_>) -> Result<Vec<TwinId>, store::Error> {
    let rows = r.vault_prefix(&vault::all(vault::PENDING))?;
    Ok(rows.iter().filter_map(|(key, _)| vault::id_in(vault::PENDING, key)).collect())
}

/// Letters to a person with a higher number than `above`, lowest first.
pub(super) fn waiting(
    r: &Reader<'_>,
    to: &TwinId,
    above: u64,
    limit: usize,
) -> Result<Vec<Waiting>, store::Error> {
    let from = vault::numbered(vault::OUT, to, above.saturating_add(1));
    let prefix = vault::of(vault::OUT, to);
    let rows = r.vault_page(&prefix, Some(&from), limit, Direction::Forward)?;
    Ok(rows.iter().filter_map(|(_, row)| Waiting::read(row)).collect())
}

/// Takes a letter out because it arrived. Returns it, unless it is gone already.
pub(super) fn clear(
    w: &mut Writer<'_>,
    to: &TwinId,
    counter: u64,
) -> Result<Option<Waiting>, store::Error> {
    let key = vault::numbered(vault::OUT, to, counter);
    let row = w.vault_get(&key)?;
    w.vault_delete(&key)?;
    if w.vault_page(&vault::of(vault::OUT, to), None, 1, Direction::Forward)?.is_empty() {
        w.vault_delete(&vault::of(vault::PENDING, to))?;
    }
    Ok(row.as_deref().and_then(Waiting::read))
}

/// Takes a letter out because it was refused for good, and keeps it aside. The oldest make room.
pub(super) fn park(
    w: &mut Writer<'_>,
    to: &TwinId,
    counter: u64,
    reason: Refusal,
) -> Result<Option<Waiting>, store::Error> {
    let row = w.vault_get(&vault::numbered(vault::OUT, to, counter))?;
    if let Some(row) = &row {
        let parked = [&reason.number().to_be_bytes()[..], row].concat();
        w.vault_put(&vault::numbered(vault::PARKED, to, counter), &parked)?;
        let all = w.vault_prefix(&vault::of(vault::PARKED, to))?;
        for (key, _) in all.iter().take(all.len().saturating_sub(MAX_PARKED)) {
            w.vault_delete(key)?;
        }
    }
    clear(w, to, counter)
}

fn next_number(w: &mut Writer<'_>, to: &TwinId) -> Result<u64, store::Error> {
    let key = vault::of(vault::LAST, to);
    let number = vault::number(w.vault_get(&key)?.as_deref()).saturating_add(1);
    w.vault_put(&key, &number.to_be_bytes())?;
    Ok(number)
}

/// Bytes before a parked letter.
pub(super) const REASON: usize = 2;
/// Letters that are many.
const MANY: usize = 8;
const LAST_LOOKED_AT: usize = 64;
/// Parked letters for one person.
const MAX_PARKED: usize = 200;
