//! The first whole picture of a film, where that can be opened without a film player.
//!
//! In WebM with VP8, as browsers record it, a whole picture is what WebP has in its own wrapping. It
//! is looked for in the beginning of the file; tables, sound and all other pictures are passed over.
//! Other films are said to be such, see "Workers" in ARCHITECTURE.

use handover::{Bounds, Cannot, Kind};

use crate::{Product, picture};

/// Whether it is a film, by its wrapping.
pub(crate) fn kind(bytes: &[u8]) -> Option<Kind> {
    match () {
        () if bytes.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) => Some(Kind::Webm),
        () if bytes.get(4..8) == Some(b"ftyp") => Some(Kind::Mp4),
        () => None,
    }
}

/// The first picture of it, made small.
pub(crate) fn preview(bytes: &[u8], side: u16, bounds: Bounds) -> Result<Product, Cannot> {
    let frame = first_picture(bytes).ok_or(Cannot::NoPoster)?;
    let len = u32::try_from(frame.len()).map_err(|_| Cannot::TooLarge)?;
    // A chunk of odd length is filled up, which its own length doesn't count.
    let filler = len % 2;
    let mut webp = b"RIFF".to_vec();
    webp.extend((12 + len + filler).to_le_bytes());
    webp.extend(b"WEBPVP8 ");
    webp.extend(len.to_le_bytes());
    webp.extend(frame);
    webp.extend(std::iter::repeat_n(0, filler as usize));
    picture::preview(Kind::Webm, &webp, side, bounds)
}

/// Goes through the elements in the order in which they lie, into those that hold what is wanted.
fn first_picture(mut rest: &[u8]) -> Option<&[u8]> {
    let (mut number, mut is_vp8, mut track) = (None, false, None);
    while let Some((id, content, after)) = element(rest) {
        rest = match id {
            SEGMENT | TRACKS | CLUSTER | BLOCK_GROUP => content,
            TRACK => {
                (number, is_vp8) = (None, false);
                content
            }
            TRACK_NUMBER => {
                number = Some(content.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte)));
                after
            }
            CODEC => {
                is_vp8 = content == b"V_VP8";
                after
            }
            BLOCK | SIMPLE_BLOCK => match picture_of(content, track) {
                None => after,
                found => return found,
            },
            _ => after,
        };
        if is_vp8 && number.is_some() {
            track = number;
        }
    }
    None
}

/// The next element: its name, what is in it, and what comes after it. One that says it is larger
/// than what is there, or says nothing of its size, reaches to the end.
fn element(bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (id, bytes) = number(bytes, false)?;
    let (size, bytes) = number(bytes, true)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX).min(bytes.len());
    let (content, after) = bytes.split_at(size);
    // Its parts lie in it: who goes in comes out behind it by itself.
    let masters = [SEGMENT, TRACKS, TRACK, CLUSTER, BLOCK_GROUP];
    Some((id, if masters.contains(&id) { bytes } else { content }, after))
}

/// A number whose first bits say how many bytes it has; a name keeps them.
fn number(bytes: &[u8], is_size: bool) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let len = first.leading_zeros() as usize + 1;
    let all = bytes.get(..len).filter(|_| len <= 8)?;
    let whole = all.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    let value = if is_size { whole & !(1_u64.checked_shl(7 * len as u32)?) } else { whole };
    Some((value, bytes.get(len..)?))
}

/// A block has the number of its track, a time, flags, and a picture; a whole one says so itself.
fn picture_of(block: &[u8], track: Option<u64>) -> Option<&[u8]> {
    let (of, rest) = number(block, true)?;
    let flags = *rest.get(2)?;
    let frame = rest.get(3..)?;
    let is_whole = frame.first()? & 1 == 0 && frame.get(3..6) == Some(&[0x9d, 0x01, 0x2a]);
    (track == Some(of) && flags & LACED == 0 && is_whole).then_some(frame)
}

const SEGMENT: u64 = 0x1853_8067;
const TRACKS: u64 = 0x1654_ae6b;
const TRACK: u64 = 0xae;
const TRACK_NUMBER: u64 = 0xd7;
const CODEC: u64 = 0x86;
const CLUSTER: u64 = 0x1f43_b675;
const BLOCK_GROUP: u64 = 0xa0;
const BLOCK: u64 = 0xa1;
const SIMPLE_BLOCK: u64 = 0xa3;
/// Several frames in one block, as sound has them.
const LACED: u8 = 0x06;

#[cfg(test)]
mod tests {
    use handover::Task;

    use super::*;
    use crate::make;

    const BOUNDS: Bounds = Bounds { input: 1 << 20, output: 1 << 20, pixels: 1 << 18 };

    /// A picture as VP8 has it, out of a WebP.
    fn frame() -> Vec<u8> {
        let webp = include_bytes!("../corpus/preview/a.webp");
        let at = webp.windows(4).position(|part| part == b"VP8 ").unwrap();
        webp[at + 8..].to_vec()
    }

    fn part(id: u64, content: &[u8]) -> Vec<u8> {
        let id = id.to_be_bytes();
        let mut bytes = id[id.iter().position(|byte| *byte != 0).unwrap()..].to_vec();
        bytes.extend((content.len() as u64 | 1 << 56).to_be_bytes());
        bytes.extend(content);
        bytes
    }

    fn film(codec: &[u8], blocks: &[Vec<u8>]) -> Vec<u8> {
        let sound = [part(TRACK_NUMBER, &[1]), part(CODEC, b"A_OPUS")].concat();
        let pictures = [part(TRACK_NUMBER, &[2]), part(CODEC, codec)].concat();
        let tracks = part(TRACKS, &[part(TRACK, &sound), part(TRACK, &pictures)].concat());
        let cluster = part(CLUSTER, &blocks.concat());
        let head = part(0x1a45_dfa3, &[0; 4]);
        [head, part(SEGMENT, &[tracks, part(0xec, &[0; 9]), cluster].concat())].concat()
    }

    fn block(track: u8, frame: &[u8]) -> Vec<u8> {
        part(SIMPLE_BLOCK, &[&[0x80 | track, 0, 0, 0x80], frame].concat())
    }

    fn preview(film: &[u8]) -> Result<Product, Cannot> {
        make(Task::Preview { side: 6 }, BOUNDS, film)
    }

    #[test]
    fn the_first_whole_picture_of_the_film_is_found() {
        let half = [1, 2, 3, 4, 5, 6, 7, 8];
        let blocks = [
            block(1, &frame()),
            block(2, &half),
            part(BLOCK_GROUP, &{ part(BLOCK, &[&[0x82, 0, 0, 0][..], &frame()].concat()) }),
        ];
        let small = preview(&film(b"V_VP8", &blocks)).unwrap();
        assert_eq!((small.of, small.kind, small.size), (Kind::Webm, Kind::Jpeg, Some((6, 4))));
    }

    #[test]
    fn other_films_are_said_to_be_such() {
        let blocks = [block(2, &frame())];
        assert_eq!(preview(&film(b"V_VP9", &blocks)).map(drop), Err(Cannot::NoPoster));
        assert_eq!(preview(b"\0\0\0\x18ftypmp42").map(drop), Err(Cannot::NoPoster));
        assert_eq!(preview(&film(b"V_VP8", &[])).map(drop), Err(Cannot::NoPoster));
        let whole = film(b"V_VP8", &blocks);
        for len in 4..whole.len() {
            // The last picture may be half there, which is better than none.
            let cut = preview(&whole[..len]).map(drop);
            assert!(len > whole.len() / 2 || cut.is_err(), "{len}");
        }
        assert!(preview(&[&[0x1a, 0x45, 0xdf, 0xa3][..], &[0; 500]].concat()).is_err());
    }
}
