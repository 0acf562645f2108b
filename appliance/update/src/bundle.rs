//! Reading: the head with what is signed, then the parts piece by piece.

use std::io::{Read, Seek, SeekFrom};

use crate::signed::{Signed, take};
use crate::{Error, Manifest, Part, Trust, Version, codec};

/// A bundle's head, of which nothing is believed yet.
#[derive(Clone, Debug)]
pub struct Bundle {
    statements: Vec<Signed>,
    manifest: Signed,
    /// Where the first part begins.
    head: u64,
}

impl Bundle {
    /// Reads the head from the start of a bundle.
    ///
    /// # Errors
    /// If no bundle starts there, or it can't be read.
    pub fn read(from: &mut impl Read) -> Result<Self, Error> {
        if take::<{ MARK.len() }>(from)? != *MARK {
            return Err(Error::NoBundle);
        }
        let [count] = take(from)?;
        if count > MOST_STATEMENTS {
            return Err(Error::NoBundle);
        }
        let statements = (0..count).map(|_| Signed::read(from)).collect::<Result<Vec<_>, _>>()?;
        let manifest = Signed::read(from)?;
        let mut bundle = Self { statements, manifest, head: 0 };
        bundle.head = bundle.to_bytes().len() as u64;
        Ok(bundle)
    }

    pub(crate) fn new(statements: Vec<Signed>, manifest: Signed) -> Self {
        Self { statements, manifest, head: 0 }
    }

    /// The version that it says it has, whoever signed it.
    #[must_use]
    pub fn says(&self) -> Option<Version> {
        codec::decode::<Manifest>(&self.manifest.bytes).map(|manifest| manifest.version)
    }

    /// The same bytes that were read.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MARK.to_vec();
        out.push(u8::try_from(self.statements.len()).unwrap_or(u8::MAX));
        self.statements.iter().for_each(|one| out.extend(one.to_bytes()));
        out.extend(self.manifest.to_bytes());
        out
    }

    /// What is in it, once somebody has signed it whom this system trusts.
    ///
    /// # Errors
    /// If nobody has, or what was signed makes no sense.
    pub fn verify(self, trust: &Trust) -> Result<Contents, Error> {
        let trust = trust.clone().follow(&self.statements)?;
        if !self.manifest.is_signed_by(PURPOSE, &trust.statement().update) {
            return Err(Error::Untrusted);
        }
        // Signed by a friend, it may still be in a form that is newer than this reader.
        let unknown = Error::Wrong("its format is newer than this system");
        let manifest: Manifest = codec::decode(&self.manifest.bytes).ok_or(unknown)?;
        manifest.check()?;
        Ok(Contents { manifest, head: self.head })
    }
}

/// A bundle whose manifest is signed by a trusted key. Its parts are compared as they are read.
#[derive(Clone, Debug)]
pub struct Contents {
    /// What is in it.
    pub manifest: Manifest,
    head: u64,
}

impl Contents {
    /// How long what stands before the parts is.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// How long the whole bundle is.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.head + self.manifest.length()
    }

    /// Gives all pieces of a part, each after it was compared; stops at the first that differs.
    ///
    /// # Errors
    /// If a piece is missing or another one than was signed, or `take` fails.
    pub fn read(
        &self,
        part: Part,
        from: &mut (impl Read + Seek),
        mut take: impl FnMut(u64, &[u8]) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let before = Part::ALL.iter().take_while(|other| **other != part);
        let start = self.head + before.map(|part| self.manifest.part(*part).length).sum::<u64>();
        from.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        for piece in self.manifest.part(part).iter() {
            bytes.clear();
            from.take(piece.length as u64).read_to_end(&mut bytes)?;
            if !piece.is(&bytes) {
                return Err(Error::Damaged { part, at: piece.at });
            }
            take(piece.at, &bytes)?;
        }
        Ok(())
    }

    /// Reads all of it once and keeps nothing: whether it is whole, no shorter and no longer.
    ///
    /// # Errors
    /// If it isn't.
    pub fn check(
        &self,
        from: &mut (impl Read + Seek),
        mut heard: impl FnMut(u64),
    ) -> Result<(), Error> {
        let (has, should) = (from.seek(SeekFrom::End(0))?, self.length());
        if has != should {
            return Err(Error::WrongLength { has, should });
        }
        let mut done = 0;
        for part in Part::ALL {
            self.read(part, from, |_, bytes| {
                done += bytes.len() as u64;
                heard(done);
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// How a bundle begins.
const MARK: &[u8; 18] = b"hometwin bundle 1\n";
pub(crate) const PURPOSE: &str = "hometwin 2026-11-26 update manifest";
/// One for each change of keys; a computer that missed more has to be flashed anew.
const MOST_STATEMENTS: u8 = 32;
