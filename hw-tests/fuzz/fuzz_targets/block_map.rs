//! Fuzzes the map beside an image, as a flasher reads it; never touches a file or a disk.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(map) = image_build::bmap::Map::read(text) {
        assert!(map.parts.iter().all(|(part, _)| part.start < part.end && part.end <= map.bytes));
        assert!(map.parts.windows(2).all(|two| two[0].0.end < two[1].0.start));
    }
});
