//! Fuzzes the body of every API request; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twin::fuzz::http_body(bytes);
});
