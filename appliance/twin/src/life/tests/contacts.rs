//! Asking, answering, blocking, naming, forgetting.

use capability::contacts::latest as contacts_body;
use serde_json::{Value, json};
use store::ReadAll as _;

use super::{One, check, check_one, id, run, until};
use crate::life::{apply::Receiver, peers::Apply as _};

#[test]
fn a_request_is_asked_and_accepted() {
    check(|two| async move {
        let card = two.bob.ask("identity", "card", json!({})).await["link"].clone();
        let asked = json!({"id": id(), "card": card, "note": "from the choir"});
        let asked = two.ann.ask("contacts", "request", asked).await;
        assert_eq!((&asked["state"], &asked["display_name"]), (&json!("asked"), &json!("Bob")));
        two.bob.until_contact("asks").await;
        let asks = two.bob.contact().await;
        assert_eq!(
            (&asks["display_name"], &asks["note"]),
            (&json!("Ann"), &json!("from the choir"))
        );
        // Nothing can be said before the yes.
        assert_eq!(two.ann.talk().await, json!(null));
        let yes = json!({"id": id(), "contact": asks["contact"], "if_rev": asks["rev"]});
        assert_eq!(two.bob.ask("contacts", "accept", yes).await["state"], "accepted");
        two.ann.until_contact("accepted").await;
        let (ann, bob) = (two.ann.contact().await, two.bob.contact().await);
        assert_eq!(ann["conversation"], bob["conversation"]);
        assert_eq!(two.ann.talk().await["with"]["name"], "Bob");
        let again = json!({"id": id(), "card": card});
        assert_eq!(two.ann.fails("contacts", "request", again).await, "already");
    });
}

#[test]
fn two_who_ask_each_other_are_contacts() {
    check(|two| async move {
        two.part();
        for (from, to) in [(&two.ann, &two.bob), (&two.bob, &two.ann)] {
            let card = to.ask("identity", "card", json!({})).await["link"].clone();
            from.ask("contacts", "request", json!({"id": id(), "card": card})).await;
        }
        until(async || two.ann.life.due_ms().is_some() && two.bob.life.due_ms().is_some()).await;
        two.online.set(true);
        two.ann.until_contact("accepted").await;
        two.bob.until_contact("accepted").await;
        let talk = two.ann.talk_id().await;
        two.ann.say(&talk, "both!").await;
        two.bob.until_texts(&talk, &["both!"]).await;
    });
}

#[test]
fn unusable_cards_are_refused() {
    check_one(|ann| async move {
        let own = ann.ask("identity", "card", json!({})).await["link"].clone();
        let request = |card| json!({"id": id(), "card": card});
        assert_eq!(ann.fails("contacts", "request", request(own.clone())).await, "own_card");
        let mut broken = own.as_str().unwrap().to_owned();
        broken.truncate(broken.len() - 9);
        for card in [broken.as_str(), "hometwin:", "https://example.org/", "x"] {
            let card = card.into();
            assert_eq!(ann.fails("contacts", "request", request(card)).await, "bad_card");
        }
    });
}

#[test]
fn denying_is_silent_and_can_be_taken_back() {
    check(|two| async move {
        let card = two.bob.ask("identity", "card", json!({})).await["link"].clone();
        two.ann.ask("contacts", "request", json!({"id": id(), "card": card})).await;
        two.bob.until_contact("asks").await;
        let contact = two.bob.contact().await["contact"].clone();
        let choose = || json!({"id": id(), "contact": contact});
        assert_eq!(two.bob.ask("contacts", "deny", choose()).await["state"], "denied");
        two.bob.undo("contact.changed").await.unwrap();
        assert_eq!(two.bob.contact().await["state"], "asks");
        two.bob.ask("contacts", "deny", choose()).await;
        assert_eq!(two.ann.contact().await["state"], "asked");
        two.bob.ask("contacts", "accept", choose()).await;
        two.ann.until_contact("accepted").await;
    });
}

#[test]
fn nothing_is_taken_from_a_blocked_contact() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let contact = two.bob.contact().await["contact"].clone();
        let choose = || json!({"id": id(), "contact": contact});
        assert_eq!(two.bob.ask("contacts", "block", choose()).await["state"], "blocked");
        assert_eq!(two.bob.talk().await["open"], false);
        let send = json!({"id": id(), "conversation": talk, "text": "no"});
        assert_eq!(two.bob.fails("chat", "send", send).await, "closed");
        let before = two.bob.last_seq();
        let hey = two.ann.say(&talk, "hey").await["message"].clone();
        let edit = json!({"id": id(), "message": hey, "text": "hey!"});
        two.ann.ask("chat", "edit", edit).await;
        // She is not told: to her it looks as if he did not read it.
        until(async || two.ann.newest(&talk).await["state"] == "delivered").await;
        until(async || !two.ann.life.busy() && two.ann.life.due_ms().is_none()).await;
        assert_eq!(two.ann.life.counts().unwrap(), Default::default());
        assert_eq!(two.bob.last_seq(), before, "nothing of it is kept");
        assert_eq!(two.bob.texts(&talk).await, [""; 0]);
        two.bob.undo("contact.changed").await.unwrap();
        assert_eq!(two.bob.contact().await["state"], "accepted");
        two.ann.say(&talk, "again").await;
        two.bob.until_texts(&talk, &["again"]).await;
        assert_eq!(two.bob.fails("contacts", "unblock", choose()).await, "wrong_state");
    });
}

#[test]
fn a_block_looks_the_same_whatever_was_under_way() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.part();
        // Each has something for the other when Bob blocks her.
        two.ann.say(&talk, "from ann").await;
        two.bob.say(&talk, "from bob").await;
        let ann = two.ann.life.id().to_string();
        two.bob.ask("contacts", "block", json!({"id": id(), "contact": ann})).await;
        two.online.set(true);
        until(async || two.ann.newest(&talk).await["state"] == "delivered").await;
        assert_eq!(two.bob.newest(&talk).await["state"], "withdrawn", "his does not go");
        assert_eq!(two.ann.texts(&talk).await, ["from ann"]);
        assert_eq!(two.bob.texts(&talk).await, ["from bob"]);
        // A removal afterwards is told: they are strangers then.
        two.bob.ask("contacts", "remove", json!({"id": id(), "contact": ann})).await;
        two.ann.say(&talk, "still there?").await;
        until(async || two.ann.newest(&talk).await["state"] == "refused").await;
    });
}

#[test]
fn a_removed_contact_keeps_a_name_and_can_come_back() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.ann.say(&talk, "bye").await;
        two.bob.until_texts(&talk, &["bye"]).await;
        let contact = two.bob.contact().await["contact"].clone();
        two.bob.ask("contacts", "remove", json!({"id": id(), "contact": contact})).await;
        let old = two.bob.talk().await;
        assert_eq!((&old["open"], &old["with"]["name"]), (&json!(false), &json!("Ann")));
        two.ann.say(&talk, "wait").await;
        until(async || two.ann.newest(&talk).await["state"] == "refused").await;
        // Bob asks again: Ann never said no, and what she said goes out again.
        let card = two.ann.ask("identity", "card", json!({})).await["link"].clone();
        two.bob.ask("contacts", "request", json!({"id": id(), "card": card})).await;
        two.bob.until_contact("accepted").await;
        two.bob.until_texts(&talk, &["wait", "bye"]).await;
    });
}

#[test]
fn names_for_others_are_ones_own() {
    check(|two| async move {
        two.meet().await;
        let bob = two.ann.contact().await;
        let rename = |name: &str, rev: &Value| json!({"id": id(), "contact": bob["contact"], "petname": name, "if_rev": rev});
        let renamed = two.ann.ask("contacts", "rename", rename("Bobby", &bob["rev"])).await;
        assert_eq!(renamed["petname"], "Bobby");
        assert_eq!(two.ann.talk().await["with"]["name"], "Bobby");
        let late = rename("B", &bob["rev"]);
        assert_eq!(two.ann.fails("contacts", "rename", late).await, "conflict");
        two.ann.ask("contacts", "rename", rename("Robert", &renamed["rev"])).await;
        two.ann.undo("contact.changed").await.unwrap();
        assert_eq!(two.ann.contact().await["petname"], "Bobby");
        let rev = two.ann.contact().await["rev"].clone();
        two.ann.ask("contacts", "rename", rename("", &rev)).await;
        assert_eq!(two.ann.talk().await["with"]["name"], "Bob");
        assert_eq!(two.bob.talk().await["with"]["name"], "Ann");
    });
}

#[test]
fn a_new_profile_reaches_contacts() {
    check(|two| async move {
        two.meet().await;
        let set = json!({"id": id(), "display_name": "Anna", "about": "sings"});
        two.ann.ask("identity", "set_profile", set).await;
        until(async || two.bob.contact().await["display_name"] == "Anna").await;
        assert_eq!(two.bob.contact().await["about"], "sings");
        two.ann.undo("identity.profile").await.unwrap();
        until(async || two.bob.contact().await["display_name"] == "Ann").await;
    });
}

#[test]
fn an_answer_that_journals_nothing_is_sent_at_once() {
    check(|two| async move {
        two.meet().await;
        // No link is left over whose end would wake anybody.
        two.part();
        until(async || !two.ann.life.busy() && !two.bob.life.busy()).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        two.online.set(true);
        let contact = two.bob.contact().await["contact"].clone();
        two.bob.ask("contacts", "remove", json!({"id": id(), "contact": contact})).await;
        let card = two.ann.ask("identity", "card", json!({})).await["link"].clone();
        two.bob.ask("contacts", "request", json!({"id": id(), "card": card})).await;
        two.bob.until_contact("accepted").await;
    });
}

#[test]
fn what_waits_for_nobody_away_is_due_now() {
    run(async {
        let (ann, bob) = (One::new("ann").await, One::new("bob").await);
        assert_eq!(ann.life.due_ms(), None);
        let card = bob.ask("identity", "card", json!({})).await["link"].clone();
        ann.ask("contacts", "request", json!({"id": id(), "card": card})).await;
        // Nothing pumps: as when the twin falls asleep right after the call.
        let due = ann.life.due_ms().expect("somebody has to wake it");
        assert!(due <= crate::clock_ms());
    });
}

#[test]
fn what_a_block_or_removal_takes_back_does_not_wait_for_ever() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.part();
        let contact = two.ann.contact().await["contact"].clone();
        let choose = || json!({"id": id(), "contact": contact});
        two.ann.say(&talk, "never mind").await;
        assert_eq!(two.ann.newest(&talk).await["state"], "queued");
        two.ann.ask("contacts", "block", choose()).await;
        two.ann.undo("contact.changed").await.unwrap();
        assert_eq!(two.ann.contact().await["state"], "accepted");
        assert_eq!(two.ann.newest(&talk).await["state"], "withdrawn", "it will not be sent");
        two.ann.say(&talk, "nor this").await;
        two.ann.ask("contacts", "remove", choose()).await;
        assert_eq!(two.ann.newest(&talk).await["state"], "withdrawn");
    });
}

#[test]
fn a_stranger_who_asks_again_and_again_fills_nothing() {
    check(|two| async move {
        let card = two.bob.ask("identity", "card", json!({})).await["link"].clone();
        two.ann.ask("contacts", "request", json!({"id": id(), "card": card})).await;
        two.bob.until_contact("asks").await;
        let before = two.bob.last_seq();
        for n in 0..20 {
            let words = format!("Ann {n}");
            let ask = json!({"type": "ask", "display_name": words, "about": "", "time_ms": n});
            super::skew::say_raw(&two, "contacts", 1, ask).await;
        }
        until(async || two.ann.life.due_ms().is_none() && !two.ann.life.busy()).await;
        assert_eq!(two.bob.last_seq(), before);
        assert_eq!(two.bob.contact().await["display_name"], "Ann");
    });
}

#[test]
fn a_contact_who_asks_again_and_again_gets_one_answer() {
    check(|two| async move {
        two.meet().await;
        two.part();
        until(async || !two.bob.life.busy()).await;
        let (from, to) = (two.ann.life.id(), two.bob.life.id());
        let bob = &two.bob.life.0;
        let ask: contacts_body::Body = serde_json::from_value(
            json!({"type": "ask", "display_name": "Ann", "about": "", "time_ms": 1}),
        )
        .unwrap();
        let inner = link::Inner {
            from,
            to,
            thread: crate::life::api::conversation_of(&from, &to).0,
            epoch: 1,
            counter: 99,
            after: 0,
            capability: "contacts".to_owned(),
            major: 1,
            introduction: None,
            body: serde_json::to_vec(&ask).unwrap(),
        };
        let receiver = Receiver { shared: bob.shared.clone(), moved: bob.moved.clone() };
        let flood = bob
            .store
            .write(move |w| (0..100).try_for_each(|_| receiver.receive(w, &from, &inner, 5)));
        flood.await.unwrap();
        let out = bob.store.read(|r| r.vault_prefix(b"peers/out/")).unwrap();
        assert_eq!(out.len(), 1);
    });
}

#[test]
fn a_request_that_made_room_is_in_the_history_and_can_be_made_again() {
    check(|two| async move {
        let card = two.bob.ask("identity", "card", json!({})).await["link"].clone();
        let request = || json!({"id": id(), "card": card});
        two.ann.ask("contacts", "request", request()).await;
        two.bob.until_contact("asks").await;
        let (bob, ann) = (&two.bob.life.0, two.ann.life.id());
        let receiver = Receiver { shared: bob.shared.clone(), moved: bob.moved.clone() };
        let displaced = move |w: &mut store::Writer<'_>| receiver.displaced(w, &ann, 9);
        bob.store.write(displaced).await.unwrap();
        assert_eq!(two.bob.contact().await, Value::Null);
        let line = two.bob.history(json!({"kinds": ["contact.changed"]})).await[0].clone();
        assert_eq!(
            (&line["line"], &line["actor"]["type"]),
            (&json!("history.contact.displaced"), &json!("system"))
        );
        let ann = two.ann.contact().await["contact"].clone();
        two.ann.ask("contacts", "remove", json!({"id": id(), "contact": ann})).await;
        two.ann.ask("contacts", "request", request()).await;
        two.bob.until_contact("asks").await;
    });
}
