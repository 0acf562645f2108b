//! An experience as one file: what is in its folder, in an order that depends on nothing else, and
//! the signature of its author's twin. The same folder makes the same bytes.
//!
//! ```text
//!  "htpkg\0\0\1" | index, as JSON | chain of the author | signature | the files, one after the other
//! ```
//! Each part but the files begins with its length in four bytes. The index names every file with its
//! size and hash, the signature is over the index: so it is over everything. Reading takes nothing on
//! trust and opens no file by name; what a package wants is only told, never given.

mod check;

use std::collections::BTreeMap;
use std::ops::Range;

use capability::manifest::Manifest;
use data_encoding::HEXLOWER;
use link::{Chain, Signature, SigningKey, TwinId};
use serde::{Deserialize, Serialize};

pub use crate::http::shelf::read_folder;
pub use capability::manifest::is_name;
pub use check::{Flaw, What, check};

/// The file in which an experience says what it is.
pub const MANIFEST: &str = "experience.json";
/// Most bytes of all files.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most files.
pub const FILES_MAX: usize = 500;
/// How deep folders may lie in each other.
pub const DEPTH_MAX: usize = 8;
const MAGIC: &[u8; 8] = b"htpkg\0\0\x01";
const PURPOSE: &str = "hometwin 2026-11 package of an experience";
const INDEX_MAX: usize = 256 * 1024;
const CHAIN_MAX: usize = 64 * 1024;

/// Files by their path within the folder.
pub type Folder = BTreeMap<String, Vec<u8>>;

/// A package that was read: whole, of what it says, and signed by who it says.
#[derive(Debug)]
pub struct Package {
    /// What it says about itself.
    pub manifest: Manifest,
    /// The hash of its index: names it for ever.
    pub hash: [u8; 32],
    /// Whose twin signed it.
    pub author: TwinId,
    files: BTreeMap<String, Stored>,
}

/// A file in a package.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Where its bytes lie.
    pub at: Range<usize>,
    /// Their hash, hexadecimal.
    pub hash: String,
}

/// Why bytes are no package.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoPackage {
    /// A part of it is missing, or there is more than there should be.
    #[error("it is not whole")]
    Cut,
    /// A file is not what the index says.
    #[error("a file in it was changed")]
    Changed,
    /// The folder has flaws that `check` names.
    #[error("its files are not those of an experience")]
    Flawed,
    /// Its index can't be read.
    #[error("its index is unreadable")]
    Index,
    /// Made for a newer twin, or something else entirely.
    #[error("it is no package that this twin can read")]
    Kind,
    /// The signature is missing, or not by who it says.
    #[error("its signature is wrong")]
    Signature,
    /// It has more than fits.
    #[error("it is too large")]
    TooLarge,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Index {
    files: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    size: usize,
    hash: String,
}

/// Packs a folder, not signed yet.
///
/// # Errors
/// What [`check`] finds.
pub fn pack(folder: &Folder) -> Result<Vec<u8>, Vec<Flaw>> {
    let flaws = check(folder);
    if !flaws.is_empty() {
        return Err(flaws);
    }
    let entry = |(path, bytes): (&String, &Vec<u8>)| Entry {
        path: path.clone(),
        size: bytes.len(),
        hash: HEXLOWER.encode(blake3::hash(bytes).as_bytes()),
    };
    let index = Index { files: folder.iter().map(entry).collect() };
    let index = serde_json::to_vec(&index).unwrap_or_default();
    let mut bytes = MAGIC.to_vec();
    for part in [&index[..], &[], &[]] {
        write_part(&mut bytes, part);
    }
    folder.values().for_each(|file| bytes.extend_from_slice(file));
    Ok(bytes)
}

/// Signs a package in place of whatever signature it has.
///
/// # Errors
/// When the bytes are no package.
pub fn sign(bytes: &[u8], chain: &Chain, key: &SigningKey) -> Result<Vec<u8>, NoPackage> {
    let (index, _, _, files) = parts(bytes)?;
    let mut signed = MAGIC.to_vec();
    write_part(&mut signed, index);
    write_part(&mut signed, &chain.to_bytes());
    write_part(&mut signed, &key.sign(PURPOSE, index).to_bytes());
    signed.extend_from_slice(files);
    Ok(signed)
}

impl Package {
    /// Reads and verifies a package.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, NoPackage> {
        let (index, chain, signature, rest) = parts(bytes)?;
        let author = Chain::from_bytes(chain).and_then(|chain| chain.check());
        let author = author.map_err(|_| NoPackage::Signature)?;
        let signature = signature.try_into().map_err(|_| NoPackage::Signature)?;
        if !author.key.verify(PURPOSE, index, &Signature::from_bytes(signature)) {
            return Err(NoPackage::Signature);
        }
        let hash = *blake3::hash(index).as_bytes();
        let index: Index = serde_json::from_slice(index).map_err(|_| NoPackage::Index)?;
        let files = laid_out(&index, bytes.len() - rest.len(), bytes)?;
        let folder: BTreeMap<&str, &[u8]> =
            files.iter().map(|(path, stored)| (path.as_str(), &bytes[stored.at.clone()])).collect();
        if !check::check_files(&folder).is_empty() {
            return Err(NoPackage::Flawed);
        }
        let manifest = folder.get(MANIFEST).and_then(|text| serde_json::from_slice(text).ok());
        let manifest: Manifest = manifest.ok_or(NoPackage::Flawed)?;
        Ok(Self { manifest, hash, author: author.id, files })
    }

    /// Where its files lie in its bytes, by their path.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, Stored> {
        &self.files
    }
}

/// The hash that the package of a folder has.
#[must_use]
pub fn hash_of(unsigned: &[u8]) -> Option<[u8; 32]> {
    parts(unsigned).ok().map(|(index, ..)| *blake3::hash(index).as_bytes())
}

/// Where each file lies; in the order of their paths, each once, without a gap and to the end.
fn laid_out(
    index: &Index,
    start: usize,
    bytes: &[u8],
) -> Result<BTreeMap<String, Stored>, NoPackage> {
    if index.files.len() > FILES_MAX {
        return Err(NoPackage::TooLarge);
    }
    let (mut files, mut at, mut last) = (BTreeMap::new(), start, "");
    for Entry { path, size, hash } in &index.files {
        if last >= path.as_str() {
            return Err(NoPackage::Index);
        }
        let end = at.checked_add(*size).filter(|end| end - start <= BYTES_MAX);
        let end = end.ok_or(NoPackage::TooLarge)?;
        let file = bytes.get(at..end).ok_or(NoPackage::Cut)?;
        if HEXLOWER.encode(blake3::hash(file).as_bytes()) != *hash {
            return Err(NoPackage::Changed);
        }
        files.insert(path.clone(), Stored { at: at..end, hash: hash.clone() });
        (at, last) = (end, path);
    }
    if at == bytes.len() { Ok(files) } else { Err(NoPackage::Cut) }
}

type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8], &'a [u8]);

fn parts(bytes: &[u8]) -> Result<Parts<'_>, NoPackage> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(NoPackage::Kind)?;
    let (index, rest) = read_part(rest, INDEX_MAX)?;
    let (chain, rest) = read_part(rest, CHAIN_MAX)?;
    let (signature, rest) = read_part(rest, 64)?;
    Ok((index, chain, signature, rest))
}

fn read_part(bytes: &[u8], most: usize) -> Result<(&[u8], &[u8]), NoPackage> {
    let (length, rest) = bytes.split_first_chunk().ok_or(NoPackage::Cut)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(NoPackage::TooLarge);
    }
    rest.split_at_checked(length).ok_or(NoPackage::Cut)
}

fn write_part(bytes: &mut Vec<u8>, part: &[u8]) {
    // Every part is far below four gigabytes.
    bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(part);
}

#[cfg(test)]
mod tests;
