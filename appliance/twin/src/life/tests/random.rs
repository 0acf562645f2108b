//! Two people do anything in any order, parted and together again: in the end both see the same
//! conversation, and the tables of both are what their journals say.

use std::rc::Rc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{One, Two, check, id, shell, until};

#[derive(Clone, Debug)]
enum Step {
    Say { ann: bool, text: u8 },
    Edit { ann: bool, which: usize },
    Delete { ann: bool, which: usize },
    Read { ann: bool, which: usize },
    Undo { ann: bool, which: usize },
    Erase { ann: bool, which: usize },
    Rename { ann: bool },
    Note { ann: bool },
    Grant { ann: bool },
    Part,
    Join,
}

fn step() -> impl Strategy<Value = Step> {
    let (ann, which) = (any::<bool>(), 0..12_usize);
    prop_oneof![
        4 => (ann, any::<u8>()).prop_map(|(ann, text)| Step::Say { ann, text }),
        3 => (ann, which.clone()).prop_map(|(ann, which)| Step::Edit { ann, which }),
        2 => (ann, which.clone()).prop_map(|(ann, which)| Step::Delete { ann, which }),
        2 => (ann, which.clone()).prop_map(|(ann, which)| Step::Read { ann, which }),
        3 => (ann, which.clone()).prop_map(|(ann, which)| Step::Undo { ann, which }),
        1 => (ann, which).prop_map(|(ann, which)| Step::Erase { ann, which }),
        1 => ann.prop_map(|ann| Step::Rename { ann }),
        1 => ann.prop_map(|ann| Step::Note { ann }),
        1 => ann.prop_map(|ann| Step::Grant { ann }),
        1 => Just(Step::Part),
        2 => Just(Step::Join),
    ]
}

/// Does it if it can be done: who does anything meets refusals.
async fn act(two: &Two, talk: &str, step: &Step) {
    let one = |ann: &bool| if *ann { &two.ann } else { &two.bob };
    let (who, capability, method, body) = match step {
        Step::Part => return two.part(),
        Step::Join => return two.online.set(true),
        Step::Say { ann, text } => {
            (one(ann), "chat", "send", json!({"conversation": talk, "text": text.to_string()}))
        }
        Step::Edit { ann, which } => {
            let message = pick(one(ann), talk, *which).await;
            (one(ann), "chat", "edit", json!({"message": message, "text": "edited"}))
        }
        Step::Delete { ann, which } => {
            let message = pick(one(ann), talk, *which).await;
            (one(ann), "chat", "delete", json!({"message": message}))
        }
        Step::Read { ann, which } => {
            let message = pick(one(ann), talk, *which).await;
            (one(ann), "chat", "read", json!({"conversation": talk, "up_to": message}))
        }
        Step::Undo { ann, which } => {
            let seq = entry(one(ann), *which).await;
            (one(ann), "history", "undo", json!({"seq": seq}))
        }
        Step::Erase { ann, which } => {
            let seq = entry(one(ann), *which).await;
            (one(ann), "history", "erase", json!({"seqs": [seq]}))
        }
        Step::Rename { ann } => {
            let contact = one(ann).contact().await["contact"].clone();
            (one(ann), "contacts", "rename", json!({"contact": contact, "petname": "X"}))
        }
        Step::Note { ann } => {
            (one(ann), "chat", "send", json!({"conversation": "self", "text": "note"}))
        }
        Step::Grant { ann } => {
            let grant = json!({"experience": "x", "kind": "conversation", "thing": talk,
                "verbs": ["see"], "from": "now"});
            (one(ann), "experiences", "grant", grant)
        }
    };
    let mut body = body;
    body["id"] = id().into();
    if let Err(fault) = who.call(&shell(), capability, method, body).await {
        assert!(fault.status < 500, "{step:?}: {fault:?}");
    }
}

async fn pick(one: &One, talk: &str, which: usize) -> Value {
    let page = one.ask("chat", "messages", json!({"conversation": talk, "limit": 12})).await;
    page["items"].get(which).map_or_else(|| id().into(), |message| message["message"].clone())
}

async fn entry(one: &One, which: usize) -> Value {
    let items = one.history(json!({"limit": 12, "kinds": ["chat.", "contact.renamed"]})).await;
    items.get(which).map_or(json!(1), |item| item["seq"].clone())
}

/// A conversation as one of them sees it.
async fn seen(one: &One, talk: &str) -> Vec<Value> {
    let body = json!({"conversation": talk, "limit": 200});
    one.ask("chat", "messages", body).await["items"].as_array().unwrap().clone()
}

/// Whether both see the same: but for what was erased while it waited, a message or the last edit of
/// one. It may have arrived before, and then nobody can tell.
async fn agree(two: &Two, talk: &str) -> bool {
    let both = [seen(&two.ann, talk).await, seen(&two.bob, talk).await];
    let those = |is: fn(&Value) -> bool| -> Vec<Value> {
        both.iter().flatten().filter(|m| is(m)).map(|m| m["message"].clone()).collect()
    };
    let withdrawn = those(|m| m["state"] == "withdrawn");
    let erased = those(|m| m["erased"] == true);
    let [ann, bob] = both.each_ref().map(|all| {
        let kept = all.iter().filter(|m| !withdrawn.contains(&m["message"]));
        let parts = kept.map(|m| {
            let edited = (!erased.contains(&m["message"])).then(|| m["edited_ms"].clone());
            json!([m["message"], m["time_ms"], edited, m["deleted"]])
        });
        parts.collect::<Vec<_>>()
    });
    ann == bob
}

async fn scenario(two: Rc<Two>, steps: Vec<Step>) {
    two.meet().await;
    let talk = two.ann.talk_id().await;
    for step in &steps {
        act(&two, &talk, step).await;
    }
    two.online.set(true);
    // A word of each wakes both pumps, whatever they wait for.
    two.ann.say(&talk, "the end").await;
    two.bob.say(&talk, "the end").await;
    until(async || agree(&two, &talk).await).await;
}

#[test]
fn what_was_erased_before_it_could_leave_nobody_else_has() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.part();
        let message = two.ann.say(&talk, "too much").await["message"].clone();
        act(&two, &talk, &Step::Erase { ann: true, which: 0 }).await;
        two.online.set(true);
        two.ann.say(&talk, "the end").await;
        until(async || seen(&two.bob, &talk).await.len() == 1).await;
        let own = seen(&two.ann, &talk).await;
        let own = own.iter().find(|m| m["message"] == message).unwrap();
        assert_eq!(own["state"], "withdrawn");
        assert!(seen(&two.bob, &talk).await.iter().all(|m| m["message"] != message));
    });
}

#[test]
fn an_edit_that_was_erased_before_it_could_leave_nobody_else_sees() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.ann.say(&talk, "as it was").await;
        until(async || seen(&two.bob, &talk).await.len() == 1).await;
        two.part();
        act(&two, &talk, &Step::Edit { ann: true, which: 0 }).await;
        act(&two, &talk, &Step::Erase { ann: true, which: 0 }).await;
        two.online.set(true);
        two.ann.say(&talk, "the end").await;
        until(async || seen(&two.bob, &talk).await.len() == 2).await;
        let (own, other) = (seen(&two.ann, &talk).await, seen(&two.bob, &talk).await);
        assert_eq!((&own[1]["erased"], &own[1]["text"]), (&json!(true), &Value::Null));
        assert_eq!(
            (&other[1]["text"], &other[1]["edited_ms"]),
            (&json!("as it was"), &Value::Null)
        );
    });
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 8, max_shrink_iters: 30, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn both_see_the_same_in_the_end(steps in prop::collection::vec(step(), 1..40)) {
        check(|two| scenario(two, steps));
    }
}
