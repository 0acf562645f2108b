//! Fuzzes what heads of requests say about parts of files; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twin::fuzz::transfer_head(bytes);
});
