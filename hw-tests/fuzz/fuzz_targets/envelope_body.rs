//! Fuzzes what proven senders say inside of envelopes; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twin::fuzz::envelope_body(bytes);
});
