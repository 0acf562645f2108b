//! Generates the JSON Schema document of each interface, and one of what they share. It never
//! writes a file: a test compares with the committed ones.

use schemars::{
    Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value, json};

use crate::{
    interfaces::{self, Interface},
    manifest::Manifest,
    records::latest,
    wire::{Batch, BatchResults, ClientMessage, Problem, ServerMessage},
};

/// The document of one interface.
#[must_use]
pub fn document(of: &Interface) -> Value {
    let mut generator = generator();
    let mut methods = Map::new();
    for method in of.methods {
        methods.insert(
            method.name.to_owned(),
            json!({
                "writes": method.writes,
                "experience": method.experience,
                "request": (method.request)(&mut generator),
                "response": (method.response)(&mut generator),
            }),
        );
    }
    let mut document = head(&format!("{}/{}", of.name, of.major), of.about);
    document.insert("capability".to_owned(), of.name.into());
    document.insert("major".to_owned(), of.major.into());
    document.insert("methods".to_owned(), methods.into());
    if let Some((topic, event)) = of.events {
        let events = json!({ "topic": topic(&mut generator), "event": event(&mut generator) });
        document.insert("events".to_owned(), events);
    }
    if let Some(envelope) = of.envelope {
        let body = (envelope.body)(&mut generator);
        document.insert("envelope".to_owned(), json!({ "types": envelope.types, "body": body }));
    }
    document.insert("$defs".to_owned(), definitions(generator));
    document.into()
}

/// The document of what all interfaces share: problems, batches, the event socket.
#[must_use]
pub fn wire() -> Value {
    let mut generator = generator();
    let mut parts = Map::new();
    let mut part = |name: &str, schema: Schema| parts.insert(name.to_owned(), schema.into());
    part("problem", generator.subschema_for::<Problem>());
    part("batch", generator.subschema_for::<Batch>());
    part("batch_results", generator.subschema_for::<BatchResults>());
    part("from_browser", generator.subschema_for::<ClientMessage>());
    part("from_twin", generator.subschema_for::<ServerMessage>());
    let mut document = head("wire", "What all capabilities share.");
    document.extend(parts);
    document.insert("$defs".to_owned(), definitions(generator));
    document.into()
}

/// The document of what an experience says about itself.
#[must_use]
pub fn manifest() -> Value {
    let mut generator = generator();
    let of = generator.subschema_for::<Manifest>();
    let mut document = head("manifest/1", "What an experience says about itself: experience.json.");
    document.insert("manifest".to_owned(), of.into());
    document.insert("$defs".to_owned(), definitions(generator));
    document.into()
}

/// Every document with its path below `documents/`.
#[must_use]
pub fn all() -> Vec<(String, String)> {
    let mut files: Vec<_> = interfaces::all()
        .iter()
        .map(|one| (format!("{}/{}.json", one.name, one.major), written(&document(one))))
        .collect();
    files.push(("manifest/1.json".to_owned(), written(&manifest())));
    files.push(("wire/1.json".to_owned(), written(&wire())));
    files.extend(latest::well_known().values().map(|one| {
        let (_, name) = one.kind.as_str().split_once('/').unwrap_or_default();
        (format!("types/{}.json", name.replace('@', "-")), written(&json!(one)))
    }));
    files
}

fn head(name: &str, about: &str) -> Map<String, Value> {
    let mut head = Map::new();
    head.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    head.insert(
        "$id".to_owned(),
        format!("urn:hometwin:capability:{}", name.replace('/', ":")).into(),
    );
    head.insert("title".to_owned(), name.into());
    head.insert("description".to_owned(), about.into());
    head
}

/// As requests are read: what has a default may be left out.
fn generator() -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.contract = Contract::Deserialize;
    settings.into_generator()
}

fn definitions(mut generator: SchemaGenerator) -> Value {
    generator.take_definitions(true).into()
}

fn written(document: &Value) -> String {
    format!("{document:#}\n")
}
