//! Entry points for fuzzing what browsers send, and the replay of what fuzzing found. They only have
//! to return.

use capability::interfaces;
use capability::wire::Batch;

use crate::events;
use crate::http::body::parse;

/// The body of a call of any method, or of a batch.
pub fn http_body(bytes: &[u8]) {
    for method in interfaces::all().iter().flat_map(|interface| interface.methods) {
        let _ = (method.understands)(bytes);
    }
    let _ = parse::<Batch>(bytes);
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
        let targets: [(&str, Target); 2] =
            [("http_body", http_body), ("event_message", event_message)];
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
