//! Fuzzes cards that people paste; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    link::fuzz::card(bytes);
});
