//! Entry points for fuzzing what browsers send, and the replay of what fuzzing found. They only have
//! to return.

use capability::wire::Batch;
use capability::{chat, contacts, identity, interfaces, spaces};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Serialize, de::DeserializeOwned};

use crate::http::body::parse;
use crate::http::things::range;
use crate::http::uploads::Step;
use crate::life::spaces::text;
use crate::package::{self, Package};
use crate::{events, passkeys};

/// The body of a call of any method, or of a batch.
pub fn http_body(bytes: &[u8]) {
    for method in interfaces::all().iter().flat_map(|interface| interface.methods) {
        let _ = (method.understands)(bytes);
    }
    let _ = parse::<Batch>(bytes);
}

/// The body of an envelope, as it is when its sender is proven: what is understood keeps every field
/// that it does not know.
pub fn envelope_body(bytes: &[u8]) {
    whole::<chat::latest::Body>(bytes);
    whole::<contacts::latest::Body>(bytes);
    whole::<identity::latest::Body>(bytes);
    whole::<spaces::latest::Body>(bytes);
    // What is signed inside of it is kept as it came.
    let _ = serde_json::from_slice::<spaces::latest::Op>(bytes);
    let _ = serde_json::from_slice::<spaces::latest::Roster>(bytes);
}

fn whole<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(body) = serde_json::from_slice::<T>(bytes) else { return };
    let once = serde_json::to_value(&body).ok();
    let again = once.clone().and_then(|value| serde_json::from_value::<T>(value).ok());
    let twice = again.and_then(|body| serde_json::to_value(&body).ok());
    assert!(once.is_some() && once == twice, "a body changes when it is passed on");
}

/// What the head of a request says about parts of files: a range, and a step of an upload.
pub fn transfer_head(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let _ = range(&String::from_utf8_lossy(line()));
    let mut headers = HeaderMap::new();
    for name in ["content-type", "upload-offset", "upload-complete", "content-digest"] {
        headers.extend(
            HeaderValue::from_bytes(line())
                .ok()
                .map(|value| (HeaderName::from_static(name), value)),
        );
    }
    let _ = Step::of(&headers);
}

/// A package of an experience: as it is, and signed by somebody, so that what is behind the signature is
/// read too.
pub fn package(bytes: &[u8]) {
    let _ = Package::read(bytes);
    let mut secrets = [7; 64];
    secrets[32..].fill(8);
    let keys = link::Keys::from_bytes(&secrets);
    if let Ok(signed) = package::sign(bytes, &link::Chain::begin(&keys), &keys.twin)
        && let Ok(read) = Package::read(&signed)
    {
        let inside = read.files().values().all(|file| signed.get(file.at.clone()).is_some());
        assert!(inside, "a file lies outside of its package");
    }
}

/// What a browser and an authenticator say of a passkey: client data, a public key and the authenticator's
/// data, with a zero byte between them.
pub fn passkey(bytes: &[u8]) {
    passkeys::fuzz(bytes);
}

/// A text of records after somebody's hands.
pub fn records_text(bytes: &[u8]) {
    let Ok(blocks) = text::read(&String::from_utf8_lossy(bytes)) else { return };
    blocks.iter().flat_map(|block| &block.fields).for_each(|field| {
        let _ = (field.value(true), field.value(false));
    });
}

/// A message on the event socket.
pub fn event_message(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = events::read_message(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Target = fn(&[u8]);

    #[test]
    fn the_corpus_does_no_harm() {
        let targets: [(&str, Target); 7] = [
            ("records_text", records_text),
            ("package", package),
            ("passkey", passkey),
            ("transfer_head", transfer_head),
            ("http_body", http_body),
            ("envelope_body", envelope_body),
            ("event_message", event_message),
        ];
        for (name, target) in targets {
            let folder = format!("{}/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
            let mut files = 0;
            for file in std::fs::read_dir(folder).unwrap() {
                target(&std::fs::read(file.unwrap().path()).unwrap());
                files += 1;
            }
            assert!(files >= 10, "corpus/{name} has {files} files");
        }
    }
}
