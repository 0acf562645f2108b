//! The first page of a PDF as a picture, and the words of all its pages.
//!
//! Nothing in it is run and nothing is loaded: what it has of scripts, links and forms is not looked
//! at. A page has as many pixels as its preview, however large it says that it is.

use handover::{Bounds, Cannot, Kind};
use hayro::hayro_interpret::font::{Glyph, GlyphRun};
use hayro::hayro_interpret::hayro_cmap::BfString;
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, SoftMask, interpret_page,
};
use hayro::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro::kurbo::{Affine, BezPath, Point, Rect};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};
use image::{DynamicImage, RgbaImage};

use crate::words::Words;
use crate::{Product, picture};

/// Draws the first page on white.
pub(crate) fn preview(bytes: &[u8], side: u16, bounds: Bounds) -> Result<Product, Cannot> {
    let pdf = open(bytes)?;
    let page = pdf.pages().first().ok_or(Cannot::Damaged)?;
    let (width, height) = page.render_dimensions();
    let longer = width.max(height);
    // Written so that what is no number is refused too.
    if !(width >= 1.0 && height >= 1.0 && longer < LARGEST) {
        return Err(Cannot::TooLarge);
    }
    let side = side.min(u16::try_from(bounds.pixels.isqrt()).unwrap_or(u16::MAX));
    let scale = f32::from(side) / longer;
    let size = PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE };
    // Less than a pixel wide would be no picture.
    if width.min(height) * scale < 1.0 {
        return Err(Cannot::TooLarge);
    }
    let (cache, how) = (RenderCache::new(), InterpreterSettings::default());
    let drawn = hayro::render(page, &cache, &how, &RenderSettings::default(), &size);
    let (width, height) = (u32::from(drawn.width()), u32::from(drawn.height()));
    let pixels = drawn.data_as_u8_slice().to_vec();
    let drawn = RgbaImage::from_raw(width, height, pixels).ok_or(Cannot::Damaged)?;
    picture::write(Kind::Pdf, &DynamicImage::from(drawn), side)
}

/// Reads the words, page by page.
pub(crate) fn read(bytes: &[u8], words: &mut Words) -> Result<(), Cannot> {
    let pdf = open(bytes)?;
    let (cache, how) = (InterpreterCache::new(), InterpreterSettings::default());
    for page in pdf.pages().iter() {
        let frame = Rect::new(0.0, 0.0, 1.0, 1.0);
        let mut context = Context::new(Affine::IDENTITY, frame, &cache, pdf.xref(), how.clone());
        let mut reader = Reader { words, last: None };
        interpret_page(page, &mut context, &mut reader);
        words.block();
        words.line();
        if words.full() {
            break;
        }
    }
    Ok(())
}

fn open(bytes: &[u8]) -> Result<Pdf, Cannot> {
    Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => Cannot::Locked,
        LoadPdfError::Decryption(_) | LoadPdfError::Invalid => Cannot::Damaged,
    })
}

/// Takes the letters from what would be drawn, in the order in which it would be.
struct Reader<'a> {
    words: &'a mut Words,
    /// Where the last letter ends, and how large it is.
    last: Option<(Point, f64)>,
}

impl Device<'_> for Reader<'_> {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, props: DrawProps<'_>, _: &DrawMode) {
        for glyph in run.glyphs() {
            let place = props.transform * glyph.transform();
            let width = match &**glyph {
                Glyph::Outline(letter) => letter.advance_width(),
                Glyph::Type3(letter) => letter.advance_width(),
            };
            let size = place.determinant().abs().sqrt() * EM;
            self.step(place * Point::ZERO, size);
            let end = place * Point::new(width.map_or(EM / 2.0, f64::from), 0.0);
            self.last = Some((end, size));
            match glyph.as_unicode() {
                Some(BfString::Char(letter)) => self.words.add(letter.encode_utf8(&mut [0; 4])),
                Some(BfString::String(letters)) => self.words.add(&letters),
                None => {}
            }
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}

impl Reader<'_> {
    /// A PDF has letters at places and no lines: another height is another line, a gap is a space.
    fn step(&mut self, to: Point, size: f64) {
        if let Some((from, last)) = self.last {
            let size = size.max(last).max(0.1);
            let gap = to.x - from.x;
            if (to.y - from.y).abs() > size * 0.5 {
                self.words.block();
            } else if gap > size * 0.2 || gap < -size {
                self.words.space();
            }
        }
    }
}

/// Units of a letter's own space in its height.
const EM: f64 = 1000.0;
/// The longer side of a page in points: 5 km of paper are no page.
const LARGEST: f32 = 14_400_000.0;

#[cfg(test)]
mod tests;
