//! Documents as they should be, and as they are made to do harm.

use handover::{Bounds, Cannot, Kind, Task};

use crate::{Product, make};

const BOUNDS: Bounds = Bounds { input: 1 << 20, output: 1 << 16, pixels: 1 << 18 };

fn text(pdf: &[u8]) -> Result<String, Cannot> {
    make(Task::Text, BOUNDS, pdf).map(|made| String::from_utf8(made.bytes).unwrap())
}

fn preview(pdf: &[u8]) -> Result<Product, Cannot> {
    make(Task::Preview { side: 100 }, BOUNDS, pdf)
}

/// A document of these objects, the first of which is its catalogue.
fn pdf(objects: &[String]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        places.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n{object}\nendobj\n", n + 1).as_bytes());
    }
    let table = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes());
    for place in places {
        bytes.extend(format!("{place:010} 00000 n \n").as_bytes());
    }
    let size = objects.len() + 1;
    bytes.extend(
        format!("trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF").as_bytes(),
    );
    bytes
}

fn stream(dictionary: &str, content: &str) -> String {
    format!("<<{dictionary}/Length {}>>stream\n{content}\nendstream", content.len())
}

/// One page of this size with this on it.
fn page(width: &str, height: &str, content: &str, more: &str) -> Vec<u8> {
    pdf(&[
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]/Contents 4 0 R\
             /Resources<</Font<</F 5 0 R>>/XObject<</X 6 0 R>>>>>>"
        ),
        stream("", content),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
        stream(
            "/Type/XObject/Subtype/Form/BBox[0 0 99 99]/Resources<</XObject<</X 6 0 R>>>>",
            more,
        ),
    ])
}

#[test]
fn a_page_is_drawn_and_its_words_are_read() {
    let letter = page(
        "200",
        "100",
        "1 0 0 rg 0 0 100 100 re f 0 g BT /F 12 Tf 20 60 Td (Dear Wi) Tj (ll,) Tj \
         0 -20 Td [(te) 0 (a) -400 (at five?)] TJ ET",
        "",
    );
    assert_eq!(text(&letter).unwrap(), "Dear Will,\ntea at five?\n");
    let small = preview(&letter).unwrap();
    assert_eq!((small.of, small.kind, small.size), (Kind::Pdf, Kind::Jpeg, Some((100, 50))));
    let pixels = image::load_from_memory(&small.bytes).unwrap().to_rgb8();
    let (left, right) = (pixels.get_pixel(4, 4).0, pixels.get_pixel(96, 4).0);
    assert!(left[0] > 200 && left[2] < 60 && right[2] > 200, "{left:?} {right:?}");
}

#[test]
fn a_page_as_large_as_a_town_is_as_small_as_any() {
    let town = page("14000000", "7000000", "0 0 1 rg 0 0 14000000 7000000 re f", "");
    assert_eq!(preview(&town).unwrap().size, Some((100, 50)));
    for (width, height) in [("1e30", "1"), ("99999999999999", "9"), ("90000", "1")] {
        let odd = preview(&page(width, height, "", "")).map(|made| made.size);
        assert!(odd.is_err() || odd.is_ok_and(|size| size.is_some()), "{width} {height}");
    }
}

#[test]
fn what_draws_itself_for_ever_ends() {
    let itself = page("100", "100", "/X Do", "/X Do BT /F 9 Tf (deep) Tj ET /X Do");
    let small = preview(&itself).map(|made| made.size);
    assert_eq!(small, Ok(Some((100, 100))));
    assert!(text(&itself).is_ok());
    let round = pdf(&[
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>".to_owned(),
    ]);
    assert!(preview(&round).is_err());
    let nested = page("100", "100", &format!("{}{}", "[".repeat(50_000), "q ".repeat(50_000)), "");
    assert!(preview(&nested).is_ok());
}

#[test]
fn what_is_no_document_is_said_to_be_damaged() {
    for bytes in [&b"%PDF-1.7"[..], b"%PDF-1.7\n1 0 obj<<>>endobj", b"%PDF-1.7 startxref 0"] {
        assert_eq!(preview(bytes).map(drop), Err(Cannot::Damaged));
    }
    let whole = page("100", "100", "BT /F 9 Tf (words) Tj ET", "");
    for len in (0..whole.len()).step_by(37) {
        let _ = (preview(&whole[..len]), text(&whole[..len]));
    }
}
