//! Fuzzes pictures that strangers made; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    worker::fuzz::preview(bytes);
});
