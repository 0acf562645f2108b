//! Cards: the text and link forms, what is refused, and that no change goes unseen.

use super::*;
use crate::{Keys, PreKey};
use proptest::prelude::*;

fn keys() -> Keys {
    Keys { twin: SigningKey::from_bytes(&[1; 32]), recovery: SigningKey::from_bytes(&[2; 32]) }
}

fn card(name: &str, origin: &str) -> Result<Card, CardError> {
    let keys = keys();
    let chain = Chain::begin(&keys);
    let id = chain.check()?.id;
    let pre_key = PreKey::from_bytes(&[3; 32]).unwrap().sign(&id, 1_000, &keys.twin);
    Card::new(chain, pre_key, name, origin, &keys.twin)
}

#[test]
fn text_and_link_give_the_card_back() {
    let ann = card("Ann Ångström", "https://ann.example:8443").unwrap();
    let link = ann.to_link().unwrap();
    for text in [ann.to_text(), link.clone(), format!("  {link}\n")] {
        assert_eq!(Card::from_text(&text).as_ref(), Ok(&ann), "{text}");
    }
    assert!(ann.to_text().len() < 700, "{}", ann.to_text().len());
    assert_eq!(card("Ann", "").unwrap().to_link(), None);
}

#[test]
fn refused() {
    let good = card("Ann", "https://ann.example").unwrap();
    let text = good.to_text();
    let spare = format!("{text}A");
    let cut = &text[..text.len() - 4];
    let mut newer = good.to_bytes();
    newer[0] = 9;
    let cases = [
        ("", CardError::NotACard),
        ("hello", CardError::NotACard),
        ("hometwin:", CardError::Malformed),
        ("hometwin:????", CardError::Malformed),
        (&spare, CardError::Malformed),
        (cut, CardError::Malformed),
        (&format!("ftp://x/#{text}"), CardError::NotACard),
        ("https://ann.example/", CardError::NotACard),
        (&format!("hometwin:{}", BASE64URL_NOPAD.encode(&newer)), CardError::Version(9)),
        (&"x".repeat(MAX_TEXT + 1), CardError::TooLarge),
    ];
    for (text, want) in cases {
        assert_eq!(Card::from_text(text), Err(want), "{text}");
    }
    assert_eq!(card(&"x".repeat(MAX_NAME + 1), ""), Err(CardError::Name));
    assert_eq!(card("a\u{202e}b", ""), Err(CardError::Name));
    assert_eq!(card("Ann", "javascript:alert(1)"), Err(CardError::Origin));
    assert_eq!(card("Ann", "https://ann.example/path#x"), Err(CardError::Origin));
    let other = SigningKey::from_bytes(&[9; 32]);
    let (chain, pre_key) = (good.chain().clone(), *good.pre_key());
    assert_eq!(Card::new(chain, pre_key, "Eve", "", &other), Err(CardError::Forged));
}

#[test]
fn the_longest_chain_fits() {
    let keys = keys();
    let mut chain = Chain::begin(&keys);
    let mut by = keys.twin.clone();
    for n in 0..40 {
        let next = SigningKey::from_bytes(&[n + 100; 32]);
        chain = chain.rotate(next.public(), &by).unwrap();
        by = next;
    }
    let id = chain.check().unwrap().id;
    let pre_key = PreKey::generate().unwrap().sign(&id, 1, &by);
    let card = Card::new(chain, pre_key, "Ann", "", &by).unwrap();
    assert_eq!(Card::from_text(&card.to_text()), Ok(card));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_flipped_bit_goes_unseen(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = card("Ann", "https://ann.example").unwrap().to_bytes();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Card::from_bytes(&bytes).is_err());
    }

    #[test]
    fn arbitrary_bytes_and_texts_do_no_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in any::<String>(),
    ) {
        crate::fuzz::card(&bytes);
        crate::fuzz::card(text.as_bytes());
        crate::fuzz::card(format!("hometwin:{}", BASE64URL_NOPAD.encode(&bytes)).as_bytes());
    }
}
