//! What links of things lead to, `/x/<frame>/t/<item>/<version>`: bytes of files, whole or in ranges
//! (RFC 9110). They are foreign: saved as a file where a person opens them, a script nowhere.

mod range;

use std::rc::Rc;

use bytes::Bytes as Part;
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use hyper::{Response, StatusCode};
use store::{CHUNK, Contents};
use tokio::sync::mpsc::Sender;
use tokio::task::{spawn_blocking, spawn_local};

use super::problem::Trouble;
use super::stream::{Body, Broken};
use super::{Answer, head};
use crate::frames::Frame;
use crate::idle::Hold;
use crate::life::{Bytes, Caller, Found, Life};
use crate::session::Session;
pub(crate) use range::range;
use range::{Asked, asked};

/// Answers a request for a thing of a frame; of a large one, no more is sent once its session ended.
pub(crate) async fn answer(
    life: &Life,
    frame: &Frame,
    session: Option<Rc<Session>>,
    path: &str,
    headers: &HeaderMap,
    hold: Hold,
) -> Result<Answer, Trouble> {
    let (name, asker) = (frame.experience.clone(), frame.session.clone());
    let caller = Caller::Experience { name, session: asker };
    let found = life.linked(&caller, &format!("t/{path}")).await?;
    // What a link leads to never changes, so the link is its tag.
    let tag = format!("\"{}\"", path.replace('/', "."));
    let known = head::text(headers, &IF_NONE_MATCH).unwrap_or_default();
    if known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*") {
        return Ok(dressed(StatusCode::NOT_MODIFIED, Body::default(), &tag, &found));
    }
    let size = match &found.bytes {
        Bytes::Blob(contents) => contents.size(),
        Bytes::Inline(bytes) => bytes.len() as u64,
    };
    let still = head::text(headers, &IF_RANGE).is_none_or(|wanted| wanted == tag);
    let wanted = head::text(headers, &RANGE).filter(|_| still);
    let (status, from, to) = match asked(wanted, size) {
        Asked::All => (StatusCode::OK, 0, size),
        Asked::Part { from, to } => (StatusCode::PARTIAL_CONTENT, from, to),
        Asked::Nothing => {
            let mut trouble = Trouble::bad_range();
            trouble.number = Some(size);
            return Err(trouble);
        }
    };
    let mut answer = dressed(status, Body::default(), &tag, &found);
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {from}-{}/{size}", to - 1);
        answer.headers_mut().insert(CONTENT_RANGE, value(&text));
    }
    *answer.body_mut() = body(found.bytes, from, to, session, hold);
    Ok(answer)
}

/// A body of what lies between `from` and `to`, for as long as the session lasts.
pub(crate) fn body(
    bytes: Bytes,
    from: u64,
    to: u64,
    session: Option<Rc<Session>>,
    hold: Hold,
) -> Body {
    match bytes {
        Bytes::Inline(bytes) => Body::from(cut(bytes, 0, from, to)),
        Bytes::Blob(contents) => {
            let (body, parts) = Body::parts(to - from);
            spawn_local(send(contents, from, to, parts, session, hold));
            body
        }
    }
}

/// Reads chunk after chunk, each only when the one before is on its way.
async fn send(
    contents: Contents,
    from: u64,
    to: u64,
    parts: Sender<Result<Part, Broken>>,
    session: Option<Rc<Session>>,
    _hold: Hold,
) {
    let contents = std::sync::Arc::new(contents);
    let chunk = CHUNK as u64;
    for index in from / chunk..to.div_ceil(chunk) {
        let reader = contents.clone();
        let read = spawn_blocking(move || reader.chunk(index)).await;
        let ended = session.as_ref().is_none_or(|session| session.has_ended());
        let part = match read {
            _ if ended => Err(Broken),
            Ok(Ok(bytes)) => Ok(cut(bytes, index * chunk, from, to)),
            Ok(Err(error)) => {
                tracing::error!(error = %crate::chain(&error), "a file can't be read to its end");
                Err(Broken)
            }
            Err(_) => Err(Broken),
        };
        let broken = part.is_err();
        // Nobody reads on who has gone away.
        if parts.send(part).await.is_err() || broken {
            return;
        }
    }
}

/// What of these bytes, which begin at `start`, lies between `from` and `to`.
fn cut(bytes: Vec<u8>, start: u64, from: u64, to: u64) -> Part {
    let bytes = Part::from(bytes);
    let within = |at: u64| {
        usize::try_from(at.saturating_sub(start)).map_or(bytes.len(), |at| at.min(bytes.len()))
    };
    bytes.slice(within(from)..within(to).max(within(from)))
}

fn dressed(status: StatusCode, body: Body, tag: &str, found: &Found) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(ETAG, value(tag));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // A grant can end at any time, and a browser must not show what it kept.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(CONTENT_DISPOSITION, value(&disposition(found.name.as_deref())));
    let kind = found.media_type.as_deref().filter(|kind| is_shown(kind));
    headers.insert(CONTENT_TYPE, value(kind.unwrap_or("application/octet-stream")));
    answer
}

/// Always to be saved, never to be opened in the browser; RFC 6266 and 8187.
fn disposition(name: Option<&str>) -> String {
    let mut text = "attachment".to_owned();
    if let Some(name) = name {
        text.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    text
}

/// Kinds that a page may show in an element of its own. None of them is a document.
fn is_shown(kind: &str) -> bool {
    matches!(
        kind,
        "image/avif" | "image/gif" | "image/jpeg" | "image/png" | "image/webp" | "text/plain"
    ) || kind.starts_with("audio/")
        || kind.starts_with("video/")
}

/// What was built from checked parts can stand in a header.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_not_end_their_header() {
        assert_eq!(disposition(None), "attachment");
        assert_eq!(
            disposition(Some("a b\"ä;.txt")),
            "attachment; filename*=UTF-8''a%20b%22%C3%A4%3B.txt"
        );
    }

    #[test]
    fn only_what_is_no_document_keeps_its_kind() {
        for shown in ["image/png", "video/mp4", "text/plain"] {
            assert!(is_shown(shown), "{shown}");
        }
        for saved in ["text/html", "image/svg+xml", "application/xhtml+xml", "application/pdf"] {
            assert!(!is_shown(saved), "{saved}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_cut_is_what_both_ranges_have(
            length in 0_usize..40, start in 0_u64..60, from in 0_u64..100, more in 0_u64..100,
        ) {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at).unwrap()).collect();
            let to = from + more;
            let wanted: Vec<u8> = bytes
                .iter()
                .zip(start..)
                .filter(|(_, at)| (from..to).contains(at))
                .map(|(byte, _)| *byte)
                .collect();
            proptest::prop_assert_eq!(&cut(bytes, start, from, to)[..], &wanted[..]);
        }
    }
}
