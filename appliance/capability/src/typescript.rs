//! Writes the documents as TypeScript declarations (`ui/sdk/types.d.ts`) for editors and for the
//! checks of the SDK. It understands the part of JSON Schema that our own types produce and says
//! `unknown` for anything else; it never invents a type.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::{documents, interfaces};

/// The declarations of all interfaces.
#[must_use]
pub fn declarations() -> String {
    let mut out = Out { text: HEAD.to_owned(), depth: 0 };
    let wire = documents::wire();
    out.namespace("Wire", &wire);
    for one in interfaces::all() {
        out.namespace(&space(one.name, one.major), &documents::document(one));
    }
    out.methods();
    out.events();
    out.text
}

const HEAD: &str = "\
// Generated from the capability documents; do not edit.
// A test compares it, `HOMETWIN_WRITE=1 cargo test -p capability` writes it anew.
";

/// The namespace of an interface: `Chat`, later `Chat2`.
fn space(name: &str, major: u32) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    let number = if major == 1 { String::new() } else { major.to_string() };
    first.into_iter().chain(chars).chain(number.chars()).collect()
}

struct Out {
    text: String,
    depth: usize,
}

impl Out {
    fn line(&mut self, text: &str) {
        let indent = "  ".repeat(self.depth);
        let _ = writeln!(self.text, "{indent}{text}");
    }

    fn comment(&mut self, schema: &Value) {
        let Some(text) = schema["description"].as_str() else {
            return;
        };
        let lines: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match lines[..] {
            [] => {}
            [one] => self.line(&format!("/** {one} */")),
            _ => {
                self.line("/**");
                for line in lines {
                    self.line(&format!(" * {line}"));
                }
                self.line(" */");
            }
        }
    }

    fn namespace(&mut self, name: &str, document: &Value) {
        self.line("");
        self.comment(document);
        self.line(&format!("export namespace {name} {{"));
        self.depth += 1;
        for (name, schema) in object(&document["$defs"]) {
            self.definition(name, schema);
        }
        self.depth -= 1;
        self.line("}");
    }

    fn definition(&mut self, name: &str, schema: &Value) {
        self.comment(schema);
        if schema["type"] == "object" && schema.get("oneOf").is_none() {
            self.line(&format!("interface {name} {{"));
            self.fields(schema);
            self.line("}");
            return;
        }
        let Some(variants) = variants(schema) else {
            self.line(&format!("type {name} = {};", type_of(schema)));
            return;
        };
        self.line(&format!("type {name} ="));
        self.depth += 1;
        for (index, variant) in variants.iter().enumerate() {
            self.comment(variant);
            let end = if index + 1 == variants.len() { ";" } else { "" };
            self.variant(variant, end);
        }
        self.depth -= 1;
    }

    fn variant(&mut self, schema: &Value, end: &str) {
        if object(&schema["properties"]).next().is_none() {
            self.line(&format!("| {}{end}", type_of(schema)));
            return;
        }
        let also = schema["$ref"].as_str().map(|name| format!("{} & ", local(name)));
        self.line(&format!("| {}{{", also.unwrap_or_default()));
        self.fields(schema);
        self.line(&format!("}}{end}"));
    }

    fn fields(&mut self, schema: &Value) {
        self.depth += 1;
        for (name, field) in object(&schema["properties"]) {
            self.comment(field);
            let needed = list(&schema["required"]).iter().any(|one| one == name);
            let (mark, kind) = if needed { ("", type_of(field)) } else { ("?", present(field)) };
            self.line(&format!("{name}{mark}: {kind};"));
        }
        if schema["additionalProperties"] == Value::Bool(true) {
            self.line("[later: string]: unknown;");
        }
        self.depth -= 1;
    }

    fn methods(&mut self) {
        self.line("");
        self.line("/** Every method with its request and its answer. */");
        self.line("export interface Methods {");
        for one in interfaces::all() {
            let document = documents::document(one);
            let space = space(one.name, one.major);
            for method in one.methods {
                let part = |name: &str| qualified(&space, &document["methods"][method.name][name]);
                let (request, response) = (part("request"), part("response"));
                let (name, major) = (one.name, one.major);
                self.line(&format!(
                    "  \"{name}/{major}/{}\": {{ request: {request}; response: {response} }};",
                    method.name
                ));
            }
        }
        self.line("}");
    }

    fn events(&mut self) {
        self.line("");
        self.line("/** What can be subscribed to. */");
        self.line("export interface Events {");
        for one in interfaces::all().iter().filter(|one| one.events.is_some()) {
            let document = documents::document(one);
            let space = space(one.name, one.major);
            let part = |name: &str| qualified(&space, &document["events"][name]);
            let (topic, event) = (part("topic"), part("event"));
            let (name, major) = (one.name, one.major);
            self.line(&format!("  \"{name}/{major}\": {{ topic: {topic}; event: {event} }};"));
        }
        self.line("}");
    }
}

/// The variants of an enum that are worth a line each.
fn variants(schema: &Value) -> Option<&Vec<Value>> {
    schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())
}

/// The type of a value that is there: an optional field is left out, never sent as `null`.
fn present(schema: &Value) -> String {
    let kind = type_of(schema);
    kind.strip_suffix(" | null").map_or(kind.clone(), str::to_owned)
}

/// The type of a schema, as TypeScript says it.
#[must_use]
pub fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return local(name).to_owned();
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = schema["enum"].as_array() {
        return joined(values, Value::to_string);
    }
    if let Some(variants) = variants(schema) {
        return joined(variants, type_of);
    }
    match &schema["type"] {
        Value::String(name) => simple(name, schema),
        Value::Array(names) => {
            joined(names, |one| simple(one.as_str().unwrap_or_default(), schema))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "unknown".to_owned(),
    }
}

fn simple(name: &str, schema: &Value) -> String {
    match name {
        "boolean" | "null" | "string" => name.to_owned(),
        "integer" | "number" => "number".to_owned(),
        "array" => format!("{}[]", type_of(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("Record<string, {}>", type_of(&schema["additionalProperties"]))
        }
        "object" => "Record<string, unknown>".to_owned(),
        _ => "unknown".to_owned(),
    }
}

fn joined(values: &[Value], each: impl Fn(&Value) -> String) -> String {
    values.iter().map(each).collect::<Vec<_>>().join(" | ")
}

fn qualified(space: &str, schema: &Value) -> String {
    let name = type_of(schema);
    if schema["$ref"].is_string() { format!("{space}.{name}") } else { name }
}

fn local(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
