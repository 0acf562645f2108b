//! What a fuzz target calls, and the replay of the committed corpus; nothing else uses it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::channel::decode;
use crate::{
    FromFetcher, FromGateway, FromSteward, FromTwin, FromTwinExecutor, FromWorker, ToFetcher,
    ToGateway, ToSteward, ToTwin, ToTwinExecutor, ToWorker,
};

/// Reads the bytes as a header of each direction: whatever is accepted can be written again.
pub fn headers(bytes: &[u8]) {
    one::<ToGateway>(bytes);
    one::<FromGateway>(bytes);
    one::<ToTwin>(bytes);
    one::<FromTwin>(bytes);
    one::<ToTwinExecutor>(bytes);
    one::<FromTwinExecutor>(bytes);
    one::<ToWorker>(bytes);
    one::<FromWorker>(bytes);
    one::<ToSteward>(bytes);
    one::<FromSteward>(bytes);
    one::<ToFetcher>(bytes);
    one::<FromFetcher>(bytes);
}

fn one<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    if let Ok(header) = decode::<T>(bytes) {
        debug_assert!(postcard::to_stdvec(&header).is_ok(), "an accepted header can be written");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_does_no_harm() {
        let mut files = 0;
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/headers");
        for file in std::fs::read_dir(folder).unwrap() {
            super::headers(&std::fs::read(file.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files >= 10, "the corpus is there");
    }
}
