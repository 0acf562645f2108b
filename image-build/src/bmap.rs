//! The map that common flashers read beside an image (bmaptool's format, version 2.0): which blocks of
//! it mean something, and their hashes.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use disks::Extents;
use quick_xml::events::Event;
use quick_xml::events::attributes::Attribute;
use quick_xml::{Reader, XmlVersion};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// What a map says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Map {
    /// The whole image.
    pub bytes: u64,
    /// What of it means something, in whole blocks, with the hash of each part.
    pub parts: Vec<(Range<u64>, [u8; 32])>,
}

/// Why a map can't be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoMap {
    /// Not the format, or a version that isn't known.
    #[error("it is no block map of version 2 with SHA-256")]
    Format,
    /// A number or a hash in it is none, or its blocks are not in order.
    #[error("its {0} can't be right")]
    Value(&'static str),
    /// Its own hash is another.
    #[error("it is damaged: its own hash is another")]
    Damaged,
}

impl Map {
    /// The map of an image whose meaning parts are known.
    ///
    /// # Errors
    /// If the image can't be read.
    pub(crate) fn of(image: &Path, extents: &Extents) -> Result<Self> {
        let file = File::open(image).map_err(Error::file(image))?;
        let bytes = file.metadata().map_err(Error::file(image))?.len();
        let mut file = BufReader::with_capacity(1 << 20, file);
        let mut parts = Vec::new();
        for range in extents.in_blocks(BLOCK).iter() {
            let range = range.start..range.end.min(bytes);
            file.seek(SeekFrom::Start(range.start)).map_err(Error::file(image))?;
            let mut hasher = Sha256::new();
            let mut part = file.by_ref().take(range.end - range.start);
            let mut buffer = vec![0; 1 << 16];
            loop {
                match part.read(&mut buffer).map_err(Error::file(image))? {
                    0 => break,
                    read => hasher.update(&buffer[..read]),
                }
            }
            parts.push((range, hasher.finalize().into()));
        }
        Ok(Self { bytes, parts })
    }

    /// Reads the map that lies beside an image.
    pub(crate) fn beside(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::file(path))?;
        let wrong = |error: NoMap| Error::Map { file: path.to_owned(), source: error };
        Self::read(&text).map_err(wrong)
    }

    /// The parts alone.
    pub(crate) fn extents(&self) -> Extents {
        self.parts.iter().map(|(range, _)| range.clone()).collect()
    }

    /// Whether a part has the hash that it should have.
    pub(crate) fn is_sound(&self, range: &Range<u64>, hash: &[u8; 32]) -> bool {
        self.parts.iter().any(|(part, wanted)| part == range && wanted == hash)
    }

    /// The file.
    pub(crate) fn to_text(&self) -> String {
        let blocks = self.bytes.div_ceil(BLOCK);
        let mapped: u64 = self.parts.iter().map(|(part, _)| blocks_of(part).count() as u64).sum();
        let mut text = format!(
            "<?xml version=\"1.0\" ?>\n<!-- Which blocks of the image to write, for flashers. -->\n\
             <bmap version=\"2.0\">\n    <ImageSize> {} </ImageSize>\n    <BlockSize> {BLOCK} </BlockSize>\n    \
             <BlocksCount> {blocks} </BlocksCount>\n    <MappedBlocksCount> {mapped} </MappedBlocksCount>\n    \
             <ChecksumType> sha256 </ChecksumType>\n    <BmapFileChecksum> {NONE} </BmapFileChecksum>\n    <BlockMap>\n",
            self.bytes,
        );
        for (part, hash) in &self.parts {
            let (blocks, hash) = (blocks_of(part), hex(hash));
            let last = blocks.end.saturating_sub(1);
            let _ = write!(text, "        <Range chksum=\"{hash}\"> {}", blocks.start);
            if last > blocks.start {
                let _ = write!(text, "-{last}");
            }
            text.push_str(" </Range>\n");
        }
        text.push_str("    </BlockMap>\n</bmap>\n");
        // Its own hash is made while its place holds zeros.
        let own = hex(&Sha256::digest(&text));
        text.replacen(NONE, &own, 1)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// If it's no such map, or says what can't be.
    pub fn read(text: &str) -> std::result::Result<Self, NoMap> {
        let mut reader = Reader::from_str(text);
        let mut map = Self::default();
        let (mut size, mut own, mut known) = (0, String::new(), false);
        let mut open: Vec<(String, String)> = Vec::new();
        loop {
            match reader.read_event().map_err(|_| NoMap::Format)? {
                Event::Start(tag) => {
                    let name =
                        String::from_utf8_lossy(tag.local_name().as_ref().as_bytes()).into_owned();
                    let value = |key| {
                        let found = tag.try_get_attribute(key).map_err(|_| NoMap::Format)?;
                        let text = |one: Attribute<'_>| {
                            String::from_utf8_lossy(one.value.as_bytes()).into_owned()
                        };
                        Ok::<_, NoMap>(found.map(text))
                    };
                    // The second number grows with what may be left out.
                    if name == "bmap" {
                        let version = value("version")?.unwrap_or_default();
                        known = version.split('.').next() == Some("2");
                    }
                    let hash = value("chksum")?;
                    open.push((name, hash.unwrap_or_default()));
                }
                Event::End(_) => drop(open.pop()),
                Event::Text(text) => {
                    let text = text.xml_content(XmlVersion::Explicit1_0);
                    let text = text.trim();
                    let Some((name, hash)) = open.last().filter(|_| !text.is_empty()) else {
                        continue;
                    };
                    match name.as_str() {
                        "ImageSize" => map.bytes = number(text, "image size")?,
                        "BlockSize" => size = number(text, "block size")?,
                        "ChecksumType" if text != "sha256" => return Err(NoMap::Format),
                        "BmapFileChecksum" => own = text.to_owned(),
                        "Range" => map.add(text, hash, size)?,
                        _ => {}
                    }
                }
                Event::Eof => break,
                Event::Empty(_)
                | Event::Comment(_)
                | Event::CData(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_) => {}
            }
        }
        if !known || own.len() != NONE.len() || map.parts.is_empty() {
            return Err(NoMap::Format);
        }
        let with_zeros = text.replacen(&own, NONE, 1);
        if hex(&Sha256::digest(with_zeros)) != own {
            return Err(NoMap::Damaged);
        }
        Ok(map)
    }

    /// One range of blocks, which has to lie behind those before it and inside the image.
    fn add(&mut self, blocks: &str, hash: &str, size: u64) -> std::result::Result<(), NoMap> {
        let wrong = NoMap::Value("blocks");
        let (first, last) = blocks.split_once('-').unwrap_or((blocks, blocks));
        let (first, last) = (number(first, "blocks")?, number(last, "blocks")?);
        let byte = |block: u64| block.checked_mul(size).ok_or(wrong);
        let (start, end) = (byte(first)?, byte(last.checked_add(1).ok_or(wrong)?)?);
        let after = self.parts.last().map_or(0, |(part, _)| part.end);
        let gap = self.parts.is_empty() || start > after;
        let range = start..end.min(self.bytes);
        if size == 0 || !gap || range.is_empty() {
            return Err(wrong);
        }
        self.parts.push((range, unhex(hash).ok_or(NoMap::Value("hash"))?));
        Ok(())
    }
}

fn number(text: &str, what: &'static str) -> std::result::Result<u64, NoMap> {
    text.trim().parse().map_err(|_| NoMap::Value(what))
}

fn blocks_of(part: &Range<u64>) -> Range<u64> {
    part.start / BLOCK..part.end.div_ceil(BLOCK)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 {
        return None;
    }
    let digit = |at: usize| char::from(bytes[at]).to_digit(16);
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::try_from(digit(2 * at)? << 4 | digit(2 * at + 1)?).ok()?;
    }
    Some(hash)
}

const BLOCK: u64 = 4096;
const NONE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Map {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        fs::write(&image, (0..50_000).map(|at| (at % 251) as u8).collect::<Vec<_>>()).unwrap();
        let extents: Extents = [0..100, 20_000..20_001, 45_000..50_000].into_iter().collect();
        Map::of(&image, &extents).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let map = sample();
        let ranges: Vec<_> = map.parts.iter().map(|(part, _)| part.clone()).collect();
        assert_eq!(ranges, [0..4096, 16_384..20_480, 40_960..50_000]);
        let text = map.to_text();
        assert!(text.contains("<BlocksCount> 13 </BlocksCount>"), "{text}");
        assert!(text.contains("> 10-12 </Range>"), "{text}");
        assert!(text.contains("> 4 </Range>"), "{text}");
        assert_eq!(Map::read(&text), Ok(map));
    }

    #[test]
    fn a_damaged_map_is_refused() {
        let text = sample().to_text();
        assert_eq!(Map::read(&text.replace("10-12", "10-11")), Err(NoMap::Damaged));
        assert_eq!(Map::read(&text.replace("10-12", "3-12")), Err(NoMap::Value("blocks")));
        assert_eq!(Map::read(&text.replace("sha256", "md5")), Err(NoMap::Format));
        let known = "<bmap version=\"2.0\">";
        for version in ["<bmap version=\"3.0\">", "<bmap version=\"20\">", "<bmap>"] {
            assert_eq!(Map::read(&text.replace(known, version)), Err(NoMap::Format), "{version}");
        }
        assert_eq!(Map::read("a flasher"), Err(NoMap::Format));
        assert_eq!(Map::read(""), Err(NoMap::Format));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(noise in "\\PC{0,60}", at: prop::sample::Index, number: u64) {
            let text = sample().to_text();
            let _ = Map::read(&noise);
            let at = text.floor_char_boundary(at.index(text.len()));
            let _ = Map::read(&format!("{}{noise}{}", &text[..at], &text[at..]));
            let _ = Map::read(&text[..at]);
            let _ = Map::read(&text.replace("10-12", &format!("10-{number}")));
            let _ = Map::read(&text.replace(" 4096 ", &format!(" {number} ")));
        }
    }
}
