//! Fuzzes what disks say of themselves; never touches a file or a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    executor::fuzz::disk_report(bytes);
});
