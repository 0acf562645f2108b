//! Fuzzes frames on a stream between twins; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    link::fuzz::frame(bytes);
});
