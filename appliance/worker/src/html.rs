//! The words of a web page, without what only a browser reads.
//!
//! Nothing is loaded and nothing is run; what is between two tags is text or it is left out.

use html5gum::{Token, Tokenizer};

use crate::plain;
use crate::words::Words;

/// Whether it begins as a web page does.
pub(crate) fn is_html(bytes: &[u8]) -> bool {
    let begin = bytes.get(..bytes.len().min(512)).unwrap_or_default().to_ascii_lowercase();
    let begin = String::from_utf8_lossy(&begin);
    let begin = begin.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| begin.starts_with(tag))
}

/// Its words, a line for each block.
pub(crate) fn read(bytes: &[u8], words: &mut Words) {
    let text = plain::decode(bytes);
    let mut left_out: Option<Vec<u8>> = None;
    for token in Tokenizer::new(&*text) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) if left_out.is_none() => {
                if LEFT_OUT.contains(&&**tag.name) && !tag.self_closing {
                    left_out = Some(tag.name.to_vec());
                }
                between(&tag.name, words);
            }
            Token::EndTag(tag) => {
                if left_out.as_deref().is_some_and(|name| name == &**tag.name) {
                    left_out = None;
                }
                between(&tag.name, words);
            }
            Token::String(text) if left_out.is_none() => {
                words.add(&String::from_utf8_lossy(&text));
            }
            Token::StartTag(_)
            | Token::String(_)
            | Token::Comment(_)
            | Token::Doctype(_)
            | Token::Error(_) => {}
        }
        if words.full() {
            return;
        }
    }
}

fn between(name: &[u8], words: &mut Words) {
    if BLOCKS.contains(&name) {
        words.block();
    } else if CELLS.contains(&name) {
        words.space();
    }
}

/// What stands in these is for a browser.
const LEFT_OUT: &[&[u8]] =
    &[b"script", b"style", b"template", b"noscript", b"svg", b"iframe", b"object"];
const CELLS: &[&[u8]] = &[b"td", b"th", b"img", b"option", b"button"];
const BLOCKS: &[&[u8]] = &[
    b"address",
    b"article",
    b"aside",
    b"blockquote",
    b"body",
    b"br",
    b"dd",
    b"div",
    b"dl",
    b"dt",
    b"figcaption",
    b"figure",
    b"footer",
    b"form",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"header",
    b"hr",
    b"li",
    b"main",
    b"nav",
    b"ol",
    b"p",
    b"pre",
    b"section",
    b"table",
    b"title",
    b"tr",
    b"ul",
];

#[cfg(test)]
mod tests {
    use handover::Kind;

    use super::*;

    fn text(page: &str) -> String {
        let mut words = Words::new(1 << 16);
        read(page.as_bytes(), &mut words);
        String::from_utf8(words.product(Kind::Html).bytes).unwrap()
    }

    #[test]
    fn words_are_read_and_code_is_not() {
        let page = "<!DOCTYPE html><title>A page</title><script>var x = '<p>no</p>';</script>\
            <h1>Tea &amp; cake</h1><p>One <b>t</b>wo<br>three<style>p { color: red }</style>\
            <table><tr><td>a<td>b</table><!-- hidden -->";
        assert_eq!(text(page), "A page\nTea & cake\nOne two\nthree\na b\n");
    }

    #[test]
    fn what_is_never_closed_ends_with_the_file() {
        assert_eq!(text("<p>a<script>b"), "a\n");
        assert_eq!(text(&"<div>".repeat(50_000)), "");
        assert_eq!(text("<svg/>a</p><"), "a\n<\n");
    }
}
