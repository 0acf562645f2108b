//! Pictures as cameras make them, and as nobody should.

use std::io::Cursor;

use handover::{Bounds, Cannot, Kind, Task};
use image::metadata::Orientation;
use image::{DynamicImage, ImageEncoder, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use crate::{Product, make};

const BOUNDS: Bounds = Bounds { input: 1 << 20, output: 1 << 20, pixels: 1 << 18 };

fn preview(bytes: &[u8], side: u16) -> Result<Product, Cannot> {
    make(Task::Preview { side }, BOUNDS, bytes)
}

/// Left half red, right half blue.
fn halves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| {
        if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) }
    })
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

fn opened(product: &Product) -> RgbImage {
    image::load_from_memory(&product.bytes).unwrap().to_rgb8()
}

fn is_red(pixel: &Rgb<u8>) -> bool {
    pixel.0[0] > 200 && pixel.0[2] < 60
}

#[test]
fn every_kind_fits_into_its_box_and_none_grows() {
    let picture = DynamicImage::from(halves(300, 150));
    for (format, kind) in [
        (ImageFormat::Png, Kind::Png),
        (ImageFormat::Jpeg, Kind::Jpeg),
        (ImageFormat::Gif, Kind::Gif),
        (ImageFormat::WebP, Kind::Webp),
    ] {
        let bytes = encoded(&picture, format);
        let small = preview(&bytes, 100).unwrap();
        assert_eq!((small.of, small.kind, small.size), (kind, Kind::Jpeg, Some((100, 50))));
        let pixels = opened(&small);
        assert!(is_red(pixels.get_pixel(10, 25)) && !is_red(pixels.get_pixel(90, 25)), "{kind:?}");
        assert_eq!(preview(&bytes, 1000).unwrap().size, Some((300, 150)));
    }
}

#[test]
fn what_shows_through_stays_so() {
    let mut glass = RgbaImage::from_pixel(40, 40, Rgba([0, 200, 0, 255]));
    glass.put_pixel(0, 0, Rgba([0, 0, 0, 0]));
    let small = preview(&encoded(&glass.into(), ImageFormat::Png), 20).unwrap();
    assert_eq!((small.kind, small.size), (Kind::Png, Some((20, 20))));
    let solid = RgbaImage::from_pixel(40, 40, Rgba([0, 200, 0, 255]));
    let small = preview(&encoded(&solid.into(), ImageFormat::Png), 20).unwrap();
    assert_eq!(small.kind, Kind::Jpeg, "no channel that nothing needs");
}

#[test]
fn a_camera_on_its_side_is_turned_and_what_it_wrote_is_gone() {
    // EXIF as a phone writes it: the orientation, and a maker's note.
    let orientation = Orientation::Rotate90.to_exif();
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif.extend(b"SECRET-PLACE-51.5N");
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.encode_image(&halves(200, 100)).unwrap();
    assert!(bytes.windows(12).any(|part| part == b"SECRET-PLACE"));
    let small = preview(&bytes, 50).unwrap();
    assert_eq!(small.size, Some((25, 50)));
    let pixels = opened(&small);
    assert!(is_red(pixels.get_pixel(12, 10)) && !is_red(pixels.get_pixel(12, 40)));
    assert!(!small.bytes.windows(12).any(|part| part == b"SECRET-PLACE"));
    assert!(!small.bytes.windows(4).any(|part| part == b"Exif"));
}

#[test]
fn a_promise_of_too_many_pixels_is_refused_before_it_is_kept() {
    // A PNG of 60 000 x 60 000: its head is right, and says so.
    let mut bomb = encoded(&halves(8, 8).into(), ImageFormat::Png);
    for at in [16, 20] {
        bomb[at..at + 4].copy_from_slice(&60_000_u32.to_be_bytes());
    }
    let crc = png_crc(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(preview(&bomb, 64).map(drop), Err(Cannot::TooLarge));
    let wide = encoded(&RgbImage::new(1024, 257).into(), ImageFormat::Png);
    assert_eq!(preview(&wide, 64).map(drop), Err(Cannot::TooLarge));
}

fn png_crc(bytes: &[u8]) -> u32 {
    let shift = |crc: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    let step = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc));
    !bytes.iter().fold(u32::MAX, step)
}

#[test]
fn a_film_without_end_is_its_first_picture() {
    use image::codecs::gif::{GifEncoder, Repeat};
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.set_repeat(Repeat::Infinite).unwrap();
    for n in 0..200 {
        let colour = if n == 0 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 255, 255]) };
        let frame = image::Frame::new(RgbaImage::from_pixel(16, 16, colour));
        encoder.encode_frame(frame).unwrap();
    }
    drop(encoder);
    assert!(is_red(opened(&preview(&bytes, 16).unwrap()).get_pixel(8, 8)));
}

#[test]
fn what_is_cut_off_is_said_to_be_damaged() {
    for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let whole = encoded(&halves(64, 64).into(), format);
        for len in [12, whole.len() / 2, whole.len() - 20] {
            let cut = preview(&whole[..len], 32).map(drop);
            assert!(matches!(cut, Err(Cannot::Damaged | Cannot::NotKnown)), "{format:?} {cut:?}");
        }
    }
    // Half a JPEG is half a picture, which is better than none; a head alone is not.
    let jpeg = encoded(&halves(64, 64).into(), ImageFormat::Jpeg);
    assert_eq!(preview(&jpeg[..30], 32).map(drop), Err(Cannot::Damaged));
}

#[test]
fn a_file_is_what_it_is_and_not_what_it_is_called() {
    assert_eq!(preview(b"", 32).map(drop), Err(Cannot::NotKnown));
    assert_eq!(preview(b"<svg xmlns='x'><script/></svg>", 32).map(drop), Err(Cannot::NotKnown));
    assert_eq!(preview(b"\x89PNG\r\n\x1a\nGIF89a", 32).map(drop), Err(Cannot::Damaged));
    let picture = encoded(&halves(8, 8).into(), ImageFormat::Png);
    assert_eq!(make(Task::Text, BOUNDS, &picture).map(drop), Err(Cannot::NotKnown));
}
