//! Problems as pages, for a person who looks at one; programs get the document.
//!
//! Needs no script, and what is filled in can't become markup.

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response};

use super::problem::Trouble;
use super::stream::Body;
use super::{Answer, head};
use crate::messages::Language;

/// Whether a person looks at the answer of this request.
pub(crate) fn is_looked_at(asked: &Parts) -> bool {
    let accept = head::text(&asked.headers, &ACCEPT).unwrap_or_default();
    asked.method == Method::GET && accept.contains("text/html")
}

/// The problem as a page.
pub(crate) fn of(trouble: &Trouble, language: Language<'_>) -> Answer {
    let problem = trouble.document(language);
    let text = filled(PAGE, |key| match key {
        "lang" => language.tag(),
        "title" => &problem.title,
        "detail" => &problem.detail,
        "do" => &problem.what_to_do,
        _ => "",
    });
    let (mut parts, _) = trouble.response(language).into_parts();
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    parts.headers.insert(CONTENT_TYPE, kind);
    Response::from_parts(parts, Body::from(text))
}

/// Fills a page's `{{key}}` places with texts.
fn filled<'a>(page: &str, say: impl Fn(&str) -> &'a str) -> String {
    let mut filled = String::new();
    let mut rest = page;
    while let Some((before, (key, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        filled.push_str(before);
        for letter in say(key).chars() {
            match letter {
                '&' => filled.push_str("&amp;"),
                '<' => filled.push_str("&lt;"),
                '>' => filled.push_str("&gt;"),
                '"' => filled.push_str("&quot;"),
                '\'' => filled.push_str("&#39;"),
                _ => filled.push(letter),
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

const PAGE: &str = include_str!("page.html");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_text_can_not_become_markup() {
        let page = filled("<p>{{a}} {{b}}</p>{{", |key| if key == "a" { "<b>\"&'" } else { "" });
        assert_eq!(page, "<p>&lt;b&gt;&quot;&amp;&#39; </p>{{");
    }
}
