//! What authors of experiences read, at `/docs`: made from the documents that calls are checked
//! against, and from the files that `hometwin experience new` begins with. It shows nothing of a
//! person, so it asks nobody who they are.

mod page;

use std::fmt::Write as _;

use capability::{documents, interfaces, typescript};
use hyper::Response;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value};

use super::Answer;
use super::stream::Body;
use page::{Page, escaped};

const AUTHORS: &str = include_str!("../../docs/authors.md");
const START: &str = include_str!("../../../../ui/start/main.js");
const START_PAGE: &str = include_str!("../../../../ui/start/index.html");
const START_MANIFEST: &str = include_str!("../../../../ui/start/experience.json");

/// The page, or one of the documents; `None` for anything else.
pub(crate) fn answer(path: &str) -> Option<Answer> {
    let (text, kind) = match path {
        "" => (whole(), "text/html; charset=utf-8"),
        path => {
            let found = documents::all().into_iter().find(|(name, _)| name == path)?;
            (found.1, "application/json")
        }
    };
    let mut answer = Response::new(Body::from(text.into_bytes()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Some(answer)
}

fn whole() -> String {
    let mut page = Page::new();
    let lines = |text: &str| text.lines().count().to_string();
    let prose = AUTHORS
        .replace("{{start}}", &format!("```\n{START}```"))
        .replace("{{manifest}}", &format!("```\n{START_MANIFEST}```"))
        .replace("{{page_lines}}", &lines(START_PAGE));
    page.prose(&prose);
    page.heading(2, "experience.json");
    let manifest = documents::manifest();
    fields(&mut page, &manifest, &manifest["manifest"]);
    for one in interfaces::all() {
        if one.methods.iter().any(|method| method.experience) {
            interface(&mut page, one);
        }
    }
    page.heading(2, "Documents");
    let mut list = String::new();
    for (name, _) in documents::all() {
        let name = escaped(&name);
        let _ = write!(list, "<li><a href=\"/docs/{name}\">{name}</a></li>");
    }
    page.raw(&format!("<ul>{list}</ul>"));
    page.done()
}

/// What an experience can ask one capability, and hear of it.
fn interface(page: &mut Page, one: &interfaces::Interface) {
    let document = documents::document(one);
    page.heading(2, &format!("{}/{}", one.name, one.major));
    page.prose(one.about);
    for method in one.methods.iter().filter(|method| method.experience) {
        let described = &document["methods"][method.name];
        let mark = if method.writes { " · writes" } else { "" };
        page.heading(3, &format!("twin.{}.{}{mark}", one.name, method.name));
        let request = resolved(&document, &described["request"]);
        page.prose(request["description"].as_str().unwrap_or_default());
        fields(page, &document, request);
        let answers = typescript::type_of(&described["response"]);
        page.raw(&format!("<p>→ <code>{}</code></p>", escaped(&answers)));
    }
    if document["events"].is_object() {
        page.heading(3, "Events");
        let event = resolved(&document, &document["events"]["event"]);
        for variant in event["oneOf"].as_array().into_iter().flatten() {
            let name = variant["properties"]["type"]["const"].as_str().unwrap_or_default();
            let about = variant["description"].as_str().unwrap_or_default();
            page.raw(&format!("<p><code>{}</code>: {}</p>", escaped(name), escaped(about)));
        }
    }
    page.heading(3, "Things");
    for (name, schema) in document["$defs"].as_object().into_iter().flatten() {
        let used_in_requests = schema["additionalProperties"] == Value::Bool(false);
        if schema["properties"].is_object() && !used_in_requests {
            page.raw(&format!("<h4><code>{}</code></h4>", escaped(name)));
            page.prose(schema["description"].as_str().unwrap_or_default());
            fields(page, &document, schema);
        }
    }
}

/// A table of the fields of an object.
fn fields(page: &mut Page, document: &Value, schema: &Value) {
    let schema = resolved(document, schema);
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    if properties.is_empty() {
        return;
    }
    let required = |name: &str| {
        schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
    };
    let mut rows = String::new();
    for (name, field) in properties {
        let mark = if required(name) { "" } else { "?" };
        let about = field["description"].as_str().unwrap_or_default();
        let _ = write!(
            rows,
            "<tr><th scope=\"row\"><code>{}{mark}</code></th><td><code>{}</code></td><td>{}</td></tr>",
            escaped(name),
            escaped(&typescript::type_of(field)),
            escaped(about),
        );
    }
    page.raw(&format!("<div class=\"wide\" tabindex=\"0\"><table>{rows}</table></div>"));
}

/// What a reference leads to.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_an_experience_may_ask_is_on_the_page() {
        let page = whole();
        for one in interfaces::all() {
            for method in one.methods {
                let named = page.contains(&format!("twin.{}.{}", one.name, method.name));
                assert_eq!(named, method.experience, "{}.{}", one.name, method.name);
            }
        }
        assert!(page.contains(&escaped(START.lines().nth(3).unwrap())), "the example is whole");
        assert!(!page.contains("{{"), "nothing is left to fill in");
    }

    #[test]
    fn each_document_has_its_address() {
        for (name, _) in documents::all() {
            assert!(answer(&name).is_some(), "{name}");
        }
        for other in ["chat", "chat/2.json", "../x", "/"] {
            assert!(answer(other).is_none(), "{other}");
        }
    }
}
