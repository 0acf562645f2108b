//! Promise: a computer that was started from a stick can be given the system for itself, by somebody who
//! says twice that its disk may be erased; and then starts without the stick.
//!
//! The computer is emulated, without the help of a processor.

use std::time::Duration;

use hw_tests::{Firmware, Image, Machine};

/// For a start, on a machine that does ten other things.
const START: Duration = Duration::from_secs(900);
const MEMORY_MIB: u32 = 256;

#[test]
fn a_stick_gives_its_system_to_the_computer() {
    const TEST: &str = "a computer that is started from a stick";
    let Some(image) = Image::for_test(TEST, Image::build).unwrap() else { return };
    let mut machine = Machine::new(&image).unwrap();
    machine.put_stick(true).unwrap();
    let console = machine.start(Firmware::Uefi, MEMORY_MIB).unwrap();
    console.wait("Without an answer it is tried", START).unwrap();
    let text = console.text().unwrap();
    assert!(text.contains("2  Install it on vda, 3.2 GB."), "{text}");
    // Whoever hesitates has changed nothing.
    console.type_line("2").unwrap();
    console.wait("Type yes or no", START).unwrap();
    console.type_line("no").unwrap();
    console.wait("Nothing was changed", START).unwrap();
    console.type_line("2").unwrap();
    console.wait("Type yes or no", START).unwrap();
    console.type_line("yes").unwrap();
    console.wait("To do it, type its name, vda", START).unwrap();
    console.type_line("vda").unwrap();
    console.wait("The home twin is on vda, 3.2 GB", START).unwrap();
    println!("installed: {:.0} s of processor time", machine.cpu().as_secs_f64());
    // The stick is taken out before it starts again.
    console.type_line("").unwrap();
    console.wait_off(START).unwrap();
    machine.cut_power();
    machine.inspect().unwrap();

    machine.put_stick(false).unwrap();
    let console = machine.start(Firmware::Uefi, MEMORY_MIB).unwrap();
    console.wait("https://hometwin.local/pair#", START).unwrap();
    assert!(!console.text().unwrap().contains("was started from"), "it is no stick");
}
