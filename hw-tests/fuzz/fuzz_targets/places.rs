//! Fuzzes what a web server says of places and parts; never touches a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fetcher::fuzz::places(bytes);
});
