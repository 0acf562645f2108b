//! Changes letters that wait or are parked, when what they say was erased. The numbers of letters
//! that stay never change, and a number that is given up leaves no hole: see `Marks::judge`.

use super::{
    outbox::{self, Waiting},
    vault,
};
use link::TwinId;
use store::{Direction, ReadAll as _, Reader, Writer};

/// A letter that waits or is parked.
pub(crate) struct Kept<'a> {
    pub(crate) about: Option<&'a [u8]>,
    pub(crate) capability: &'a str,
    pub(crate) body: &'a [u8],
}

/// What becomes of a letter.
pub(crate) enum Instead {
    /// It says this.
    Body(Vec<u8>),
    /// It does not go.
    Nothing,
}

/// Asks about every letter what is to become of it; `None`: it stays as it is. Gives what those are
/// about that do not go any more. One that was sent and is not answered may have arrived.
pub(crate) fn revise<E: From<store::Error>>(
    w: &mut Writer<'_>,
    judge: impl Fn(&Reader<'_>, &Kept<'_>) -> Result<Option<Instead>, E>,
) -> Result<Vec<Vec<u8>>, E> {
    let mut gone = Vec::new();
    for kind in [vault::OUT, vault::PARKED] {
        let all = vault::all(kind);
        // What is before a letter in its row: of a parked one the reason.
        let head = if kind == vault::PARKED { outbox::REASON } else { 0 };
        let mut from: Option<Vec<u8>> = None;
        loop {
            let page = w.vault_page(&all, from.as_deref(), PAGE, Direction::Forward)?;
            let Some((last, _)) = page.last() else { break };
            from = Some([last, &[0][..]].concat());
            for (key, row) in page {
                let Some((head, Some(letter))) =
                    row.split_at_checked(head).map(|(head, rest)| (head, Waiting::read(rest)))
                else {
                    continue;
                };
                let Waiting { inner, about } = &letter;
                let (capability, body) = (&*inner.capability, &*inner.body);
                let kept = Kept { about: about.as_deref(), capability, body };
                match judge(&w.reader(), &kept)? {
                    None => {}
                    Some(Instead::Body(body)) => {
                        let inner = link::Inner { body, ..letter.inner };
                        let letter = Waiting { inner, ..letter };
                        w.vault_put(&key, &[head, &letter.row()].concat())?;
                    }
                    Some(Instead::Nothing) => {
                        drop_letter(w, kind, &key, &letter.inner.to, letter.inner.counter)?;
                        gone.extend(letter.about.filter(|_| kind == vault::OUT));
                    }
                }
            }
        }
    }
    Ok(gone)
}

fn drop_letter(
    w: &mut Writer<'_>,
    kind: &str,
    key: &[u8],
    to: &TwinId,
    counter: u64,
) -> Result<(), store::Error> {
    if kind == vault::OUT {
        outbox::clear(w, to, counter).map(drop)
    } else {
        w.vault_delete(key).map(drop)
    }
}

/// Letters that are looked at together.
const PAGE: usize = 32;
