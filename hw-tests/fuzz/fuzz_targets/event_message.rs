//! Fuzzes what a page says on the event socket; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twin::fuzz::event_message(bytes);
});
