//! The words of a document as word processors write it: DOCX and ODT, which are XML in a ZIP.
//!
//! Only the part with the text is unpacked, up to a bound, and only tags and letters of it are looked
//! at: no entity but XML's own five is known, nothing is loaded, and nothing is nested here.

use std::io::{Cursor, Read};

use handover::{Bounds, Cannot, Kind};
use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};
use zip::ZipArchive;

use crate::plain;
use crate::words::Words;

/// Which of them a ZIP is, if any.
pub(crate) fn kind(bytes: &[u8]) -> Option<Kind> {
    let zip = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let has = |name: &str| zip.index_for_name(name).is_some();
    match () {
        () if has(DOCX) => Some(Kind::Docx),
        () if has(ODT) && has("mimetype") => Some(Kind::Odt),
        () => None,
    }
}

/// Its words, a line for each paragraph.
pub(crate) fn read(
    of: Kind,
    bytes: &[u8],
    bounds: Bounds,
    words: &mut Words,
) -> Result<(), Cannot> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|_| Cannot::Damaged)?;
    let part = if of == Kind::Docx { DOCX } else { ODT };
    let part = zip.by_name(part).map_err(|_| Cannot::Damaged)?;
    let mut xml = Vec::new();
    // What it says of its size counts for nothing.
    part.take(bounds.input + 1).read_to_end(&mut xml).map_err(|_| Cannot::Damaged)?;
    if xml.len() as u64 > bounds.input {
        return Err(Cannot::TooLarge);
    }
    words_of(&xml, words)
}

fn words_of(xml: &[u8], words: &mut Words) -> Result<(), Cannot> {
    let xml = plain::decode(xml);
    let mut reader = Reader::from_str(&xml);
    reader.config_mut().check_end_names = false;
    loop {
        match reader.read_event().map_err(|_| Cannot::Damaged)? {
            Event::Start(tag) => between(tag.local_name().as_ref(), words),
            Event::Empty(tag) => between(tag.local_name().as_ref(), words),
            Event::End(tag) => between(tag.local_name().as_ref(), words),
            Event::Text(text) => words.add(&text.xml_content(XmlVersion::Explicit1_0)),
            Event::CData(text) => words.add(&text.xml_content(XmlVersion::Explicit1_0)),
            Event::GeneralRef(reference) => {
                if let Ok(Some(letter)) = reference.resolve_char_ref() {
                    words.add(letter.encode_utf8(&mut [0; 4]));
                } else if let Some((_, letter)) =
                    KNOWN.iter().find(|(name, _)| *name == &*reference)
                {
                    words.add(letter);
                }
            }
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
        if words.full() {
            return Ok(());
        }
    }
}

/// Names in both formats: of paragraphs and headings, of line breaks, of what separates words.
fn between(name: &str, words: &mut Words) {
    match name {
        "p" | "h" | "br" | "line-break" | "tr" | "table-row" => words.block(),
        "tab" | "s" | "tc" | "table-cell" => words.space(),
        _ => {}
    }
}

const DOCX: &str = "word/document.xml";
const ODT: &str = "content.xml";
const KNOWN: [(&str, &str); 5] =
    [("amp", "&"), ("lt", "<"), ("gt", ">"), ("quot", "\""), ("apos", "'")];

#[cfg(test)]
mod tests;
