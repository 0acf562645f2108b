//! Twins of different versions, and twins that do not keep to the rules.

use capability::interfaces;
use proptest::prelude::*;
use serde_json::{Value, json};
use store::ReadAll as _;

use super::{One, Two, check, id, until};
use crate::life::{
    Fault, api,
    apply::Receiver,
    kinds::held::KEPT,
    peers::{self, Apply as _},
};

/// Ann's twin says something that our code would never say.
pub(super) async fn say_raw(two: &Two, capability: &str, major: u16, body: Value) {
    say_bytes(two, capability, major, body.to_string().into_bytes()).await;
}

async fn say_bytes(two: &Two, capability: &str, major: u16, body: Vec<u8>) {
    let (to, me) = (two.bob.life.id(), two.ann.life.id());
    let letter = peers::Letter {
        to,
        thread: api::conversation_of(&to, &me).0,
        capability: capability.to_owned(),
        major,
        body,
        about: None,
    };
    let store = two.ann.life.0.store.clone();
    store
        .write(move |w| peers::enqueue(w, letter).map_err(|_| store::Error::Closed))
        .await
        .unwrap();
    two.ann.life.0.peers.wake();
}

fn refusals(one: &One, reason: &str) -> u64 {
    one.life.counts().unwrap().get(&format!("refused.{reason}")).copied().unwrap_or_default()
}

#[test]
fn unknown_fields_are_kept_and_shown() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let later = json!({"mood": {"colour": [1, 2.5, null]}, "z": "é"});
        let mut say = json!({"type": "say", "message": id(), "text": "new", "time_ms": 5});
        say.as_object_mut().unwrap().extend(later.as_object().unwrap().clone());
        say_raw(&two, "chat", 1, say).await;
        two.bob.until_texts(&talk, &["new"]).await;
        assert_eq!(two.bob.newest(&talk).await["more"], later);
    });
}

#[test]
fn an_unknown_major_is_held_and_shown_as_such() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        say_raw(&two, "chat", 9, json!({"new": "world"})).await;
        until(async || two.bob.newest(&talk).await["needs_update"] == true).await;
        assert_eq!(two.bob.newest(&talk).await.get("text"), None);
        assert_eq!(two.bob.talk().await["unread"], 1);
        let line = two.bob.history(json!({"kinds": ["peer."]})).await[0].clone();
        assert_eq!(
            (&line["line"], &line["args"]["name"]),
            (&json!("history.peer.held"), &json!("Ann"))
        );
        // What comes after it is read as ever.
        two.ann.say(&talk, "old words").await;
        two.bob.until_texts(&talk, &["old words", "-"]).await;
    });
}

#[test]
fn an_unknown_type_of_a_known_major_is_kept_for_later() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        say_raw(&two, "chat", 1, json!({"type": "wave", "message": id()})).await;
        until(async || two.bob.newest(&talk).await["needs_update"] == true).await;
        say_raw(&two, "contacts", 1, json!({"type": "wave"})).await;
        until(async || two.bob.history(json!({"kinds": ["peer."]})).await.len() == 2).await;
    });
}

#[test]
fn what_an_older_release_kept_is_read_after_the_update() {
    check(|two| async move {
        two.meet().await;
        let talk = two.bob.talk_id().await;
        let (from, to) = (two.ann.life.id(), two.bob.life.id());
        let body = json!({"type": "say", "message": id(), "text": "now I see", "time_ms": 7});
        let inner = link::Inner {
            from,
            to,
            thread: api::conversation_of(&from, &to).0,
            epoch: 1,
            counter: 99,
            after: 0,
            capability: "chat".to_owned(),
            major: 1,
            introduction: None,
            body: body.to_string().into_bytes(),
        };
        let bob = &two.bob.life.0;
        let receiver = || Receiver { shared: bob.shared.clone(), moved: bob.moved.clone() };
        let keep = receiver();
        bob.store.write(move |w| keep.hold(w, &inner, 5)).await.unwrap();
        assert_eq!(two.bob.newest(&talk).await["needs_update"], true);
        let read = receiver();
        bob.store.write(move |w| read.release_known(w, 9)).await.unwrap();
        assert_eq!(two.bob.texts(&talk).await, ["now I see"]);
        assert_eq!(two.bob.talk().await["unread"], 1);
        let again = receiver();
        bob.store.write(move |w| again.release_known(w, 10)).await.unwrap();
        assert_eq!(two.bob.texts(&talk).await, ["now I see"]);
    });
}

#[test]
fn what_can_not_be_read_yet_does_not_pile_up() {
    check(|two| async move {
        two.meet().await;
        let (from, to) = (two.ann.life.id(), two.bob.life.id());
        let wave = link::Inner {
            from,
            to,
            thread: api::conversation_of(&from, &to).0,
            epoch: 1,
            counter: 99,
            after: 0,
            capability: "chat".to_owned(),
            major: 1,
            introduction: None,
            body: br#"{"type":"wave"}"#.to_vec(),
        };
        let bob = &two.bob.life.0;
        let receiver = Receiver { shared: bob.shared.clone(), moved: bob.moved.clone() };
        let flood = bob.store.write(move |w| {
            let kept = (0..300).take_while(|_| receiver.receive(w, &from, &wave, 5).is_ok());
            Ok::<_, store::Error>(kept.count())
        });
        assert_eq!(flood.await.unwrap(), 200);
    });
}

#[test]
fn others_messages_cannot_be_changed_by_their_envelopes() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let theirs = two.bob.say(&talk, "bob's").await["message"].clone();
        two.ann.until_texts(&talk, &["bob's"]).await;
        for body in [
            json!({"type": "edit", "message": theirs, "text": "forged", "time_ms": i64::MAX}),
            json!({"type": "delete", "message": theirs, "time_ms": i64::MAX}),
            json!({"type": "edit", "message": id(), "text": "nothing", "time_ms": 1}),
        ] {
            say_raw(&two, "chat", 1, body).await;
        }
        until(async || refusals(&two.bob, "not-author") == 3).await;
        assert_eq!(two.bob.texts(&talk).await, ["bob's"]);
    });
}

#[test]
fn malformed_bodies_are_refused_and_counted() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let bodies = [
            json!("text"),
            json!({"type": "say"}),
            json!({"type": "say", "message": id(), "text": "", "time_ms": 1}),
            json!({"type": "say", "message": "x", "text": "a", "time_ms": 1}),
            json!({"type": "read", "up_to": id(), "author": "x", "time_ms": 1}),
            json!({"no": "type"}),
        ];
        let count = bodies.len() as u64;
        for body in bodies {
            say_raw(&two, "chat", 1, body).await;
        }
        let large = json!({"type": "say", "message": id(), "text": "a", "time_ms": 1,
            "later": "x".repeat(capability::wire::MORE_BYTES_MAX)});
        say_raw(&two, "chat", 1, large).await;
        until(async || refusals(&two.bob, "malformed") == count).await;
        until(async || refusals(&two.bob, "too-large") == 1).await;
        assert_eq!(two.bob.texts(&talk).await, [""; 0]);
        two.ann.say(&talk, "fine").await;
        two.bob.until_texts(&talk, &["fine"]).await;
    });
}

#[test]
fn strangers_may_ask_and_nothing_else() {
    check(|two| async move {
        let card = two.bob.ask("identity", "card", json!({})).await["link"].clone();
        two.ann.ask("contacts", "request", json!({"id": id(), "card": card})).await;
        two.bob.until_contact("asks").await;
        let say = json!({"type": "say", "message": id(), "text": "let me in", "time_ms": 1});
        say_raw(&two, "chat", 1, say).await;
        say_raw(&two, "chat", 9, json!({})).await;
        let profile = json!({"type": "profile", "display_name": "X", "about": "", "time_ms": 1});
        say_raw(&two, "identity", 1, profile).await;
        let accept = json!({"type": "accept", "display_name": "X", "about": "", "time_ms": 1});
        say_raw(&two, "contacts", 1, accept).await;
        until(async || refusals(&two.bob, "not-contact") == 4).await;
        assert_eq!(two.bob.contact().await["display_name"], "Ann");
        assert_eq!(two.bob.contact().await["state"], "asks");
    });
}

#[test]
fn every_served_method_is_answered_by_life_or_door() {
    for interface in interfaces::all() {
        for method in interface.methods {
            let call = api::Call {
                capability: interface.name.to_owned(),
                major: interface.major,
                method: method.name.to_owned(),
                body: Vec::new(),
            };
            let shell = super::shell();
            let here = api::method(&shell, &call).is_ok();
            assert_ne!(here, api::at_the_door(interface.name, method.name));
        }
    }
}

/// What a twin of a later version says.
#[derive(Clone, Debug)]
enum Later {
    /// A message of today with fields of tomorrow.
    Fields(serde_json::Map<String, Value>),
    /// A body that nobody can read yet.
    Major(u16, Vec<u8>),
    /// A type that this major has not yet.
    Type(String),
}

fn later() -> impl Strategy<Value = Later> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let value = prop_oneof![
        leaf.clone(),
        prop::collection::vec(leaf.clone(), 0..4).prop_map(Value::from),
        prop::collection::btree_map("[a-z]{1,6}", leaf, 0..4)
            .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
    ];
    let fields = prop::collection::btree_map("later_[a-z]{1,8}", value, 0..5);
    prop_oneof![
        fields.prop_map(|map| Later::Fields(map.into_iter().collect())),
        (2..=u16::MAX, prop::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(major, body)| Later::Major(major, body)),
        "later_[a-z]{1,8}".prop_map(Later::Type),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 8, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_later_version_says_is_passed_on_or_held(
        said in prop::collection::vec(later(), 1..10),
    ) {
        check(|two| async move {
            two.meet().await;
            let talk = two.ann.talk_id().await;
            let (mut shown, mut held) = (Vec::new(), Vec::new());
            for (n, later) in said.iter().enumerate() {
                let message = id();
                let (major, body) = match later {
                    Later::Fields(fields) => {
                        let now_ms = crate::clock_ms() + n as i64;
                        let mut say = json!({"type": "say", "message": message, "text": "new",
                            "time_ms": now_ms});
                        say.as_object_mut().unwrap().extend(fields.clone());
                        shown.push((message, Value::Object(fields.clone())));
                        (1, say.to_string().into_bytes())
                    }
                    Later::Major(major, body) => (*major, body.clone()),
                    Later::Type(name) => {
                        let body = json!({"type": name, "message": message});
                        (1, body.to_string().into_bytes())
                    }
                };
                if !matches!(later, Later::Fields(_)) {
                    held.push(body.clone());
                }
                say_bytes(&two, "chat", major, body).await;
            }
            let all = || async {
                let body = json!({"conversation": talk, "limit": 100});
                two.bob.ask("chat", "messages", body).await["items"].as_array().unwrap().clone()
            };
            until(async || all().await.len() == said.len()).await;
            let items = all().await;
            for (message, fields) in &shown {
                let item = items.iter().find(|item| item["message"] == *message).unwrap();
                let more = item.get("more").cloned().unwrap_or_else(|| json!({}));
                assert_eq!(&more, fields);
            }
            assert_eq!(items.iter().filter(|item| item["needs_update"] == true).count(), held.len());
            // Byte for byte, and in the order in which they came.
            let kept = two.bob.life.0.store.read(|r| {
                let entries = r.entries(1, 10_000, store::Direction::Forward)?;
                let kept = entries.iter().filter(|entry| entry.kind == KEPT);
                kept.map(|entry| Ok(r.content(entry.seq)?.unwrap_or_default())).collect()
            });
            assert_eq!(kept, Ok::<_, Fault>(held));
            // All of it is acknowledged, and nothing was refused.
            until(async || two.ann.life.due_ms().is_none() && !two.ann.life.busy()).await;
            assert_eq!(two.ann.life.counts().unwrap(), Default::default());
        });
    }
}
