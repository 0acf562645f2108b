//! Promise: an experience reaches nothing but what its person chose for it.
//!
//! What the twin answers, header by header; what a browser makes of it is in `browser_story`.

use hw_tests::{
    Answer, Events, Fault, Node, Options, Pair, Person, Result, conversation_texts, fresh_id,
};
use serde_json::{Value, json};

/// An open frame of the chat experience.
struct Frame {
    frame: String,
    token: String,
    path: String,
}

impl Frame {
    fn open(person: &Person) -> Result<Self> {
        let opened = person.call("experiences", "open", json!({ "name": "chat" }))?;
        let text = |key: &str| opened[key].as_str().unwrap_or_default().to_owned();
        let url = text("url");
        let path = url.strip_prefix(&person.origin()).unwrap_or(&url).to_owned();
        Ok(Self { frame: text("frame"), token: text("token"), path })
    }

    /// A call as the shell makes it on the experience's behalf.
    fn call(
        &self,
        person: &Person,
        capability: &str,
        method: &str,
        body: &Value,
    ) -> std::result::Result<Value, Fault> {
        person.call_as(capability, method, &[("experience", &self.token)], body)
    }

    /// A page as a frame without an origin gets it: no cookie.
    fn get(person: &Person, path: &str) -> Result<Answer> {
        person.get(path, &[("cookie", "")])
    }
}

fn grant(person: &Person, thing: &str, from: &str) -> Result<String> {
    let wish = json!({
        "id": fresh_id(), "experience": "chat", "kind": "conversation", "thing": thing,
        "verbs": ["see", "add", "change"], "from": from
    });
    let given = person.call("experiences", "grant", wish)?;
    let id = given["grant"]["grant"].as_str().or(given["grant"].as_str());
    id.map(str::to_owned).ok_or_else(|| format!("no grant in {given}").into())
}

fn directive<'a>(policy: &'a str, name: &str) -> &'a str {
    let mut all = policy.split(';').map(str::trim);
    all.find(|part| part.split_whitespace().next() == Some(name)).unwrap_or_default()
}

#[test]
fn every_experience_answer_carries_the_wall() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    let frame = Frame::open(&ann).unwrap();
    let inside = format!("/x/{}/", frame.frame);
    let page = Frame::get(&ann, &frame.path).unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
    let missing = Frame::get(&ann, &format!("{inside}no-such-file")).unwrap();
    let unknown = Frame::get(&ann, "/x/00112233445566778899aabbccddeeff/index.html").unwrap();
    let thing = Frame::get(&ann, &format!("{inside}t/AAAA")).unwrap();
    let sdk = Frame::get(&ann, &format!("{inside}sdk/twin.js")).unwrap();
    assert_eq!(sdk.status, 200);
    for (what, answer) in [
        ("page", &page),
        ("missing", &missing),
        ("unknown", &unknown),
        ("thing", &thing),
        ("sdk", &sdk),
    ] {
        let policy = answer.header("content-security-policy");
        let sandbox = directive(policy, "sandbox");
        assert!(sandbox.starts_with("sandbox"), "{what}: {policy:?}");
        for never in ["allow-same-origin", "allow-top-navigation", "allow-popups", "allow-modals"] {
            assert!(!sandbox.contains(never), "{what}: {sandbox}");
        }
        assert_eq!(directive(policy, "default-src"), "default-src 'none'", "{what}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
        assert_eq!(answer.header("set-cookie"), "", "{what}");
    }
    let policy = page.header("content-security-policy");
    for name in ["script-src", "style-src", "img-src", "connect-src", "font-src", "media-src"] {
        let rule = directive(policy, name);
        assert!(rule.contains(&inside), "{name} is {rule:?}");
        assert!(!rule.contains('*') && !rule.contains("unsafe"), "{name} is {rule:?}");
        assert!(!rule.contains("'self'"), "{name} is {rule:?}");
    }
    for name in ["frame-src", "form-action", "base-uri", "worker-src"] {
        assert_eq!(directive(policy, name), format!("{name} 'none'"));
    }
    assert_eq!(directive(policy, "frame-ancestors"), format!("frame-ancestors {}", ann.origin()));
    assert_eq!(page.header("access-control-allow-origin"), "*");
}

#[test]
fn the_shell_is_strict_too() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    let page = ann.get("/", &[]).unwrap();
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    let frames = directive(policy, "frame-src");
    assert_eq!(frames, format!("frame-src {}/x/", ann.origin()), "{policy}");
    assert!(directive(policy, "frame-ancestors").contains("'none'"), "{policy}");
    assert_eq!(page.header("access-control-allow-origin"), "");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
}

#[test]
fn without_a_choice_nothing_is_visible() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let pair = Pair::introduce(&node).unwrap();
    pair.send(&pair.ann, "private").unwrap();
    let frame = Frame::open(&pair.ann).unwrap();
    let seen = frame.call(&pair.ann, "chat", "conversations", &json!({})).unwrap();
    assert_eq!(seen["items"].as_array().map(Vec::len), Some(0), "{seen}");
    let page = json!({ "conversation": pair.conversation });
    frame.call(&pair.ann, "chat", "messages", &page).unwrap_err();
    let send = json!({ "id": fresh_id(), "conversation": pair.conversation, "text": "spam" });
    frame.call(&pair.ann, "chat", "send", &send).unwrap_err();
    for (capability, method) in [
        ("contacts", "list"),
        ("history", "list"),
        ("experiences", "list"),
        ("experiences", "grants"),
        ("identity", "card"),
        ("identity", "sessions"),
        ("identity", "end_session"),
        ("identity", "passkeys"),
        ("identity", "begin_passkey"),
        ("identity", "begin_sign_in"),
        ("identity", "sign_out"),
        ("spaces", "accept"),
        ("spaces", "create"),
        ("spaces", "invite"),
        ("spaces", "leave"),
        ("spaces", "set_role"),
    ] {
        let refused = frame.call(&pair.ann, capability, method, &json!({})).unwrap_err();
        let Fault::Problem { status, .. } = refused else { panic!("{refused}") };
        assert_eq!(status, 403, "{capability}.{method}");
    }
    let made = json!({ "id": fresh_id(), "name": "Private" });
    let space = pair.ann.call("spaces", "create", made).unwrap()["space"].clone();
    let kind = "hometwin/task@1";
    let put = json!({ "id": fresh_id(), "space": space, "type": kind, "fields": { "title": "x" } });
    pair.ann.call("records", "put", put.clone()).unwrap();
    let seen = frame.call(&pair.ann, "spaces", "list", &json!({ "all": true })).unwrap();
    assert_eq!(seen["items"].as_array().map(Vec::len), Some(0), "{seen}");
    frame.call(&pair.ann, "spaces", "get", &json!({ "space": space })).unwrap_err();
    let query = json!({ "space": space, "type": kind });
    frame.call(&pair.ann, "records", "query", &query).unwrap_err();
    let mut add = put;
    add["id"] = fresh_id().into();
    frame.call(&pair.ann, "records", "put", &add).unwrap_err();
    let wish = json!({
        "id": fresh_id(), "experience": "chat", "kind": "conversation", "thing": "all",
        "verbs": ["see"], "from": "history"
    });
    frame.call(&pair.ann, "experiences", "grant", &wish).unwrap_err();
    // A batch is no way around it.
    let call = json!({ "capability": "contacts", "major": 1, "method": "list", "body": {} });
    let headers = [("experience", frame.token.as_str())];
    let batch = pair.ann.post("/api/batch", &headers, &json!({ "calls": [call] })).unwrap();
    assert_ne!(batch.status, 200, "{}", batch.text());
}

#[test]
fn a_choice_gives_one_thing_and_ends_when_taken_back() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let pair = Pair::introduce(&node).unwrap();
    let note = json!({ "id": fresh_id(), "conversation": "self", "text": "a private note" });
    pair.ann.call("chat", "send", note).unwrap();
    let before = pair.send(&pair.ann, "before the choice").unwrap();
    let frame = Frame::open(&pair.ann).unwrap();
    let given = grant(&pair.ann, &pair.conversation, "now").unwrap();
    let after = pair.send(&pair.ann, "after the choice").unwrap();

    let seen = frame.call(&pair.ann, "chat", "conversations", &json!({})).unwrap();
    assert_eq!(seen["items"].as_array().map(Vec::len), Some(1), "{seen}");
    let page = json!({ "conversation": pair.conversation });
    let messages = frame.call(&pair.ann, "chat", "messages", &page).unwrap().to_string();
    assert!(messages.contains(&after) && !messages.contains(&before), "{messages}");
    frame.call(&pair.ann, "chat", "messages", &json!({ "conversation": "self" })).unwrap_err();
    let real = pair.bob.call("identity", "me", json!({})).unwrap()["id"].clone();
    assert!(!messages.contains(real.as_str().unwrap()), "a twin id went through the wall");

    let mut events = Events::open(&pair.ann, &pair.ann.origin()).unwrap();
    let subscribe = json!({
        "op": "subscribe", "sub": 1, "capability": "chat", "major": 1, "topic": {}, "frame": frame.token
    });
    events.send(&subscribe).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let live = pair.send(&pair.bob, "live").unwrap();
    events
        .wait("of a live message", |e| e["event"]["message"]["message"] == live.as_str())
        .unwrap();

    let revoke = json!({ "id": fresh_id(), "grant": given });
    pair.ann.call("experiences", "revoke", revoke).unwrap();
    let ends = |e: &Value| e["problem"].is_object() || e["resync"] == true;
    events.wait("that ends the subscription", ends).unwrap();
    frame.call(&pair.ann, "chat", "messages", &page).unwrap_err();
    pair.send(&pair.bob, "after the end").unwrap();
    let silence = events.next(std::time::Duration::from_secs(1)).unwrap();
    assert!(silence.is_none(), "{silence:?}");
    let texts = conversation_texts(&pair.ann, &pair.conversation).unwrap();
    assert!(texts.len() >= 3, "{texts:?}");
}

#[test]
fn a_closed_frame_is_dead() {
    let node = Node::start(&Options::people(&["ann"])).unwrap();
    let ann = node.pair("ann").unwrap();
    let (open, closed) = (Frame::open(&ann).unwrap(), Frame::open(&ann).unwrap());
    assert_ne!(open.frame, closed.frame);
    assert_ne!(open.token, closed.token);
    assert!(open.frame.len() >= 22, "{} can be guessed", open.frame);
    ann.call("experiences", "close", json!({ "frame": closed.frame })).unwrap();
    assert_eq!(Frame::get(&ann, &closed.path).unwrap().status, 404);
    closed.call(&ann, "identity", "me", &json!({})).unwrap_err();
    open.call(&ann, "identity", "me", &json!({})).unwrap();

    let mut stranger = ann.clone();
    stranger.cookie.clear();
    let refused = open.call(&stranger, "identity", "me", &json!({})).unwrap_err();
    let Fault::Problem { status, .. } = refused else { panic!("{refused}") };
    assert_eq!(status, 401, "a token without its session");

    ann.call("identity", "sign_out", json!({})).unwrap();
    assert_eq!(Frame::get(&ann, &open.path).unwrap().status, 404, "a frame outlived its session");
    open.call(&ann, "identity", "me", &json!({})).unwrap_err();
}

#[test]
fn one_twins_frame_and_token_are_worth_nothing_at_another() {
    let node = Node::start(&Options::people(&["ann", "bob"])).unwrap();
    let (ann, bob) = (node.pair("ann").unwrap(), node.pair("bob").unwrap());
    let frame = Frame::open(&ann).unwrap();
    assert_eq!(Frame::get(&bob, &frame.path).unwrap().status, 404);
    frame.call(&bob, "identity", "me", &json!({})).unwrap_err();
    let guessed = Frame { token: "A".repeat(frame.token.len()), ..frame };
    guessed.call(&ann, "identity", "me", &json!({})).unwrap_err();
}
