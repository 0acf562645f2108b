//! Two people who know each other, ready to talk.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Node, Person, Result, fresh_id, until};

/// Two people of one node.
pub struct Pair {
    /// The one who asked.
    pub ann: Person,
    /// The one who accepted.
    pub bob: Person,
    /// Their conversation; the same id on both sides.
    pub conversation: String,
}

impl Pair {
    /// Pairs a client with each, exchanges cards, and waits until both are each other's contacts.
    ///
    /// # Errors
    /// If any step is refused or takes too long.
    pub fn introduce(node: &Node) -> Result<Self> {
        let (ann, bob) = (node.pair("ann")?, node.pair("bob")?);
        let link = bob.call("identity", "card", json!({}))?["link"].clone();
        let asked = json!({ "id": fresh_id(), "card": link, "note": "It's me, Ann." });
        ann.call("contacts", "request", asked)?;
        let asking = contact(&bob, "asks")?;
        let accepted = json!({ "id": fresh_id(), "contact": asking["contact"] });
        bob.call("contacts", "accept", accepted)?;
        contact(&ann, "accepted")?;
        let conversation = until("a conversation with Bob", Duration::from_secs(20), || {
            let all = ann.call("chat", "conversations", json!({}))?;
            let items = all["items"].as_array().cloned().unwrap_or_default();
            let with_bob = items.into_iter().find(|c| c["with"]["me"] == false);
            Ok(with_bob.and_then(|c| c["conversation"].as_str().map(str::to_owned)))
        })?;
        Ok(Self { ann, bob, conversation })
    }

    /// Sends as one of the two; gives the message's id.
    ///
    /// # Errors
    /// If it's refused.
    pub fn send(&self, from: &Person, text: &str) -> Result<String> {
        let id = fresh_id();
        let body = json!({ "id": id, "conversation": self.conversation, "text": text });
        from.call("chat", "send", body)?;
        Ok(id)
    }

    /// Waits until a message fits on this side.
    ///
    /// # Errors
    /// If none does in time.
    pub fn wait(&self, at: &Person, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        until(what, Duration::from_secs(20), || {
            let page = json!({ "conversation": self.conversation });
            let page = at.call("chat", "messages", page)?;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            Ok(items.into_iter().find(&fits))
        })
    }
}

/// Waits for a contact in this state.
fn contact(person: &Person, state: &str) -> Result<Value> {
    until(&format!("a contact that is {state}"), Duration::from_secs(20), || {
        let all = person.call("contacts", "list", json!({}))?;
        let items = all["items"].as_array().cloned().unwrap_or_default();
        Ok(items.into_iter().find(|contact| contact["state"] == state))
    })
}

/// All messages of a conversation as (id, text), oldest first, read page by page.
///
/// # Errors
/// If a page is refused or pages never end.
pub fn conversation_texts(person: &Person, conversation: &str) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    let mut cursor = Value::Null;
    for _ in 0..10_000 {
        let mut wish = json!({ "conversation": conversation, "limit": 200 });
        if !cursor.is_null() {
            wish["cursor"] = cursor;
        }
        let page = person.call("chat", "messages", wish)?;
        for message in page["items"].as_array().into_iter().flatten() {
            let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
            all.push((text("message"), text("text")));
        }
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            all.reverse();
            return Ok(all);
        }
    }
    Err("the conversation's pages never end".into())
}
