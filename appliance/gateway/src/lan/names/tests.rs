//! Names among neighbours, with time and messages made up.

use super::super::message::read;
use super::*;

fn card(number: u32, addresses: &[&str]) -> Card {
    let parse = |text: &&str| {
        let (address, prefix) = text.split_once('/').unwrap();
        (address.parse().unwrap(), prefix.parse().unwrap())
    };
    let addresses: Vec<_> = addresses.iter().map(parse).collect();
    let speaks_v6 = addresses.iter().any(|(address, _): &(IpAddr, u8)| address.is_ipv6());
    Card { number, name: format!("eth{number}"), addresses, speaks_v6 }
}

fn hosts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn from(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn claim(name: &str, address: &str, ttl: u32) -> Claim {
    Claim { name: name.to_owned(), address: Some(address.parse().unwrap()), ttl }
}

fn asked(name: &str, kind: Kind, alone: bool) -> Heard {
    let questions = vec![Asked { name: name.to_owned(), kind, alone }];
    Heard { questions, ..Heard::default() }
}

/// A node with names that nobody contested.
fn settled(cards: Vec<Card>, names: &[&str]) -> (Names, Instant) {
    let mut all = Names::default();
    let mut now = Instant::now();
    all.set(&hosts(names), now);
    all.serve("hometwin.local", 443);
    all.plug(cards, now);
    while let Some(due) = all.due() {
        now = due.max(now);
        all.step(now);
    }
    (all, now + Duration::from_secs(10))
}

#[test]
fn a_name_is_asked_for_announced_and_then_silent() {
    let mut names = Names::default();
    let start = Instant::now();
    names.set(&hosts(&["hometwin.local"]), start);
    names.serve("hometwin.local", 443);
    assert_eq!(names.due(), None, "without a card there is nobody to ask");
    names.plug(vec![card(2, &["192.168.1.7/24"])], start);
    let mut said = Vec::new();
    while let Some(due) = names.due() {
        for letter in names.step(due) {
            assert_eq!(letter.to, To::All { card: 2, v6: false });
            let heard = read(&letter.bytes).unwrap();
            said.push(((due - start).as_millis(), heard.answers));
            let claims = if heard.answers { heard.said } else { heard.wanted };
            assert!(claims.contains(&claim("hometwin.local", "192.168.1.7", 120)), "{claims:?}");
        }
    }
    assert_eq!(said, [(0, false), (250, false), (500, false), (750, true), (1750, true)]);
    // Its own words come back to it, and mean nothing.
    let heard = Heard {
        wanted: vec![claim("hometwin.local", "192.168.1.7", 120)],
        ..asked("hometwin.local", Kind::Any, true)
    };
    names.hear(&heard, from("192.168.1.7:5353"), start + Duration::from_secs(9));
    assert_eq!(names.due(), None);
}

#[test]
fn neighbours_are_answered_at_their_card_and_strangers_never() {
    let cards =
        vec![card(2, &["192.168.1.7/24", "fd00::7/64", "fe80::7/64"]), card(3, &["10.0.0.7/8"])];
    let (mut names, now) = settled(cards, &["hometwin.local", "ann-hometwin.local"]);
    let question = asked("ann-hometwin.local", Kind::V4, false);
    let (letters, taken) = names.hear(&question, from("10.1.2.3:5353"), now);
    assert!(taken.is_empty());
    assert_eq!(letters[0].to, To::All { card: 3, v6: false });
    let said = read(&letters[0].bytes).unwrap().said;
    assert_eq!(said, [claim("ann-hometwin.local", "10.0.0.7", 120)]);
    // Not twice in a second, whoever asks; on another card it is news.
    assert!(names.hear(&question, from("10.1.2.4:5353"), now).0.is_empty());
    assert_eq!(names.hear(&question, from("192.168.1.9:5353"), now).0.len(), 1);
    let later = now + Duration::from_secs(2);
    assert_eq!(names.hear(&question, from("10.1.2.4:5353"), later).0.len(), 1);
    for stranger in ["8.8.8.8:5353", "[2001:db8::1]:5353", "192.168.2.1:5353"] {
        assert!(names.hear(&question, from(stranger), later).0.is_empty(), "{stranger}");
    }
    // A neighbour at a cable without other addresses.
    let near = SocketAddr::V6(std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), PORT, 0, 2));
    assert_eq!(names.hear(&question, near, later).0[0].to, To::All { card: 2, v6: true });
}

#[test]
fn what_the_asker_knows_is_not_repeated() {
    let (mut names, now) = settled(vec![card(2, &["192.168.1.7/24"])], &["hometwin.local"]);
    let mut question = asked("hometwin.local", Kind::V4, false);
    question.said = vec![claim("hometwin.local", "192.168.1.7", 100)];
    assert!(names.hear(&question, from("192.168.1.9:5353"), now).0.is_empty());
    question.said[0].ttl = 20;
    assert_eq!(names.hear(&question, from("192.168.1.9:5353"), now).0.len(), 1);
}

#[test]
fn a_single_asker_is_answered_alone_and_a_plain_one_plainly() {
    let (mut names, now) = settled(vec![card(2, &["192.168.1.7/24"])], &["hometwin.local"]);
    let asker = from("192.168.1.9:5353");
    let (letters, _) = names.hear(&asked("hometwin.local", Kind::V4, true), asker, now);
    assert_eq!(letters[0].to, To::One(asker));
    let mut question = asked("hometwin.local", Kind::V4, false);
    question.id = 77;
    let plain = from("192.168.1.9:40000");
    let (letters, _) = names.hear(&question, plain, now);
    assert_eq!(letters[0].to, To::One(plain));
    let heard = read(&letters[0].bytes).unwrap();
    assert_eq!((heard.id, heard.said[0].ttl, heard.questions.len()), (77, LEGACY_TTL, 1));
    // A flood of such questions is no flood of answers.
    let answers = (0..1000).filter(|_| !names.hear(&question, plain, now).0.is_empty()).count();
    assert!(answers <= 100, "{answers}");
    // That there is no IPv6 is said too, so that nobody waits for it.
    let later = now + Duration::from_secs(5);
    let (letters, _) = names.hear(&asked("hometwin.local", Kind::V6, true), asker, later);
    assert_eq!(letters.len(), 1);
    assert!(read(&letters[0].bytes).unwrap().said.is_empty());
}

#[test]
fn the_service_is_found() {
    let (mut names, now) = settled(vec![card(2, &["192.168.1.7/24"])], &["hometwin.local"]);
    let asker = from("192.168.1.9:5353");
    for (at, (name, kind)) in [
        (KINDS, Kind::Pointer),
        (SERVICE, Kind::Pointer),
        ("hometwin._hometwin._tcp.local", Kind::Service),
        ("hometwin._hometwin._tcp.local", Kind::Text),
    ]
    .into_iter()
    .enumerate()
    {
        let now = now + Duration::from_secs(2) * u32::try_from(at).unwrap();
        let (letters, _) = names.hear(&asked(name, kind, false), asker, now);
        let said = read(&letters[0].bytes).unwrap().said;
        assert_eq!((letters.len(), said.len(), said[0].name.as_str()), (1, 1, name));
    }
    let nothing = names.hear(&asked("_ipp._tcp.local", Kind::Pointer, false), asker, now);
    assert!(nothing.0.is_empty());
}

#[test]
fn a_name_that_another_has_is_given_up() {
    let start = Instant::now();
    let mut names = Names::default();
    names.set(&hosts(&["hometwin.local"]), start);
    names.plug(vec![card(2, &["192.168.1.7/24"])], start);
    names.step(start);
    // Not ours yet: nobody is answered.
    let asker = from("192.168.1.9:5353");
    assert!(names.hear(&asked("hometwin.local", Kind::V4, true), asker, start).0.is_empty());
    let said = vec![claim("hometwin.local", "192.168.1.9", 120)];
    let answer = Heard { answers: true, said, ..Heard::default() };
    assert_eq!(names.hear(&answer, asker, start).1, ["hometwin.local"]);
    // From a port of their own, or from far away, it means nothing.
    assert!(names.hear(&answer, from("192.168.1.9:999"), start).1.is_empty());
    assert!(names.hear(&answer, from("8.8.8.8:5353"), start).1.is_empty());
}

#[test]
fn a_name_of_ours_is_defended_and_whoever_insists_has_it() {
    let (mut names, now) = settled(vec![card(2, &["192.168.1.7/24"])], &["hometwin.local"]);
    let other = from("192.168.1.9:5353");
    // Somebody wants it who doesn't know: they are answered, and learn it.
    let wanted = vec![claim("hometwin.local", "192.168.1.9", 120)];
    let question = Heard { wanted, ..asked("hometwin.local", Kind::Any, true) };
    let (letters, taken) = names.hear(&question, other, now);
    assert_eq!((letters.len(), taken.len(), names.due()), (1, 0, None));
    // Somebody says that they have it, as machines do: all their addresses in one message, which comes
    // over each of our cards.
    let said = ["192.168.1.9", "fe80::9", "fd00::9"];
    let said = said.map(|address| claim("hometwin.local", address, 120)).to_vec();
    let answer = Heard { answers: true, said, ..Heard::default() };
    for _ in 0..3 {
        assert!(names.hear(&answer, other, now).1.is_empty());
        assert!(names.step(now).is_empty());
    }
    // It is asked for again, and if they say so then, it is theirs.
    let now = now + ASKED_AGAIN;
    assert_eq!(names.step(now).len(), 1);
    assert_eq!(names.hear(&answer, other, now).1, ["hometwin.local"]);
    // One that says it and doesn't answer when it is asked hasn't it.
    let (mut names, mut now) = settled(vec![card(2, &["192.168.1.7/24"])], &["hometwin.local"]);
    assert!(names.hear(&answer, other, now).1.is_empty());
    while let Some(due) = names.due() {
        now = due;
        names.step(now);
    }
    assert_eq!(names.hear(&asked("hometwin.local", Kind::V4, true), other, now).0.len(), 1);
    // A farewell is no claim.
    let (mut names, now) = settled(vec![card(2, &["192.168.1.7/24"])], &["hometwin.local"]);
    let said = vec![claim("hometwin.local", "192.168.1.9", 0)];
    names.hear(&Heard { answers: true, said, ..Heard::default() }, other, now);
    assert_eq!(names.due(), None);
}

#[test]
fn of_two_that_ask_at_once_the_larger_goes_first() {
    for (theirs, yields) in [("192.168.1.9", true), ("192.168.1.5", false)] {
        let start = Instant::now();
        let mut names = Names::default();
        names.set(&hosts(&["hometwin.local"]), start);
        names.plug(vec![card(2, &["192.168.1.7/24"])], start);
        names.step(start);
        let wanted = vec![claim("hometwin.local", theirs, 120)];
        let question = Heard { wanted, ..asked("hometwin.local", Kind::Any, true) };
        names.hear(&question, from("192.168.1.9:5353"), start);
        let expected = if yields { YIELDED } else { ASKED_AGAIN };
        assert_eq!(names.due(), Some(start + expected), "{theirs}");
    }
}

#[test]
fn names_come_and_go_with_a_word() {
    let (mut names, now) =
        settled(vec![card(2, &["192.168.1.7/24"])], &["hometwin.local", "a.local"]);
    let letters = names.set(&hosts(&["hometwin.local", "b.local"]), now);
    let said = read(&letters[0].bytes).unwrap().said;
    assert_eq!(said, [claim("a.local", "192.168.1.7", 0)]);
    assert_eq!(names.due(), Some(now), "the new one is asked for");
    while let Some(due) = names.due() {
        names.step(due);
    }
    let farewell = names.end();
    let said = read(&farewell[0].bytes).unwrap().said;
    assert!(said.iter().all(|claim| claim.ttl == 0) && said.len() > 2, "{said:?}");
    assert_eq!(names.due(), None);
}

#[test]
fn another_cable_may_be_another_home() {
    let (mut names, now) = settled(vec![card(2, &["192.168.1.7/24"])], &["hometwin.local"]);
    names.plug(vec![card(2, &["192.168.1.7/24"])], now);
    assert_eq!(names.due(), None, "nothing changed");
    // Another address of the same card is announced, a new card is asked first.
    names.plug(vec![card(2, &["192.168.1.8/24"])], now);
    assert!(read(&names.step(now)[0].bytes).unwrap().answers);
    names.plug(vec![card(2, &["192.168.1.8/24"]), card(3, &["10.0.0.7/8"])], now);
    let letters = names.step(now);
    assert_eq!(letters.len(), 2);
    assert!(!read(&letters[0].bytes).unwrap().answers);
}

#[test]
fn a_thousand_names_are_said_in_pieces() {
    let many: Vec<String> = (0..1000).map(|at| format!("twin-{at}-hometwin.local")).collect();
    let mut names = Names::default();
    let now = Instant::now();
    names.set(&many, now);
    names.plug(vec![card(2, &["192.168.1.7/24", "fd00::7/64", "fe80::7/64"])], now);
    let letters = names.step(now);
    assert!(letters.iter().all(|letter| letter.bytes.len() < 1400));
    assert_eq!(letters.len(), 2 * 1000_usize.div_ceil(NAMES_IN_ONE));
}
