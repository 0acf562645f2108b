//! Records as a text that people read and edit: written here, and read again after somebody's hands.
//! It knows the form only; what a record may hold is judged where it is put into a space.
//!
//! ```text
//! hometwin records 1
//! # a remark
//! record 000102030405060708090a0b0c0d0e0f hometwin/task@1 rev 17
//! title: Milk
//! done: false
//! details:
//!   | two
//!   | lines
//!
//! new hometwin/task@1
//! title: Bread
//!
//! remove 101112131415161718191a1b1c1d1e1f hometwin/task@1
//! ```
//!
//! A value is JSON, or a text as it stands. A field that isn't named stays as it is; one without a
//! value is taken away.

use capability::{
    records::latest::{Mistake, Wrong},
    wire::{FieldName, RecordId, TypeName},
};
use serde_json::{Map, Value};

/// The first line.
pub(crate) const FIRST: &str = "hometwin records 1";
/// Most mistakes that are told at once.
const MISTAKES: usize = 100;

/// One part of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Block {
    /// The line that it begins with, the first being 1.
    pub(crate) line: u64,
    pub(crate) what: What,
    pub(crate) kind: TypeName,
    pub(crate) fields: Vec<Said>,
}

/// What a part asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum What {
    New,
    Record { id: RecordId, rev: Option<u64> },
    Remove { id: RecordId, rev: Option<u64> },
}

/// A field in a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Said {
    pub(crate) line: u64,
    pub(crate) name: FieldName,
    value: Raw,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Raw {
    None,
    Bare(String),
    Lines(Vec<String>),
}

impl Said {
    /// What it says; `text`: the type knows it as a text, so that `2026` is one.
    pub(crate) fn value(&self, text: bool) -> Value {
        match &self.value {
            Raw::None => Value::Null,
            Raw::Lines(lines) => Value::String(lines.join("\n")),
            Raw::Bare(bare) => match serde_json::from_str::<Value>(bare) {
                Ok(value) if !text || value.is_string() || value.is_null() => value,
                Ok(_) | Err(_) => Value::String(bare.clone()),
            },
        }
    }
}

/// One record, as it stands in a text.
pub(crate) fn record(
    id: &RecordId,
    kind: &TypeName,
    rev: u64,
    fields: &Map<String, Value>,
) -> String {
    let mut text = format!("\nrecord {} {} rev {rev}\n", id.as_str(), kind.as_str());
    for (name, value) in fields {
        text.push_str(&field(name, value));
    }
    text
}

fn field(name: &str, value: &Value) -> String {
    match value.as_str() {
        Some(lines) if lines.contains('\n') && is_plain(lines) => {
            let lines: Vec<_> = lines.split('\n').map(|line| format!("  | {line}\n")).collect();
            // What ends in a space loses it in some editors.
            format!("{name}:\n{}", lines.concat().replace("  | \n", "  |\n"))
        }
        Some(text) if is_bare(text) => format!("{name}: {text}\n"),
        Some(_) | None => format!("{name}: {value}\n"),
    }
}

/// Whether every line of a text comes back as it is, whatever wrote the lines' ends.
fn is_plain(text: &str) -> bool {
    let ends_well = |line: &str| !line.ends_with(char::is_whitespace);
    text.split('\n').all(ends_well) && !text.chars().any(|c| c.is_control() && c != '\n')
}

/// Whether a text can stand as it is, and is nothing else then.
fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && is_plain(text)
        && !text.contains('\n')
        && serde_json::from_str::<Value>(text).is_err()
}

/// All that a text asks for, or all that is wrong with it.
pub(crate) fn read(text: &str) -> Result<Vec<Block>, Vec<Mistake>> {
    let mut reading = Reading::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = (1..).zip(text.split('\n').map(|line| line.trim_end_matches('\r')));
    let first = lines.by_ref().find(|(_, line)| !is_remark(line));
    if first.is_none_or(|(_, line)| line.trim() != FIRST) {
        return Err(vec![mistake(first.map_or(1, |(line, _)| line), Wrong::NotOurs, "")]);
    }
    for (number, line) in lines {
        if let Err(wrong) = reading.line(number, line) {
            reading.mistakes.push(mistake(number, wrong, ""));
        }
        if reading.mistakes.len() >= MISTAKES {
            break;
        }
    }
    if reading.mistakes.is_empty() { Ok(reading.blocks) } else { Err(reading.mistakes) }
}

/// Something that is wrong in a line.
pub(crate) fn mistake(line: u64, wrong: Wrong, what: &str) -> Mistake {
    Mistake { line, wrong, what: what.to_owned() }
}

fn is_remark(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

#[derive(Default)]
struct Reading {
    blocks: Vec<Block>,
    mistakes: Vec<Mistake>,
    /// The head of what follows could not be read: its fields are no mistakes of their own.
    lost: bool,
}

impl Reading {
    fn line(&mut self, number: u64, line: &str) -> Result<(), Wrong> {
        if let Some(more) = line.trim_start().strip_prefix('|').filter(|_| line.starts_with(' ')) {
            return self.more(more.strip_prefix(' ').unwrap_or(more));
        }
        if is_remark(line) {
            return Ok(());
        }
        let line = line.trim();
        let named = line.split_once(':').filter(|(name, _)| !name.contains(' '));
        let Some((name, value)) = named else {
            self.lost = true;
            self.blocks.push(head(number, line)?);
            self.lost = false;
            return Ok(());
        };
        if self.lost {
            return Ok(());
        }
        let block = self.blocks.last_mut().ok_or(Wrong::NoRecord)?;
        if matches!(block.what, What::Remove { .. }) {
            return Err(Wrong::FieldOfRemoved);
        }
        let name: FieldName = name.parse().map_err(|_| Wrong::BadName)?;
        if block.fields.iter().any(|field| field.name == name) {
            return Err(Wrong::FieldTwice);
        }
        let value = match value.trim() {
            "" => Raw::None,
            value => Raw::Bare(value.to_owned()),
        };
        block.fields.push(Said { line: number, name, value });
        Ok(())
    }

    /// One more line of a text.
    fn more(&mut self, line: &str) -> Result<(), Wrong> {
        if self.lost {
            return Ok(());
        }
        let field = self.blocks.last_mut().and_then(|block| block.fields.last_mut());
        let field = field.ok_or(Wrong::BadLine)?;
        match &mut field.value {
            Raw::Bare(_) => return Err(Wrong::BadLine),
            Raw::None => field.value = Raw::Lines(vec![line.to_owned()]),
            Raw::Lines(lines) => lines.push(line.to_owned()),
        }
        Ok(())
    }
}

/// `record`, `new` and `remove`.
fn head(line: u64, text: &str) -> Result<Block, Wrong> {
    let mut words = text.split_whitespace();
    let what = words.next().unwrap_or_default();
    let id = match what {
        "record" | "remove" => {
            Some(words.next().unwrap_or_default().parse().map_err(|_| Wrong::BadId)?)
        }
        "new" => None,
        _ => return Err(Wrong::BadLine),
    };
    let kind = words.next().unwrap_or_default().parse().map_err(|_| Wrong::BadType)?;
    let rev = match (words.next(), words.next(), words.next()) {
        (None, ..) => None,
        (Some("rev"), Some(rev), None) if id.is_some() => {
            Some(rev.parse().map_err(|_| Wrong::BadLine)?)
        }
        _ => return Err(Wrong::BadLine),
    };
    let what = match id {
        None => What::New,
        Some(id) if what == "remove" => What::Remove { id, rev },
        Some(id) => What::Record { id, rev },
    };
    Ok(Block { line, what, kind, fields: Vec::new() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn wrongs(text: &str) -> Vec<(u64, Wrong)> {
        let all = read(text).err().unwrap_or_default();
        all.into_iter().map(|mistake| (mistake.line, mistake.wrong)).collect()
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let id = "0".repeat(32);
        let text = format!(
            "{FIRST}\ntitle: x\nrecord nobody hometwin/task@1\ntitle: not said twice\n\
             new task\nrecord {id} hometwin/task@1 rev x\nsomething\n\
             new hometwin/task@1\nTitle: x\ntitle: x\ntitle: y\n  | z\n\
             remove {id} hometwin/task@1\ntitle: x\n"
        );
        let all = [
            (2, Wrong::NoRecord),
            (3, Wrong::BadId),
            (5, Wrong::BadType),
            (6, Wrong::BadLine),
            (7, Wrong::BadLine),
            (9, Wrong::BadName),
            (11, Wrong::FieldTwice),
            (12, Wrong::BadLine),
            (14, Wrong::FieldOfRemoved),
        ];
        assert_eq!(wrongs(&text), all);
        assert_eq!(wrongs("# nothing\n"), [(1, Wrong::NotOurs)]);
        assert_eq!(wrongs("dear diary"), [(1, Wrong::NotOurs)]);
        let many = format!("{FIRST}\n{}", "x\n".repeat(10_000));
        assert_eq!(wrongs(&many).len(), MISTAKES);
    }

    #[test]
    fn what_hands_write_is_understood() {
        let text = format!(
            "\u{feff}\r\n# by me\r\n{FIRST}\r\n\r\n new hometwin/task@1 \r\ntitle:  2026 \r\n\
             done: true\r\ndue:\r\ndetails:\r\n  | a\r\n  |  b\r\n  |\r\nlist: [1, \"x\"]\r\n"
        );
        let blocks = read(&text).unwrap();
        let values: Vec<_> = blocks[0].fields.iter().map(|field| field.value(false)).collect();
        let wanted = [json!(2026), json!(true), json!(null), json!("a\n b\n"), json!([1, "x"])];
        assert_eq!(values, wanted);
        assert_eq!(blocks[0].fields[0].value(true), "2026");
    }

    fn value() -> impl Strategy<Value = Value> {
        let text =
            prop_oneof![any::<String>(), "[ -~\n]{0,40}", "[\\[\\]{}0-9a-z\": |#\r\n\t]{0,12}"];
        prop_oneof![
            4 => text.prop_map(Value::String),
            1 => any::<i64>().prop_map(|number| json!(number)),
            1 => any::<bool>().prop_map(Value::Bool),
            1 => prop::collection::vec(any::<String>(), 0..3).prop_map(|all| json!(all)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            all in prop::collection::vec(prop::collection::btree_map("[a-z][A-Za-z0-9_]{0,9}", value(), 0..6), 0..5),
            windows in any::<bool>(),
        ) {
            let kind: TypeName = "hometwin/task@1".parse().unwrap();
            let mut text = format!("{FIRST}\n");
            let all: Vec<Map<String, Value>> = all.into_iter().map(|one| one.into_iter().collect()).collect();
            for (rev, fields) in (1..).zip(&all) {
                text.push_str(&record(&RecordId::from_bytes([7; 16]), &kind, rev, fields));
            }
            if windows {
                text = text.replace('\n', "\r\n");
            }
            let blocks = read(&text).unwrap();
            prop_assert_eq!(blocks.len(), all.len());
            for (block, fields) in blocks.iter().zip(&all) {
                prop_assert_eq!(block.fields.len(), fields.len());
                for said in &block.fields {
                    let wanted = &fields[said.name.as_str()];
                    prop_assert_eq!(&said.value(wanted.is_string()), wanted);
                    prop_assert_eq!(&said.value(false), wanted);
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}", lines in prop::collection::vec("(record|new|remove|title:|  \\|)? ?[ -~]{0,40}", 0..20)) {
            let _ = read(&text);
            let _ = read(&format!("{FIRST}\n{}", lines.join("\n")));
        }
    }
}
