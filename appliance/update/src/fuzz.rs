//! What fuzz targets call, and the replay of the committed corpora; nothing else uses it.

use std::io::Cursor;

use crate::{Bundle, SecretKey, Statement, Trust};

/// Reads the bytes as a bundle, for a system that trusts [`trusted`].
///
/// # Panics
/// When something is accepted that isn't whole.
pub fn bundle(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::read(&mut &*bytes)
        && let Ok(contents) = bundle.verify(&trusted())
        && contents.check(&mut Cursor::new(bytes), |_| ()).is_ok()
    {
        assert_eq!(contents.length(), bytes.len() as u64);
    }
    // As what lies in a system.
    if let Ok(trust) = Trust::read(bytes) {
        assert!(trust.statement().check().is_ok());
    }
}

/// A statement whose secret keys are 32 times 1 and 32 times 2.
///
/// # Panics
/// Never: it is well-formed.
#[must_use]
pub fn trusted() -> Trust {
    let [root, update] = [1, 2].map(|n| SecretKey::from_bytes(&[n; 32]));
    let statement =
        Statement { number: 1, root: vec![root.public()], update: vec![update.public()] };
    match Trust::read(&statement.sign(&[&root])) {
        Ok(trust) => trust,
        Err(error) => unreachable!("{error}"),
    }
}

#[cfg(test)]
mod tests;
