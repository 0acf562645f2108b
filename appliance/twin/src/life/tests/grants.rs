//! An experience sees what was chosen for it, and nothing before or after that.

use serde_json::{Value, json};
use store::ReadAll as _;

use super::{One, check, check_one, experience, heard, id, shell, silent};
use crate::life::{Caller, Delta, Fault, api};

async fn grant(one: &One, name: &str, thing: &str, verbs: Value, from: &str) -> Value {
    let body = json!({"id": id(), "experience": name, "kind": "conversation", "thing": thing,
        "verbs": verbs, "from": from});
    one.ask("experiences", "grant", body).await
}

async fn sees(one: &One, caller: &Caller) -> usize {
    let page = one.call(caller, "chat", "conversations", json!({})).await.unwrap();
    page["items"].as_array().unwrap().len()
}

async fn code(one: &One, caller: &Caller, method: &str, body: Value) -> &'static str {
    one.call(caller, "chat", method, body).await.unwrap_err().code
}

#[test]
fn nothing_is_visible_before_a_choice() {
    check(|two| async move {
        two.meet().await;
        let (app, talk) = (experience("notes"), two.ann.talk_id().await);
        let message = two.ann.say(&talk, "private").await["message"].clone();
        assert_eq!(sees(&two.ann, &app).await, 0);
        for conversation in [talk.as_str(), "self"] {
            let body = json!({"conversation": conversation});
            assert_eq!(code(&two.ann, &app, "messages", body).await, "not_found");
            let body = json!({"id": id(), "conversation": conversation, "text": "x"});
            assert_eq!(code(&two.ann, &app, "send", body).await, "not_found");
        }
        let edit = json!({"id": id(), "message": message, "text": "x"});
        assert_eq!(code(&two.ann, &app, "edit", edit).await, "not_found");
        for (capability, method) in [
            ("contacts", "list"),
            ("history", "list"),
            ("identity", "card"),
            ("identity", "set_profile"),
            ("experiences", "grants"),
            ("experiences", "grant"),
        ] {
            let fault = two.ann.call(&app, capability, method, json!({})).await.unwrap_err();
            assert_eq!(fault.code, "only_shell", "{capability}.{method}");
        }
        for capability in ["contacts", "history", "experiences", "identity"] {
            let refused = two.ann.life.subscribe(&app, capability, 1, json!({}), None);
            assert_eq!(refused.err().unwrap().code, "only_shell");
        }
        let refused = two.ann.life.subscribe(&app, "chat", 1, json!({"conversation": talk}), None);
        assert_eq!(refused.err().unwrap().code, "not_found");
        let mut all = two.ann.follow(&app, "chat", json!({}));
        two.ann.say(&talk, "still private").await;
        assert!(silent(&mut all).await);
    });
}

#[test]
fn people_have_other_ids_in_each_experience() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        two.ann
            .ask(
                "contacts",
                "rename",
                json!({"id": id(), "petname": "Bobby",
            "contact": two.bob.life.id().to_string()}),
            )
            .await;
        let mut ids = vec![two.ann.life.id().to_string(), two.bob.life.id().to_string()];
        for name in ["one", "two"] {
            grant(&two.ann, name, &talk, json!(["see"]), "history").await;
            let page =
                two.ann.call(&experience(name), "chat", "conversations", json!({})).await.unwrap();
            let with = &page["items"][0]["with"];
            assert_eq!(with["name"], "Bob");
            ids.push(with["id"].as_str().unwrap().to_owned());
            let me = two.ann.call(&experience(name), "identity", "me", json!({})).await.unwrap();
            assert_eq!(me.as_object().unwrap().len(), 3, "id, display_name, rev: {me}");
            ids.push(me["id"].as_str().unwrap().to_owned());
        }
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all);
    });
}

#[test]
fn verbs_are_kept() {
    check_one(|ann| async move {
        let (app, own) = (experience("notes"), ann.say("self", "mine").await["message"].clone());
        let talk = ann.newest("self").await["conversation"].as_str().unwrap().to_owned();
        let send = || json!({"id": id(), "conversation": "self", "text": "x"});
        let edit = || json!({"id": id(), "message": own, "text": "y"});
        grant(&ann, "notes", &talk, json!(["see"]), "history").await;
        assert_eq!(sees(&ann, &app).await, 1);
        assert_eq!(code(&ann, &app, "send", send()).await, "not_granted");
        assert_eq!(code(&ann, &app, "edit", edit()).await, "not_granted");
        grant(&ann, "notes", &talk, json!(["see", "add"]), "history").await;
        ann.call(&app, "chat", "send", send()).await.unwrap();
        assert_eq!(code(&ann, &app, "edit", edit()).await, "not_granted");
        grant(&ann, "notes", &talk, json!(["change"]), "history").await;
        ann.call(&app, "chat", "edit", edit()).await.unwrap();
        let grants = ann.ask("experiences", "grants", json!({"experience": "notes"})).await;
        let grants = grants["items"].as_array().unwrap();
        assert_eq!(grants.len(), 3);
        assert!(grants.iter().all(|grant| grant["last_used_ms"].is_i64()));
        assert_eq!(grants[0]["title"], "Ann");
        let by = ann.history(json!({"kinds": ["chat.edited"]})).await[0]["actor"].clone();
        assert_eq!(by, json!({"type": "experience", "name": "notes"}));
        // Another experience has none of it.
        assert_eq!(sees(&ann, &experience("other")).await, 0);
    });
}

#[test]
fn from_now_hides_what_was_before() {
    check_one(|ann| async move {
        let before = ann.say("self", "before").await;
        let app = experience("notes");
        let talk = before["conversation"].as_str().unwrap();
        grant(&ann, "notes", talk, json!(["see", "add", "change"]), "now").await;
        let page = ann.call(&app, "chat", "conversations", json!({})).await.unwrap();
        assert_eq!(page["items"][0].get("last"), None);
        ann.say("self", "after").await;
        let body = json!({"conversation": talk});
        let page = ann.call(&app, "chat", "messages", body).await.unwrap();
        let items = page["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[0]["text"]), (1, &json!("after")));
        let edit = json!({"id": id(), "message": before["message"], "text": "x"});
        assert_eq!(code(&ann, &app, "edit", edit).await, "not_found");
        let reply = json!({"id": id(), "conversation": talk, "text": "x",
            "reply_to": before["message"]});
        assert_eq!(code(&ann, &app, "send", reply).await, "not_found");
        let mut all = ann.life.subscribe(&app, "chat", 1, json!({}), page["at"].as_u64()).unwrap();
        let edit = json!({"id": id(), "message": before["message"], "text": "changed"});
        ann.ask("chat", "edit", edit).await;
        assert_eq!(heard(&mut all).await["type"], "conversation");
        assert!(silent(&mut all).await);
    });
}

#[test]
fn everything_can_be_chosen() {
    check(|two| async move {
        grant(&two.ann, "chat", "all", json!(["see", "add"]), "history").await;
        assert_eq!(sees(&two.ann, &experience("chat")).await, 1);
        two.meet().await;
        assert_eq!(sees(&two.ann, &experience("chat")).await, 2);
    });
}

#[test]
fn a_revoked_grant_ends_at_once() {
    check_one(|ann| async move {
        let app = experience("notes");
        let talk = ann.say("self", "a").await["conversation"].as_str().unwrap().to_owned();
        let given = grant(&ann, "notes", &talk, json!(["see"]), "history").await;
        let mut one = ann.follow(&app, "chat", json!({"conversation": talk}));
        let mut all = ann.follow(&app, "chat", json!({}));
        let mut grants = ann.follow(&shell(), "experiences", json!({}));
        ann.say("self", "b").await;
        assert_eq!(heard(&mut one).await["message"]["text"], "b");
        let revoke = json!({"id": id(), "grant": given["grant"]});
        ann.ask("experiences", "revoke", revoke).await;
        ann.say("self", "c").await;
        // Not even what waited to be told.
        assert!(matches!(one.next().await, Some(Delta::Ended(fault)) if fault.code == "not_found"));
        assert!(one.next().await.is_none());
        assert!(matches!(all.next().await, Some(Delta::Resync)));
        assert_eq!(sees(&ann, &app).await, 0);
        assert_eq!(code(&ann, &app, "messages", json!({"conversation": talk})).await, "not_found");
        let revoked = json!({"type": "revoked", "grant": given["grant"]});
        assert_eq!(heard(&mut grants).await, revoked);
        let again = json!({"id": id(), "grant": given["grant"]});
        assert_eq!(ann.fails("experiences", "revoke", again).await, "not_found");
        let lines: Vec<_> = ann.history(json!({"kinds": ["grant."]})).await;
        assert_eq!(lines[0]["line"], "history.grant.revoked");
        assert_eq!(lines[0]["args"]["experience"], "notes");
    });
}

#[test]
fn one_experience_learns_nothing_from_anothers_ids() {
    check_one(|ann| async move {
        let talk = ann.say("self", "a").await["conversation"].as_str().unwrap().to_owned();
        let send = json!({"id": id(), "conversation": talk, "text": "secret"});
        for name in ["one", "two"] {
            grant(&ann, name, &talk, json!(["see", "add"]), "now").await;
        }
        ann.call(&experience("one"), "chat", "send", send.clone()).await.unwrap();
        // Not the kept answer of the other one.
        assert_eq!(code(&ann, &experience("two"), "send", send).await, "id_taken");
    });
}

#[test]
fn an_experience_never_learns_a_part_of_a_twin_id() {
    check(|two| async move {
        two.meet().await;
        let (app, talk) = (experience("notes"), two.ann.talk_id().await);
        grant(&two.ann, "notes", "all", json!(["see"]), "history").await;
        two.ann.say(&talk, "hello").await;
        // All names are gone: what is shown instead must not tell who it is.
        let named = two.ann.history(json!({"kinds": ["contact.", "identity.profile"]})).await;
        let seqs: Vec<_> = named.iter().filter(|one| one["erasable"] == true).collect();
        let seqs: Vec<_> = seqs.into_iter().map(|one| one["seq"].clone()).collect();
        two.ann.ask("history", "erase", json!({"id": id(), "seqs": seqs})).await;
        let mut shown = String::new();
        for (capability, method, body) in [
            ("chat", "conversations", json!({})),
            ("chat", "messages", json!({"conversation": talk})),
            ("identity", "me", json!({})),
        ] {
            let answer = two.ann.call(&app, capability, method, body).await.unwrap();
            shown.push_str(&answer.to_string());
        }
        for person in [&two.ann, &two.bob] {
            let start = &person.life.id().to_string()[..8];
            assert!(!shown.contains(start), "{start} in {shown}");
            // The person themselves sees it.
            let mine = two.ann.ask("chat", "conversations", json!({})).await.to_string();
            assert!(mine.contains(&format!("\"name\":\"{start}\"")), "{mine}");
        }
    });
}

/// Writes this often as this caller, in one transaction, and says how the last attempt ended.
async fn write_as(one: &One, caller: &Caller, conversation: &str, ids: Vec<String>) -> Vec<String> {
    let (context, talk) = (one.life.0.context(caller), conversation.to_owned());
    let write = move |w: &mut store::Writer<'_>| {
        let mut messages = Vec::new();
        for id in ids {
            let body = json!({"id": id, "conversation": talk, "text": "x"}).to_string();
            let call = api::Call {
                capability: "chat".to_owned(),
                major: 1,
                method: "send".to_owned(),
                body: body.into_bytes(),
            };
            let answer: Value = serde_json::from_slice(&api::write(&context, w, &call)?).unwrap();
            messages.push(answer["rev"].to_string());
        }
        Ok::<_, Fault>(messages)
    };
    one.life.0.store.write(write).await.unwrap_or_else(|fault| vec![fault.code.to_owned()])
}

#[test]
fn no_experience_pushes_out_the_answers_of_others() {
    check_one(|ann| async move {
        let notebook = ann.ask("chat", "conversations", json!({})).await["items"][0].clone();
        let notebook = notebook["conversation"].as_str().unwrap().to_owned();
        for name in ["busy", "quiet"] {
            grant(&ann, name, &notebook, json!(["see", "add"]), "now").await;
        }
        let (busy, quiet) = (experience("busy"), experience("quiet"));
        let (mine, theirs) = (vec![id()], vec![id()]);
        let done = write_as(&ann, &shell(), &notebook, mine.clone()).await;
        let done_quiet = write_as(&ann, &quiet, &notebook, theirs.clone()).await;
        let many: Vec<String> = (0..1100).map(|_| id()).collect();
        assert_eq!(write_as(&ann, &busy, &notebook, many.clone()).await.len(), 1100);
        // Sent again: the answer of before, not a second message and no refusal.
        assert_eq!(write_as(&ann, &shell(), &notebook, mine).await, done);
        assert_eq!(write_as(&ann, &quiet, &notebook, theirs).await, done_quiet);
        let newest = many[many.len() - 256..].to_vec();
        assert_eq!(write_as(&ann, &busy, &notebook, newest).await.len(), 256);
        // Its own oldest are forgotten, so that they can't fill the disk.
        assert_eq!(write_as(&ann, &busy, &notebook, many[..1].to_vec()).await, ["id_taken"]);
        let rows = ann.life.0.store.read(|r| r.vault_prefix(api::names::ONCE)).unwrap();
        assert!(rows.len() < 280, "{} answers are kept", rows.len());
    });
}
