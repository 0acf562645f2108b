//! Spaces of several people: asking in, joining, roles, leaving. Every scenario ends with comparing
//! all copies with each other, and each with its own journal.

mod crowd;
mod hostile;
mod random;
mod talk;
mod text;

use serde_json::json;

use super::{id, until};
use crowd::{TASK, check};

#[test]
fn two_share_a_list() {
    check(2, |crowd| async move {
        let list = crowd.make("Shopping").await;
        let milk = crowd.put(0, &list, json!({"title": "milk"})).await;
        crowd.invite(0, 1, &list, "editor").await;
        let asked = crowd.space(1, &list).await;
        assert_eq!((&asked["state"], &asked["name"]), (&json!("invited"), &json!("Shopping")));
        assert_eq!(asked["note"], "come in");
        // Nothing of it before saying yes.
        assert!(crowd.titles(1, &list).await.is_empty());
        crowd.join(1, &list).await;
        until(async || crowd.titles(1, &list).await == ["milk"]).await;
        let bread = crowd.put(1, &list, json!({"title": "bread"})).await;
        crowd.change(1, &milk, json!({"done": true})).await;
        crowd.agree(&list).await;
        let mine = crowd.get(0, &milk).await;
        assert_eq!(mine["fields"], json!({"title": "milk", "done": true}));
        assert_eq!(
            (&mine["made_by"]["me"], &mine["changed_by"]["name"]),
            (&json!(true), &json!("P1"))
        );
        crowd.remove(0, &bread).await;
        crowd.agree(&list).await;
        assert_eq!(crowd.titles(1, &list).await, ["milk"]);
        let line = crowd.all[0].history(json!({"kinds": ["records.made"]})).await;
        assert!(line.is_empty());
        let lines = crowd.all[0].history(json!({"kinds": ["records.put"]})).await;
        assert_eq!(lines[0]["line"], "history.records.put");
        assert_eq!(lines[0]["args"]["name"], "P1");
        assert_eq!(lines[0]["args"]["space"], "Shopping");
        // What somebody else did only they undo.
        assert_eq!(lines[0]["undo"], "none");
        assert_eq!(lines.last().unwrap()["undo"], "ask_peer");
    });
}

#[test]
fn both_tick_at_once_and_both_offline() {
    check(2, |crowd| async move {
        let list = crowd.shared("list", 2).await;
        let a = crowd.put(0, &list, json!({"title": "a", "done": false})).await;
        crowd.agree(&list).await;
        crowd.part(0);
        crowd.change(0, &a, json!({"done": true})).await;
        crowd.change(1, &a, json!({"title": "aa", "due": "2026-12-01"})).await;
        crowd.put(0, &list, json!({"title": "b"})).await;
        crowd.put(1, &list, json!({"title": "c"})).await;
        crowd.back(0);
        crowd.agree(&list).await;
        let fields = json!({"title": "aa", "done": true, "due": "2026-12-01"});
        assert_eq!(crowd.get(0, &a).await["fields"], fields);
        assert_eq!(crowd.titles(0, &list).await.len(), 3);
        // Undone for both.
        let lines = crowd.all[1].history(json!({"kinds": ["records.put"]})).await;
        let mine = lines.iter().find(|line| line["undo"] == "ask_peer").unwrap();
        let undo = json!({"id": id(), "seq": mine["seq"]});
        assert_eq!(crowd.all[1].ask("history", "undo", undo).await["asked_peer"], true);
        crowd.agree(&list).await;
        assert_eq!(crowd.titles(0, &list).await.len(), 2);
    });
}

#[test]
fn who_comes_later_gets_all_of_it_from_whoever_wrote_it() {
    check(4, |crowd| async move {
        let list = crowd.shared("club", 3).await;
        for number in 0..70 {
            let by = number % 3;
            crowd.put(by, &list, json!({"title": number.to_string()})).await;
        }
        crowd.agree_among(&list, &[0, 1, 2]).await;
        // One writes while another is on the way in, and neither knows of the other.
        crowd.part(2);
        crowd.put(2, &list, json!({"title": "meanwhile"})).await;
        crowd.invite(0, 3, &list, "editor").await;
        crowd.join(3, &list).await;
        until(async || crowd.titles(3, &list).await.len() == 70).await;
        crowd.put(3, &list, json!({"title": "early"})).await;
        crowd.back(2);
        crowd.agree(&list).await;
        assert_eq!(crowd.titles(2, &list).await.len(), 72);
        // People who are no contacts have the names that the owner knows.
        let members = crowd.space(3, &list).await["members"].clone();
        let names: Vec<_> =
            members.as_array().unwrap().iter().map(|m| &m["person"]["name"]).collect();
        assert_eq!(names, ["P0", "P1", "P2", "P3"]);
    });
}

#[test]
fn a_viewer_looks_and_an_editor_writes() {
    check(2, |crowd| async move {
        let list = crowd.make("x").await;
        crowd.invite(0, 1, &list, "viewer").await;
        crowd.join(1, &list).await;
        let a = crowd.put(0, &list, json!({"title": "a"})).await;
        crowd.agree(&list).await;
        let fields = json!({"id": id(), "space": list, "type": TASK, "fields": {"title": "x"}});
        assert_eq!(crowd.all[1].fails("records", "put", fields).await, "only_see");
        for method in ["rename", "invite", "set_role"] {
            let body = match method {
                "rename" => json!({"id": id(), "space": list, "name": "mine"}),
                "invite" => {
                    json!({"id": id(), "space": list, "contact": crowd.id(0), "role": "editor"})
                }
                _ => json!({"id": id(), "space": list, "person": crowd.id(1), "role": "editor"}),
            };
            assert_eq!(crowd.all[1].fails("spaces", method, body).await, "only_owner");
        }
        crowd.role(0, 1, &list, "editor").await;
        until(async || crowd.space(1, &list).await["role"] == "editor").await;
        crowd.change(1, &a, json!({"title": "b"})).await;
        crowd.agree(&list).await;
        crowd.role(0, 1, &list, "viewer").await;
        until(async || crowd.space(1, &list).await["role"] == "viewer").await;
        let body = json!({"id": id(), "space": list, "type": TASK, "record": a["record"],
            "fields": {"title": "c"}});
        assert_eq!(crowd.all[1].fails("records", "put", body).await, "only_see");
        assert_eq!(crowd.titles(0, &list).await, ["b"]);
    });
}

#[test]
fn who_is_taken_out_gets_nothing_new_and_keeps_what_was() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 3).await;
        crowd.put(0, &list, json!({"title": "before"})).await;
        crowd.agree(&list).await;
        crowd.role(0, 2, &list, "none").await;
        until(async || crowd.space(2, &list).await["state"] == "removed").await;
        until(async || crowd.space(1, &list).await["members"].as_array().unwrap().len() == 2).await;
        crowd.put(0, &list, json!({"title": "after"})).await;
        crowd.put(1, &list, json!({"title": "also after"})).await;
        crowd.agree_among(&list, &[0, 1]).await;
        assert_eq!(crowd.titles(2, &list).await, ["before"]);
        let body = json!({"id": id(), "space": list, "type": TASK, "fields": {"title": "x"}});
        assert_eq!(crowd.all[2].fails("records", "put", body).await, "only_see");
        // Asked in again, they have all of it again.
        crowd.invite(0, 2, &list, "editor").await;
        crowd.join(2, &list).await;
        crowd.put(2, &list, json!({"title": "back"})).await;
        crowd.agree(&list).await;
        assert_eq!(crowd.titles(2, &list).await.len(), 4);
    });
}

#[test]
fn what_was_written_while_being_taken_out_is_the_same_everywhere() {
    check(4, |crowd| async move {
        let list = crowd.shared("x", 4).await;
        // The owner hears nothing of it, one of the others does before the news arrives.
        crowd.part(0);
        crowd.part(3);
        crowd.put(2, &list, json!({"title": "just in time"})).await;
        until(async || crowd.titles(1, &list).await.len() == 1).await;
        crowd.part(2);
        crowd.role(0, 2, &list, "none").await;
        crowd.put(2, &list, json!({"title": "too late"})).await;
        crowd.back(0);
        crowd.back(3);
        crowd.agree_among(&list, &[0, 1, 3]).await;
        until(async || crowd.titles(3, &list).await == ["just in time"]).await;
        crowd.back(2);
        until(async || crowd.space(2, &list).await["state"] == "removed").await;
        crowd.agree_among(&list, &[0, 1, 3]).await;
        assert_eq!(crowd.titles(0, &list).await, ["just in time"]);
    });
}

/// The title of every record as everybody has it, in the order of making.
async fn all_have(crowd: &crowd::Crowd, list: &str, titles: &[&str]) {
    until(async || crowd.titles(0, list).await == titles).await;
    crowd.agree(list).await;
    assert_eq!(crowd.titles(0, list).await, titles);
}

#[test]
fn what_a_viewer_wrote_unheard_counts_for_nobody_until_they_may_write_again() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 3).await;
        let a = crowd.put(1, &list, json!({"title": "a", "due": "2026-12-01"})).await;
        let b = crowd.put(0, &list, json!({"title": "b"})).await;
        crowd.agree(&list).await;
        crowd.part(1);
        crowd.put(1, &list, json!({"title": "unheard"})).await;
        crowd.change(1, &a, json!({"title": "unheard too", "due": null})).await;
        crowd.remove(1, &b).await;
        let lines = crowd.all[1].history(json!({"kinds": ["records."]})).await;
        let undo = json!({"id": id(), "seq": lines[1]["seq"]});
        crowd.all[1].ask("history", "undo", undo).await;
        crowd.role(0, 1, &list, "viewer").await;
        crowd.back(1);
        until(async || crowd.space(1, &list).await["role"] == "viewer").await;
        all_have(&crowd, &list, &["a", "b"]).await;
        assert_eq!(crowd.get(1, &a).await["fields"], json!({"title": "a", "due": "2026-12-01"}));
        crowd.change(2, &b, json!({"title": "bb"})).await;
        all_have(&crowd, &list, &["a", "bb"]).await;
        // Nothing of it is lost, and their numbers go on behind it.
        crowd.role(0, 1, &list, "editor").await;
        all_have(&crowd, &list, &["a", "unheard"]).await;
        crowd.put(1, &list, json!({"title": "heard"})).await;
        all_have(&crowd, &list, &["a", "unheard", "heard"]).await;
        crowd.role(0, 1, &list, "viewer").await;
        until(async || crowd.space(1, &list).await["role"] == "viewer").await;
        all_have(&crowd, &list, &["a", "unheard", "heard"]).await;
    });
}

#[test]
fn what_only_some_had_of_a_viewer_is_the_same_everywhere() {
    for role in ["viewer", "editor"] {
        check(4, |crowd| async move {
            let list = crowd.shared("x", 4).await;
            crowd.role(0, 2, &list, role).await;
            until(async || crowd.space(2, &list).await["role"] == role).await;
            crowd.agree(&list).await;
            crowd.part(0);
            crowd.part(3);
            crowd.put(1, &list, json!({"title": "on the way"})).await;
            until(async || crowd.titles(2, &list).await.len() == 1).await;
            crowd.part(1);
            crowd.put(1, &list, json!({"title": "unheard"})).await;
            crowd.role(0, 1, &list, "viewer").await;
            crowd.back(0);
            crowd.back(3);
            // Who may write says to the owner what they had; who only looks says nothing.
            let those: &[&str] = if role == "editor" { &["on the way"] } else { &[] };
            until(async || crowd.titles(3, &list).await == those).await;
            crowd.agree_among(&list, &[0, 2, 3]).await;
            crowd.back(1);
            all_have(&crowd, &list, those).await;
        });
    }
}

#[test]
fn who_was_taken_out_and_comes_back_brings_what_nobody_heard() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 3).await;
        crowd.part(1);
        crowd.put(1, &list, json!({"title": "unheard"})).await;
        crowd.role(0, 1, &list, "none").await;
        crowd.back(1);
        until(async || crowd.space(1, &list).await["state"] == "removed").await;
        assert!(crowd.titles(1, &list).await.is_empty());
        crowd.invite(0, 1, &list, "viewer").await;
        crowd.join(1, &list).await;
        crowd.put(0, &list, json!({"title": "a"})).await;
        all_have(&crowd, &list, &["a"]).await;
        crowd.role(0, 1, &list, "none").await;
        until(async || crowd.space(1, &list).await["state"] == "removed").await;
        crowd.invite(0, 1, &list, "editor").await;
        crowd.join(1, &list).await;
        all_have(&crowd, &list, &["unheard", "a"]).await;
    });
}

#[test]
fn who_is_asked_in_anew_and_has_not_answered_adds_nothing() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 3).await;
        crowd.part(1);
        crowd.put(1, &list, json!({"title": "unheard"})).await;
        crowd.role(0, 1, &list, "none").await;
        let ask = json!({"id": id(), "space": list, "contact": crowd.id(1), "role": "editor"});
        crowd.all[0].ask("spaces", "invite", ask).await;
        crowd.back(1);
        until(async || crowd.space(1, &list).await["state"] == "invited").await;
        crowd.put(0, &list, json!({"title": "a"})).await;
        crowd.agree_among(&list, &[0, 2]).await;
        assert_eq!(crowd.titles(0, &list).await, ["a"]);
        crowd.join(1, &list).await;
        all_have(&crowd, &list, &["unheard", "a"]).await;
        crowd.put(1, &list, json!({"title": "b"})).await;
        crowd.all[1].ask("spaces", "leave", json!({"id": id(), "space": list})).await;
        crowd.agree_among(&list, &[0, 2]).await;
        assert_eq!(crowd.titles(1, &list).await, ["unheard", "a", "b"]);
    });
}

#[test]
fn what_is_erased_stays_out_when_what_stood_on_it_does_not_count() {
    check(2, |crowd| async move {
        let list = crowd.shared("x", 2).await;
        let a = crowd.put(0, &list, json!({"title": "secret", "done": false})).await;
        crowd.agree(&list).await;
        let made = crowd.all[1].history(json!({"kinds": ["records.put"]})).await[0].clone();
        crowd.part(1);
        crowd.change(1, &a, json!({"title": "over it"})).await;
        crowd.all[1].ask("history", "erase", json!({"id": id(), "seqs": [made["seq"]]})).await;
        crowd.role(0, 1, &list, "viewer").await;
        crowd.back(1);
        until(async || crowd.titles(1, &list).await == ["-"]).await;
        assert!(!crowd.get(1, &a).await.to_string().contains("secret"));
        assert_eq!(crowd.titles(0, &list).await, ["secret"]);
    });
}

#[test]
fn saying_no_and_leaving() {
    check(3, |crowd| async move {
        let list = crowd.make("x").await;
        crowd.invite(0, 1, &list, "editor").await;
        crowd.invite(0, 2, &list, "editor").await;
        let no = json!({"id": id(), "space": list});
        crowd.all[1].ask("spaces", "decline", no.clone()).await;
        until(async || crowd.space(0, &list).await["members"].as_array().unwrap().len() == 2).await;
        let listed = crowd.all[1].ask("spaces", "list", json!({})).await;
        assert_eq!(listed["items"], json!([]));
        crowd.join(2, &list).await;
        crowd.put(0, &list, json!({"title": "a"})).await;
        crowd.agree_among(&list, &[0, 2]).await;
        crowd.all[2].ask("spaces", "leave", json!({"id": id(), "space": list})).await;
        until(async || crowd.space(0, &list).await["members"].as_array().unwrap().len() == 1).await;
        crowd.put(0, &list, json!({"title": "b"})).await;
        assert_eq!(crowd.titles(2, &list).await, ["a"]);
        assert_eq!(crowd.space(2, &list).await["state"], "left");
        let late = json!({"id": id(), "space": list});
        assert_eq!(crowd.all[2].fails("spaces", "accept", late).await, "wrong_state");
    });
}

#[test]
fn what_is_erased_before_it_leaves_nobody_else_has() {
    check(2, |crowd| async move {
        let list = crowd.shared("x", 2).await;
        crowd.part(1);
        crowd.put(0, &list, json!({"title": "secret"})).await;
        crowd.put(0, &list, json!({"title": "plain"})).await;
        let made = crowd.all[0].history(json!({"kinds": ["records.put"]})).await[1].clone();
        crowd.all[0].ask("history", "erase", json!({"id": id(), "seqs": [made["seq"]]})).await;
        crowd.back(1);
        until(async || crowd.titles(1, &list).await == ["plain"]).await;
        let kept = crowd.all[1].history(json!({"kinds": ["records."]})).await;
        assert!(!json!(kept).to_string().contains("secret"));
        // It left no hole for which anybody would ask again.
        let lines: Vec<_> = kept.iter().map(|one| one["line"].clone()).collect();
        assert!(lines.contains(&json!("history.records.nothing")), "{lines:?}");
    });
}

#[test]
fn unknown_fields_and_types_are_kept_and_passed_on() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 2).await;
        let own = json!({"type": "garden/plant@1", "schema": {"properties": {"name": {"type": "string"}}}});
        crowd.all[0].ask("records", "define", json!({"id": id(), "definition": own})).await;
        let body = json!({"id": id(), "space": list, "type": "garden/plant@1",
            "fields": {"name": "oak", "later": {"deep": [1, 2.5, null]}}});
        let oak = crowd.all[0].ask("records", "put", body).await;
        until(async || crowd.space(1, &list).await["types"] == json!(["garden/plant@1"])).await;
        // They have no such type, yet they hold all of it.
        let theirs = crowd.get(1, &oak).await;
        assert_eq!(theirs["fields"]["later"], json!({"deep": [1, 2.5, null]}));
        crowd.invite(0, 2, &list, "editor").await;
        crowd.join(2, &list).await;
        until(async || crowd.space(2, &list).await["types"] == json!(["garden/plant@1"])).await;
        assert_eq!(crowd.get(2, &oak).await["fields"], theirs["fields"]);
    });
}

#[test]
fn leaving_ends_what_an_experience_may_use() {
    check(2, |crowd| async move {
        let list = crowd.shared("x", 2).await;
        crowd.put(0, &list, json!({"title": "a"})).await;
        crowd.agree(&list).await;
        let grant = json!({"id": id(), "experience": "todo", "kind": "space", "thing": list,
            "types": [TASK], "verbs": ["see"], "from": "history"});
        crowd.all[1].ask("experiences", "grant", grant).await;
        let app = super::experience("todo");
        let query = json!({"space": list, "type": TASK});
        crowd.all[1].call(&app, "records", "query", query.clone()).await.unwrap();
        let shown = crowd.all[1].call(&app, "spaces", "get", json!({"space": list})).await.unwrap();
        assert!(!shown.to_string().contains(&crowd.id(0)), "a twin id in {shown}");
        crowd.all[1].ask("spaces", "leave", json!({"id": id(), "space": list})).await;
        let fault = crowd.all[1].call(&app, "records", "query", query.clone()).await.unwrap_err();
        assert_eq!(fault.code, "not_found");
        // Coming back gives nothing back: neither after leaving nor after being taken out.
        for taken_out in [false, true] {
            until(async || {
                let members = crowd.space(0, &list).await["members"].clone();
                members
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|member| member["joined"] != true || member["role"] == "owner")
            })
            .await;
            crowd.invite(0, 1, &list, "editor").await;
            crowd.join(1, &list).await;
            crowd.agree(&list).await;
            let fault = crowd.all[1].call(&app, "records", "query", query.clone()).await;
            assert_eq!(fault.unwrap_err().code, "not_found", "{taken_out}");
            if !taken_out {
                let grant = json!({"id": id(), "experience": "todo", "kind": "space",
                    "thing": list, "types": [TASK], "verbs": ["see"], "from": "history"});
                crowd.all[1].ask("experiences", "grant", grant).await;
                crowd.all[1].call(&app, "records", "query", query.clone()).await.unwrap();
                crowd.role(0, 1, &list, "none").await;
                until(async || crowd.space(1, &list).await["state"] == "removed").await;
            }
        }
    });
}

#[test]
fn a_space_goes_on_when_its_people_are_contacts_no_more() {
    check(3, |crowd| async move {
        let list = crowd.shared("x", 3).await;
        let a = crowd.put(1, &list, json!({"title": "a"})).await;
        crowd.agree(&list).await;
        let remove = json!({"id": id(), "contact": crowd.id(0)});
        crowd.all[1].ask("contacts", "remove", remove).await;
        let remove = json!({"id": id(), "contact": crowd.id(1)});
        crowd.all[0].ask("contacts", "remove", remove).await;
        crowd.change(0, &a, json!({"done": true})).await;
        crowd.put(1, &list, json!({"title": "b"})).await;
        crowd.agree(&list).await;
        // Also its owner is still believed.
        let name = json!({"id": id(), "space": list, "name": "still here"});
        crowd.all[0].ask("spaces", "rename", name).await;
        until(async || crowd.space(1, &list).await["name"] == "still here").await;
        crowd.role(0, 1, &list, "none").await;
        until(async || crowd.space(1, &list).await["state"] == "removed").await;
    });
}
