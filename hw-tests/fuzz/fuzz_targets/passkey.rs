//! Fuzzes what browsers and authenticators say of passkeys; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twin::fuzz::passkey(bytes);
});
