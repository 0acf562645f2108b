//! Several people do anything in any order, cut off and together again: in the end all who are in a
//! space have the same, and the tables of each are what their journal says.

use std::rc::Rc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    crowd::{Crowd, TASK, check},
    id, until,
};
use crate::life::tests::shell;

#[derive(Clone, Debug)]
enum Step {
    Make { who: usize },
    Change { who: usize, which: usize, field: usize, value: u8 },
    Clear { who: usize, which: usize },
    Remove { who: usize, which: usize, gone: bool },
    Undo { who: usize, which: usize },
    Say { who: usize },
    Edit { who: usize, which: usize },
    Delete { who: usize, which: usize },
    Role { whom: usize, role: usize },
    Invite { whom: usize },
    Join { who: usize },
    Leave { who: usize },
    Rename,
    Part { who: usize },
    Back { who: usize },
    Wait,
}

const FIELDS: [&str; 3] = ["title", "due", "details"];
const ROLES: [&str; 3] = ["editor", "viewer", "none"];

fn step(people: usize) -> impl Strategy<Value = Step> {
    let (who, which) = (0..people, 0..8_usize);
    let other = 1..people;
    prop_oneof![
        4 => who.clone().prop_map(|who| Step::Make { who }),
        8 => (who.clone(), which.clone(), 0..3_usize, any::<u8>())
            .prop_map(|(who, which, field, value)| Step::Change { who, which, field, value }),
        2 => (who.clone(), which.clone()).prop_map(|(who, which)| Step::Clear { who, which }),
        3 => (who.clone(), which.clone(), any::<bool>())
            .prop_map(|(who, which, gone)| Step::Remove { who, which, gone }),
        2 => (who.clone(), which.clone()).prop_map(|(who, which)| Step::Undo { who, which }),
        6 => who.clone().prop_map(|who| Step::Say { who }),
        3 => (who.clone(), which.clone()).prop_map(|(who, which)| Step::Edit { who, which }),
        2 => (who.clone(), which).prop_map(|(who, which)| Step::Delete { who, which }),
        2 => (other.clone(), 0..3_usize).prop_map(|(whom, role)| Step::Role { whom, role }),
        2 => other.clone().prop_map(|whom| Step::Invite { whom }),
        2 => other.clone().prop_map(|who| Step::Join { who }),
        1 => other.prop_map(|who| Step::Leave { who }),
        1 => Just(Step::Rename),
        3 => who.clone().prop_map(|who| Step::Part { who }),
        3 => who.prop_map(|who| Step::Back { who }),
        2 => Just(Step::Wait),
    ]
}

/// Does it if it can be done: who does anything meets refusals.
async fn act(crowd: &Crowd, list: &str, step: &Step) {
    let (who, capability, method, mut body) = match step {
        Step::Part { who } => return crowd.part(*who),
        Step::Back { who } => return crowd.back(*who),
        Step::Wait => return tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        Step::Make { who } => (
            *who,
            "records",
            "put",
            json!({"space": list, "type": TASK, "fields": {"title": "new"}}),
        ),
        Step::Change { who, which, field, value } => {
            let mut body = record(crowd, *who, list, *which).await;
            body["fields"] = json!({FIELDS[*field]: value.to_string()});
            (*who, "records", "put", body)
        }
        Step::Clear { who, which } => {
            let mut body = record(crowd, *who, list, *which).await;
            body["fields"] = json!({"due": null, "done": true});
            (*who, "records", "put", body)
        }
        Step::Remove { who, which, gone } => {
            let method = if *gone { "remove" } else { "restore" };
            (*who, "records", method, record(crowd, *who, list, *which).await)
        }
        Step::Undo { who, which } => {
            (*who, "history", "undo", json!({"seq": entry(crowd, *who, *which).await}))
        }
        Step::Say { who } => (*who, "chat", "send", json!({"conversation": list, "text": "x"})),
        Step::Edit { who, which } => {
            let message = said(crowd, *who, list, *which).await;
            (*who, "chat", "edit", json!({"message": message, "text": which.to_string()}))
        }
        Step::Delete { who, which } => {
            (*who, "chat", "delete", json!({"message": said(crowd, *who, list, *which).await}))
        }
        Step::Role { whom, role } => (
            0,
            "spaces",
            "set_role",
            json!({"space": list, "person": crowd.id(*whom), "role": ROLES[*role]}),
        ),
        Step::Invite { whom } => (
            0,
            "spaces",
            "invite",
            json!({"space": list, "contact": crowd.id(*whom), "role": "editor"}),
        ),
        Step::Join { who } => (*who, "spaces", "accept", json!({"space": list})),
        Step::Leave { who } => (*who, "spaces", "leave", json!({"space": list})),
        Step::Rename => (0, "spaces", "rename", json!({"space": list, "name": "again"})),
    };
    body["id"] = id().into();
    if let Err(fault) = crowd.all[who].call(&shell(), capability, method, body).await {
        assert!(fault.status < 500, "{step:?}: {fault:?}");
    }
}

async fn record(crowd: &Crowd, who: usize, list: &str, which: usize) -> Value {
    let body = json!({"space": list, "type": TASK});
    let page = crowd.all[who].call(&shell(), "records", "query", body).await;
    let page = page.unwrap_or_default();
    let known = page["items"].get(which).map(|item| item["record"].clone());
    json!({"space": list, "type": TASK, "record": known.unwrap_or_else(|| id().into())})
}

async fn said(crowd: &Crowd, who: usize, list: &str, which: usize) -> Value {
    let all = crowd.talk(who, list).await;
    all.get(which).map_or_else(|| id().into(), |message| message[0].clone())
}

async fn entry(crowd: &Crowd, who: usize, which: usize) -> Value {
    let items = crowd.all[who].history(json!({"limit": 8, "kinds": ["records.", "chat."]})).await;
    items.get(which).map_or(json!(1), |item| item["seq"].clone())
}

async fn scenario(crowd: Rc<Crowd>, steps: Vec<Step>) {
    let people = crowd.all.len();
    let list = crowd.shared("x", people).await;
    for step in &steps {
        act(&crowd, &list, step).await;
    }
    for one in 0..people {
        crowd.back(one);
    }
    // Whoever the owner has in it and said yes has the same; a word of each wakes all.
    until(async || settled(&crowd, &list).await).await;
    let those = joined(&crowd, &list).await;
    crowd.agree_among(&list, &those).await;
}

/// Who is in it, as the owner knows.
async fn joined(crowd: &Crowd, list: &str) -> Vec<usize> {
    let members = crowd.space(0, list).await["members"].clone();
    let members = members.as_array().unwrap();
    let is_in = |one: &usize| {
        let id = crowd.id(*one);
        members.iter().any(|m| m["person"]["id"] == id && m["joined"] == true)
    };
    (0..crowd.all.len()).filter(is_in).collect()
}

/// Whether nothing is on its way and everybody knows how they stand.
async fn settled(crowd: &Crowd, list: &str) -> bool {
    if crowd.all.iter().any(|one| one.life.0.peers.waiting_to(|_| true)) {
        return false;
    }
    for one in joined(crowd, list).await {
        if crowd.space(one, list).await["state"] != "member" {
            return false;
        }
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]
    #[test]
    fn all_copies_become_the_same(
        (people, steps) in (3..=5_usize).prop_flat_map(|people| {
            (Just(people), prop::collection::vec(step(people), 5..40))
        })
    ) {
        check(people, |crowd| scenario(crowd, steps));
    }
}
