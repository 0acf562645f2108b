//! What a file is, by its first bytes; its name and what anybody says of it count for nothing.

use handover::Kind;

use crate::{film, html, office, plain};

/// `None` for anything that nothing can be made of.
pub(crate) fn of(bytes: &[u8]) -> Option<Kind> {
    let begins = |with: &[u8]| bytes.starts_with(with);
    match () {
        () if begins(b"\x89PNG\r\n\x1a\n") => Some(Kind::Png),
        () if begins(b"\xff\xd8\xff") => Some(Kind::Jpeg),
        () if begins(b"GIF87a") || begins(b"GIF89a") => Some(Kind::Gif),
        () if begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => Some(Kind::Webp),
        // Some writers put a line of their own before it.
        () if bytes.get(..bytes.len().min(1024)).is_some_and(is_pdf) => Some(Kind::Pdf),
        () if begins(b"PK\x03\x04") => office::kind(bytes),
        () if film::kind(bytes).is_some() => film::kind(bytes),
        () if html::is_html(bytes) => Some(Kind::Html),
        () if plain::is_text(bytes) => Some(Kind::Text),
        () => None,
    }
}

fn is_pdf(begin: &[u8]) -> bool {
    begin.windows(5).any(|part| part == b"%PDF-")
}
