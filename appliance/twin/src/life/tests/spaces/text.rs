//! Records go out as a text and come in again: all that the text says happens, or nothing does and
//! every mistake has its line.

use serde_json::{Value, json};

use super::{
    crowd::{Crowd, TASK, check},
    id,
};
use crate::life::tests::experience;

/// The whole text, put together from its pages.
async fn export(crowd: &Crowd, one: usize, list: &str, limit: u64) -> String {
    let (mut all, mut cursor) = (String::new(), Value::Null);
    loop {
        let mut body = json!({"space": list, "limit": limit});
        if !cursor.is_null() {
            body["cursor"] = cursor;
        }
        let page = crowd.all[one].ask("records", "export", body).await;
        all.push_str(page["text"].as_str().unwrap());
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            return all;
        }
    }
}

async fn import(crowd: &Crowd, one: usize, list: &str, text: &str, check: bool) -> Value {
    let body = json!({"id": id(), "space": list, "text": text, "check": check});
    crowd.all[one].ask("records", "import", body).await
}

fn counts(done: &Value) -> [u64; 3] {
    ["added", "changed", "removed"].map(|name| done[name].as_u64().unwrap())
}

fn mistakes(done: &Value) -> Vec<(u64, String)> {
    let all = done["mistakes"].as_array().cloned().unwrap_or_default();
    let one = |one: &Value| (one["line"].as_u64().unwrap(), one["wrong"].as_str().unwrap().into());
    all.iter().map(one).collect()
}

#[test]
fn a_text_goes_out_is_edited_and_comes_in() {
    check(2, |crowd| async move {
        let list = crowd.shared("list", 2).await;
        for number in 0..7 {
            crowd.put(number % 2, &list, json!({"title": format!("task {number}")})).await;
            crowd.agree(&list).await;
        }
        let details =
            json!({"title": "2026", "details": "two\nlines\n", "done": true, "due": "2026-12-01"});
        let rich = crowd.put(0, &list, details.clone()).await;
        let place = json!({"id": id(), "space": list, "type": "hometwin/place@1",
            "fields": {"title": "Home", "latitude": 48.2}});
        crowd.all[0].ask("records", "put", place).await;
        let text = export(&crowd, 0, &list, 200).await;
        assert_eq!(text, export(&crowd, 0, &list, 2).await);
        assert!(text.contains("details:\n  | two\n  | lines\n  |\n"), "{text}");
        // As it is, it changes nothing.
        let done = import(&crowd, 0, &list, &text, false).await;
        assert_eq!((counts(&done), &done["done"]), ([0, 0, 0], &json!(true)));
        let head = format!("record {} {TASK}", rich["record"].as_str().unwrap());
        assert!(text.contains(&head));
        let other = |line: &&str| line.contains(TASK) && !line.starts_with(&head);
        let gone = text.lines().filter(|line| line.starts_with("record")).find(other);
        let gone = gone.unwrap().replacen("record", "remove", 1);
        let edited = text.replace("done: true", "done: false").replace("due: 2026-12-01", "due:");
        let edited = edited.replace("task 3", "task three");
        // Not both: what is removed is not there as a record.
        let mut lines: Vec<&str> = edited.lines().collect();
        let at =
            lines.iter().position(|line| line.replacen("record", "remove", 1) == gone).unwrap();
        lines.drain(at..at + 2);
        let edited = format!("{}\n{gone}\n\nnew {TASK}\ntitle: 7\n", lines.join("\n"));
        let looked = import(&crowd, 0, &list, &edited, true).await;
        assert_eq!((counts(&looked), &looked["done"]), ([1, 2, 1], &json!(false)));
        assert_eq!(export(&crowd, 0, &list, 200).await, text);
        assert_eq!(counts(&import(&crowd, 0, &list, &edited, false).await), [1, 2, 1]);
        crowd.agree(&list).await;
        let titles = crowd.titles(1, &list).await;
        assert!(titles.contains(&"7".to_owned()) && titles.contains(&"task three".to_owned()));
        assert_eq!(titles.len(), 8);
        let fields = json!({"title": "2026", "details": "two\nlines\n", "done": false});
        assert_eq!(crowd.get(1, &rich).await["fields"], fields);
        // The same text again is about something that has changed since.
        let again = import(&crowd, 0, &list, &text, false).await;
        assert!(mistakes(&again).iter().any(|(_, wrong)| wrong == "changed"));
        assert!(mistakes(&again).iter().any(|(_, wrong)| wrong == "unknown"));
        assert_eq!(again["done"], false);
    });
}

#[test]
fn one_mistake_and_nothing_is_done() {
    check(2, |crowd| async move {
        let list = crowd.shared("list", 2).await;
        let a = crowd.put(0, &list, json!({"title": "a"})).await;
        crowd.agree(&list).await;
        let a = a["record"].as_str().unwrap();
        let text = format!(
            "hometwin records 1\nnew {TASK}\ntitle: good\nrecord {a} {TASK}\ndone: perhaps\n\
             record {a} {TASK}\ntitle: twice\nnew {TASK}\ndone: true\nnew some/thing@1\nx: y\n\
             remove {} {TASK}\nnew hometwin/event@1\ntitle: x\nplace: {a}\n",
            id()
        );
        let done = import(&crowd, 0, &list, &text, false).await;
        let wanted = [
            (5, "bad_value"),
            (6, "twice"),
            (8, "bad_value"),
            (10, "unknown_type"),
            (12, "unknown"),
            (15, "bad_value"),
        ];
        assert_eq!(mistakes(&done), wanted.map(|(line, wrong)| (line, wrong.to_owned())));
        assert_eq!(done["done"], false);
        assert_eq!(crowd.titles(0, &list).await, ["a"]);
        let many = format!("hometwin records 1\n{}", format!("new {TASK}\ntitle: x\n").repeat(501));
        let done = import(&crowd, 0, &list, &many, false).await;
        assert_eq!(mistakes(&done), [(1002, "too_many".to_owned())]);
        assert_eq!(crowd.titles(0, &list).await, ["a"]);
        // Who only looks takes out, and puts nothing in; an experience does neither.
        crowd.role(0, 1, &list, "viewer").await;
        super::until(async || crowd.space(1, &list).await["role"] == "viewer").await;
        let text = export(&crowd, 1, &list, 200).await;
        assert!(text.contains("title: a"));
        let body = json!({"id": id(), "space": list, "text": text});
        assert_eq!(crowd.all[1].fails("records", "import", body).await, "only_see");
        let refused = crowd.all[0]
            .call(&experience("todo"), "records", "export", json!({"space": list}))
            .await;
        assert_eq!(refused.unwrap_err().code, "only_shell");
    });
}
