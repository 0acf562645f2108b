//! Documents as word processors write them, and as nobody should.

use std::io::{Cursor, Write};

use handover::{Bounds, Cannot, Kind, Task};
use zip::write::SimpleFileOptions;

use crate::make;

const BOUNDS: Bounds = Bounds { input: 1 << 20, output: 1 << 16, pixels: 1 };

fn packed(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn text(file: &[u8]) -> Result<(Kind, String), Cannot> {
    let made = make(Task::Text, BOUNDS, file)?;
    Ok((made.of, String::from_utf8(made.bytes).unwrap()))
}

fn docx(xml: &str) -> Result<String, Cannot> {
    let parts = [("[Content_Types].xml", &b"<Types/>"[..]), ("word/document.xml", xml.as_bytes())];
    text(&packed(&parts)).map(|(_, text)| text)
}

#[test]
fn paragraphs_of_both_formats_are_lines() {
    let xml = "<?xml version=\"1.0\"?><w:document xmlns:w=\"w\"><w:body><w:p><w:r><w:t>Te</w:t>\
        </w:r><w:r><w:t xml:space=\"preserve\">a &amp; </w:t></w:r><w:r><w:t>cake&#x21;</w:t>\
        </w:r></w:p><w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t></w:r></w:p></w:body></w:document>";
    assert_eq!(docx(xml).unwrap(), "Tea & cake!\na b\n");
    let xml = "<office:text><text:h>Head</text:h><text:p>One<text:s/>two<text:line-break/>three\
        </text:p><![CDATA[raw]]></office:text>";
    let mimetype = b"application/vnd.oasis.opendocument.text";
    let file = packed(&[("mimetype", mimetype), ("content.xml", xml.as_bytes())]);
    assert_eq!(text(&file).unwrap(), (Kind::Odt, "Head\nOne two\nthree\nraw\n".to_owned()));
}

#[test]
fn a_bomb_is_refused_when_it_is_larger_than_it_may() {
    let bomb = format!("<p>{}</p>", "a ".repeat(1 << 20));
    assert_eq!(docx(&bomb), Err(Cannot::TooLarge));
    let long = docx(&format!("<p>{}</p>", "a ".repeat(1 << 18))).unwrap();
    assert!(long.len() <= 1 << 16, "{}", long.len());
}

#[test]
fn entities_are_not_known_and_nothing_is_loaded() {
    let laughs = "<!DOCTYPE p [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">\
        <!ENTITY x SYSTEM \"file:///etc/passwd\">]><p>&b;&x;&nothing;ok</p>";
    assert_eq!(docx(laughs).unwrap(), "ok\n");
    assert_eq!(docx(&"<p>".repeat(100_000)).unwrap(), "");
    assert_eq!(docx("</p></p>a"), Err(Cannot::Damaged));
    for broken in ["<p", "<!DOCTYPE", "<![CDATA[", "<p>&#xFFFFFFFF;</p>", "<p>&#0;</p>"] {
        let read = docx(broken);
        assert!(matches!(&read, Err(Cannot::Damaged)) || read.is_ok_and(|text| text.is_empty()));
    }
}

#[test]
fn a_zip_of_something_else_or_in_parts_is_no_document() {
    assert_eq!(text(&packed(&[("a.txt", b"a")])), Err(Cannot::NotKnown));
    let whole = packed(&[("word/document.xml", b"<p>words</p>")]);
    for len in 4..whole.len() {
        assert_eq!(text(&whole[..len]).map(drop), Err(Cannot::NotKnown));
    }
    let mut wrong = whole.clone();
    let at = wrong.windows(5).position(|part| part == b"<p>wo").unwrap_or(45);
    wrong[at + 3] ^= 0x55;
    assert!(text(&wrong).is_err());
}
