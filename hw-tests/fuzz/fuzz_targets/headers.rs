//! Fuzzes the headers between processes; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    handover::fuzz::headers(bytes);
});
