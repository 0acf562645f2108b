//! Whom we know: chain and pre-key of each person, as they last introduced themselves. A chain
//! that disagrees with a known one never replaces it silently.

use super::{Apply, Failure, vault};
use link::{Card, Chain, Fork, Introduction, Person, Refusal, SignedPreKey, TwinId};
use std::collections::BTreeMap;
use store::{ReadAll as _, Reader, Writer};

/// Our person chose this card: envelopes to its bearer can be sealed from now on. Give it before
/// the first `enqueue` to them. Returns who they are; what is known already and newer stays.
pub(crate) fn meet(w: &mut Writer<'_>, card: &Card) -> Result<TwinId, store::Error> {
    let id = card.person().id;
    let offered = Introduction { chain: card.chain().clone(), pre_key: *card.pre_key() };
    let known = load(&w.reader(), &id)?;
    let take = match &known {
        Some(known) => Chain::choose(&known.chain, &offered.chain)
            .is_ok_and(|c| c.chain == &offered.chain && newer(&offered, known)),
        None => true,
    };
    if take {
        w.vault_put(&vault::of(vault::KNOWN, &id), &offered.to_bytes())?;
    }
    settle(w, &id)?;
    Ok(id)
}

/// Somebody our person has something in common with was introduced: envelopes to them can be sealed
/// from now on. What is known already stays. Says whether the introduction holds.
pub(crate) fn acquaint(
    w: &mut Writer<'_>,
    id: &TwinId,
    introduction: &Introduction,
) -> Result<bool, store::Error> {
    if !introduction.check().is_ok_and(|person| person.id == *id) {
        return Ok(false);
    }
    if load(&w.reader(), id)?.is_none() {
        w.vault_put(&vault::of(vault::KNOWN, id), &introduction.to_bytes())?;
    }
    Ok(true)
}

/// How somebody can be introduced to others.
pub(crate) fn introduction_of(
    r: &Reader<'_>,
    id: &TwinId,
) -> Result<Option<Introduction>, store::Error> {
    load(r, id)
}

/// How a card disagrees with what is known of its bearer. Ask before `meet`.
pub(crate) fn fork_of(r: &Reader<'_>, card: &Card) -> Result<Option<Fork>, store::Error> {
    let known = load(r, &card.person().id)?;
    Ok(known.and_then(|known| Chain::choose(&known.chain, card.chain()).ok()?.fork))
}

/// Our person has decided about a stranger who introduced themselves (accepted, denied, blocked):
/// they no longer take one of the places for strangers.
pub(crate) fn settle(w: &mut Writer<'_>, id: &TwinId) -> Result<(), store::Error> {
    w.vault_delete(&vault::of(vault::STRANGER, id)).map(drop)
}

pub(super) fn load(r: &Reader<'_>, id: &TwinId) -> Result<Option<Introduction>, store::Error> {
    Ok(row(r, id)?.as_deref().and_then(Introduction::from_bytes))
}

/// What is known of a person, as it is kept.
pub(super) fn row(r: &Reader<'_>, id: &TwinId) -> Result<Option<Vec<u8>>, store::Error> {
    r.vault_get(&vault::of(vault::KNOWN, id))
}

/// Replaces the pre-key of a person that we know.
pub(super) fn learn(
    w: &mut Writer<'_>,
    id: &TwinId,
    pre_key: SignedPreKey,
) -> Result<(), store::Error> {
    let Some(known) = load(&w.reader(), id)? else {
        return Ok(());
    };
    let row = Introduction { pre_key, ..known }.to_bytes();
    w.vault_put(&vault::of(vault::KNOWN, id), &row)
}

/// Who a claimed sender is.
pub(super) struct Judged {
    pub(super) person: Person,
    /// Whether the introduction is to be kept.
    pub(super) keep: bool,
    /// How it disagrees with what is known.
    pub(super) fork: Option<Fork>,
}

/// Who the claimed sender is, by what is known and by what they introduce themselves with.
pub(super) fn judge(
    known: Option<&Introduction>,
    offered: Option<&Introduction>,
    from: &TwinId,
) -> Result<Judged, Refusal> {
    let judged = |person, keep| Judged { person, keep, fork: None };
    let Some(offered) = offered else {
        let known = known.ok_or(Refusal::UnknownSender)?;
        return known.chain.check().map(|p| judged(p, false)).map_err(|_| Refusal::UnknownSender);
    };
    let introduced = offered.check().map_err(|_| Refusal::Forged)?;
    if introduced.id != *from {
        return Err(Refusal::Forged);
    }
    let Some(known) = known else {
        return Ok(judged(introduced, true));
    };
    let choice = Chain::choose(&known.chain, &offered.chain).map_err(|_| Refusal::Forged)?;
    // The chain that does not count introduces nobody: whoever signs by it is refused.
    let keep = choice.chain == &offered.chain && newer(offered, known);
    Ok(Judged { person: choice.person, keep, fork: choice.fork })
}

/// Where and when an envelope came.
#[derive(Clone, Copy)]
pub(super) struct Came {
    pub(super) source: u64,
    pub(super) now_ms: i64,
}

/// Keeps an introduction. A `stranger`'s takes one of a limited number of places.
pub(super) fn keep(
    w: &mut Writer<'_>,
    apply: &dyn Apply,
    id: &TwinId,
    introduction: &Introduction,
    stranger: Option<Came>,
) -> Result<(), Failure> {
    let key = vault::of(vault::KNOWN, id);
    let known = load(&w.reader(), id)?;
    // It was judged before this write: meanwhile a newer one may have come over another link.
    if let Some(known) = &known
        && !Chain::choose(&known.chain, &introduction.chain)
            .is_ok_and(|c| c.chain == &introduction.chain && newer(introduction, known))
    {
        return Ok(());
    }
    if let Some(came) = stranger
        && known.is_none()
    {
        make_room(w, apply, came)?;
        let row = [came.source.to_be_bytes(), came.now_ms.to_be_bytes()].concat();
        w.vault_put(&vault::of(vault::STRANGER, id), &row)?;
    }
    Ok(w.vault_put(&key, &introduction.to_bytes())?)
}

/// Finds a place for one more stranger. No source has more than its share, and when all places are
/// taken, the source with the most gives up its oldest for one that has clearly fewer.
fn make_room(w: &mut Writer<'_>, apply: &dyn Apply, came: Came) -> Result<(), Failure> {
    let mut by_source: BTreeMap<u64, Vec<(i64, TwinId)>> = BTreeMap::new();
    let rows = w.vault_prefix(&vault::all(vault::STRANGER))?;
    for (key, row) in &rows {
        let Some(id) = vault::id_in(vault::STRANGER, key) else { continue };
        let (source, since) = row.split_at_checked(8).unwrap_or_default();
        let since_ms = since.try_into().map(i64::from_be_bytes).unwrap_or_default();
        by_source.entry(vault::number(Some(source))).or_default().push((since_ms, id));
    }
    let mine = by_source.get(&came.source).map_or(0, Vec::len);
    if mine >= STRANGERS_OF_ONE {
        return Err(Refusal::Full.into());
    }
    if rows.len() < STRANGERS {
        return Ok(());
    }
    let most = by_source.values().max_by_key(|those| those.len());
    let oldest = most.filter(|those| those.len() > mine + 1).and_then(|those| those.iter().min());
    let Some((_, oldest)) = oldest else { return Err(Refusal::Full.into()) };
    tracing::warn!(person = %oldest, "a request made room for one from elsewhere");
    for kind in [vault::STRANGER, vault::KNOWN, vault::MARK] {
        w.vault_delete(&vault::of(kind, oldest))?;
    }
    apply.displaced(w, oldest, came.now_ms)
}

/// A repeated old introduction must not bring back an old pre-key. Of a chain that counts and is
/// another than the known one, any pre-key is newer: a thief's may be good for ever.
fn newer(offered: &Introduction, known: &Introduction) -> bool {
    offered.chain != known.chain || offered.pre_key.expires_ms() > known.pre_key.expires_ms()
}

/// People who may wait for our person's answer at one time.
pub(super) const STRANGERS: usize = 200;
/// Of these, how many may come from one twin of this node, or one node.
pub(super) const STRANGERS_OF_ONE: usize = 20;
