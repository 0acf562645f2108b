//! What a fuzz target calls, and the replay of the committed corpus; nothing else uses it.

use handover::{Bounds, Task};

/// Makes a small picture of the bytes, or says why not.
pub fn preview(bytes: &[u8]) {
    let _ = crate::make(Task::Preview { side: 64 }, BOUNDS, bytes);
}

/// Reads the words of the bytes, or says why not.
pub fn text(bytes: &[u8]) {
    let _ = crate::make(Task::Text, BOUNDS, bytes);
}

/// Small, so that what is too large is found early.
const BOUNDS: Bounds = Bounds { input: 1 << 20, output: 1 << 20, pixels: 1 << 18 };

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn the_corpus_does_no_harm() {
        for (folder, read) in [("preview", super::preview as fn(&[u8])), ("text", super::text)] {
            let mut files = 0;
            let folder = format!("{}/corpus/{folder}", env!("CARGO_MANIFEST_DIR"));
            for file in std::fs::read_dir(folder).unwrap() {
                read(&std::fs::read(file.unwrap().path()).unwrap());
                files += 1;
            }
            assert!(files >= 4, "the corpus is there");
        }
    }

    /// What each kind of file begins with, so that what follows reaches its parser.
    const HEADS: &[&[u8]] = &[
        b"",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
        b"GIF89a\x10\0\x10\0\x80\0\0",
        b"RIFF\x40\0\0\0WEBPVP8L",
        b"RIFF\x40\0\0\0WEBPVP8 ",
        b"<html><body>",
        b"\x1a\x45\xdf\xa3\x80\xae\x87\xd7\x81\x01\x86\x85V_VP8\xa3\xff\x81\0\0\x80\x10\0\0\x9d\x01\x2a",
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Kids[3 0 R]/Count 1>>endobj \
          3 0 obj<</Type/Page/MediaBox[0 0 90 90]/Contents 4 0 R>>endobj 4 0 obj<<>>stream\n",
    ];

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 400,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes_are_a_file_or_a_clear_error(
            head in 0..HEADS.len(),
            bytes in proptest::collection::vec(0_u8.., 0..600),
        ) {
            let all = [HEADS[head], &bytes].concat();
            super::preview(&all);
            super::text(&all);
        }
    }
}
