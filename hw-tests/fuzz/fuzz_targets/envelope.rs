//! Fuzzes envelopes of other twins; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    link::fuzz::envelope(bytes);
});
