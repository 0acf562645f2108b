//! Twins of different ages: requests refuse what they do not know, envelopes keep it.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use capability::{chat, contacts, history, identity, spaces, wire};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

const ID: &str = "00112233445566778899aabbccddeeff";

fn twin() -> String {
    "a".repeat(52)
}

/// Any JSON that a later version could add, under names that this one does not use.
fn later() -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    });
    prop::collection::btree_map("later_[a-z]{1,8}", value, 0..5)
        .prop_map(|map| map.into_iter().collect())
}

fn bodies() -> Vec<Value> {
    vec![
        json!({"type": "say", "message": ID, "text": "hello", "time_ms": 5, "reply_to": ID}),
        json!({"type": "edit", "message": ID, "text": "hello", "time_ms": 5}),
        json!({"type": "delete", "message": ID, "time_ms": 5}),
        json!({"type": "say", "message": ID, "text": "", "time_ms": 5,
            "attachments": [{"name": "a.jpg", "size": 5, "preview": "/9j/AAAA", "later": 1}]}),
        json!({"type": "want", "message": ID, "number": 0, "offset": 5}),
        json!({"type": "piece", "message": ID, "number": 0, "offset": 5, "bytes": "AAAA"}),
        json!({"type": "read", "up_to": ID, "author": twin(), "time_ms": 5}),
    ]
}

fn survives<T: Serialize + DeserializeOwned>(body: &Value) {
    let bytes = serde_json::to_vec(body).unwrap();
    let read: T = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(&serde_json::to_value(&read).unwrap(), body);
}

fn with(body: &Value, more: &serde_json::Map<String, Value>) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().extend(more.clone());
    body
}

proptest! {
    #[test]
    fn unknown_fields_survive_in_envelopes(more in later()) {
        for body in bodies() {
            survives::<chat::latest::Body>(&with(&body, &more));
        }
        let ask = json!({"type": "ask", "display_name": "Ann", "about": "", "time_ms": 5});
        survives::<contacts::latest::Body>(&with(&ask, &more));
        let accept = json!({"type": "accept", "display_name": "Ann", "about": "", "time_ms": 5});
        survives::<contacts::latest::Body>(&with(&accept, &more));
        let profile = json!({"type": "profile", "display_name": "A", "about": "b", "time_ms": 5});
        survives::<identity::latest::Body>(&with(&profile, &more));
        let signed = json!({"by": twin(), "text": "{}", "sig": ""});
        for body in [
            json!({"type": "invite", "roster": signed, "people": []}),
            json!({"type": "join", "roster": signed}),
            json!({"type": "bye", "space": ID}),
            json!({"type": "roster", "roster": signed}),
            json!({"type": "ops", "space": ID, "ops": [signed], "next": {twin(): 7}}),
            json!({"type": "have", "space": ID, "of": [twin()], "marks": {twin(): 7}}),
        ] {
            survives::<spaces::latest::Body>(&with(&body, &more));
        }
    }

    #[test]
    fn unknown_fields_are_refused_in_requests(name in "later_[a-z]{1,8}", value in any::<i64>()) {
        let send = json!({"id": ID, "conversation": "self", "text": "x"});
        prop_assert!(serde_json::from_value::<chat::latest::Send>(send.clone()).is_ok());
        let mut newer = send;
        newer[&name] = value.into();
        prop_assert!(serde_json::from_value::<chat::latest::Send>(newer).is_err());
        let newer = json!({ name.clone(): value });
        prop_assert!(serde_json::from_value::<history::latest::List>(newer.clone()).is_err());
        prop_assert!(serde_json::from_value::<contacts::latest::List>(newer.clone()).is_err());
        prop_assert!(serde_json::from_value::<wire::Nothing>(newer).is_err());
        let subscribe = json!({"op": "subscribe", "sub": 1, "capability": "chat", "major": 1,
            "topic": {}, name: value});
        prop_assert!(serde_json::from_value::<wire::ClientMessage>(subscribe).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = serde_json::from_slice::<chat::latest::Send>(&bytes);
        let _ = serde_json::from_slice::<wire::Batch>(&bytes);
        let _ = serde_json::from_slice::<wire::ClientMessage>(&bytes);
        let _ = serde_json::from_slice::<chat::latest::Body>(&bytes);
    }

    #[test]
    fn ids_are_what_they_were(bytes in any::<[u8; 16]>()) {
        let id = wire::MessageId::from_bytes(bytes);
        prop_assert_eq!(id.bytes(), bytes);
        let again: wire::MessageId = serde_json::from_value(serde_json::to_value(&id).unwrap()).unwrap();
        prop_assert_eq!(again, id);
    }

    #[test]
    fn texts_keep_to_their_length(text in "\\PC{0,40}") {
        let is = text.chars().count();
        let fits = text.parse::<wire::Text<1, 20>>().is_ok();
        prop_assert_eq!(fits, (1..=20).contains(&is) && !text.trim().is_empty());
    }
}

#[test]
fn a_change_of_a_later_version_is_read_as_one() {
    let op = json!({"space": ID, "number": 3, "clock": {"time_ms": 5, "tick": 0}, "act": "vote",
        "for": ["x"]});
    let read: spaces::latest::Op = serde_json::from_value(op).unwrap();
    assert_eq!((read.number, read.act), (3, spaces::latest::Act::Other));
    for wrong in ["task", "a/b", "a/b@0", "a/b@01", "A/b@1", "/b@1", "a/@1", "a/b@1000", "a/b@1\n"]
    {
        assert!(wrong.parse::<wire::TypeName>().is_err(), "{wrong}");
    }
    assert!("hometwin/task@1".parse::<wire::TypeName>().is_ok());
    for wrong in ["", "Title", "with space", "über", &"x".repeat(41)] {
        assert!(wrong.parse::<wire::FieldName>().is_err(), "{wrong}");
    }
}

#[test]
fn limits_are_kept() {
    let list =
        |limit: Value| serde_json::from_value::<contacts::latest::List>(json!({"limit": limit}));
    assert!(list(json!(200)).is_ok());
    assert!(list(json!(0)).is_err() && list(json!(201)).is_err() && list(json!(-1)).is_err());
    assert_eq!(
        serde_json::from_value::<contacts::latest::List>(json!({})).unwrap().limit.items(),
        50
    );
    let text = |text: String| text.parse::<chat::latest::MessageText>();
    assert!(text("é".repeat(8000)).is_ok() && text("x".repeat(8001)).is_err());
    assert!(text("a\u{0}b".to_owned()).is_err() && text(" \n ".to_owned()).is_err());
    let name = |name: &str| name.parse::<identity::latest::DisplayName>();
    assert!(name("Zoë").is_ok() && name("Ann\u{202e}nnA").is_err() && name("a\nb").is_err());
    for wrong in
        ["", "0011", "00112233445566778899AABBCCDDEEFF", "../../../../../../../../../../.."]
    {
        assert!(wrong.parse::<wire::WriteId>().is_err(), "{wrong}");
    }
}
