//! Sending bytes, in the terms of the IETF draft "Resumable Uploads for HTTP": an upload is made, is
//! added to in as many steps as it takes, and says how far it is. Never keeps more of one in memory
//! than a chunk, and never says that it has what is not on the disk.

use std::time::Duration;

use bytes::Bytes;
use capability::wire::UploadId;
use data_encoding::BASE64;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::{Method, Response, StatusCode};
use ring::digest::{Context, SHA256};
use store::{BLOB_LIMIT, UPLOAD_KEPT_MS, Upload};

use super::person::Visit;
use super::problem::Trouble;
use super::stream::Body;
use super::{Answer, api, head};
use crate::life::Adding;

/// Makes an upload.
pub(crate) async fn begin(visit: &Visit<'_>, body: Incoming) -> Result<Answer, Trouble> {
    visit.at.check_origin(visit.head).map_err(Trouble::closing)?;
    let (session, _hold) = visit.session()?;
    let caller = api::caller(visit, &session)?;
    let headers = &visit.head.headers;
    let size = number(headers, &LENGTH).ok_or_else(|| Trouble::bad_upload().closing())?;
    // Its bytes come later: each step can then be repeated by itself.
    if !body.is_end_stream() || text(headers, &COMPLETE) == Some("?1") {
        return Err(Trouble::bad_upload().closing());
    }
    let (id, upload) = visit.person.life.begin_upload(&caller, size).await?;
    let mut answer = state(StatusCode::CREATED, &upload);
    let place = format!("/api/files/1/uploads/{id}");
    answer.headers_mut().insert(LOCATION, value(&place));
    Ok(answer)
}

/// Looks at, adds to or gives up an upload.
pub(crate) async fn one(visit: &Visit<'_>, id: &str, body: Incoming) -> Result<Answer, Trouble> {
    let id: UploadId = id.parse().map_err(|_| Trouble::not_found())?;
    if visit.head.method != Method::HEAD {
        visit.at.check_origin(visit.head).map_err(Trouble::closing)?;
    }
    let (session, _hold) = visit.session()?;
    let caller = api::caller(visit, &session)?;
    let life = &visit.person.life;
    match visit.head.method {
        Method::HEAD => Ok(state(StatusCode::NO_CONTENT, &life.upload(&caller, &id)?)),
        Method::DELETE => {
            life.drop_upload(&caller, &id).await?;
            let mut answer = Response::new(Body::default());
            *answer.status_mut() = StatusCode::NO_CONTENT;
            Ok(answer)
        }
        _ => {
            let step = Step::of(&visit.head.headers).map_err(Trouble::closing)?;
            let adding = life.add(&caller, &id)?;
            let adding = adding.ok_or_else(|| Trouble::upload_busy().closing())?;
            let upload = step.add(adding, body, || session.has_ended()).await?;
            Ok(state(StatusCode::NO_CONTENT, &upload))
        }
    }
}

/// What the head of a step says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Step {
    /// Where its bytes belong.
    offset: u64,
    /// It is the last one.
    complete: bool,
    /// The SHA-256 of its bytes.
    digest: Option<[u8; 32]>,
}

impl Step {
    /// Reads it.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Trouble> {
        let kind = head::text(headers, &CONTENT_TYPE).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("application/partial-upload") {
            return Err(Trouble::bad_upload());
        }
        let complete = match text(headers, &COMPLETE) {
            Some("?1") => true,
            Some("?0") => false,
            Some(_) | None => return Err(Trouble::bad_upload()),
        };
        let offset = number(headers, &OFFSET).ok_or_else(Trouble::bad_upload)?;
        let digest = match headers.contains_key(&DIGEST) {
            true => Some(sha256(headers).ok_or_else(Trouble::bad_upload)?),
            false => None,
        };
        Ok(Self { offset, complete, digest })
    }

    async fn add<B>(
        self,
        mut adding: Adding,
        mut body: B,
        ended: impl Fn() -> bool,
    ) -> Result<Upload, Trouble>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        if adding.offset() != self.offset {
            let mut trouble = Trouble::wrong_offset().closing();
            trouble.number = Some(adding.offset());
            return Err(trouble);
        }
        let least = body.size_hint().lower();
        if least > adding.missing() || least > STEP_MAX {
            return Err(Trouble::too_large().closing());
        }
        let (mut hash, mut taken) = (self.digest.map(|_| Context::new(&SHA256)), 0_u64);
        let broken = loop {
            let frame = match tokio::time::timeout(WITHIN, body.frame()).await {
                Ok(None) => break None,
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => break Some(Trouble::bad_request()),
                Err(_) => break Some(Trouble::too_slow()),
            };
            let Ok(bytes) = frame.into_data() else { continue };
            taken = taken.saturating_add(bytes.len() as u64);
            if bytes.len() as u64 > adding.missing() || taken > STEP_MAX {
                return Err(Trouble::too_large().closing());
            }
            if let Some(hash) = &mut hash {
                hash.update(&bytes);
            }
            adding.add(&bytes).await?;
        };
        // Reading takes time, and whoever sent it may have been signed out meanwhile.
        if ended() {
            return Err(Trouble::signed_out().closing());
        }
        if let Some(trouble) = broken {
            // Only whole steps can be checked: of others nothing is kept.
            if self.digest.is_none() {
                adding.keep().await?;
            }
            return Err(trouble.closing());
        }
        if self.complete && adding.missing() > 0 {
            return Err(Trouble::bad_upload());
        }
        let sum = hash.map(Context::finish);
        if sum.as_ref().map(AsRef::as_ref) != self.digest.as_ref().map(<[u8; 32]>::as_slice) {
            return Err(Trouble::bad_digest());
        }
        Ok(adding.keep().await?)
    }
}

/// How far an upload is.
fn state(status: StatusCode, upload: &Upload) -> Answer {
    let mut answer = Response::new(Body::default());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let complete = if upload.is_complete() { "?1" } else { "?0" };
    headers.insert(COMPLETE, HeaderValue::from_static(complete));
    headers.insert(OFFSET, upload.offset.into());
    headers.insert(LENGTH, upload.size.into());
    let limit = format!(
        "max-size={BLOB_LIMIT}, max-append-size={STEP_MAX}, max-age={}",
        UPLOAD_KEPT_MS / 1000
    );
    headers.insert(LIMIT, value(&limit));
    answer
}

/// The SHA-256 among the digests of a body, RFC 9530.
fn sha256(headers: &HeaderMap) -> Option<[u8; 32]> {
    let text = text(headers, &DIGEST)?;
    let sum = text.split(',').find_map(|one| one.trim().strip_prefix("sha-256=:"))?;
    BASE64.decode(sum.strip_suffix(':')?.as_bytes()).ok()?.try_into().ok()
}

/// A header that is there once.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let text = all.next()?.to_str().ok()?;
    all.next().is_none().then(|| text.trim())
}

/// A whole number, as structured fields (RFC 9651) have it.
fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let text = text(headers, name)?;
    let plain = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

fn value(text: &str) -> HeaderValue {
    // Built from numbers and ids only.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// Most bytes of one step.
const STEP_MAX: u64 = 64 * 1024 * 1024;
/// How long nothing may come within a step.
const WITHIN: Duration = Duration::from_secs(30);
const COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
const DIGEST: HeaderName = HeaderName::from_static("content-digest");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const LIMIT: HeaderName = HeaderName::from_static("upload-limit");
/// How far it is.
pub(crate) const OFFSET: HeaderName = HeaderName::from_static("upload-offset");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, text) in lines {
            headers.append(*name, HeaderValue::from_str(text).unwrap());
        }
        headers
    }

    #[test]
    fn a_step_says_where_it_belongs_or_is_refused() {
        let kind = ("content-type", "application/partial-upload");
        let (offset, last) = (("upload-offset", "12"), ("upload-complete", "?1"));
        let read = Step::of(&headers(&[kind, offset, last])).unwrap();
        assert_eq!(read, Step { offset: 12, complete: true, digest: None });
        let sum = (
            "content-digest",
            "sha-512=:AA==:, sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
        );
        let read = Step::of(&headers(&[kind, offset, last, sum])).unwrap();
        assert_eq!(read.digest.unwrap()[0], 0xe3);
        for bad in [
            &[offset, last][..],
            &[kind, last],
            &[kind, offset],
            &[kind, offset, last, last],
            &[kind, ("upload-offset", "-1"), last],
            &[kind, ("upload-offset", "1.5"), last],
            &[kind, ("upload-offset", "1234567890123456"), last],
            &[kind, offset, ("upload-complete", "1")],
            &[kind, offset, last, ("content-digest", "sha-256=:AA==:")],
            &[kind, offset, last, ("content-digest", "md5=:AA==:")],
        ] {
            assert_eq!(Step::of(&headers(bad)).unwrap_err().code, "bad_upload", "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_head_is_read_or_refused(offset in "[ -~]{0,20}", complete in "[ -~]{0,4}", digest in "[ -~]{0,60}") {
            let kind = ("content-type", "application/partial-upload");
            let lines = [kind, ("upload-offset", &*offset), ("upload-complete", &*complete), ("content-digest", &*digest)];
            if let Ok(step) = Step::of(&headers(&lines)) {
                prop_assert_eq!(step.offset.to_string(), offset.trim().trim_start_matches('0').to_owned().chars().next().map_or("0".to_owned(), |_| offset.trim().trim_start_matches('0').to_owned()));
            }
        }
    }
}
