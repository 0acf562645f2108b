//! Calls that were not done, as problem documents with sentences for the person.
//!
//! Never carries anything of the request but the path of a field and what was wrong with it.

use std::time::Duration;

use capability::Problem;
use capability::wire::{FieldProblem, Retry};
use hyper::header::{ALLOW, CONNECTION, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use super::stream::Body;
use super::{Answer, uploads};
use crate::messages::Language;

/// Why a request is not answered as wished.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    /// Stable; also finds the sentences.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Whether sending it again can help.
    pub retry: Retry,
    /// What fills the placeholders of the sentences.
    pub values: Vec<(&'static str, String)>,
    /// Which fields are wrong.
    pub fields: Vec<FieldProblem>,
    /// With a conflict: the revision that the thing has.
    pub rev: Option<u64>,
    /// In a batch: which call.
    pub call: Option<u16>,
    /// The connection is of no more use: its next bytes can't be trusted or shall not be read.
    pub close: bool,
    /// With 405: what is allowed.
    pub allow: Option<&'static str>,
    /// With 429: seconds until there is a point in asking again. With 416: how many bytes there
    /// are. With 409: how far an upload is.
    pub number: Option<u64>,
}

macro_rules! troubles {
    ($($(#[$doc:meta])* $name:ident = $code:literal $status:literal $retry:ident;)*) => {
        impl Trouble {
            $($(#[$doc])* pub(crate) fn $name() -> Self { Self::new($code, $status, Retry::$retry) })*
        }

        /// Every code that the door itself gives.
        #[cfg(test)]
        pub(crate) const CODES: &[&str] = &[$($code),*];
    };
}

troubles! {
    /// The request can't be understood at all.
    bad_request = "bad_request" 400 No;
    /// The body is no such request.
    malformed = "malformed" 400 No;
    /// The text of the event socket is no message.
    bad_message = "bad_message" 400 No;
    /// A method that can't be part of a batch.
    not_in_batch = "not_in_batch" 400 No;
    /// No session.
    signed_out = "signed_out" 401 No;
    /// Sent by a page of another origin.
    other_origin = "other_origin" 403 No;
    /// The frame is closed or never was.
    frame_closed = "frame_closed" 403 No;
    /// What arrived is not what was sent.
    bad_digest = "bad_digest" 400 Now;
    /// The head of an upload says too little, or what it must not.
    bad_upload = "bad_upload" 400 No;
    /// The upload is at another place.
    wrong_offset = "wrong_offset" 409 Now;
    /// Somebody is adding to the upload right now.
    upload_busy = "upload_busy" 409 Later;
    /// Nothing of what is there was asked for.
    bad_range = "bad_range" 416 No;
    /// Only an owner of the node may.
    not_owner = "not_owner" 403 No;
    /// The metrics' token is missing or wrong.
    no_token = "no_token" 401 No;
    /// Only the shell may call this.
    only_shell = "only_shell" 403 No;
    /// The pairing code is wrong, used or old.
    bad_code = "bad_code" 403 No;
    /// The link for a further device is wrong, used or old.
    bad_link = "bad_link" 403 No;
    /// What came is not what a passkey would say here.
    bad_passkey = "bad_passkey" 403 Now;
    /// The passkey was removed, or is another twin's.
    passkey_unknown = "passkey_unknown" 403 No;
    /// Looking for the passkey took too long.
    passkey_late = "passkey_late" 403 Now;
    /// The device has a passkey already.
    passkey_known = "passkey_known" 409 No;
    /// As many passkeys as there may be.
    too_many_passkeys = "too_many_passkeys" 409 No;
    /// Nothing here.
    not_found = "not_found" 404 No;
    /// Another method is wanted.
    wrong_method = "wrong_method" 405 No;
    /// The body took too long.
    too_slow = "too_slow" 408 Now;
    /// The body is too long.
    too_large = "too_large" 413 No;
    /// The body is not JSON.
    not_json = "not_json" 415 No;
    /// The connection belongs to another name.
    misdirected = "misdirected" 421 Now;
    /// Only a WebSocket is served here.
    not_a_socket = "not_a_socket" 426 No;
    /// Too many tries.
    too_often = "too_often" 429 Later;
    /// More requests than one may make.
    slow_down = "slow_down" 429 Later;
    /// Too many subscriptions on one socket.
    too_many_subscriptions = "too_many_subscriptions" 429 No;
    /// A subscription with this number exists.
    sub_in_use = "sub_in_use" 400 No;
    /// Something broke; the log says what.
    failed = "failed" 500 Later;
}

impl Trouble {
    pub(crate) fn new(code: &'static str, status: u16, retry: Retry) -> Self {
        Self {
            code,
            status,
            retry,
            values: Vec::new(),
            fields: Vec::new(),
            rev: None,
            call: None,
            close: false,
            allow: None,
            number: None,
        }
    }

    /// The connection ends with this answer.
    pub(crate) fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// More requests than one may make, for so long.
    pub(crate) fn too_fast(wait: Duration) -> Self {
        let mut trouble = Self::slow_down();
        trouble.number = Some(wait.as_secs() + 1);
        trouble
    }

    /// A body that could not be read as the request it should be.
    pub(crate) fn unread(error: &serde_json::Error) -> Self {
        let mut trouble = Self::malformed();
        trouble.fields.push(FieldProblem { field: String::new(), detail: error.to_string() });
        trouble
    }

    /// Something inside failed: the log gets the reason, the person a sentence.
    pub(crate) fn inside(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %crate::chain(error), "a request failed");
        Self::failed()
    }

    /// The document.
    pub(crate) fn document(&self, language: Language<'_>) -> Problem {
        let values: Vec<_> = self.values.iter().map(|(name, text)| (*name, &**text)).collect();
        let say = |part| language.fill(&format!("problem.{}.{part}", self.code), &values);
        Problem {
            kind: Problem::urn(self.code),
            title: say("title"),
            status: self.status,
            detail: say("detail"),
            code: self.code.to_owned(),
            what_to_do: say("do"),
            retry: self.retry,
            fields: self.fields.clone(),
            rev: self.rev,
            call: self.call,
        }
    }

    /// The document as a response.
    pub(crate) fn response(&self, language: Language<'_>) -> Answer {
        let text = serde_json::to_vec(&self.document(language)).unwrap_or_default();
        let mut response = Response::new(Body::from(text));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        match (self.status, self.number) {
            (416, Some(size)) => {
                let text = HeaderValue::from_str(&format!("bytes */{size}"));
                headers.extend(text.ok().map(|text| (CONTENT_RANGE, text)));
            }
            (409, Some(offset)) => {
                headers.insert(uploads::OFFSET, offset.into());
            }
            (_, _) => {}
        }
        if self.retry == Retry::Later {
            headers.insert(RETRY_AFTER, self.number.unwrap_or(10).into());
        }
        response
    }
}
