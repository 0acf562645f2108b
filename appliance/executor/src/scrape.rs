//! The token that opens the node's metrics: made on request, shown once, kept only as a hash.

use std::path::PathBuf;

use crate::{DataFolder, Error, file_error, whole};

/// Makes a new token; the one before it opens nothing any more.
///
/// # Errors
/// When there are no random bytes, or the folder can't be written.
pub fn new_token(folder: &DataFolder) -> Result<String, Error> {
    let mut bytes = [0; 32];
    let random = getrandom::fill(&mut bytes).map_err(std::io::Error::other);
    random.map_err(|source| Error::Start { what: "token", source })?;
    let token = data_encoding::HEXLOWER.encode(&bytes);
    let path = file(folder);
    whole::write(&path, &hash(&token)).map_err(file_error(&path))?;
    Ok(token)
}

/// Whether this is the hash of the token.
pub(crate) fn is_right(folder: &DataFolder, shown: &[u8; 32]) -> bool {
    let Ok(kept) = std::fs::read(file(folder)) else { return false };
    kept.len() == shown.len() && kept.iter().zip(shown).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0
}

fn hash(token: &str) -> [u8; 32] {
    blake3::derive_key(handover::SCRAPE_TOKEN, token.as_bytes())
}

fn file(folder: &DataFolder) -> PathBuf {
    folder.path().join("node").join("metrics-token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_token_is_right_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(folder.path()).unwrap();
        assert!(!is_right(&folder, &hash("")), "no token was made");
        let first = new_token(&folder).unwrap();
        assert!(is_right(&folder, &hash(&first)));
        let kept = std::fs::read(file(&folder)).unwrap();
        assert!(!kept.windows(8).any(|part| first.as_bytes().starts_with(part)));
        let second = new_token(&folder).unwrap();
        assert!(is_right(&folder, &hash(&second)) && !is_right(&folder, &hash(&first)));
    }
}
