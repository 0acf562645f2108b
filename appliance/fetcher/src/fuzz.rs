//! What a fuzz target calls, and the replay of the committed corpus; nothing else uses it.

use crate::address::{Address, content_range};

/// Reads the bytes as what a server says of places: where it leads to, and which part comes.
///
/// # Panics
/// When something is accepted that leads to an unsafe place, or a part that isn't in its file.
pub fn places(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some((first, last, all)) = content_range(text) {
        assert!(first <= last && last < all);
    }
    for found in [Address::folder(text), known().redirect(text)].into_iter().flatten() {
        assert!(found.path.starts_with('/') && found.port > 0 && !found.host.is_empty());
        assert!(!found.authority.contains('@'));
    }
}

fn known() -> Address {
    match Address::folder("https://a.example/x/") {
        Ok(known) => known,
        Err(error) => unreachable!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn the_corpus_does_no_harm() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/places");
        let mut files = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            super::places(&std::fs::read(file.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files >= 5, "the corpus is there");
    }

    proptest! {
        #[test]
        fn no_text_leads_to_an_unsafe_place(
            text in "(https://|http://|//|/|bytes )?[a-z0-9@:/.?\\[\\]#-]{0,40}"
        ) {
            super::places(text.as_bytes());
        }

        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            super::places(&bytes);
        }
    }
}
