//! Making a bundle, from three files and a key.

use std::io::{self, Read, Seek, Write};

use crate::bundle::{Bundle, PURPOSE};
use crate::manifest::FORMAT;
use crate::signed::Signed;
use crate::{Error, Manifest, PIECE, Pieces, SecretKey, Trust, Version};

/// What a bundle says of itself, besides its parts.
#[derive(Clone, Debug)]
pub struct About {
    /// Which recipe it was made from.
    pub flavour: String,
    /// For which processors.
    pub arch: String,
    /// The version of the system in it.
    pub version: Version,
    /// The oldest version that may be updated to it.
    pub from: Version,
    /// Until when it may be used, in seconds since 1970.
    pub expires: u64,
    /// How often a computer starts it before it goes back.
    pub tries: u8,
    /// The root of the hash tree.
    pub root_hash: [u8; 32],
}

/// Writes a bundle of system, hash tree and kernel. `statements` are the files of all statements
/// about keys, the oldest first; the newest has to name the key that signs.
///
/// # Errors
/// If computers with the oldest statement would refuse it, or a file can't be read or written.
pub fn make<F: Read + Seek>(
    about: &About,
    parts: &mut [F; 3],
    statements: &[Vec<u8>],
    key: &SecretKey,
    out: &mut impl Write,
) -> Result<Manifest, Error> {
    let (first, later) = statements.split_first().ok_or(Error::Keys("no statement about keys"))?;
    let read = |file: &Vec<u8>| Signed::read(&mut file.as_slice());
    let later = later.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let [system, hashes, kernel] = parts.each_mut().map(pieces);
    let manifest = Manifest {
        format: FORMAT,
        flavour: about.flavour.clone(),
        arch: about.arch.clone(),
        version: about.version,
        from: about.from,
        expires: about.expires,
        tries: about.tries,
        root_hash: about.root_hash,
        system: system?,
        hashes: hashes?,
        kernel: kernel?,
    };
    let signed = Signed::new(PURPOSE, &manifest, &[key]);
    let head = Bundle::new(later, signed).to_bytes();
    // As the first computers will read it.
    Bundle::read(&mut head.as_slice())?.verify(&Trust::read(first)?)?;
    out.write_all(&head)?;
    for part in parts {
        part.rewind()?;
        io::copy(part, out)?;
    }
    Ok(manifest)
}

fn pieces(from: &mut (impl Read + Seek)) -> io::Result<Pieces> {
    from.rewind()?;
    let mut pieces = Pieces { length: 0, hashes: Vec::new() };
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        from.take(PIECE as u64).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Ok(pieces);
        }
        pieces.length += bytes.len() as u64;
        pieces.hashes.push(blake3::hash(&bytes).into());
    }
}
