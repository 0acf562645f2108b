//! Members that keep to no rules: whatever they say, nothing is taken that they may not do, and what
//! the honest have stays the same.

use std::collections::BTreeMap;

use capability::{
    spaces::latest::{
        Act, Body, Clock, Have, Invite, Join, Op, Ops, Roster, RosterMember, RosterRole,
        RosterSaid, Signed,
    },
    wire::{More, RecordId, SpaceId},
};
use link::Inner;
use serde_json::{Value, json};

use super::{
    crowd::{Crowd, TASK, check},
    id, until,
};
use crate::life::{
    Fault,
    apply::Receiver,
    peers::{self, Apply as _},
    post::{About, Post, post},
    spaces::{roster, signed},
    tables::{Id16, spaces::SpaceRows as _},
};

/// Says something to somebody that our code would never say.
async fn say(crowd: &Crowd, from: usize, to: usize, list: &str, body: Body) {
    let space: SpaceId = list.parse().unwrap();
    let (to, thread) = (crowd.all[to].life.id(), Id16(space.bytes()));
    let letter = Post { to, thread, capability: "spaces", about: About::default() };
    let store = crowd.all[from].life.0.store.clone();
    store.write(move |w| post(w, letter, &body)).await.unwrap();
    crowd.all[from].life.0.peers.wake();
}

fn op(list: &str, number: u64, time_ms: i64, fields: &Value) -> Op {
    let act = Act::Put {
        kind: TASK.parse().unwrap(),
        record: id().parse::<RecordId>().unwrap(),
        fields: fields.as_object().unwrap().clone(),
    };
    Op { space: list.parse().unwrap(), number, clock: Clock { time_ms, tick: 0 }, act }
}

fn sign(crowd: &Crowd, by: usize, op: &Op) -> Signed {
    signed::sign(&crowd.all[by].life.0.shared, signed::OP, op).unwrap()
}

fn ops(list: &str, ops: Vec<Signed>) -> Body {
    let space = list.parse().unwrap();
    Body::Ops(Ops { space, ops, answer: false, next: None, more: More::new() })
}

fn refused(crowd: &Crowd, one: usize, reason: &str) -> u64 {
    let counts = crowd.all[one].life.counts().unwrap();
    counts.get(&format!("refused.{reason}")).copied().unwrap_or_default()
}

/// Waits until a person has refused something for this reason.
async fn until_refused(crowd: &Crowd, one: usize, reason: &str, before: u64) {
    until(async || refused(crowd, one, reason) > before).await;
}

fn now() -> i64 {
    crate::clock_ms()
}

#[test]
fn who_is_not_in_it_changes_nothing() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 2).await;
        crowd.put(0, &list, json!({"title": "a"})).await;
        crowd.agree_among(&list, &[0, 1]).await;
        let foreign = sign(&crowd, 2, &op(&list, 1, now(), &json!({"title": "evil"})));
        say(&crowd, 2, 0, &list, ops(&list, vec![foreign.clone()])).await;
        until_refused(&crowd, 0, "not-author", 0).await;
        let have = Have {
            space: list.parse().unwrap(),
            of: vec![],
            marks: Default::default(),
            more: More::new(),
        };
        say(&crowd, 2, 0, &list, Body::Have(have)).await;
        until_refused(&crowd, 0, "not-author", 1).await;
        // A member that passes it on gives it no weight.
        say(&crowd, 1, 0, &list, ops(&list, vec![foreign])).await;
        let plain = sign(&crowd, 1, &op(&list, 1, now(), &json!({"title": "plain"})));
        say(&crowd, 1, 0, &list, ops(&list, vec![plain])).await;
        until(async || crowd.titles(0, &list).await == ["a", "plain"]).await;
        let lists = crowd.all[2].ask("spaces", "list", json!({"all": true})).await;
        assert_eq!(lists["items"], json!([]));
    });
}

#[test]
fn nobody_speaks_for_another() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 3).await;
        let mut forged = sign(&crowd, 1, &op(&list, 1, now(), &json!({"title": "forged"})));
        forged.by = crowd.id(2).parse().unwrap();
        let mut changed = sign(&crowd, 2, &op(&list, 1, now(), &json!({"title": "as it was"})));
        changed.text = changed.text.replace("as it was", "as it never was");
        let other = crowd.make("other").await;
        let elsewhere = sign(&crowd, 2, &op(&other, 1, now(), &json!({"title": "elsewhere"})));
        let honest = sign(&crowd, 2, &op(&list, 1, now(), &json!({"title": "honest"})));
        say(&crowd, 1, 0, &list, ops(&list, vec![forged, changed, elsewhere, honest])).await;
        until(async || crowd.titles(0, &list).await == ["honest"]).await;
        let mut own = sign(&crowd, 1, &op(&list, 1, now(), &json!({"title": "own"})));
        own.text.push(' ');
        say(&crowd, 1, 0, &list, ops(&list, vec![own])).await;
        until_refused(&crowd, 0, "forged", 0).await;
        assert_eq!(crowd.titles(0, &list).await, ["honest"]);
    });
}

#[test]
fn clocks_numbers_and_sizes_have_ends() {
    check(2, |crowd| async move {
        let list = crowd.shared("x", 2).await;
        let day = 24 * 60 * 60 * 1000;
        let mut many = serde_json::Map::new();
        for number in 0..300 {
            many.insert(format!("f{number}"), 1.into());
        }
        let long = "y".repeat(41 * 1024);
        let bad = [
            (op(&list, 1, now() + 2 * day, &json!({"title": "x"})), "malformed"),
            (op(&list, 1, i64::MAX, &json!({"title": "x"})), "malformed"),
            (op(&list, 1, -1, &json!({"title": "x"})), "malformed"),
            (op(&list, 0, now(), &json!({"title": "x"})), "malformed"),
            (op(&list, u64::MAX, now(), &json!({"title": "x"})), "malformed"),
            (op(&list, 1, now(), &json!({"Not a name": "x"})), "malformed"),
            (op(&list, 1, now(), &Value::Object(many)), "malformed"),
            (op(&list, 1, now(), &json!({"title": long})), "too-large"),
        ];
        for (op, reason) in bad {
            let before = refused(&crowd, 0, reason);
            say(&crowd, 1, 0, &list, ops(&list, vec![sign(&crowd, 1, &op)])).await;
            until_refused(&crowd, 0, reason, before).await;
        }
        for text in ["", "{}", "[1]", "{\"space\": 7}"] {
            let mut odd = sign(&crowd, 1, &op(&list, 1, now(), &json!({"title": "x"})));
            let resigned = crowd.all[1].life.0.shared.key.sign(signed::OP, text.as_bytes());
            odd.text = text.to_owned();
            odd.sig = data_encoding::BASE64.encode(&resigned.to_bytes());
            let before = refused(&crowd, 0, "malformed");
            say(&crowd, 1, 0, &list, ops(&list, vec![odd])).await;
            until_refused(&crowd, 0, "malformed", before).await;
        }
        assert!(crowd.titles(0, &list).await.is_empty());
        // A clock that runs ahead wins only until somebody else writes.
        let ahead = op(&list, 1, now() + day / 2, &json!({"title": "mine for ever"}));
        say(&crowd, 1, 0, &list, ops(&list, vec![sign(&crowd, 1, &ahead)])).await;
        until(async || crowd.titles(0, &list).await.len() == 1).await;
        let record = crowd.copy(0, &list).await[0][0].clone();
        let named = json!({"space": list, "type": TASK, "record": record});
        crowd.change(0, &named, json!({"title": "not for ever"})).await;
        assert_eq!(crowd.titles(0, &list).await, ["not for ever"]);
    });
}

#[test]
fn the_same_number_twice_counts_once() {
    check(2, |crowd| async move {
        let list = crowd.shared("x", 2).await;
        let first = sign(&crowd, 1, &op(&list, 1, now(), &json!({"title": "first"})));
        let second = sign(&crowd, 1, &op(&list, 1, now(), &json!({"title": "second"})));
        say(&crowd, 1, 0, &list, ops(&list, vec![first.clone(), first.clone()])).await;
        until(async || crowd.titles(0, &list).await == ["first"]).await;
        let seq = crowd.all[0].last_seq();
        say(&crowd, 1, 0, &list, ops(&list, vec![second, first])).await;
        let third = sign(&crowd, 1, &op(&list, 2, now(), &json!({"title": "third"})));
        say(&crowd, 1, 0, &list, ops(&list, vec![third])).await;
        until(async || crowd.titles(0, &list).await == ["first", "third"]).await;
        assert_eq!(crowd.all[0].last_seq(), seq + 1);
    });
}

#[test]
fn a_viewer_cannot_write_nor_be_made_an_editor_by_themselves() {
    check(3, |crowd| async move {
        let list = crowd.make("x").await;
        for (one, role) in [(1, "viewer"), (2, "editor")] {
            crowd.invite(0, one, &list, role).await;
            crowd.join(one, &list).await;
        }
        until(async || {
            let members = crowd.space(0, &list).await["members"].clone();
            members.as_array().unwrap().iter().all(|member| member["joined"] == true)
        })
        .await;
        let evil = sign(&crowd, 1, &op(&list, 1, now(), &json!({"title": "evil"})));
        say(&crowd, 1, 0, &list, ops(&list, vec![evil])).await;
        until_refused(&crowd, 0, "not-author", 0).await;
        // A roster of their own making, with the space's name and a higher version.
        let space: SpaceId = list.parse().unwrap();
        let store = &crowd.all[1].life.0.store;
        let row = store.read(|r| r.space(Id16(space.bytes()))).unwrap().unwrap();
        let real = store.read(|r| roster::current(r, &row)).unwrap().unwrap();
        let mut made: Roster = serde_json::from_str(&real.text).unwrap();
        made.version += 5;
        made.members.iter_mut().for_each(|member| member.role = RosterRole::Editor);
        let shared = &crowd.all[1].life.0.shared;
        let own = signed::sign(shared, signed::ROSTER, &made).unwrap();
        let mut stolen = own.clone();
        stolen.by = real.by.clone();
        for bad in [own, stolen] {
            for to in [0, 2] {
                let before = refused(&crowd, to, "malformed");
                let said = RosterSaid { roster: bad.clone(), more: More::new() };
                say(&crowd, 1, to, &list, Body::Roster(said)).await;
                until_refused(&crowd, to, "malformed", before).await;
                let before = refused(&crowd, to, "malformed");
                let join = Join { roster: bad.clone(), answer: false, more: More::new() };
                say(&crowd, 1, to, &list, Body::Join(join)).await;
                until_refused(&crowd, to, "malformed", before).await;
            }
        }
        let roles = async |one: usize| {
            let members = crowd.space(one, &list).await["members"].clone();
            members.as_array().unwrap().iter().map(|m| m["role"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(roles(0).await, ["owner", "viewer", "editor"]);
        assert_eq!(roles(2).await, ["owner", "viewer", "editor"]);
    });
}

#[test]
fn nobody_is_drawn_into_anothers_space_or_flooded_with_invitations() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 2).await;
        // A member who isn't the owner asks in a contact, with the owner's roster or one of theirs.
        crowd.meet(1, 2).await;
        let space: SpaceId = list.parse().unwrap();
        let store = &crowd.all[1].life.0.store;
        let row = store.read(|r| r.space(Id16(space.bytes()))).unwrap().unwrap();
        let real = store.read(|r| roster::current(r, &row)).unwrap().unwrap();
        let invite = Invite { roster: real, people: vec![], note: None, more: More::new() };
        say(&crowd, 1, 2, &list, Body::Invite(invite)).await;
        until_refused(&crowd, 2, "not-author", 0).await;
        let chain = store.read(|r| roster::chain_of(r, &crowd.all[2].life.id())).unwrap().unwrap();
        let shared = &crowd.all[1].life.0.shared;
        for number in 0..22_u8 {
            let seed = Id16([number; 16]);
            let space = crate::life::spaces::space_of(&shared.me, seed);
            let made = Roster {
                space: SpaceId::from_bytes(space.0),
                seed: SpaceId::from_bytes(seed.0),
                version: 1,
                name: format!("\u{202e}evil\n{number}"),
                members: vec![RosterMember {
                    person: crowd.id(2).parse().unwrap(),
                    role: RosterRole::Editor,
                    upto: None,
                    chain: chain.clone(),
                    name: None,
                }],
                more: More::new(),
            };
            let roster = signed::sign(shared, signed::ROSTER, &made).unwrap();
            let people = vec!["nonsense".to_owned()];
            let invite = Invite { roster, people, note: Some("z".repeat(2000)), more: More::new() };
            say(&crowd, 1, 2, &space.to_string(), Body::Invite(invite)).await;
        }
        until_refused(&crowd, 2, "full", 0).await;
        let asked = crowd.all[2].ask("spaces", "list", json!({"limit": 200})).await;
        assert_eq!(asked["items"].as_array().unwrap().len(), 20);
        let shown = asked.to_string();
        assert!(!shown.contains('\u{202e}') && !shown.contains("evil\\n"), "{shown}");
        assert!(shown.len() < 20 * 4000);
    });
}

/// Gives somebody's letter to another, who has no way to answer.
async fn hand_over(crowd: &Crowd, from: usize, to: usize, list: &str, body: &Body) -> bool {
    let (from, receiver) = (crowd.all[from].life.id(), &crowd.all[to].life.0);
    let space: SpaceId = list.parse().unwrap();
    let inner = Inner {
        from,
        to: crowd.all[to].life.id(),
        thread: space.bytes(),
        epoch: 1,
        counter: 1,
        after: 0,
        capability: "spaces".to_owned(),
        major: 1,
        introduction: None,
        body: serde_json::to_vec(body).unwrap(),
    };
    let apply = Receiver { shared: receiver.shared.clone(), moved: receiver.moved.clone() };
    let receive = move |w: &mut store::Writer<'_>| {
        apply.receive(w, &from, &inner, now()).map_err(|_| Fault::conflict())
    };
    receiver.store.write(receive).await.is_ok()
}

/// What waits at somebody for another, the newest last.
fn waiting(crowd: &Crowd, at: usize, to: usize) -> Vec<Value> {
    let to = crowd.all[to].life.id();
    let read = |r: &store::Reader<'_>| peers::bodies(r, &to);
    let bodies = crowd.all[at].life.0.store.read(read).unwrap();
    bodies.iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
}

#[test]
fn who_asks_for_everything_again_and_again_fills_no_outbox() {
    check(2, |crowd| async move {
        let list = crowd.shared("x", 2).await;
        for number in 0..40 {
            crowd.put(0, &list, json!({"title": number.to_string()})).await;
        }
        crowd.agree(&list).await;
        let space: SpaceId = list.parse().unwrap();
        let store = &crowd.all[1].life.0.store;
        let row = store.read(|r| r.space(Id16(space.bytes()))).unwrap().unwrap();
        let roster = store.read(|r| roster::current(r, &row)).unwrap().unwrap();
        let have =
            Have { space: space.clone(), of: vec![], marks: Default::default(), more: More::new() };
        let next = Some([(crowd.id(0).parse().unwrap(), 0)].into());
        let void = Op { act: Act::Void, ..op(&list, 1000, now(), &json!({})) };
        let page = Ops { space, ops: vec![], answer: true, next, more: More::new() };
        // Nothing reaches them, and they ask all the same.
        crowd.part(1);
        for body in [
            Body::Have(have),
            Body::Join(Join { roster: roster.clone(), answer: false, more: More::new() }),
            Body::Join(Join { roster, answer: true, more: More::new() }),
            Body::Ops(page),
            ops(&list, vec![sign(&crowd, 1, &void)]),
        ] {
            let mut taken = 0;
            for _ in 0..150 {
                taken += usize::from(hand_over(&crowd, 1, 0, &list, &body).await);
            }
            assert!(waiting(&crowd, 0, 1).len() <= 70, "{body:?}");
            assert!(taken < 150, "{body:?} is answered for ever");
        }
        crowd.back(1);
        crowd.agree(&list).await;
    });
}

#[test]
fn two_who_have_no_room_for_each_others_questions_come_through() {
    check(2, |crowd| async move {
        let list = crowd.shared("x", 2).await;
        let space: SpaceId = list.parse().unwrap();
        crowd.part(1);
        for one in [0, 1] {
            let (space, more) = (space.clone(), More::new());
            let have = Have { space, of: vec![], marks: Default::default(), more };
            say(&crowd, one, 1 - one, &list, Body::Have(have)).await;
            for number in 0..70 {
                crowd.put(one, &list, json!({"title": number.to_string()})).await;
            }
            assert!(waiting(&crowd, one, 1 - one).len() > 70);
        }
        crowd.back(1);
        crowd.agree(&list).await;
        assert_eq!(crowd.titles(0, &list).await.len(), 140);
    });
}

#[test]
fn a_question_about_one_author_is_answered_with_what_that_one_wrote() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 3).await;
        for number in 0..35 {
            crowd.put(0, &list, json!({"title": number.to_string()})).await;
            crowd.put(1, &list, json!({"title": number.to_string()})).await;
        }
        crowd.agree(&list).await;
        crowd.part(2);
        let space: SpaceId = list.parse().unwrap();
        let about = |one: usize| crowd.id(one).parse().unwrap();
        for (of, known) in [(vec![about(1)], vec![1]), (vec![], vec![0, 1])] {
            let have =
                Have { space: space.clone(), of, marks: Default::default(), more: More::new() };
            assert!(hand_over(&crowd, 2, 0, &list, &Body::Have(have)).await);
            let page = waiting(&crowd, 0, 2).pop().unwrap();
            let next = page["next"].as_object().unwrap();
            for one in 0..3 {
                assert_eq!(next.contains_key(&crowd.id(one)), known.contains(&one), "{one}");
            }
            let page: Body = serde_json::from_value(page).unwrap();
            assert!(hand_over(&crowd, 0, 2, &list, &page).await);
            let asked = waiting(&crowd, 2, 0).pop().unwrap();
            assert_eq!(asked["of"].as_array().unwrap().len(), known.len());
            assert_eq!(asked["marks"], page_marks(&page));
        }
        crowd.back(2);
        crowd.agree(&list).await;
    });
}

fn page_marks(page: &Body) -> Value {
    let Body::Ops(ops) = page else { panic!("{page:?} is no page") };
    serde_json::to_value(&ops.next).unwrap()
}

#[test]
fn what_a_removed_one_dripped_makes_few_rosters() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 3).await;
        crowd.role(0, 2, &list, "none").await;
        let space: SpaceId = list.parse().unwrap();
        let version = || {
            let store = &crowd.all[0].life.0.store;
            store.read(|r| r.space(Id16(space.bytes()))).unwrap().unwrap().version
        };
        let before = version();
        for number in 1..=60 {
            let late = sign(&crowd, 2, &op(&list, number, now(), &json!({"title": "late"})));
            assert!(hand_over(&crowd, 1, 0, &list, &ops(&list, vec![late])).await);
        }
        let (made, counted) = (version() - before, crowd.titles(0, &list).await.len());
        assert!((1..=40).contains(&made), "{made} rosters");
        assert!(counted < 60, "the rest waits for the next roster");
        let name = json!({"id": id(), "space": list, "name": "y"});
        crowd.all[0].ask("spaces", "rename", name).await;
        assert_eq!(crowd.titles(0, &list).await.len(), 60, "which says it of all");
        crowd.agree_among(&list, &[0, 1]).await;
    });
}

#[test]
fn nobody_makes_a_roster_too_long_to_take_somebody_out() {
    use crate::life::{
        kinds::{
            By, append,
            contact::{CHANGED, Change as Contact, Changed, Words},
            space::{Change, Place},
        },
        spaces::roster::{New, has_room, publish},
        tables::spaces::Role,
    };
    check(1, |crowd| async move {
        let one = &crowd.all[0];
        fn person(number: u8) -> link::TwinId {
            link::TwinId::from_bytes([number; 32])
        }
        fn those(people: u8, bytes: usize) -> BTreeMap<link::TwinId, Place> {
            let place = || Place { role: Role::None, upto: None, chain: "A".repeat(bytes) };
            (1..=people).map(|one| (person(one), place())).collect()
        }
        assert!(has_room(&those(64, 400)).unwrap());
        assert!(!has_room(&those(64, 700)).unwrap());
        assert!(!has_room(&those(1, 48 * 1024)).unwrap());
        // There is room for them, but not with what they call themselves.
        let list = crowd.make("x").await;
        let space = Id16(list.parse::<SpaceId>().unwrap().bytes());
        let shared = one.life.0.shared.clone();
        let write = move |w: &mut store::Writer<'_>| {
            let by = By { actor: store::Actor::System, now_ms: now() };
            for number in 1..=64 {
                let display_name = Some("\"".repeat(60) + &"\u{1f600}".repeat(60));
                let changed =
                    Changed { profile: true, ..Changed::new(person(number), Contact::Asked) };
                let words = Words { display_name, ..Words::default() };
                append(w, &by, CHANGED, &changed, Some(&words))?;
            }
            let row = w.reader().space(space)?.unwrap();
            let new = New::next(&w.reader(), space, &row, those(64, 400), Change::Several, None)?;
            publish(&shared, w, &by, new)?;
            let few = those(3, 400);
            let row = w.reader().space(space)?.unwrap();
            let names = roster::words(&w.reader(), &row)?.unwrap().names.len();
            let new = New::next(&w.reader(), space, &row, few, Change::Several, None)?;
            publish(&shared, w, &by, new)?;
            let row = w.reader().space(space)?.unwrap();
            Ok::<_, Fault>((names, roster::words(&w.reader(), &row)?.unwrap().names.len()))
        };
        assert_eq!(one.life.0.store.write(write).await.unwrap(), (0, 3));
    });
}

/// Something about a message, as nobody's twin would say it.
fn talk(list: &str, number: u64, act: Value) -> Op {
    let act = serde_json::from_value(act).unwrap();
    Op { space: list.parse().unwrap(), number, clock: Clock { time_ms: now(), tick: 0 }, act }
}

#[test]
fn nobody_changes_what_another_said() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 3).await;
        let said = crowd.say(0, &list, "mine").await;
        crowd.agree(&list).await;
        let message = &said["message"];
        let edit = json!({"act": "edit", "message": message, "text": "not mine"});
        let delete = json!({"act": "delete", "message": message});
        // The same id is theirs to use, as another message, and only the first saying of it counts.
        let same = json!({"act": "say", "message": message, "text": "theirs"});
        let again = json!({"act": "say", "message": message, "text": "again"});
        let mut all = Vec::new();
        for (number, act) in (1..).zip([edit, delete, same, again]) {
            all.push(sign(&crowd, 1, &talk(&list, number, act)));
        }
        for to in [0, 2] {
            say(&crowd, 1, to, &list, ops(&list, all.clone())).await;
        }
        for one in [0, 2] {
            until(async || crowd.texts(one, &list).await == ["mine", "theirs"]).await;
        }
        // Also where they are said in another conversation.
        let answer = json!({"id": id(), "conversation": list, "text": "so", "reply_to": message});
        crowd.all[0].ask("chat", "send", answer).await;
        let talk_with = crowd.all[0].ask("chat", "conversations", json!({})).await;
        let items = talk_with["items"].as_array().unwrap();
        let two = items.iter().find(|item| item["with"]["id"] == crowd.id(1)).unwrap();
        let body = json!({"id": id(), "conversation": two["conversation"], "text": "x",
            "reply_to": message});
        assert_eq!(crowd.all[0].fails("chat", "send", body).await, "not_found");
        let long = json!({"act": "say", "message": id(), "text": "x"});
        let mut op = serde_json::to_value(talk(&list, 5, long)).unwrap();
        op["text"] = "x".repeat(8001).into();
        let long = signed::sign(&crowd.all[1].life.0.shared, signed::OP, &op).unwrap();
        say(&crowd, 1, 0, &list, ops(&list, vec![long])).await;
        until_refused(&crowd, 0, "malformed", 0).await;
        assert_eq!(crowd.texts(0, &list).await, ["mine", "theirs", "so"]);
    });
}
