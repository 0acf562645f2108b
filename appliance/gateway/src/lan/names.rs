//! Who has which name in the home's network: this node's names are asked for, announced, answered for
//! and given up (RFC 6762, sections 6 to 10).
//!
//! Knows no socket and no clock: time is told, what is to be sent is given back. No timer exists but
//! for the two seconds in which a name is new.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::cards::Card;
use super::message::{self, Asked, Claim, Fact, Heard, Kind, Legacy, What};

/// Where a message goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum To {
    /// To all machines at this card.
    All { card: u32, v6: bool },
    /// To the one that asked.
    One(SocketAddr),
}

/// A message to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Letter {
    pub(super) to: To,
    pub(super) bytes: Vec<u8>,
}

/// All names of this node.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: BTreeMap<String, Held>,
    cards: Vec<Card>,
    /// The service that other machines can look for: what it is called, its host and port.
    service: Option<(String, u16)>,
    /// Answers to single askers in this second.
    alone: Option<(Instant, u32)>,
}

#[derive(Debug)]
struct Held {
    stage: Stage,
    /// When the next step is due.
    next: Option<Instant>,
    /// When it was last said to all, by card and kind of address.
    said: HashMap<(u32, bool), Instant>,
}

/// How far a name is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// Asked so often whether anybody has it. Until it is ours nobody is answered.
    Asking(u8),
    /// Ours, and announced so often.
    Announcing(u8),
    Ours,
}

impl Held {
    fn new(now: Instant) -> Self {
        Self { stage: Stage::Asking(0), next: Some(now), said: HashMap::new() }
    }

    fn is_ours(&self) -> bool {
        !matches!(self.stage, Stage::Asking(_))
    }
}

impl Names {
    /// From now on these are the names; gives the farewells of those that are no more.
    pub(super) fn set(&mut self, names: &[String], now: Instant) -> Vec<Letter> {
        let gone: Vec<String> =
            self.names.keys().filter(|name| !names.contains(name)).cloned().collect();
        let letters = self.farewell(&gone);
        for name in gone {
            self.names.remove(&name);
        }
        for name in names {
            self.names.entry(name.clone()).or_insert_with(|| Held::new(now));
        }
        letters
    }

    /// From now on this host is the service; gives the farewell of the one before.
    pub(super) fn serve(&mut self, host: &str, port: u16) {
        self.service = Some((host.to_owned(), port));
    }

    /// From now on these are the cards. Where there is a new one, or a new address, others may have
    /// our names: it is asked again.
    pub(super) fn plug(&mut self, cards: Vec<Card>, now: Instant) {
        if cards == self.cards {
            return;
        }
        let same = |new: &Card| self.cards.iter().any(|old| old.number == new.number);
        let new_card = cards.iter().any(|card| !same(card));
        self.cards = cards;
        for held in self.names.values_mut() {
            held.said.clear();
            if new_card || !held.is_ours() {
                *held = Held::new(now);
            } else {
                (held.stage, held.next) = (Stage::Announcing(0), Some(now));
            }
        }
    }

    /// Says that none of the names is this node's any more.
    pub(super) fn end(&mut self) -> Vec<Letter> {
        let names: Vec<String> = self.names.keys().cloned().collect();
        let letters = self.farewell(&names);
        self.names.clear();
        letters
    }

    /// When there is something to do; nothing, most of the time.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.cards.is_empty() {
            return None;
        }
        self.names.values().filter_map(|held| held.next).min()
    }

    /// Does what is due.
    pub(super) fn step(&mut self, now: Instant) -> Vec<Letter> {
        if self.cards.is_empty() {
            return Vec::new();
        }
        let (mut ask, mut announce) = (Vec::new(), Vec::new());
        for (name, held) in &mut self.names {
            if held.next.is_none_or(|next| next > now) {
                continue;
            }
            (held.stage, held.next) = match held.stage {
                Stage::Asking(ASKED) => {
                    announce.push(name.clone());
                    (Stage::Announcing(1), Some(now + ANNOUNCED_AGAIN))
                }
                Stage::Asking(times) => {
                    ask.push(name.clone());
                    (Stage::Asking(times + 1), Some(now + ASKED_AGAIN))
                }
                Stage::Announcing(0) => {
                    announce.push(name.clone());
                    (Stage::Announcing(1), Some(now + ANNOUNCED_AGAIN))
                }
                Stage::Announcing(_) => {
                    announce.push(name.clone());
                    (Stage::Ours, None)
                }
                Stage::Ours => (Stage::Ours, None),
            };
        }
        let mut letters = self.probes(&ask);
        letters.extend(self.announcements(&announce, now));
        letters
    }

    /// Hears a message; gives the answers, and the names that turned out to be another's.
    pub(super) fn hear(
        &mut self,
        heard: &Heard,
        from: SocketAddr,
        now: Instant,
    ) -> (Vec<Letter>, Vec<String>) {
        // Only neighbours are spoken with: nobody else can be meant.
        let Some(card) = self.card_of(from) else { return (Vec::new(), Vec::new()) };
        if heard.answers {
            let taken = if from.port() == PORT { self.contested(&heard.said, now) } else { vec![] };
            return (Vec::new(), taken);
        }
        self.yield_to(&heard.wanted, now);
        (self.answer(heard, from, card, now), Vec::new())
    }

    /// The card that somebody is a neighbour on.
    fn card_of(&self, from: SocketAddr) -> Option<usize> {
        if let SocketAddr::V6(v6) = from
            && v6.ip().is_unicast_link_local()
        {
            return self.cards.iter().position(|card| card.number == v6.scope_id());
        }
        let near = |card: &Card| {
            card.addresses.iter().any(|(own, prefix)| same_network(*own, from.ip(), *prefix))
        };
        self.cards.iter().position(near)
    }

    /// Names of ours that somebody says are theirs. One that is not ours yet is given up at once; one
    /// that is, is defended: it is asked for again, and whoever insists has it. What they say has many
    /// addresses, and comes over each card and both kinds of addresses: until it is asked for, that
    /// is all one word.
    fn contested(&mut self, said: &[Claim], now: Instant) -> Vec<String> {
        let theirs = said.iter().filter(|claim| {
            claim.ttl > 0 && claim.address.is_none_or(|address| !self.has(address))
        });
        let names: BTreeSet<&String> = theirs.map(|claim| &claim.name).collect();
        let mut taken = Vec::new();
        for name in names {
            let Some(held) = self.names.get_mut(name) else { continue };
            match held.stage {
                Stage::Asking(0) => {}
                Stage::Asking(_) => taken.push(name.clone()),
                Stage::Announcing(_) | Stage::Ours => {
                    *held = Held { next: Some(now + ASKED_AGAIN), ..Held::new(now) };
                }
            }
        }
        taken
    }

    /// Two ask for a name at the same time: the larger claim goes first, the other asks again later.
    fn yield_to(&mut self, wanted: &[Claim], now: Instant) {
        let mut theirs: BTreeMap<&str, Vec<Option<IpAddr>>> = BTreeMap::new();
        for claim in wanted {
            theirs.entry(&claim.name).or_default().push(claim.address);
        }
        for (name, mut claims) in theirs {
            // Our own words come back to us, from other cards too.
            if claims.iter().flatten().all(|address| self.has(*address)) {
                continue;
            }
            let mut own: Vec<Option<IpAddr>> =
                self.cards.iter().flat_map(addresses).map(Some).collect();
            own.sort_unstable_by_key(|address| order(*address));
            claims.sort_unstable_by_key(|address| order(*address));
            let loses = own.iter().map(|one| order(*one)).lt(claims.iter().map(|one| order(*one)));
            if let Some(held) = self.names.get_mut(name)
                && !held.is_ours()
                && loses
            {
                *held = Held { next: Some(now + YIELDED), ..Held::new(now) };
            }
        }
    }

    fn answer(
        &mut self,
        heard: &Heard,
        from: SocketAddr,
        card: usize,
        now: Instant,
    ) -> Vec<Letter> {
        let legacy = from.port() != PORT;
        let (mut all, mut alone) = ((vec![], vec![]), (vec![], vec![]));
        for asked in heard.questions.iter().take(QUESTIONS) {
            let (facts, more) = self.about(asked, card);
            let known = |fact: &Fact| !legacy && knows(&heard.said, fact);
            let facts: Vec<Fact> = facts.into_iter().filter(|fact| !known(fact)).collect();
            if facts.is_empty() {
                continue;
            }
            let to = if legacy || asked.alone { &mut alone } else { &mut all };
            for (into, facts) in [(&mut to.0, facts), (&mut to.1, more)] {
                for fact in facts {
                    if !into.contains(&fact) {
                        into.push(fact);
                    }
                }
            }
        }
        let mut letters = Vec::new();
        if !alone.0.is_empty() && self.may_answer_alone(now) {
            let questions = &heard.questions[..heard.questions.len().min(QUESTIONS)];
            let legacy = legacy.then_some(Legacy { id: heard.id, questions });
            if legacy.is_some() {
                for fact in alone.0.iter_mut().chain(&mut alone.1) {
                    fact.ttl = fact.ttl.min(LEGACY_TTL);
                }
            }
            let bytes = message::say(&alone.0, &alone.1, legacy.as_ref());
            letters.push(Letter { to: To::One(from), bytes });
        }
        // What was said to all a moment ago is not said again: nobody can have us flood the network.
        let key = (self.cards.get(card).map_or(0, |card| card.number), from.is_ipv6());
        all.0.retain(|fact| {
            let held = self.names.get_mut(said_of(&fact.name, &self.service));
            held.is_none_or(|held| {
                let last = held.said.get(&key);
                last.is_none_or(|last| now.saturating_duration_since(*last) >= NOT_AGAIN)
            })
        });
        for fact in &all.0 {
            if let Some(held) = self.names.get_mut(said_of(&fact.name, &self.service)) {
                held.said.insert(key, now);
            }
        }
        if !all.0.is_empty() {
            let bytes = message::say(&all.0, &all.1, None);
            letters.push(Letter { to: To::All { card: key.0, v6: key.1 }, bytes });
        }
        letters
    }

    /// What is known of what is asked at this card, and what is said besides.
    fn about(&self, asked: &Asked, card: usize) -> (Vec<Fact>, Vec<Fact>) {
        let Some(card) = self.cards.get(card) else { return Default::default() };
        if self.names.get(&asked.name).is_some_and(Held::is_ours) {
            let (facts, more) = facts(&asked.name, card).into_iter().partition(|fact| {
                matches!(
                    (&fact.what, asked.kind),
                    (_, Kind::Any)
                        | (What::Address(IpAddr::V4(_)), Kind::V4)
                        | (What::Address(IpAddr::V6(_)), Kind::V6)
                )
            });
            let (facts, more): (Vec<Fact>, Vec<Fact>) = (facts, more);
            if !facts.is_empty() {
                return (facts, more);
            }
            // That there is nothing of this kind is an answer too.
            return more.into_iter().partition(|fact| matches!(fact.what, What::Only(_)));
        }
        let Some((host, port)) = &self.service else { return Default::default() };
        if !self.names.get(host).is_some_and(Held::is_ours) {
            return Default::default();
        }
        let service = service(host, *port);
        let fits = |fact: &Fact| {
            fact.name == asked.name
                && matches!(
                    (&fact.what, asked.kind),
                    (_, Kind::Any)
                        | (What::Pointer(_), Kind::Pointer)
                        | (What::Service { .. }, Kind::Service)
                        | (What::Text, Kind::Text)
                )
        };
        let (found, mut more): (Vec<Fact>, Vec<Fact>) = service.into_iter().partition(fits);
        if found.is_empty() {
            return Default::default();
        }
        more.retain(|fact| !matches!(fact.what, What::Pointer(_)));
        more.extend(facts(host, card));
        (found, more)
    }

    fn may_answer_alone(&mut self, now: Instant) -> bool {
        let (since, count) = self.alone.get_or_insert((now, 0));
        if now.saturating_duration_since(*since) >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= ALONE_A_SECOND
    }

    fn has(&self, address: IpAddr) -> bool {
        self.cards.iter().flat_map(addresses).any(|own| own == address)
    }

    fn probes(&self, names: &[String]) -> Vec<Letter> {
        self.to_all(names, |names, card| {
            let facts: Vec<Fact> = names.iter().flat_map(|name| facts(name, card)).collect();
            let facts: Vec<Fact> =
                facts.into_iter().filter(|fact| matches!(fact.what, What::Address(_))).collect();
            message::probe(&names.iter().map(String::as_str).collect::<Vec<_>>(), &facts)
        })
    }

    fn announcements(&mut self, names: &[String], now: Instant) -> Vec<Letter> {
        for name in names {
            for card in &self.cards {
                if let Some(held) = self.names.get_mut(name) {
                    held.said.insert((card.number, false), now);
                    held.said.insert((card.number, true), now);
                }
            }
        }
        self.to_all(names, |names, card| {
            let mut said: Vec<Fact> = names.iter().flat_map(|name| facts(name, card)).collect();
            if let Some((host, port)) = &self.service
                && names.contains(host)
            {
                said.extend(service(host, *port));
            }
            message::say(&said, &[], None)
        })
    }

    fn farewell(&self, names: &[String]) -> Vec<Letter> {
        let ours: Vec<String> = names
            .iter()
            .filter(|name| self.names.get(*name).is_some_and(Held::is_ours))
            .cloned()
            .collect();
        self.to_all(&ours, |names, card| {
            let mut said: Vec<Fact> = names.iter().flat_map(|name| facts(name, card)).collect();
            if let Some((host, port)) = &self.service
                && names.contains(host)
            {
                said.extend(service(host, *port));
            }
            for fact in &mut said {
                fact.ttl = 0;
            }
            message::say(&said, &[], None)
        })
    }

    /// The same to every card and in both kinds of addresses, some names at a time.
    fn to_all(&self, names: &[String], make: impl Fn(&[String], &Card) -> Vec<u8>) -> Vec<Letter> {
        let mut letters = Vec::new();
        for some in names.chunks(NAMES_IN_ONE) {
            for card in &self.cards {
                let bytes = make(some, card);
                if card.addresses.iter().any(|(address, _)| address.is_ipv4()) {
                    let to = To::All { card: card.number, v6: false };
                    letters.push(Letter { to, bytes: bytes.clone() });
                }
                if card.speaks_v6 {
                    letters.push(Letter { to: To::All { card: card.number, v6: true }, bytes });
                }
            }
        }
        letters
    }
}

/// What is said of a name at a card: its addresses there, and that there is nothing else.
fn facts(name: &str, card: &Card) -> Vec<Fact> {
    let fact = |what| Fact { name: name.to_owned(), what, ttl: HOST_TTL };
    let mut facts: Vec<Fact> =
        addresses(card).take(ADDRESSES).map(What::Address).map(fact).collect();
    let mut kinds: Vec<Kind> = addresses(card)
        .map(|address| if address.is_ipv4() { Kind::V4 } else { Kind::V6 })
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    facts.push(fact(What::Only(kinds)));
    facts
}

/// What is said of the service (RFC 6763): that there is such a kind, that this is one, and where.
fn service(host: &str, port: u16) -> [Fact; 4] {
    let label = host.split('.').next().unwrap_or_default();
    let instance = format!("{label}.{SERVICE}");
    let fact = |name: &str, what, ttl| Fact { name: name.to_owned(), what, ttl };
    [
        fact(KINDS, What::Pointer(SERVICE.to_owned()), SERVICE_TTL),
        fact(SERVICE, What::Pointer(instance.clone()), SERVICE_TTL),
        fact(&instance, What::Service { host: host.to_owned(), port }, HOST_TTL),
        fact(&instance, What::Text, SERVICE_TTL),
    ]
}

/// Whose last word this was.
fn said_of<'a>(name: &'a str, service: &'a Option<(String, u16)>) -> &'a str {
    match service {
        Some((host, _)) if name.ends_with(SERVICE) || name == KINDS => host,
        Some(_) | None => name,
    }
}

/// Whether the asker knows this for long enough.
fn knows(said: &[Claim], fact: &Fact) -> bool {
    let What::Address(address) = fact.what else { return false };
    said.iter().any(|claim| {
        claim.name == fact.name && claim.address == Some(address) && claim.ttl >= fact.ttl / 2
    })
}

fn addresses(card: &Card) -> impl Iterator<Item = IpAddr> {
    card.addresses.iter().map(|(address, _)| *address)
}

/// By kind of record and then by its bytes (RFC 6762, section 8.2.1); what is none of the two is last
/// among them, as most other kinds are.
fn order(address: Option<IpAddr>) -> (u8, Vec<u8>) {
    match address {
        Some(IpAddr::V4(address)) => (1, address.octets().to_vec()),
        Some(IpAddr::V6(address)) => (28, address.octets().to_vec()),
        None => (u8::MAX, Vec::new()),
    }
}

fn same_network(own: IpAddr, other: IpAddr, prefix: u8) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    };
    let shift = 128_u32.saturating_sub(u32::from(prefix));
    own.is_ipv4() == other.is_ipv4()
        && bits(own).checked_shr(shift).unwrap_or(0) == bits(other).checked_shr(shift).unwrap_or(0)
}

/// Where everybody in the home's network listens.
pub(super) const PORT: u16 = 5353;
/// The kind of service that a node is.
const SERVICE: &str = "_hometwin._tcp.local";
/// Asked for by who wants to know what kinds there are.
const KINDS: &str = "_services._dns-sd._udp.local";
/// How often a name is asked for before it is ours, and in which time each.
const ASKED: u8 = 3;
const ASKED_AGAIN: Duration = Duration::from_millis(250);
const ANNOUNCED_AGAIN: Duration = Duration::from_secs(1);
/// How long to wait for who goes first.
const YIELDED: Duration = Duration::from_secs(1);
/// What was said to all is not said again within this.
const NOT_AGAIN: Duration = Duration::from_secs(1);
const HOST_TTL: u32 = 120;
const SERVICE_TTL: u32 = 4500;
const LEGACY_TTL: u32 = 10;
/// Questions of one message that are answered.
const QUESTIONS: usize = 32;
/// Single askers that are answered in a second.
const ALONE_A_SECOND: u32 = 100;
/// With their addresses these fit into one packet.
const NAMES_IN_ONE: usize = 6;
/// Addresses of one card that are told.
const ADDRESSES: usize = 6;

#[cfg(test)]
mod tests;
