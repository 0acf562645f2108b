//! Files with messages: they arrive whole, are kept where the person says, go with their message,
//! and nobody can be filled with what they didn't ask for.

use capability::{
    chat::latest::Body,
    wire::{MessageId, More},
};
use link::Inner;
use serde_json::{Value, json};
use store::CHUNK;

use super::super::{
    fetch::{self, Fetch, Which},
    kinds::{
        By, append,
        contact::{CHANGED, Change, Changed, Words},
    },
};
use super::{
    One, Two, check, check_one, experience,
    files::{all, noise, send, sweep},
    id, shell, until,
};
use crate::life::{
    Caller, Fault, api::conversation_of, apply::Receiver, peers::Apply as _, tables::Id16,
};

const PREVIEW: &str = "/9j/AAAA";

async fn say_with(one: &One, talk: &str, text: &str, files: &[(&str, &[u8])]) -> Value {
    let mut attachments = Vec::new();
    for (name, bytes) in files {
        let upload = send(&one.life, &shell(), bytes, CHUNK).await;
        attachments.push(json!({"upload": upload, "name": name, "media_type": "image/jpeg",
            "preview": PREVIEW}));
    }
    let body = json!({"id": id(), "conversation": talk, "text": text, "attachments": attachments});
    one.ask("chat", "send", body).await
}

async fn state(one: &One, talk: &str) -> Value {
    one.newest(talk).await["attachments"][0]["state"].clone()
}

async fn until_state(one: &One, talk: &str, wanted: &str) {
    until(async || state(one, talk).await == wanted).await;
}

async fn bytes(one: &One, caller: &Caller, message: &Value, number: u8) -> Result<Vec<u8>, Fault> {
    let link = message["attachments"][usize::from(number)]["link"].as_str().unwrap();
    let seq = link.strip_prefix("t/m/").unwrap().split_once('/').unwrap().0.parse().unwrap();
    Ok(all(one.life.attached(caller, seq, number, false).await?.bytes))
}

/// What Bob's twin says to Ann's without asking itself whether it should.
async fn hostile(two: &Two, body: Value) -> Result<(), String> {
    let ann = &two.ann.life.0;
    let receiver = Receiver { shared: ann.shared.clone(), moved: ann.moved.clone() };
    let (me, from) = (two.ann.life.id(), two.bob.life.id());
    let inner = Inner {
        from,
        to: me,
        thread: conversation_of(&me, &from).0,
        epoch: 1,
        counter: 1,
        after: 0,
        capability: "chat".to_owned(),
        major: 1,
        introduction: None,
        body: serde_json::to_vec(&body).unwrap(),
    };
    let receive = move |w: &mut store::Writer<'_>| {
        Ok::<_, store::Error>(receiver.receive(w, &from, &inner, 5).map_err(|e| format!("{e:?}")))
    };
    ann.store.write(receive).await.unwrap()
}

#[test]
fn files_of_every_size_arrive_with_their_message() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let all = [noise(0, 1), noise(900, 2), noise(CHUNK, 3), noise(3 * CHUNK + 77, 4)];
        let names = ["nothing", "small", "a chunk", "some chunks"];
        let files: Vec<_> = names.into_iter().zip(all.iter().map(|bytes| &bytes[..])).collect();
        let said = say_with(&two.ann, &talk, "", &files).await;
        assert_eq!(said["attachments"][3]["state"], "here", "its sender has it");
        let came = async || {
            let message = two.bob.newest(&talk).await;
            let files = message["attachments"].as_array().cloned().unwrap_or_default();
            files.len() == 4 && files.iter().all(|file| file["state"] == "here")
        };
        until(came).await;
        let message = two.bob.newest(&talk).await;
        for (number, wanted) in (0..).zip(&all) {
            let file = &message["attachments"][usize::from(number)];
            assert_eq!(
                (&file["name"], &file["size"]),
                (&json!(names[usize::from(number)]), &json!(wanted.len()))
            );
            assert_eq!(&bytes(&two.bob, &shell(), &message, number).await.unwrap(), wanted);
        }
        let seq = message["attachments"][0]["link"].as_str().unwrap();
        let seq = seq.strip_prefix("t/m/").unwrap().split_once('/').unwrap().0.parse().unwrap();
        let small = two.bob.life.attached(&shell(), seq, 0, true).await.unwrap();
        assert_eq!(small.media_type.as_deref(), Some("image/jpeg"));
        until(async || !two.ann.life.busy() && !two.bob.life.busy()).await;
        assert_eq!(sweep(&two.bob).await.removed, 0, "all of it is needed");
    });
}

#[test]
fn a_message_has_a_text_or_a_file_and_a_file_has_one_source() {
    check_one(|one| async move {
        let send = |more: Value| {
            let one = &one;
            async move {
                let mut body = json!({"id": id(), "conversation": "self", "text": ""});
                body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                one.fails("chat", "send", body).await
            }
        };
        assert_eq!(send(json!({})).await, "malformed");
        assert_eq!(send(json!({"attachments": [{"name": "a"}]})).await, "malformed");
        let both = json!({"upload": id(), "item": id(), "name": "a"});
        assert_eq!(send(json!({"attachments": [both]})).await, "malformed");
        let gone = json!({"upload": id(), "name": "a"});
        assert_eq!(send(json!({"attachments": [gone.clone()]})).await, "no_upload");
        assert_eq!(send(json!({"attachments": vec![gone; 5]})).await, "too_many");
        assert_eq!(send(json!({"attachments": [{"item": id()}]})).await, "not_found");
    });
}

#[test]
fn what_came_is_kept_in_a_folder_and_stays_when_its_message_goes() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let photo = noise(CHUNK + 5, 1);
        let said = say_with(&two.ann, &talk, "look", &[("photo.jpg", &photo)]).await;
        until_state(&two.bob, &talk, "here").await;
        let message = two.bob.newest(&talk).await["message"].clone();
        let keep = || json!({"id": id(), "message": message, "number": 0});
        let (first, second) =
            (two.bob.ask("chat", "keep", keep()).await, two.bob.ask("chat", "keep", keep()).await);
        assert_eq!(
            (&first["name"], &second["name"]),
            (&json!("photo.jpg"), &json!("photo (2).jpg"))
        );
        assert!(first["preview"].is_string());
        // An experience keeps where it was given a folder, and nowhere else.
        let app = experience("chat");
        let give = |kind: &str, thing: Value| {
            json!({"id": id(), "experience": "chat", "kind": kind,
            "thing": thing, "verbs": ["see", "add"], "from": "history"})
        };
        two.bob.ask("experiences", "grant", give("conversation", json!("all"))).await;
        let refused = two.bob.call(&app, "chat", "keep", keep()).await.unwrap_err();
        assert_eq!(refused.code, "not_found");
        let folder = two.bob.ask("files", "make_folder", json!({"id": id(), "name": "Chat"})).await;
        two.bob.ask("experiences", "grant", give("folder", folder["item"].clone())).await;
        let kept = two.bob.call(&app, "chat", "keep", keep()).await.unwrap();
        assert_eq!(kept["name"], "photo.jpg");
        // Its author takes the message back: what was kept stays, the rest goes from both.
        let delete = json!({"id": id(), "message": said["message"]});
        two.ann.ask("chat", "delete", delete).await;
        until(async || two.bob.newest(&talk).await["deleted"] == true).await;
        assert_eq!(two.bob.newest(&talk).await["attachments"], Value::Null);
        assert_eq!(two.bob.fails("chat", "keep", keep()).await, "not_found");
        assert!(sweep(&two.ann).await.kept < CHUNK as u64, "nothing of it is left with her");
        assert!(sweep(&two.bob).await.kept > CHUNK as u64, "he kept it");
        let again = super::files::read(&two.bob, &shell(), &first).await.unwrap();
        assert_eq!(again, photo);
    });
}

#[test]
fn a_file_of_mine_is_sent_and_erasing_the_message_leaves_the_file() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        for size in [100, CHUNK + 1] {
            let content = noise(size, 9);
            let upload = send(&two.ann.life, &shell(), &content, CHUNK).await;
            let put = json!({"id": id(), "name": format!("{size}"), "upload": upload});
            let item = two.ann.ask("files", "put", put).await;
            let with = json!([{"item": item["item"]}]);
            let body = json!({"id": id(), "conversation": talk, "text": "", "attachments": with});
            two.ann.ask("chat", "send", body).await;
            until(async || {
                let newest = two.bob.newest(&talk).await;
                newest["attachments"][0]["size"] == size
                    && newest["attachments"][0]["state"] == "here"
            })
            .await;
            let message = two.bob.newest(&talk).await;
            assert_eq!(bytes(&two.bob, &shell(), &message, 0).await.unwrap(), content);
            let seq = two.ann.history(json!({"kinds": ["chat.message"]})).await[0]["seq"].clone();
            two.ann.ask("history", "erase", json!({"id": id(), "seqs": [seq]})).await;
            assert_eq!(two.ann.newest(&talk).await["attachments"], Value::Null);
            sweep(&two.ann).await;
            assert_eq!(super::files::read(&two.ann, &shell(), &item).await.unwrap(), content);
            // At the other's it is as it was: what they have, they keep until they erase it.
            let seq = two.bob.history(json!({"kinds": ["chat.message"]})).await[0]["seq"].clone();
            two.bob.ask("history", "erase", json!({"id": id(), "seqs": [seq]})).await;
            assert_eq!(sweep(&two.bob).await.kept, 0);
            assert!(bytes(&two.bob, &shell(), &message, 0).await.is_err());
        }
    });
}

#[test]
fn what_is_taken_back_before_it_arrives_is_gone() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        say_with(&two.ann, &talk, "look", &[("photo.jpg", &noise(8 * CHUNK, 1))]).await;
        until(async || state(&two.bob, &talk).await == "coming").await;
        let seq = two.ann.history(json!({"kinds": ["chat.message"]})).await[0]["seq"].clone();
        two.ann.ask("history", "erase", json!({"id": id(), "seqs": [seq]})).await;
        until(async || {
            let now = state(&two.bob, &talk).await;
            // Both are allowed, but it may not come for ever.
            now == "gone" || now == "here"
        })
        .await;
    });
}

#[test]
fn an_interrupted_file_goes_on_where_it_was() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let film = noise(6 * CHUNK, 1);
        say_with(&two.ann, &talk, "look", &[("film.mp4", &film)]).await;
        for _ in 0..4 {
            until(async || state(&two.bob, &talk).await != Value::Null).await;
            two.part();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            two.online.set(true);
            two.ann.life.0.peers.wake();
        }
        until_state(&two.bob, &talk, "here").await;
        let message = two.bob.newest(&talk).await;
        assert_eq!(bytes(&two.bob, &shell(), &message, 0).await.unwrap(), film);
    });
}

#[test]
fn a_hostile_sender_fills_nobody_and_reaches_nothing() {
    check(|two| async move {
        two.meet().await;
        let talk = two.ann.talk_id().await;
        let said = |size: u64, count: usize| {
            json!({"type": "say", "message": id(), "text": "", "time_ms": 5,
                "attachments": vec![json!({"name": "a", "size": size}); count]})
        };
        assert!(hostile(&two, said(1, 5)).await.is_err(), "too many");
        assert!(hostile(&two, said(u64::MAX, 1)).await.is_err(), "larger than anything");
        let bad = json!({"type": "say", "message": id(), "text": "", "time_ms": 5,
            "attachments": [{"name": "../a", "size": 1}]});
        assert!(hostile(&two, bad).await.is_err(), "a name that means another place");
        // A large one waits for her word; nothing is set aside for it.
        hostile(&two, said(1 << 30, 1)).await.unwrap();
        assert_eq!(state(&two.ann, &talk).await, "waiting");
        // Of many small ones only some come by themselves.
        for _ in 0..20 {
            hostile(&two, said(1000, 4)).await.unwrap();
        }
        until(async || !two.ann.life.0.carrying.get()).await;
        let rows = two.ann.life.0.store.read(fetch::all).unwrap();
        assert!(rows.len() <= 64, "{}", rows.len());
        let (which, fetch) =
            rows.iter().find(|(_, fetch)| fetch.upload.is_some()).expect("one is under way");
        let message = MessageId::from_bytes(which.message.0);
        let piece = |offset: u64, bytes: &[u8]| {
            let bytes = Some(data_encoding::BASE64.encode(bytes));
            let piece = capability::chat::latest::Piece {
                message: message.clone(),
                number: which.number,
                offset,
                bytes,
                more: More::new(),
            };
            serde_json::to_value(Body::Piece(piece)).unwrap()
        };
        assert!(hostile(&two, piece(0, &[1; 1001])).await.is_err(), "more than there is");
        assert!(hostile(&two, piece(0, &[1; 10])).await.is_err(), "crumbs");
        assert!(hostile(&two, piece(0, b"")).await.is_err(), "nothing");
        hostile(&two, piece(500, &[1; 500])).await.unwrap();
        let now = two.ann.life.0.store.read(|r| which.read(r)).unwrap();
        assert_eq!(now.as_ref(), Some(fetch), "what nobody asked for is left");
        // What isn't hers to give isn't given: a message of somebody else, of another talk, a file
        // that there is none of.
        let want = |message: &str, number: u8| json!({"type": "want", "message": message, "number": number, "offset": 0});
        assert!(hostile(&two, want(&id(), 0)).await.is_err());
        let note = say_with(&two.ann, "self", "", &[("private", b"x")]).await;
        let note = note["message"].as_str().unwrap().to_owned();
        assert!(hostile(&two, want(&note, 0)).await.is_err());
        let own = two.ann.say(&talk, "text only").await["message"].as_str().unwrap().to_owned();
        assert!(hostile(&two, want(&own, 4)).await.is_err());
        hostile(&two, want(&own, 0)).await.unwrap();
        let owed = Id16(own.parse::<MessageId>().unwrap().bytes());
        let left = || {
            let key = super::super::api::names::owed(&two.bob.life.id(), owed, 0);
            two.ann.life.0.store.read(|r| store::ReadAll::vault_get(r, &key)).unwrap()
        };
        until(async || left().is_none()).await;
    });
}

#[test]
fn files_of_many_people_come_at_the_same_time_and_none_begins_again() {
    check_one(|one| async move {
        let (people, each) = (9_u8, 5_u8);
        let write = move |w: &mut store::Writer<'_>| {
            for person in 1..=people {
                let author = link::TwinId::from_bytes([person; 32]);
                let conversation = Some(Id16([person; 16]));
                let by = By { actor: store::Actor::System, now_ms: 5 };
                for change in [Change::Asked, Change::Accepted] {
                    let changed =
                        Changed { conversation, profile: true, ..Changed::new(author, change) };
                    append(w, &by, CHANGED, &changed, Some(&Words::default()))?;
                }
                for message in 1..=each {
                    let which = Which { author, message: Id16([200 - message; 16]), number: 0 };
                    which.put(w, &Fetch::new(10_000, false))?;
                }
            }
            Ok::<_, Fault>(())
        };
        one.life.0.store.write(write).await.unwrap();
        one.life.run_errands().await.unwrap();
        let all = || one.life.0.store.read(fetch::all).unwrap();
        let begun = all();
        let count = begun.iter().filter(|(_, fetch)| fetch.upload.is_some()).count();
        assert_eq!(count, usize::from(people) * 4, "of each some, whoever else sends");
        // Another one of theirs that is first by its name doesn't take the place of one that comes.
        let author = link::TwinId::from_bytes([1; 32]);
        let first = Which { author, message: Id16([1; 16]), number: 0 };
        let put = move |w: &mut store::Writer<'_>| first.put(w, &Fetch::new(10_000, false));
        one.life.0.store.write(put).await.unwrap();
        for _ in 0..3 {
            one.life.run_errands().await.unwrap();
            let mut now = all();
            now.retain(|(which, _)| *which != first);
            assert_eq!(now, begun, "nothing began again");
        }
        assert_eq!(one.life.0.store.read(|r| first.read(r)).unwrap().unwrap().upload, None);
        // Nothing more comes from somebody who is no contact any more.
        one.ask("contacts", "block", json!({"id": id(), "contact": author.to_string()})).await;
        one.life.run_errands().await.unwrap();
        let left = all();
        assert!(left.iter().all(|(which, _)| which.author != author), "they wait for a word");
        assert_eq!(left.len(), usize::from(people - 1) * usize::from(each));
    });
}
