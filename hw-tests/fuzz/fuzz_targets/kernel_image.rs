//! What an image says of itself: its kernel, and the first block of its hash tree.
#![no_main]

use image_build::inspect::Kernel;
use initrd::modules::Modules;
use initrd::superblock::Superblock;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Kernel::read(bytes);
    let _ = Superblock::read(bytes);
    let _ = initrd::loader::partition(bytes);
    let text = String::from_utf8_lossy(bytes);
    let modules = Modules::read(&text);
    let _ = modules.of_device(&text).count();
});
