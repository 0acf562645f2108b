//! Fuzzes texts of records; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twin::fuzz::records_text(bytes);
});
