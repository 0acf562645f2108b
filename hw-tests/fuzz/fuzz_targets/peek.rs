//! Fuzzes what the gateway peeks from strangers; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = gateway::peek::read(bytes);
});
