//! Fuzzes operation chains of other twins; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    link::fuzz::chain(bytes);
});
