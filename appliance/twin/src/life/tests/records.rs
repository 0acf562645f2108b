//! Records in a space of one person: writing, asking, following, undoing, erasing, grants.

use serde_json::{Value, json};

use super::{One, check_one, experience, heard, id, shell, silent};
use crate::life::{Caller, Delta, Fault};

const TASK: &str = "hometwin/task@1";

async fn space(one: &One, name: &str) -> String {
    let made = one.ask("spaces", "create", json!({"id": id(), "name": name})).await;
    made["space"].as_str().unwrap().to_owned()
}

async fn put(one: &One, space: &str, fields: Value) -> Value {
    one.ask("records", "put", json!({"id": id(), "space": space, "type": TASK, "fields": fields}))
        .await
}

async fn change(one: &One, record: &Value, fields: Value) -> Value {
    let body = json!({"id": id(), "space": record["space"], "type": record["type"],
        "record": record["record"], "fields": fields});
    one.ask("records", "put", body).await
}

fn named(record: &Value) -> Value {
    json!({"space": record["space"], "type": record["type"], "record": record["record"]})
}

fn write(record: &Value) -> Value {
    let mut body = named(record);
    body["id"] = id().into();
    body
}

async fn titles(one: &One, caller: &Caller, query: Value) -> Result<Vec<String>, Fault> {
    let page = one.call(caller, "records", "query", query).await?;
    let title = |item: &Value| item["fields"]["title"].as_str().unwrap_or("-").to_owned();
    Ok(page["items"].as_array().unwrap().iter().map(title).collect())
}

async fn all(one: &One, space: &str) -> Vec<String> {
    titles(one, &shell(), json!({"space": space, "type": TASK})).await.unwrap()
}

#[test]
fn a_record_is_made_changed_removed_and_brought_back() {
    check_one(|ann| async move {
        let list = space(&ann, "Shopping").await;
        let milk = put(&ann, &list, json!({"title": "milk", "colour": {"deep": [1]}})).await;
        assert_eq!((&milk["made_by"]["me"], &milk["removed"]), (&json!(true), &Value::Null));
        put(&ann, &list, json!({"title": "bread"})).await;
        assert_eq!(all(&ann, &list).await, ["milk", "bread"]);
        let done = change(&ann, &milk, json!({"done": true})).await;
        // What was not named stays, also what the type doesn't know.
        let fields = json!({"title": "milk", "done": true, "colour": {"deep": [1]}});
        assert_eq!(done["fields"], fields);
        assert_eq!(
            change(&ann, &milk, json!({"colour": null})).await["fields"].get("colour"),
            None
        );
        let gone = ann.ask("records", "remove", write(&milk)).await;
        assert_eq!(gone["removed"], true);
        assert_eq!(all(&ann, &list).await, ["bread"]);
        // Writing doesn't bring it back.
        change(&ann, &milk, json!({"title": "oat milk"})).await;
        assert_eq!(all(&ann, &list).await, ["bread"]);
        ann.ask("records", "restore", write(&milk)).await;
        assert_eq!(all(&ann, &list).await, ["oat milk", "bread"]);
    });
}

#[test]
fn the_same_write_twice_is_one_and_a_stale_one_is_told() {
    check_one(|ann| async move {
        let list = space(&ann, "x").await;
        let body = json!({"id": id(), "space": list, "type": TASK, "fields": {"title": "a"}});
        let first = ann.ask("records", "put", body.clone()).await;
        assert_eq!(ann.ask("records", "put", body.clone()).await, first);
        assert_eq!(first["record"], body["id"]);
        change(&ann, &first, json!({"done": true})).await;
        let mut stale = write(&first);
        stale["fields"] = json!({"done": false});
        stale["if_rev"] = first["rev"].clone();
        assert_eq!(ann.fails("records", "put", stale).await, "conflict");
        let mut stale = write(&first);
        stale["if_rev"] = first["rev"].clone();
        assert_eq!(ann.fails("records", "remove", stale).await, "conflict");
    });
}

#[test]
fn what_is_wrong_is_refused_and_nothing_of_it_stays() {
    check_one(|ann| async move {
        let list = space(&ann, "x").await;
        let before = ann.last_seq();
        let put = |kind: &str, fields: Value| json!({"id": id(), "space": list, "type": kind, "fields": fields});
        for (body, code) in [
            (put(TASK, json!({"done": true})), "bad_record"),
            (put(TASK, json!({"title": 7})), "bad_record"),
            (put(TASK, json!({"title": "x", "A": 1})), "bad_record"),
            (put("nobody/thing@1", json!({"title": "x"})), "bad_type"),
            (put("task", json!({"title": "x"})), "malformed"),
            (put("hometwin/event@1", json!({"title": "x", "place": id()})), "bad_record"),
            (put(TASK, json!({"title": "x", "big": "y".repeat(50_000)})), "too_large"),
            (
                json!({"id": id(), "space": id(), "type": TASK, "fields": {"title": "x"}}),
                "not_found",
            ),
            (
                json!({"id": id(), "space": list, "type": TASK, "record": id(),
                "fields": {"title": "x"}}),
                "not_found",
            ),
        ] {
            assert_eq!(ann.fails("records", "put", body.clone()).await, code, "{body}");
        }
        assert_eq!(ann.last_seq(), before);
        let place = json!({"id": id(), "space": list, "type": "hometwin/place@1",
            "fields": {"title": "here"}});
        let place = ann.ask("records", "put", place).await;
        let event = put("hometwin/event@1", json!({"title": "x", "place": place["record"]}));
        ann.ask("records", "put", event).await;
    });
}

#[test]
fn an_index_finds_and_sorts_page_by_page() {
    check_one(|ann| async move {
        let list = space(&ann, "x").await;
        for number in 0..7 {
            let due = format!("2026-12-{:02}", 9 - number);
            let fields = json!({"title": number.to_string(), "done": number % 2 == 0, "due": due});
            put(&ann, &list, fields).await;
        }
        let undated = put(&ann, &list, json!({"title": "undated"})).await;
        let by = |by: Value, equals: Value, more: Value| {
            let mut query = json!({"space": list, "type": TASK, "by": by, "equals": equals});
            query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            query
        };
        let person = shell();
        let found = |query| titles(&ann, &person, query);
        let due = by(json!(["due"]), json!([]), json!({}));
        let sorted = ["undated", "6", "5", "4", "3", "2", "1", "0"];
        assert_eq!(found(due).await.unwrap(), sorted);
        let open = by(json!(["done", "due"]), json!([false]), json!({"backward": true}));
        assert_eq!(found(open).await.unwrap(), ["1", "3", "5"]);
        let none = by(json!(["done", "due"]), json!([null]), json!({}));
        assert_eq!(found(none).await.unwrap(), ["undated"]);
        let one = by(json!(["due"]), json!(["2026-12-05"]), json!({}));
        assert_eq!(found(one).await.unwrap(), ["4"]);
        for backward in [false, true] {
            let (mut all, mut cursor) = (Vec::new(), Value::Null);
            loop {
                let more = json!({"limit": 3, "backward": backward});
                let mut query = by(json!(["due"]), json!([]), more);
                if !cursor.is_null() {
                    query["cursor"] = cursor;
                }
                let page = ann.ask("records", "query", query).await;
                let items = page["items"].as_array().unwrap().clone();
                all.extend(items.iter().map(|one| one["fields"]["title"].clone()));
                cursor = page["cursor"].clone();
                if cursor.is_null() {
                    break;
                }
            }
            let mut wanted = sorted.map(Value::from).to_vec();
            if backward {
                wanted.reverse();
            }
            assert_eq!(all, wanted);
        }
        let unknown = by(json!(["title"]), json!([]), json!({}));
        assert_eq!(found(unknown).await.unwrap_err().code, "bad_type");
        // A value that is taken away is sorted as none.
        change(&ann, &undated, json!({"due": "2026-12-05"})).await;
        change(&ann, &undated, json!({"due": null})).await;
        let none = by(json!(["due"]), json!([null]), json!({}));
        assert_eq!(found(none).await.unwrap(), ["undated"]);
    });
}

#[test]
fn changes_are_heard_as_they_happen() {
    check_one(|ann| async move {
        let list = space(&ann, "x").await;
        let mut open = ann.follow(
            &shell(),
            "records",
            json!({"space": list, "type": TASK, "by": ["done", "due"], "equals": [false]}),
        );
        let mut all = ann.follow(&shell(), "records", json!({"space": list, "type": TASK}));
        let a = put(&ann, &list, json!({"title": "a", "done": false})).await;
        assert_eq!(heard(&mut open).await["record"]["fields"]["title"], "a");
        assert_eq!(heard(&mut all).await["record"]["fields"]["title"], "a");
        change(&ann, &a, json!({"done": true})).await;
        // Not one of those any more.
        assert_eq!(heard(&mut open).await, json!({"type": "removed", "record": a["record"]}));
        assert_eq!(heard(&mut all).await["record"]["fields"]["done"], true);
        ann.ask("records", "remove", write(&a)).await;
        assert_eq!(heard(&mut all).await["type"], "removed");
        let other = space(&ann, "y").await;
        put(&ann, &other, json!({"title": "elsewhere"})).await;
        assert!(silent(&mut all).await);
    });
}

#[test]
fn a_batch_is_all_or_nothing() {
    check_one(|ann| async move {
        let list = space(&ann, "x").await;
        let call = |fields: Value| {
            let body = json!({"id": id(), "space": list, "type": TASK, "fields": fields});
            serde_json::from_value(json!({"capability": "records", "major": 1, "method": "put",
                "body": body}))
            .unwrap()
        };
        let good = vec![call(json!({"title": "a"})), call(json!({"title": "b"}))];
        ann.life.batch(&shell(), good).await.unwrap();
        assert_eq!(all(&ann, &list).await, ["a", "b"]);
        let bad = vec![call(json!({"title": "c"})), call(json!({"done": 1}))];
        let fault = ann.life.batch(&shell(), bad).await.unwrap_err();
        assert_eq!((fault.code, fault.call), ("bad_record", Some(1)));
        assert_eq!(all(&ann, &list).await, ["a", "b"]);
    });
}

#[test]
fn a_change_is_undone_unless_something_stands_on_it() {
    check_one(|ann| async move {
        let list = space(&ann, "Errands").await;
        let a = put(&ann, &list, json!({"title": "a", "due": "2026-12-01"})).await;
        change(&ann, &a, json!({"title": "b", "due": null, "done": true})).await;
        let line = ann.history(json!({"kinds": ["records."]})).await[0].clone();
        assert_eq!(line["line"], "history.records.put");
        assert_eq!(line["args"]["text"], "b");
        assert_eq!(line["args"]["space"], "Errands");
        ann.undo("records.put").await.unwrap();
        let now = ann.ask("records", "get", named(&a)).await;
        assert_eq!(now["fields"], json!({"title": "a", "due": "2026-12-01"}));
        change(&ann, &a, json!({"done": false})).await;
        change(&ann, &a, json!({"done": true})).await;
        let older = ann.history(json!({"kinds": ["records.put"]})).await[1]["seq"].clone();
        let undo = json!({"id": id(), "seq": older});
        assert_eq!(ann.fails("history", "undo", undo).await, "built_upon");
        ann.ask("records", "remove", write(&a)).await;
        assert_eq!(all(&ann, &list).await.len(), 0);
        ann.undo("records.removed").await.unwrap();
        assert_eq!(all(&ann, &list).await, ["a"]);
        put(&ann, &list, json!({"title": "new"})).await;
        ann.undo("records.put").await.unwrap();
        assert_eq!(all(&ann, &list).await, ["a"]);
    });
}

#[test]
fn an_erased_value_is_gone_from_everywhere() {
    check_one(|ann| async move {
        let list = space(&ann, "Secret plans").await;
        let a = put(&ann, &list, json!({"title": "hush", "due": "2026-12-01"})).await;
        change(&ann, &a, json!({"done": true})).await;
        let made = ann.history(json!({"kinds": ["records.put"]})).await[1].clone();
        assert_eq!(made["line"], "history.records.made");
        ann.ask("history", "erase", json!({"id": id(), "seqs": [made["seq"]]})).await;
        let now = ann.ask("records", "get", named(&a)).await;
        assert_eq!(now["fields"], json!({"done": true}));
        assert_eq!(now["erased"], json!(["due", "title"]));
        let by = json!({"space": list, "type": TASK, "by": ["due"], "equals": [null]});
        assert_eq!(titles(&ann, &shell(), by).await.unwrap(), ["-"]);
        let roster = ann.history(json!({"kinds": ["space."]})).await[0]["seq"].clone();
        ann.ask("history", "erase", json!({"id": id(), "seqs": [roster]})).await;
        assert_eq!(ann.ask("spaces", "get", json!({"space": list})).await.get("name"), None);
        let renamed = json!({"id": id(), "space": list, "name": "Plans"});
        assert_eq!(ann.ask("spaces", "rename", renamed).await["name"], "Plans");
    });
}

#[test]
fn a_space_is_named_put_away_and_found_again() {
    check_one(|ann| async move {
        let list = space(&ann, "Old").await;
        let mut all = ann.follow(&shell(), "spaces", json!({}));
        ann.ask("spaces", "rename", json!({"id": id(), "space": list, "name": "New"})).await;
        let event = heard(&mut all).await["space"].clone();
        assert_eq!((&event["name"], &event["role"]), (&json!("New"), &json!("owner")));
        let away = json!({"id": id(), "space": list, "archived": true});
        ann.ask("spaces", "archive", away).await;
        let count =
            async |body| ann.ask("spaces", "list", body).await["items"].as_array().unwrap().len();
        assert_eq!((count(json!({})).await, count(json!({"all": true})).await), (0, 1));
        put(&ann, &list, json!({"title": "a"})).await;
        let shown = ann.ask("spaces", "get", json!({"space": list})).await;
        assert_eq!(shown["types"], json!([TASK]));
        let leave = json!({"id": id(), "space": list});
        assert_eq!(ann.fails("spaces", "leave", leave).await, "only_owner");
    });
}

fn grant_of(experience: &str, space: &str, verbs: &[&str], from: &str) -> Value {
    json!({"id": id(), "experience": experience, "kind": "space", "thing": space,
        "types": [TASK], "verbs": verbs, "from": from})
}

#[test]
fn an_experience_reaches_the_records_that_were_chosen_for_it() {
    check_one(|ann| async move {
        let (mine, other) = (space(&ann, "Mine").await, space(&ann, "Other").await);
        let old = put(&ann, &mine, json!({"title": "old"})).await;
        let note = json!({"id": id(), "space": mine, "type": "hometwin/note@1",
            "fields": {"title": "diary"}});
        ann.ask("records", "put", note).await;
        put(&ann, &other, json!({"title": "hidden"})).await;
        let app = experience("todo");
        let query = |space: &str| json!({"space": space, "type": TASK});
        let code = async |method: &str, body: Value| {
            ann.call(&app, "records", method, body)
                .await
                .map_or_else(|fault| fault.code, |_| "done")
        };
        assert_eq!(code("query", query(&mine)).await, "not_found");
        let shown = ann.call(&app, "spaces", "list", json!({"all": true})).await.unwrap();
        assert_eq!(shown["items"], json!([]));
        let given =
            ann.ask("experiences", "grant", grant_of("todo", &mine, &["see"], "history")).await;
        assert_eq!((&given["title"], &given["kind"]), (&json!("Mine"), &json!("space")));
        assert_eq!(titles(&ann, &app, query(&mine)).await.unwrap(), ["old"]);
        assert_eq!(code("query", query(&other)).await, "not_found");
        // Only of that type, and no more than looking.
        let diary = json!({"space": mine, "type": "hometwin/note@1"});
        assert_eq!(code("query", diary).await, "not_found");
        let new = || json!({"id": id(), "space": mine, "type": TASK, "fields": {"title": "x"}});
        assert_eq!(code("put", new()).await, "not_granted");
        assert_eq!(code("remove", write(&old)).await, "not_granted");
        let shown = ann.call(&app, "spaces", "list", json!({})).await.unwrap();
        assert_eq!(shown["items"][0]["types"], json!([TASK]));
        let me = ann.life.id().to_string();
        assert!(!shown.to_string().contains(&me), "a twin id in {shown}");
        let add = grant_of("todo", &mine, &["see", "add", "change"], "history");
        let add = ann.ask("experiences", "grant", add).await;
        assert_eq!(code("put", new()).await, "done");
        assert_eq!(code("remove", write(&old)).await, "done");
        // Not to other conversations or folders either.
        let talks = ann.call(&app, "chat", "conversations", json!({})).await.unwrap();
        assert_eq!(talks["items"], json!([]));
        assert_eq!(ann.call(&app, "files", "get", json!({})).await.unwrap_err().code, "not_found");
        let make = json!({"id": id(), "name": "x"});
        assert_eq!(ann.call(&app, "spaces", "create", make).await.unwrap_err().code, "only_shell");
        let mut followed = ann.follow(&app, "records", query(&mine));
        for grant in [given, add] {
            let revoke = json!({"id": id(), "grant": grant["grant"]});
            ann.ask("experiences", "revoke", revoke).await;
        }
        put(&ann, &mine, json!({"title": "after"})).await;
        let end = followed.next().await;
        assert!(matches!(&end, Some(Delta::Ended(fault)) if fault.code == "not_found"), "{end:?}");
        assert_eq!(code("query", query(&mine)).await, "not_found");
    });
}

#[test]
fn from_now_hides_the_records_of_before() {
    check_one(|ann| async move {
        let list = space(&ann, "x").await;
        let before = put(&ann, &list, json!({"title": "before"})).await;
        let grant = grant_of("todo", &list, &["see", "add", "change"], "now");
        ann.ask("experiences", "grant", grant).await;
        let app = experience("todo");
        let mut followed = ann.follow(&app, "records", json!({"space": list, "type": TASK}));
        put(&ann, &list, json!({"title": "after"})).await;
        change(&ann, &before, json!({"done": true})).await;
        let query = json!({"space": list, "type": TASK});
        assert_eq!(titles(&ann, &app, query).await.unwrap(), ["after"]);
        assert_eq!(heard(&mut followed).await["record"]["fields"]["title"], "after");
        assert!(silent(&mut followed).await);
        let fault = ann.call(&app, "records", "get", named(&before)).await.unwrap_err();
        assert_eq!(fault.code, "not_found");
        let fault = ann.call(&app, "records", "remove", write(&before)).await.unwrap_err();
        assert_eq!(fault.code, "not_found");
    });
}

#[test]
fn types_are_defined_by_whose_they_are_and_sort_what_is_there() {
    check_one(|ann| async move {
        let list = space(&ann, "Garden").await;
        let (app, kind) = (experience("garden"), "garden/plant@1");
        let plant = |indexes: Value| {
            json!({"type": kind, "indexes": indexes, "schema": {"required": ["name"],
                "properties": {"name": {"type": "string"}, "height": {"type": "integer"}}}})
        };
        let define = |definition: Value| json!({"id": id(), "definition": definition});
        let code = async |caller: &Caller, definition: Value| {
            let answer = ann.call(caller, "records", "define", define(definition)).await;
            answer.map_or_else(|fault| fault.code, |_| "done")
        };
        assert_eq!(code(&experience("other"), plant(json!([]))).await, "not_yours");
        let mut task = plant(json!([]));
        task["type"] = TASK.into();
        assert_eq!(code(&shell(), task).await, "not_yours");
        assert_eq!(code(&app, plant(json!([]))).await, "done");
        for (name, height) in [("rose", 90), ("moss", 2), ("oak", 900)] {
            let body = json!({"id": id(), "space": list, "type": kind,
                "fields": {"name": name, "height": height}});
            ann.ask("records", "put", body).await;
        }
        let seq = ann.last_seq();
        assert_eq!(code(&app, plant(json!([]))).await, "done");
        assert_eq!(ann.last_seq(), seq, "the same again is no news");
        assert_eq!(code(&app, plant(json!([["height"]]))).await, "done");
        let query = json!({"space": list, "type": kind, "by": ["height"]});
        let page = ann.ask("records", "query", query).await;
        let names: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|one| &one["fields"]["name"]).collect();
        assert_eq!(names, ["moss", "rose", "oak"]);
        let mut other = plant(json!([]));
        other["schema"]["properties"]["height"]["type"] = "string".into();
        assert_eq!(code(&app, other).await, "bad_type");
        let types = ann.call(&experience("other"), "records", "types", json!({})).await.unwrap();
        assert!(!types.to_string().contains(kind), "{types}");
        let types = ann.ask("records", "types", json!({})).await;
        assert!(types.to_string().contains(kind));
    });
}
