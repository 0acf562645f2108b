//! The conversation of a space: who hears what, in which order, and what of it counts.

use serde_json::json;

use super::{
    crowd::{Crowd, check},
    id, until,
};
use crate::life::tests::{experience, shell};

async fn unread(crowd: &Crowd, one: usize, list: &str) -> Option<u64> {
    crowd.conversation(one, list).await?["unread"].as_u64()
}

#[test]
fn three_talk_and_each_changes_their_own() {
    check(3, |crowd| async move {
        let club = crowd.make("Club").await;
        // With nobody in it and nothing said nobody looks for it.
        assert!(crowd.conversation(0, &club).await.is_none());
        for one in [1, 2] {
            crowd.invite(0, one, &club, "editor").await;
            crowd.join(one, &club).await;
        }
        let hello = crowd.say(0, &club, "hello").await;
        until(async || crowd.texts(2, &club).await == ["hello"]).await;
        let body =
            json!({"id": id(), "conversation": club, "text": "hi", "reply_to": hello["message"]});
        let answer = crowd.all[2].ask("chat", "send", body).await;
        crowd.agree(&club).await;
        assert_eq!(crowd.texts(1, &club).await, ["hello", "hi"]);
        let seen = crowd.conversation(1, &club).await.unwrap();
        assert_eq!((&seen["with"]["name"], &seen["unread"]), (&json!("Club"), &json!(2)));
        assert_eq!(seen["last"]["author"]["name"], "P2");
        assert_eq!(seen["last"]["reply_to"], hello["message"]);
        let names: Vec<_> =
            seen["members"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["P0", "P2"]);
        // Only one's own is not unread, and reading is told to nobody.
        assert_eq!(unread(&crowd, 2, &club).await, Some(1));
        let read = json!({"id": id(), "conversation": club, "up_to": answer["message"],
            "author": crowd.id(2)});
        crowd.all[1].ask("chat", "read", read).await;
        assert_eq!(unread(&crowd, 1, &club).await, Some(0));
        let edit = json!({"id": id(), "message": answer["message"], "text": "hi all"});
        assert_eq!(crowd.all[0].fails("chat", "edit", edit.clone()).await, "not_author");
        crowd.all[2].ask("chat", "edit", edit).await;
        let delete = json!({"id": id(), "message": hello["message"]});
        crowd.all[0].ask("chat", "delete", delete).await;
        crowd.agree(&club).await;
        assert_eq!(crowd.texts(1, &club).await, ["-", "hi all"]);
        // Taken back, and for everybody.
        let lines = crowd.all[0].history(json!({"kinds": ["chat.deleted_in"]})).await;
        assert_eq!(
            (&lines[0]["undo"], &lines[0]["args"]["space"]),
            (&json!("ask_peer"), &json!("Club"))
        );
        crowd.all[0].ask("history", "undo", json!({"id": id(), "seq": lines[0]["seq"]})).await;
        crowd.agree(&club).await;
        assert_eq!(crowd.texts(1, &club).await, ["hello", "hi all"]);
        let files = json!({"id": id(), "conversation": club, "text": "",
            "attachments": [{"upload": id(), "name": "a.txt", "media_type": "text/plain"}]});
        assert_eq!(crowd.all[0].fails("chat", "send", files).await, "no_files_there");
    });
}

#[test]
fn who_comes_later_has_it_all_and_need_not_read_it() {
    check(3, |crowd| async move {
        let club = crowd.shared("x", 2).await;
        for number in 0..40 {
            crowd.say(number % 2, &club, &number.to_string()).await;
        }
        crowd.agree_among(&club, &[0, 1]).await;
        crowd.part(1);
        crowd.say(1, &club, "unheard").await;
        crowd.invite(0, 2, &club, "editor").await;
        crowd.join(2, &club).await;
        until(async || crowd.texts(2, &club).await.len() == 40).await;
        assert_eq!(unread(&crowd, 2, &club).await, Some(0));
        crowd.back(1);
        crowd.agree(&club).await;
        assert_eq!(crowd.texts(2, &club).await.len(), 41);
        crowd.say(0, &club, "welcome").await;
        crowd.agree(&club).await;
        assert_eq!(unread(&crowd, 2, &club).await, Some(1));
    });
}

#[test]
fn who_may_not_write_is_not_heard_until_they_may() {
    check(3, |crowd| async move {
        let club = crowd.shared("x", 3).await;
        crowd.say(1, &club, "before").await;
        crowd.agree(&club).await;
        crowd.part(1);
        crowd.role(0, 1, &club, "viewer").await;
        // They don't know it yet.
        crowd.say(1, &club, "unheard").await;
        assert_eq!(crowd.texts(1, &club).await, ["before", "unheard"]);
        crowd.back(1);
        until(async || crowd.space(1, &club).await["role"] == "viewer").await;
        crowd.agree(&club).await;
        assert_eq!(crowd.texts(1, &club).await, ["before"]);
        let body = json!({"id": id(), "conversation": club, "text": "no"});
        assert_eq!(crowd.all[1].fails("chat", "send", body).await, "only_see");
        assert_eq!(crowd.conversation(1, &club).await.unwrap()["open"], false);
        crowd.role(0, 1, &club, "editor").await;
        until(async || crowd.texts(2, &club).await == ["before", "unheard"]).await;
        crowd.agree(&club).await;
        // Who leaves keeps what came until then.
        crowd.all[2].ask("spaces", "leave", json!({"id": id(), "space": club})).await;
        let body = json!({"id": id(), "conversation": club, "text": "no"});
        assert_eq!(crowd.all[2].fails("chat", "send", body).await, "closed");
        assert_eq!(crowd.texts(2, &club).await.len(), 2);
        crowd.say(0, &club, "without you").await;
        crowd.agree_among(&club, &[0, 1]).await;
        assert_eq!(crowd.texts(2, &club).await.len(), 2);
    });
}

#[test]
fn what_was_erased_is_gone_here_and_goes_to_nobody_new() {
    check(2, |crowd| async move {
        let club = crowd.make("x").await;
        crowd.say(0, &club, "secret").await;
        crowd.say(0, &club, "open").await;
        let lines =
            crowd.all[0].history(json!({"kinds": ["chat.said_in"], "text": "secret"})).await;
        assert_eq!(lines.len(), 1);
        let erase = json!({"id": id(), "seqs": [lines[0]["seq"]]});
        crowd.all[0].ask("history", "erase", erase).await;
        let mine = crowd.all[0].ask("chat", "messages", json!({"conversation": club})).await;
        assert_eq!(mine["items"][1]["erased"], true);
        crowd.invite(0, 1, &club, "editor").await;
        crowd.join(1, &club).await;
        until(async || crowd.texts(1, &club).await == ["open"]).await;
    });
}

#[test]
fn an_experience_hears_what_it_was_given_from_then_on() {
    check(2, |crowd| async move {
        let club = crowd.shared("Club", 2).await;
        let other = crowd.shared("Other", 2).await;
        crowd.say(1, &club, "old").await;
        crowd.say(1, &other, "elsewhere").await;
        crowd.agree(&club).await;
        crowd.agree(&other).await;
        let chat = experience("chat");
        let body = json!({"conversation": club});
        let refused = crowd.all[0].call(&chat, "chat", "messages", body.clone()).await;
        assert_eq!(refused.unwrap_err().code, "not_found");
        let grant = json!({"id": id(), "experience": "chat", "kind": "conversation", "thing": club,
            "verbs": ["see"], "from": "now"});
        let given = crowd.all[0].call(&shell(), "experiences", "grant", grant).await.unwrap();
        assert_eq!(given["title"], "Club");
        crowd.say(1, &club, "new").await;
        crowd.agree(&club).await;
        let page = crowd.all[0].call(&chat, "chat", "messages", body).await.unwrap();
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        assert_eq!(page["items"][0]["text"], "new");
        assert_ne!(page["items"][0]["author"]["id"], crowd.id(1));
        let page = crowd.all[0].call(&chat, "chat", "conversations", json!({})).await.unwrap();
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&page["items"][0]["with"]["name"], &page["items"][0]["unread"]),
            (&json!("Club"), &json!(1))
        );
        let send = json!({"id": id(), "conversation": club, "text": "no"});
        let refused = crowd.all[0].call(&chat, "chat", "send", send).await;
        assert_eq!(refused.unwrap_err().code, "not_granted");
        // It sees records of the space no more than before.
        let refused = crowd.all[0].call(&chat, "spaces", "get", json!({"space": club})).await;
        assert_eq!(refused.unwrap_err().code, "not_found");
    });
}
