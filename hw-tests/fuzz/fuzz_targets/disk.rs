//! Fuzzes what a disk's partition table, its boot partition and a stick say; in memory only.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    executor::fuzz::disk(bytes);
});
