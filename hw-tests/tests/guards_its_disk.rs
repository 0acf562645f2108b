//! Promise: a computer runs its system only as it was made, and opens its data only itself or with
//! their recovery key.
//!
//! The computers are emulated, without the help of a processor; those that refuse to start do so in
//! seconds.

use std::time::Duration;

use hw_tests::{Firmware, Image, Machine};

/// For a start, on a machine that does ten other things.
const START: Duration = Duration::from_secs(600);
const MEMORY_MIB: u32 = 256;
/// What is said when the data are there and the node is about to start.
const SERVES: &str = "https://hometwin.local/pair#";

#[test]
fn a_system_that_differs_by_a_bit_is_not_run() {
    let Some(image) = Image::for_test("a system that was changed", Image::build).unwrap() else {
        return;
    };
    for (part, at) in [
        // The name in the file system's first block: nothing that runs would notice.
        ("_system", 1024 + 64),
        // The hash of some block in the first block of hashes.
        ("_hashes", 4096 + 5),
    ] {
        let mut machine = Machine::new(&image).unwrap();
        machine.turn_bit(part, at).unwrap();
        let console = machine.start(Firmware::Direct, MEMORY_MIB).unwrap();
        console.wait_off(START).unwrap();
        let text = console.text().unwrap();
        assert!(text.contains("is corrupted"), "{part}: {text}");
        assert!(!text.contains("systemd[1]"), "{part}: something of the system ran: {text}");
        println!("{part}: {:.0} s of processor time", machine.cpu().as_secs_f64());
    }
}

#[test]
fn encrypted_data_open_on_their_own_computer_or_with_the_recovery_key() {
    let Some(image) = Image::for_test("data behind a TPM", Image::build).unwrap() else { return };
    let mut machine = Machine::new(&image).unwrap();
    machine.put_tpm(Some(1));
    let console = machine.start(Firmware::Direct, MEMORY_MIB).unwrap();
    console.wait("this recovery key opens them.", START).unwrap();
    console.wait("Type yes when you have written it down.", START).unwrap();
    assert!(!console.text().unwrap().contains(SERVES), "nothing goes on over the key");
    console.type_line("yes").unwrap();
    console.wait(SERVES, START).unwrap();
    let text = console.text().unwrap();
    let mut lines = text.lines().map(str::trim).filter(|line| is_half(line));
    let key = format!("{}{}", lines.next().unwrap(), lines.next().unwrap());
    machine.cut_power();

    // Its own TPM: nobody is asked.
    let console = machine.start(Firmware::Direct, MEMORY_MIB).unwrap();
    console.wait(SERVES, START).unwrap();
    let text = console.text().unwrap();
    assert!(!text.contains("recovery key"), "{text}");
    assert!(!text.contains(&key[..35]), "the key is shown once");
    machine.cut_power();

    // Another one, as if the disk were in another computer: nothing opens but by the key.
    machine.put_tpm(Some(2));
    let console = machine.start(Firmware::Direct, MEMORY_MIB).unwrap();
    console.wait("Type the recovery key", START).unwrap();
    console.type_line("a guess").unwrap();
    console.wait("has 64 letters", START).unwrap();
    console.type_line(&"cbdefghi".repeat(8)).unwrap();
    console.wait("That key does not open your data", START).unwrap();
    assert!(!console.text().unwrap().contains(SERVES));
    console.type_line(&key.to_uppercase().replace('-', " ")).unwrap();
    console.wait("From the next start on this computer", START).unwrap();
    console.wait(SERVES, START).unwrap();
    println!("third start: {:.0} s of processor time", machine.cpu().as_secs_f64());
}

#[test]
fn firmware_with_our_keys_starts_nothing_else() {
    let Some(unsigned) = Image::for_test("Secure Boot", Image::build).unwrap() else { return };
    let keys = tempfile::tempdir().unwrap();
    let signed = Image::signed(&keys.path().join("keys")).unwrap().unwrap();
    let mut machine = Machine::new(&signed).unwrap();
    // A firmware without keys takes those of the image, and the machine starts again.
    let console = machine.start(Firmware::Secure, MEMORY_MIB).unwrap();
    console.wait_off(START).unwrap();
    assert!(!console.text().unwrap().contains("systemd[1]"), "it had no keys yet");
    machine.cut_power();

    let console = machine.start(Firmware::Secure, MEMORY_MIB).unwrap();
    console.wait("systemd[1]: Starting", START).unwrap();
    println!("signed: {:.0} s of processor time", machine.cpu().as_secs_f64());
    machine.cut_power();

    machine.replace_disk(&unsigned).unwrap();
    let console = machine.start(Firmware::Secure, MEMORY_MIB).unwrap();
    console.wait("Access Denied", START).unwrap();
    assert!(!console.text().unwrap().contains("Linux version"));
    println!("unsigned: {:.0} s of processor time", machine.cpu().as_secs_f64());
}

fn is_half(line: &str) -> bool {
    let groups: Vec<&str> = line.trim_end_matches('-').split('-').collect();
    groups.len() == 4 && groups.iter().all(|group| group.len() == 8)
}
