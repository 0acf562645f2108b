//! A small picture of a picture: turned the right way up, and without anything but its pixels.
//!
//! Place, time, device and whatever else a camera wrote into it is not in the result, nor is any byte
//! that is not a pixel. Never makes a picture larger.

use std::io::Cursor;

use handover::{Bounds, Cannot, Kind};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::error::ImageError;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use crate::Product;

/// Opens a picture, the first one where there are several, and makes it small.
pub(crate) fn preview(
    of: Kind,
    bytes: &[u8],
    side: u16,
    bounds: Bounds,
) -> Result<Product, Cannot> {
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader.limits(limits(bounds));
    let reader = reader.with_guessed_format().map_err(|_| Cannot::Unreadable)?;
    let opened = open(reader.into_decoder().map_err(cannot)?, bounds)?;
    write(of, &opened, side)
}

fn open(mut decoder: impl ImageDecoder, bounds: Bounds) -> Result<DynamicImage, Cannot> {
    let (width, height) = decoder.dimensions();
    // Asked before anything is unpacked: a few bytes can promise a picture as large as a house.
    if u64::from(width) * u64::from(height) > bounds.pixels || decoder.total_bytes() > most(bounds)
    {
        return Err(Cannot::TooLarge);
    }
    // Where it says nothing of this, it is the right way up.
    let turned = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut opened = DynamicImage::from_decoder(decoder).map_err(cannot)?;
    opened.apply_orientation(turned);
    Ok(opened)
}

fn limits(bounds: Bounds) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(most(bounds));
    limits
}

/// Bytes for the pixels of one picture, four for each.
fn most(bounds: Bounds) -> u64 {
    bounds.pixels.saturating_mul(4)
}

/// Writes it so that it fits into a square: as PNG where something shows through, else as JPEG.
pub(crate) fn write(of: Kind, picture: &DynamicImage, side: u16) -> Result<Product, Cannot> {
    let side = u32::from(side.max(1));
    let fits = picture.width() <= side && picture.height() <= side;
    let small = if fits { picture.clone() } else { picture.thumbnail(side, side) };
    let mut bytes = Vec::new();
    let see_through =
        small.color().has_alpha() && small.to_rgba8().pixels().any(|pixel| pixel.0[3] < 255);
    let (kind, size) = if see_through {
        let small = small.to_rgba8();
        let (best, filter) = (CompressionType::Default, FilterType::Adaptive);
        let encoder = PngEncoder::new_with_quality(&mut bytes, best, filter);
        small.write_with_encoder(encoder).map_err(cannot)?;
        (Kind::Png, small.dimensions())
    } else {
        let small = small.to_rgb8();
        small
            .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))
            .map_err(cannot)?;
        (Kind::Jpeg, small.dimensions())
    };
    let size = u16::try_from(size.0).ok().zip(u16::try_from(size.1).ok());
    Ok(Product { of, kind, bytes, size, cut: false })
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn cannot(error: ImageError) -> Cannot {
    match error {
        ImageError::Limits(_) => Cannot::TooLarge,
        ImageError::Unsupported(_) => Cannot::NotKnown,
        ImageError::Decoding(_)
        | ImageError::Encoding(_)
        | ImageError::Parameter(_)
        | ImageError::IoError(_) => Cannot::Damaged,
    }
}

/// Of JPEG, from 0 to 100: small, and nobody sees it in a small picture.
const QUALITY: u8 = 80;

#[cfg(test)]
mod tests;
