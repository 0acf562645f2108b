//! Several people whose twins reach each other, each of whom can be cut off. The first knows all.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    rc::Rc,
};

use handover::Number;
use serde_json::{Value, json};
use tokio::{
    net::UnixStream,
    task::{AbortHandle, JoinHandle},
};

use super::super::{One, id, run, shell, until};
use crate::life::Life;

pub(super) const TASK: &str = "hometwin/task@1";

/// Several people.
pub(super) struct Crowd {
    pub(super) all: Vec<One>,
    away: Vec<Cell<bool>>,
    links: RefCell<Vec<(usize, usize, AbortHandle)>>,
}

/// Runs a scenario with so many people, all contacts of the first, then compares each with their
/// journal.
pub(super) fn check<F: Future<Output = ()>>(people: usize, scenario: impl FnOnce(Rc<Crowd>) -> F) {
    run(async {
        let mut all = Vec::new();
        for number in 0..people {
            all.push(One::new(&format!("p{number}")).await);
        }
        let away = (0..people).map(|_| Cell::new(false)).collect();
        let crowd = Rc::new(Crowd { all, away, links: RefCell::default() });
        let pumps: Vec<_> = (0..people).map(|number| pump(&crowd, number)).collect();
        for number in 1..people {
            crowd.meet(0, number).await;
        }
        scenario(Rc::clone(&crowd)).await;
        pumps.iter().for_each(JoinHandle::abort);
        for one in &crowd.all {
            one.verify().await;
        }
    });
}

fn pump(crowd: &Rc<Crowd>, from: usize) -> JoinHandle<()> {
    let crowd = Rc::clone(crowd);
    tokio::task::spawn_local(async move {
        let life: Rc<Life> = Rc::clone(&crowd.all[from].life);
        let open = |id| {
            let crowd = Rc::clone(&crowd);
            async move {
                let to = crowd.all.iter().position(|one| one.life.id() == id);
                let to = to.filter(|to| !crowd.away[*to].get() && !crowd.away[from].get());
                let Some(to) = to else { return Err(handover::Reason::NotHere) };
                let (ours, theirs) = UnixStream::pair().unwrap();
                let life = Rc::clone(&crowd.all[to].life);
                let number = Number(u32::try_from(from).unwrap());
                let served =
                    tokio::task::spawn_local(async move { life.serve_link(theirs, number).await });
                crowd.links.borrow_mut().push((from, to, served.abort_handle()));
                Ok(ours)
            }
        };
        life.pump(open).await;
    })
}

impl Crowd {
    pub(super) fn id(&self, one: usize) -> String {
        self.all[one].life.id().to_string()
    }

    pub(super) async fn meet(&self, a: usize, b: usize) {
        let card = self.all[b].ask("identity", "card", json!({})).await["link"].clone();
        self.all[a].ask("contacts", "request", json!({"id": id(), "card": card})).await;
        let (a_id, b_id) = (self.id(a), self.id(b));
        until(async || self.knows(b, &a_id, "asks").await).await;
        self.all[b].ask("contacts", "accept", json!({"id": id(), "contact": a_id})).await;
        until(async || self.knows(a, &b_id, "accepted").await).await;
    }

    async fn knows(&self, one: usize, contact: &str, state: &str) -> bool {
        let page = self.all[one].ask("contacts", "list", json!({})).await;
        let items = page["items"].as_array().unwrap();
        items.iter().any(|item| item["contact"] == contact && item["state"] == state)
    }

    /// Cuts somebody off.
    pub(super) fn part(&self, one: usize) {
        self.away[one].set(true);
        self.links.borrow_mut().retain(|(from, to, link)| {
            let theirs = *from == one || *to == one;
            if theirs {
                link.abort();
            }
            !theirs
        });
    }

    /// Somebody can be reached again.
    pub(super) fn back(&self, one: usize) {
        self.away[one].set(false);
        for one in &self.all {
            one.life.0.peers.try_all_now();
        }
    }

    /// The first makes a space.
    pub(super) async fn make(&self, name: &str) -> String {
        let made = self.all[0].ask("spaces", "create", json!({"id": id(), "name": name})).await;
        made["space"].as_str().unwrap().to_owned()
    }

    /// A space in which the first few are.
    pub(super) async fn shared(&self, name: &str, people: usize) -> String {
        let list = self.make(name).await;
        for one in 1..people {
            self.invite(0, one, &list, "editor").await;
            self.join(one, &list).await;
        }
        let all: Vec<usize> = (0..people).collect();
        until(async || self.know_each_other(&list, &all).await).await;
        list
    }

    async fn know_each_other(&self, list: &str, those: &[usize]) -> bool {
        for one in those {
            let space = self.space(*one, list).await;
            let members = space["members"].as_array().unwrap();
            let joined = members.iter().filter(|member| member["joined"] == true).count();
            if joined < those.len() {
                return false;
            }
        }
        true
    }

    pub(super) async fn invite(&self, by: usize, whom: usize, list: &str, role: &str) {
        let body = json!({"id": id(), "space": list, "contact": self.id(whom), "role": role,
            "note": "come in"});
        self.all[by].ask("spaces", "invite", body).await;
        until(async || self.state(whom, list).await == "invited").await;
    }

    async fn state(&self, one: usize, list: &str) -> String {
        let page = self.all[one].ask("spaces", "list", json!({"all": true})).await;
        let items = page["items"].as_array().unwrap();
        let found = items.iter().find(|item| item["space"] == list);
        found.map(|item| item["state"].as_str().unwrap().to_owned()).unwrap_or_default()
    }

    pub(super) async fn join(&self, one: usize, list: &str) {
        self.all[one].ask("spaces", "accept", json!({"id": id(), "space": list})).await;
    }

    pub(super) async fn role(&self, by: usize, whom: usize, list: &str, role: &str) {
        let body = json!({"id": id(), "space": list, "person": self.id(whom), "role": role});
        self.all[by].ask("spaces", "set_role", body).await;
        // Otherwise who comes back now may be heard by others before the news is.
        for one in 0..self.all.len() {
            if self.hears(by) && self.hears(one) && self.state(one, list).await == "member" {
                until(async || one == whom || self.role_of(one, whom, list).await == role).await;
            }
        }
    }

    fn hears(&self, one: usize) -> bool {
        !self.away[one].get()
    }

    /// Somebody's role as another knows it.
    async fn role_of(&self, one: usize, whom: usize, list: &str) -> String {
        let (space, whom) = (self.space(one, list).await, self.id(whom));
        let members = space["members"].as_array().unwrap();
        let found = members.iter().find(|member| member["person"]["id"] == whom);
        found.map_or("none", |member| member["role"].as_str().unwrap()).to_owned()
    }

    pub(super) async fn space(&self, one: usize, list: &str) -> Value {
        self.all[one].ask("spaces", "get", json!({"space": list})).await
    }

    pub(super) async fn put(&self, one: usize, list: &str, fields: Value) -> Value {
        let body = json!({"id": id(), "space": list, "type": TASK, "fields": fields});
        self.all[one].ask("records", "put", body).await
    }

    pub(super) async fn change(&self, one: usize, record: &Value, fields: Value) {
        let body = json!({"id": id(), "space": record["space"], "type": record["type"],
            "record": record["record"], "fields": fields});
        self.all[one].ask("records", "put", body).await;
    }

    pub(super) async fn remove(&self, one: usize, record: &Value) {
        let body = json!({"id": id(), "space": record["space"], "type": record["type"],
            "record": record["record"]});
        self.all[one].ask("records", "remove", body).await;
    }

    pub(super) async fn get(&self, one: usize, record: &Value) -> Value {
        let body = json!({"space": record["space"], "type": record["type"],
            "record": record["record"]});
        self.all[one].ask("records", "get", body).await
    }

    /// The records of a list as one person has them: what all must have alike.
    pub(super) async fn copy(&self, one: usize, list: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let mut body = json!({"space": list, "type": TASK, "limit": 200});
            if !cursor.is_null() {
                body["cursor"] = cursor;
            }
            let page = self.all[one].ask("records", "query", body).await;
            all.extend(page["items"].as_array().unwrap().iter().map(|item| {
                json!([
                    item["record"],
                    item["fields"],
                    item["made_ms"],
                    item["changed_ms"],
                    item["made_by"]["id"],
                    item["changed_by"]["id"]
                ])
            }));
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                return all;
            }
        }
    }

    pub(super) async fn titles(&self, one: usize, list: &str) -> Vec<String> {
        let title = |item: &Value| item[1]["title"].as_str().unwrap_or("-").to_owned();
        self.copy(one, list).await.iter().map(title).collect()
    }

    /// Somebody says something in the space's conversation.
    pub(super) async fn say(&self, one: usize, list: &str, text: &str) -> Value {
        let body = json!({"id": id(), "conversation": list, "text": text});
        self.all[one].ask("chat", "send", body).await
    }

    /// What was said in a space as one person has it, oldest first: what all must have alike.
    pub(super) async fn talk(&self, one: usize, list: &str) -> Vec<Value> {
        let body = json!({"conversation": list, "limit": 200});
        // Who was never in it has no conversation.
        let page = self.all[one].call(&shell(), "chat", "messages", body).await;
        let page = page.unwrap_or_default();
        let items = page["items"].as_array().cloned().unwrap_or_default();
        let same = |item: &Value| {
            let what = ["message", "text", "time_ms", "edited_ms", "deleted", "reply_to"];
            let mut same: Vec<_> = what.iter().map(|name| item[*name].clone()).collect();
            same.push(item["author"]["id"].clone());
            json!(same)
        };
        items.iter().rev().map(same).collect()
    }

    pub(super) async fn texts(&self, one: usize, list: &str) -> Vec<String> {
        let text = |item: &Value| item[1].as_str().unwrap_or("-").to_owned();
        self.talk(one, list).await.iter().map(text).collect()
    }

    /// The space among somebody's conversations.
    pub(super) async fn conversation(&self, one: usize, list: &str) -> Option<Value> {
        let page = self.all[one].ask("chat", "conversations", json!({})).await;
        let items = page["items"].as_array().unwrap();
        items.iter().find(|item| item["conversation"] == list).cloned()
    }

    /// Waits until all have the same, with nothing left to be said.
    pub(super) async fn agree(&self, list: &str) {
        let all: Vec<usize> = (0..self.all.len()).collect();
        self.agree_among(list, &all).await;
    }

    pub(super) async fn agree_among(&self, list: &str, those: &[usize]) {
        for _ in 0..4000 {
            if self.same(list, those).await {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        for one in those {
            eprintln!("{one}: {:#?}", self.copy(*one, list).await);
            eprintln!("{one}: {:?}", self.talk(*one, list).await);
            eprintln!("{one}: {:?}", self.all[*one].life.counts());
        }
        panic!("the copies never became the same");
    }

    async fn same(&self, list: &str, those: &[usize]) -> bool {
        if those.iter().any(|one| {
            self.all[*one]
                .life
                .0
                .peers
                .waiting_to(|id| those.iter().any(|one| self.all[*one].life.id() == *id))
        }) {
            return false;
        }
        let first = self.copy(those[0], list).await;
        let said = self.talk(those[0], list).await;
        for one in &those[1..] {
            if self.copy(*one, list).await != first || self.talk(*one, list).await != said {
                return false;
            }
        }
        true
    }
}
