//! Whether there is a keyboard: whether waiting for an answer makes sense.
//!
//! Only asks the kernel what there is; reads no key.

use std::fs;
use std::path::Path;

/// Whether somebody could type at the machine's console.
pub(crate) fn is_there() -> bool {
    is_serial() || any(Path::new("/sys/class/input"))
}

/// Whether the kernel's console, where this one is its, is the far end of a cable.
pub(crate) fn is_serial() -> bool {
    let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    active
        .split_whitespace()
        .last()
        .is_some_and(|last| !last.starts_with("tty") || last.starts_with("ttyS"))
}

fn any(inputs: &Path) -> bool {
    let Ok(inputs) = fs::read_dir(inputs) else { return false };
    inputs.flatten().any(|input| {
        let keys = fs::read_to_string(input.path().join("capabilities/key"));
        keys.is_ok_and(|keys| has_letters(&keys))
    })
}

/// From the kernel's list of a device's keys, in words of hexadecimal digits, the last word first. A
/// keyboard is what has all of the first 31 (Esc, digits, letters); a power button is none.
fn has_letters(keys: &str) -> bool {
    let last = keys.split_whitespace().last().unwrap_or_default();
    u64::from_str_radix(last, 16).is_ok_and(|keys| keys & FIRST == FIRST)
}

/// Keys 1 to 31, as udev judges.
const FIRST: u64 = 0xffff_fffe;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyboard_has_letters_and_a_power_button_has_none() {
        let inputs = tempfile::tempdir().unwrap();
        let put = |name: &str, keys: &str| {
            let folder = inputs.path().join(name).join("capabilities");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("key"), keys).unwrap();
        };
        assert!(!any(inputs.path()));
        for (name, keys) in [
            ("button", "10000000000000 0"),
            ("mouse", "70000 0 0 0 0"),
            ("remote", "3e 0 1f0000"),
            ("nothing", "0"),
            ("broken", "x"),
        ] {
            put(name, &format!("{keys}\n"));
            assert!(!any(inputs.path()), "{name}");
        }
        put("keyboard", "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe\n");
        assert!(any(inputs.path()));
    }
}
