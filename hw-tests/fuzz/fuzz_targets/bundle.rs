//! Fuzzes what an update says of itself; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    update::fuzz::bundle(bytes);
});
