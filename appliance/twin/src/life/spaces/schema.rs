//! Checks records against their types, where our person writes them. What others wrote is never
//! judged: their twin may know a newer version of the type.

use capability::{
    records::latest::{Definition, FIELDS_MAX, Field, FieldKind, INDEX_FIELDS_MAX, INDEXES_MAX},
    wire::FieldName,
};
use serde_json::{Map, Value};

use crate::life::Fault;

/// How deep lists may lie in each other.
const DEEPEST: usize = 4;

/// Whether a type is one that can be.
pub(crate) fn sound(definition: &Definition) -> Result<(), Fault> {
    let bad = |field: &str, why: &str| Err(Fault::bad_type().field(field, why));
    let properties = &definition.schema.properties;
    if properties.is_empty() || properties.len() > FIELDS_MAX {
        return bad("schema.properties", "a type has 1 to 64 fields");
    }
    if definition.indexes.len() > INDEXES_MAX {
        return bad("indexes", "a type has at most 8 indexes");
    }
    let known = |field: &FieldName| properties.contains_key(field);
    for index in &definition.indexes {
        if !(1..=INDEX_FIELDS_MAX).contains(&index.len()) || !index.iter().all(known) {
            return bad("indexes", "an index names 1 to 3 fields of the type");
        }
    }
    if !definition.schema.required.iter().all(known) {
        return bad("schema.required", "it names a field that the type doesn't have");
    }
    for (name, field) in properties {
        if !is_possible(field, 1) {
            return bad(name.as_str(), "only a list has items, and lists lie at most 4 deep");
        }
    }
    Ok(())
}

fn is_possible(field: &Field, depth: usize) -> bool {
    let is_list = field.kind == FieldKind::Array;
    depth <= DEEPEST
        && (is_list || (field.items.is_none() && field.max_items.is_none()))
        && (field.kind == FieldKind::String || field.reference.is_none())
        && field.items.as_deref().is_none_or(|items| is_possible(items, depth + 1))
}

/// Whether a type can take the place of what it was: every field is still what it was, and no record
/// is wrong that was right.
pub(crate) fn follows(old: &Definition, new: &Definition) -> bool {
    let same = |(name, field): (&FieldName, &Field)| {
        new.schema.properties.get(name).is_some_and(|now| {
            now.kind == field.kind
                && now.reference == field.reference
                && (now.one_of.is_empty()
                    || field.one_of.iter().all(|one| now.one_of.contains(one)))
        })
    };
    let required = |field| old.schema.required.contains(field);
    old.schema.properties.iter().all(same) && new.schema.required.iter().all(required)
}

/// Checks the values that our person puts into a record; `new`: they make it.
pub(crate) fn check(
    definition: &Definition,
    fields: &Map<String, Value>,
    new: bool,
) -> Result<(), Fault> {
    let bad = |field: &str, why: &str| Err(Fault::bad_record().field(field, why));
    let required = &definition.schema.required;
    if new && let Some(missing) = required.iter().find(|one| !is_there(fields, one.as_str())) {
        return bad(missing.as_str(), "a new record needs it");
    }
    if fields.is_empty() || fields.len() > FIELDS_MAX {
        return bad("fields", "1 to 64 fields can be written at a time");
    }
    for (name, value) in fields {
        let Ok(name) = name.parse::<FieldName>() else {
            return bad(
                "fields",
                "a field's name is a small letter and up to 39 letters and digits",
            );
        };
        if value.is_null() {
            if required.contains(&name) {
                return bad(name.as_str(), "it can't be taken away");
            }
            continue;
        }
        // What the type doesn't name a newer version may.
        if let Some(field) = definition.schema.properties.get(&name)
            && let Some(why) = wrong(field, value)
        {
            return bad(name.as_str(), why);
        }
    }
    Ok(())
}

fn is_there(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_some_and(|value| !value.is_null())
}

/// Why a value is not what a field holds.
fn wrong(field: &Field, value: &Value) -> Option<&'static str> {
    match (field.kind, value) {
        (FieldKind::Boolean, Value::Bool(_)) | (FieldKind::Object, Value::Object(_)) => None,
        (FieldKind::Integer, Value::Number(number)) => match number.as_i64() {
            Some(number) => out_of_range(field, number),
            None => Some("it holds a whole number"),
        },
        (FieldKind::Number, Value::Number(number)) => match number.as_i64() {
            Some(number) => out_of_range(field, number),
            None => fraction_out_of_range(field, number.as_f64()?),
        },
        (FieldKind::String, Value::String(text)) => wrong_text(field, text),
        (FieldKind::Array, Value::Array(items)) => {
            if field.max_items.is_some_and(|most| items.len() > most as usize) {
                return Some("it holds fewer items");
            }
            let each = field.items.as_deref()?;
            items.iter().find_map(|item| wrong(each, item))
        }
        (FieldKind::Boolean, _) => Some("it holds yes or no"),
        (FieldKind::Integer, _) => Some("it holds a whole number"),
        (FieldKind::Number, _) => Some("it holds a number"),
        (FieldKind::String, _) => Some("it holds a text"),
        (FieldKind::Array, _) => Some("it holds a list"),
        (FieldKind::Object, _) => Some("it holds an object"),
    }
}

fn out_of_range(field: &Field, number: i64) -> Option<&'static str> {
    let small = field.minimum.is_some_and(|least| number < least);
    let large = field.maximum.is_some_and(|most| number > most);
    (small || large).then_some("the number is out of range")
}

fn fraction_out_of_range(field: &Field, number: f64) -> Option<&'static str> {
    #[expect(clippy::cast_precision_loss, reason = "bounds are small whole numbers")]
    let (least, most) = (field.minimum.map(|n| n as f64), field.maximum.map(|n| n as f64));
    let out = least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most);
    out.then_some("the number is out of range")
}

fn wrong_text(field: &Field, text: &str) -> Option<&'static str> {
    let characters = text.chars().count();
    if field.min_length.is_some_and(|least| characters < least as usize) {
        return Some("the text is too short");
    }
    if field.max_length.is_some_and(|most| characters > most as usize) {
        return Some("the text is too long");
    }
    if !field.one_of.is_empty() && !field.one_of.iter().any(|one| one == text) {
        return Some("the text is none of those it can be");
    }
    if field.reference.is_some() && text.parse::<capability::wire::RecordId>().is_err() {
        return Some("it holds the id of a record");
    }
    None
}

/// The records that these values name.
pub(crate) fn references<'v>(
    definition: &'v Definition,
    fields: &'v Map<String, Value>,
) -> Vec<(&'v str, &'v capability::wire::TypeName, &'v str)> {
    let mut found = Vec::new();
    for (name, field) in &definition.schema.properties {
        let Some(value) = fields.get(name.as_str()) else { continue };
        let (field, values) = match (value, field.items.as_deref()) {
            (Value::Array(items), Some(each)) => (each, items.iter().collect()),
            _ => (field, vec![value]),
        };
        let Some(kind) = &field.reference else { continue };
        let texts = values.into_iter().filter_map(Value::as_str);
        found.extend(texts.map(|text| (name.as_str(), kind, text)));
    }
    found
}

#[cfg(test)]
mod tests {
    use capability::records::latest::well_known;
    use serde_json::json;

    use super::*;

    fn task() -> Definition {
        well_known()["hometwin/task@1"].clone()
    }

    fn refused(fields: &Value, new: bool) -> Option<String> {
        let fault = check(&task(), fields.as_object().unwrap(), new).err()?;
        Some(fault.fields[0].field.clone())
    }

    #[test]
    fn records_are_what_their_type_says() {
        assert_eq!(refused(&json!({"title": "milk"}), true), None);
        assert_eq!(refused(&json!({"done": true, "later": {"a": 1}}), false), None);
        for (fields, new, field) in [
            (json!({"done": true}), true, "title"),
            (json!({"title": null}), true, "title"),
            (json!({"title": null}), false, "title"),
            (json!({"title": ""}), true, "title"),
            (json!({"title": "x".repeat(501)}), true, "title"),
            (json!({"title": 5}), true, "title"),
            (json!({"done": "yes"}), false, "done"),
            (json!({"done_ms": 1.5}), false, "done_ms"),
            (json!({"Name": 1}), false, "fields"),
            (json!({}), false, "fields"),
        ] {
            assert_eq!(refused(&fields, new).as_deref(), Some(field), "{fields}");
        }
    }

    #[test]
    fn numbers_have_ends_and_references_are_ids() {
        let place = &well_known()["hometwin/place@1"];
        let at = |latitude: Value| {
            let fields = json!({"title": "x", "latitude": latitude});
            check(place, fields.as_object().unwrap(), true).is_ok()
        };
        assert!(at(json!(90)) && at(json!(-89.5)) && !at(json!(91)) && !at(json!(90.5)));
        let event = &well_known()["hometwin/event@1"];
        let fields = json!({"title": "x", "place": "nowhere"});
        assert!(check(event, fields.as_object().unwrap(), true).is_err());
        let fields = json!({"title": "x", "place": "0".repeat(32)});
        let fields = fields.as_object().unwrap();
        assert!(check(event, fields, true).is_ok());
        assert_eq!(references(event, fields)[0].0, "place");
    }

    #[test]
    fn a_type_grows_and_never_turns_into_another() {
        let old = task();
        let with = |change: fn(&mut Value)| {
            let mut new = serde_json::to_value(&old).unwrap();
            change(&mut new);
            let new: Definition = serde_json::from_value(new).unwrap();
            sound(&new).is_ok() && follows(&old, &new)
        };
        assert!(with(|new| new["schema"]["properties"]["colour"] = json!({"type": "string"})));
        assert!(with(|new| new["indexes"] = json!([["title"]])));
        assert!(!with(|new| new["schema"]["properties"]["done"] = json!({"type": "string"})));
        assert!(!with(|new| new["schema"]["required"] = json!(["title", "due"])));
        assert!(!with(|new| {
            new["schema"]["properties"].as_object_mut().unwrap().remove("due");
        }));
        assert!(!with(|new| new["indexes"] = json!([["nothing"]])));
        assert!(!with(|new| new["indexes"] = json!([[]])));
        let long: Vec<_> = (0..9).map(|_| json!(["title"])).collect();
        let mut new = serde_json::to_value(&old).unwrap();
        new["indexes"] = long.into();
        assert!(sound(&serde_json::from_value(new).unwrap()).is_err());
    }
}
