//! What one proven envelope does: keep who its sender is, judge its number, let it take effect or
//! hold it, in one change of the store. It never answers and never sees a link.

use super::{
    Apply, Failure, Standing,
    known::{self, Came},
    vault,
};
use link::{Inner, Introduction, Judgement, Marks, Refusal};
use store::{ReadAll as _, Writer};

/// What an envelope came to.
#[derive(Clone, Copy)]
pub(super) enum Taken {
    /// It was taken earlier: sent anew because our answer was lost, or replayed.
    Again {
        contact: bool,
        held: bool,
    },
    Committed {
        contact: bool,
    },
    Held {
        contact: bool,
    },
}

/// Why it came to nothing.
pub(super) enum No {
    Gap(u64),
    Refused(Refusal),
    Store(store::Error),
}

/// Everything that one proven envelope does, in one change.
pub(super) fn effect(
    w: &mut Writer<'_>,
    apply: &dyn Apply,
    inner: &Inner,
    keep: bool,
    came: Came,
) -> Result<Taken, No> {
    let now_ms = came.now_ms;
    let from = &inner.from;
    let standing = apply.standing(&w.reader(), from)?;
    let contact = standing == Standing::Contact;
    let key = vault::of(vault::MARK, from);
    let row = w.vault_get(&key)?;
    let marks = match &row {
        Some(row) => Marks::from_bytes(row).ok_or(No::Refused(Refusal::Full))?,
        None => Marks::default(),
    };
    let understood = apply.understands(&inner.capability, inner.major);
    let introduction: Option<&Introduction> = inner.introduction.as_ref().filter(|_| keep);
    match marks.judge(inner.epoch, inner.counter, inner.after) {
        Judgement::OldEpoch => Err(No::Refused(Refusal::OldEpoch)),
        Judgement::Gap { expected } => Err(No::Gap(expected)),
        Judgement::Duplicate => {
            // New keys count even when their first bearer says nothing new.
            if let Some(introduction) = introduction.filter(|_| row.is_some()) {
                known::keep(w, apply, from, introduction, (!contact).then_some(came))?;
            }
            let held = match standing {
                Standing::Blocked => !understood,
                Standing::Contact | Standing::Stranger => w.vault_get(&held_key(inner))?.is_some(),
            };
            Ok(Taken::Again { contact, held })
        }
        Judgement::Next => {
            if standing != Standing::Blocked {
                // Who hears that there is no room keeps it and tries again.
                w.check_room()?;
            }
            if let Some(introduction) = introduction {
                known::keep(w, apply, from, introduction, (!contact).then_some(came))?;
            }
            w.vault_put(&key, &marks.advanced(inner.epoch, inner.counter).to_bytes())?;
            match (standing, understood) {
                // Answered as a contact's, and lost.
                (Standing::Blocked, true) => {}
                (Standing::Blocked, false) => return Ok(Taken::Held { contact }),
                (Standing::Contact | Standing::Stranger, true) => {
                    apply.receive(w, from, inner, now_ms)?;
                }
                (Standing::Contact, false) => {
                    hold(w, apply, inner, now_ms)?;
                    return Ok(Taken::Held { contact });
                }
                (Standing::Stranger, false) => return Err(No::Refused(Refusal::NotContact)),
            }
            Ok(Taken::Committed { contact })
        }
    }
}

/// Keeps what this version cannot read. The body is in the journal, where the person can erase it.
fn hold(w: &mut Writer<'_>, apply: &dyn Apply, inner: &Inner, now_ms: i64) -> Result<(), No> {
    if inner.body.len() > store::CONTENT_LIMIT {
        return Err(No::Refused(Refusal::TooLarge));
    }
    if w.vault_prefix(&vault::of(vault::HELD, &inner.from))?.len() >= MAX_HELD {
        return Err(No::Refused(Refusal::Full));
    }
    let seq = apply.hold(w, inner, now_ms)?;
    let rest = Inner { body: Vec::new(), introduction: None, ..inner.clone() };
    let row = [&seq.to_be_bytes()[..], &rest.to_bytes()].concat();
    Ok(w.vault_put(&held_key(inner), &row)?)
}

fn held_key(inner: &Inner) -> Vec<u8> {
    let from = vault::of(vault::HELD, &inner.from);
    [&from[..], &inner.epoch.to_be_bytes(), &inner.counter.to_be_bytes()].concat()
}

impl From<store::Error> for No {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for No {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(reason) => Self::Refused(reason),
            Failure::Store(error) => Self::Store(error),
        }
    }
}

/// Envelopes of one person that wait for an update.
const MAX_HELD: usize = 200;
