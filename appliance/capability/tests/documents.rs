//! The committed documents say what the types say, and a blessed one never changes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed step fails the test")]

use std::{env, fs, path::PathBuf};

use capability::{documents, interfaces, typescript};
use serde_json::Value;

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a committed file with what it should be; writes it when asked to.
fn agree(path: &PathBuf, wanted: &str) -> Option<String> {
    if env::var_os("HOMETWIN_WRITE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wanted).unwrap();
        return None;
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    (committed != wanted).then(|| path.display().to_string())
}

#[test]
fn documents_agree_with_types() {
    let folder = crate_folder().join("documents");
    let stale: Vec<String> = documents::all()
        .iter()
        .filter_map(|(name, wanted)| agree(&folder.join(name), wanted))
        .collect();
    assert!(stale.is_empty(), "HOMETWIN_WRITE=1 cargo test -p capability writes: {stale:?}");
}

#[test]
fn declarations_agree_with_types() {
    let path = crate_folder().join("../../ui/sdk/types.d.ts");
    let stale = agree(&path, &typescript::declarations());
    assert_eq!(stale, None, "HOMETWIN_WRITE=1 cargo test -p capability writes it");
}

#[test]
fn no_document_is_left_over() {
    let wanted: Vec<String> = documents::all().into_iter().map(|(name, _)| name).collect();
    let folder = crate_folder().join("documents");
    for capability in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        if !capability.path().is_dir() {
            continue;
        }
        for file in fs::read_dir(capability.path()).unwrap().map(Result::unwrap) {
            let (above, name) = (capability.file_name(), file.file_name());
            let name = format!("{}/{}", above.to_str().unwrap(), name.to_str().unwrap());
            assert!(wanted.contains(&name), "{name} belongs to no interface");
        }
    }
}

/// Lines of `blessed.txt`: BLAKE3 of the file, two blanks, its path.
fn blessed(list: &str) -> Vec<(String, String)> {
    list.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (hash, name) = line.split_once("  ").expect("hash, two blanks, path");
            (hash.to_owned(), name.to_owned())
        })
        .collect()
}

fn changed(list: &str, read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<String> {
    let same = |hash: &str, bytes: Vec<u8>| blake3::hash(&bytes).to_hex().as_str() == hash;
    blessed(list)
        .into_iter()
        .filter(|(hash, name)| !read(name).is_some_and(|bytes| same(hash, bytes)))
        .map(|(_, name)| name)
        .collect()
}

#[test]
fn blessed_documents_never_change() {
    let folder = crate_folder().join("documents");
    let list = fs::read_to_string(folder.join("blessed.txt")).unwrap();
    assert_eq!(changed(&list, |name| fs::read(folder.join(name)).ok()), Vec::<String>::new());
}

#[test]
fn blessing_notices_change_and_loss() {
    let list = format!("# comment\n{}  chat/1.json\n", blake3::hash(b"as it was").to_hex());
    assert!(changed(&list, |_| Some(b"as it was".to_vec())).is_empty());
    assert_eq!(changed(&list, |_| Some(b"edited".to_vec())), ["chat/1.json"]);
    assert_eq!(changed(&list, |_| None), ["chat/1.json"]);
}

#[test]
fn every_reference_resolves_and_every_field_is_described() {
    for (name, text) in documents::all() {
        let document: Value = serde_json::from_str(&text).unwrap();
        let none = serde_json::Map::new();
        // A record type stands for itself.
        let definitions = document["$defs"].as_object().unwrap_or(&none);
        assert!(!definitions.is_empty() || name.starts_with("types/"), "{name}");
        let mut open = vec![(name.clone(), &document)];
        while let Some((at, value)) = open.pop() {
            if let Some(reference) = value["$ref"].as_str() {
                let target = reference.strip_prefix("#/$defs/").unwrap();
                assert!(definitions.contains_key(target), "{at}: {reference}");
            }
            // A field can have that name too.
            let fields = value["properties"].as_object().filter(|_| !at.ends_with("/properties"));
            if let Some(fields) = fields {
                for (field, schema) in fields {
                    let known = schema.get("description").or(schema.get("const")).is_some();
                    assert!(known, "{at}.{field} has no description");
                }
            }
            match value {
                Value::Array(items) => {
                    open.extend(items.iter().map(|item| (at.clone(), item)));
                }
                Value::Object(fields) => {
                    open.extend(fields.iter().map(|(key, one)| (format!("{at}/{key}"), one)));
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
    }
}

#[test]
fn requests_close_and_envelopes_stay_open() {
    for interface in interfaces::all() {
        let document = documents::document(interface);
        for method in interface.methods {
            let reference = document["methods"][method.name]["request"]["$ref"].as_str().unwrap();
            let request = document.pointer(&reference[1..]).unwrap();
            let closed = request["additionalProperties"] == Value::Bool(false);
            assert!(closed, "{}/{} takes unknown fields", interface.name, method.name);
        }
        let Some(envelope) = interface.envelope else {
            continue;
        };
        let body = &document["envelope"]["body"]["$ref"].as_str().unwrap()[1..];
        let variants = document.pointer(body).unwrap()["oneOf"].as_array().unwrap();
        let types: Vec<_> =
            variants.iter().map(|one| one["properties"]["type"]["const"].clone()).collect();
        assert_eq!(types, envelope.types, "{}", interface.name);
    }
}
