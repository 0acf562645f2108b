//! Messages of the home's network in which machines ask for and claim names (RFC 6762): what strangers
//! send, read into the little that matters here, and what this node says.
//!
//! Everything read is bounded first; nothing read is ever repeated but a name that is our own.

use std::net::IpAddr;

use simple_dns::rdata::{A, AAAA, NSEC, NsecTypeBitMap, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

/// What somebody sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Heard {
    /// Repeated to whoever asks from a port of their own.
    pub id: u16,
    /// Whether it says something rather than asks.
    pub answers: bool,
    /// What is asked for.
    pub questions: Vec<Asked>,
    /// What is said; in a question: what the asker knows already.
    pub said: Vec<Claim>,
    /// In a question: what the asker is about to claim.
    pub wanted: Vec<Claim>,
}

/// One question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// In lower case.
    pub name: String,
    /// What about it.
    pub kind: Kind,
    /// Whether the answer is for the asker alone.
    pub alone: bool,
}

/// What can be known of a name here.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Its IPv4 addresses.
    V4,
    /// Its IPv6 addresses.
    V6,
    /// Everything.
    Any,
    /// Which of a kind there are.
    Pointer,
    /// Where a service is.
    Service,
    /// More about a service.
    Text,
    /// Nothing that we have.
    Other,
}

/// Somebody says that a name is theirs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// In lower case.
    pub name: String,
    /// What they say of it; none: nothing that we would compare.
    pub address: Option<IpAddr>,
    /// For how many seconds; 0: not any longer.
    pub ttl: u32,
}

/// Reads a message; `None` where it is none, or claims to be longer than one can be.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Heard> {
    // Each count is a promise that memory is set aside for before anything is read.
    let counts = bytes.get(4..12)?.chunks_exact(2);
    let total: usize = counts.map(|pair| usize::from(pair[0]) << 8 | usize::from(pair[1])).sum();
    if total > MAX_RECORDS {
        return None;
    }
    let packet = Packet::parse(bytes).ok()?;
    let claims = |records: &[ResourceRecord<'_>]| records.iter().filter_map(claim).collect();
    Some(Heard {
        id: packet.id(),
        answers: packet.has_flags(PacketFlag::RESPONSE),
        questions: packet.questions.iter().filter_map(asked).collect(),
        said: claims(&packet.answers),
        wanted: claims(&packet.name_servers),
    })
}

fn asked(question: &Question<'_>) -> Option<Asked> {
    if !matches!(question.qclass, QCLASS::ANY | QCLASS::CLASS(CLASS::IN)) {
        return None;
    }
    let kind = match question.qtype {
        QTYPE::ANY => Kind::Any,
        QTYPE::TYPE(TYPE::A) => Kind::V4,
        QTYPE::TYPE(TYPE::AAAA) => Kind::V6,
        QTYPE::TYPE(TYPE::PTR) => Kind::Pointer,
        QTYPE::TYPE(TYPE::SRV) => Kind::Service,
        QTYPE::TYPE(TYPE::TXT) => Kind::Text,
        QTYPE::TYPE(_) | QTYPE::AXFR | QTYPE::IXFR | QTYPE::MAILA | QTYPE::MAILB => Kind::Other,
    };
    Some(Asked { name: lower(&question.qname), kind, alone: question.unicast_response })
}

fn claim(record: &ResourceRecord<'_>) -> Option<Claim> {
    if record.class != CLASS::IN {
        return None;
    }
    let address = if let RData::A(A { address }) = &record.rdata {
        Some(IpAddr::from(address.to_be_bytes()))
    } else if let RData::AAAA(AAAA { address }) = &record.rdata {
        Some(IpAddr::from(address.to_be_bytes()))
    } else if matches!(record.rdata, RData::NSEC(_) | RData::OPT(_)) {
        // What is not there is no claim.
        return None;
    } else {
        None
    };
    Some(Claim { name: lower(&record.name), address, ttl: record.ttl })
}

fn lower(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}

/// One thing that this node says of a name of its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) what: What,
    pub(super) ttl: u32,
}

/// What is said of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum What {
    Address(IpAddr),
    /// These kinds are all that there is.
    Only(Vec<Kind>),
    Pointer(String),
    Service {
        host: String,
        port: u16,
    },
    /// Nothing more about a service.
    Text,
}

/// How an answer goes to somebody who asked from a port of their own, as plain DNS would.
pub(super) struct Legacy<'a> {
    pub(super) id: u16,
    pub(super) questions: &'a [Asked],
}

/// An answer, or an announcement.
pub(super) fn say(facts: &[Fact], more: &[Fact], legacy: Option<&Legacy<'_>>) -> Vec<u8> {
    let mut packet = Packet::new_reply(legacy.map_or(0, |legacy| legacy.id));
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    for asked in legacy.iter().flat_map(|legacy| legacy.questions.iter()) {
        packet.questions.extend(question(&asked.name, asked.kind, false));
    }
    let own = |fact| record(fact, legacy.is_some());
    packet.answers.extend(facts.iter().filter_map(own));
    packet.additional_records.extend(more.iter().filter_map(own));
    packet.build_bytes_vec_compressed().unwrap_or_default()
}

/// Asks whether anybody has these names, and says what would be said of them.
pub(super) fn probe(names: &[&str], facts: &[Fact]) -> Vec<u8> {
    let mut packet = Packet::new_query(0);
    for name in names {
        packet.questions.extend(question(name, Kind::Any, true));
    }
    packet.name_servers.extend(facts.iter().filter_map(|fact| record(fact, true)));
    packet.build_bytes_vec_compressed().unwrap_or_default()
}

fn question(name: &str, kind: Kind, alone: bool) -> Option<Question<'_>> {
    let kind = match kind {
        Kind::V4 => QTYPE::TYPE(TYPE::A),
        Kind::V6 => QTYPE::TYPE(TYPE::AAAA),
        Kind::Pointer => QTYPE::TYPE(TYPE::PTR),
        Kind::Service => QTYPE::TYPE(TYPE::SRV),
        Kind::Text => QTYPE::TYPE(TYPE::TXT),
        Kind::Any | Kind::Other => QTYPE::ANY,
    };
    Some(Question::new(Name::new(name).ok()?, kind, QCLASS::CLASS(CLASS::IN), alone))
}

/// `plain`: for whoever knows nothing of caches in the home's network.
fn record(fact: &Fact, plain: bool) -> Option<ResourceRecord<'_>> {
    let name = Name::new(&fact.name).ok()?;
    let shared = matches!(fact.what, What::Pointer(_));
    let data = match &fact.what {
        What::Address(IpAddr::V4(address)) => RData::A(A { address: (*address).into() }),
        What::Address(IpAddr::V6(address)) => RData::AAAA(AAAA { address: (*address).into() }),
        What::Only(kinds) => RData::NSEC(only(&fact.name, kinds)?),
        What::Pointer(to) => RData::PTR(PTR(Name::new(to).ok()?)),
        What::Service { host, port } => {
            let target = Name::new(host).ok()?;
            RData::SRV(SRV { priority: 0, weight: 0, port: *port, target })
        }
        What::Text => RData::TXT(TXT::new()),
    };
    let record = ResourceRecord::new(name, CLASS::IN, fact.ttl, data);
    Some(record.with_cache_flush(!shared && !plain))
}

/// The kinds that a name has, as a list with a bit for each (RFC 6762, section 6.1).
fn only<'a>(name: &'a str, kinds: &[Kind]) -> Option<NSEC<'a>> {
    let mut bits = vec![0_u8; 5];
    for kind in kinds {
        let number: u8 = match kind {
            Kind::V4 => 1,
            Kind::Pointer => 12,
            Kind::Text => 16,
            Kind::V6 => 28,
            Kind::Service => 33,
            Kind::Any | Kind::Other => continue,
        };
        if let Some(byte) = bits.get_mut(usize::from(number / 8)) {
            *byte |= 0x80 >> (number % 8);
        }
    }
    while bits.last() == Some(&0) {
        bits.pop();
    }
    let map = NsecTypeBitMap { window_block: 0, bitmap: bits.into() };
    Some(NSEC { next_name: Name::new(name).ok()?, type_bit_maps: vec![map] })
}

/// Of all sections. The largest message has 9000 bytes, and a record at least eleven.
const MAX_RECORDS: usize = 820;

#[cfg(test)]
mod tests;
