//! Promise: a signed update from a stick goes in and proves itself, one that doesn't work goes away by
//! itself, whatever else is on the stick is refused, and what twins keep stays through all of it.
//!
//! The computer is emulated. That no cut of the power stops it is tested where the writer is, at every
//! write: `appliance/executor/src/slots/tests.rs`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hw_tests::{
    Console, Firmware, Image, Machine, Publisher, Result, Secure, fresh_id, skip, until,
};
use serde_json::{Value, json};

/// For a start, or an update, on a machine that does ten other things.
const SOON: Duration = Duration::from_secs(600);
const MEMORY_MIB: u32 = 256;

fn call(
    machine: &Machine,
    name: &str,
    cookie: &str,
    path: &str,
    body: &Value,
) -> Result<(Value, String)> {
    let client = Secure::of_host(machine.port(), name)?;
    let (head, answer) = client.post(path, cookie, body)?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("{path}: {head}\n{answer}").into());
    }
    let session = head.split_once("__Host-twin=").map_or("", |(_, rest)| rest);
    let session = session.split(';').next().unwrap_or_default();
    let json = answer.trim_start_matches(|c| c != '{').trim_end_matches(|c| c != '}');
    Ok((serde_json::from_str(json)?, format!("__Host-twin={session}")))
}

/// Makes ann's twin with a note in it; answers her session.
fn ann(machine: &Machine, console: &Console) -> Result<String> {
    let code = console.wait("https://hometwin.local/pair#", SOON)?;
    let claim = json!({ "code": code.trim(), "name": "ann" });
    let claimed = until("the door", SOON, || {
        call(machine, "hometwin.local", "", "/api/node/1/claim", &claim).map(Some)
    });
    let pairing = claimed?.0["next"].as_str().unwrap_or_default().to_owned();
    let code = json!({ "code": pairing.split_once("/pair#").map(|(_, code)| code) });
    let (_, cookie) = call(machine, "ann-hometwin.local", "", "/api/identity/1/pair", &code)?;
    let note = json!({ "id": fresh_id(), "conversation": "self", "text": "milk and bread" });
    call(machine, "ann-hometwin.local", &cookie, "/api/chat/1/send", &note)?;
    Ok(cookie)
}

fn note(machine: &Machine, cookie: &str) -> Result<String> {
    let asked = json!({ "conversation": "self" });
    let page = until("ann's twin", SOON, || {
        call(machine, "ann-hometwin.local", cookie, "/api/chat/1/messages", &asked).map(Some)
    });
    Ok(page?.0["items"][0]["text"].to_string())
}

/// A node that can't start, and a gate that doesn't wait for it as long as usual.
fn broken(folder: &Path) -> Result<()> {
    for (unit, text) in [
        ("node", "ExecStart=\nExecStart=/usr/bin/hometwin run --data /nowhere\nRestartSec=20\n"),
        ("gate", "TimeoutStartSec=20\n"),
    ] {
        let folder = folder.join(format!("etc/systemd/system/hometwin-{unit}.service.d"));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("broken.conf"), format!("[Service]\n{text}"))?;
    }
    Ok(())
}

/// A gate that is never reached, and whoever watches that doesn't wait as long as usual.
fn hanging(folder: &Path) -> Result<()> {
    let units = folder.join("etc/systemd/system");
    for (file, text) in [
        (
            "hang.service",
            "[Service]\nType=oneshot\nExecStart=/usr/bin/journalctl --follow\nStandardOutput=null\n",
        ),
        ("hometwin-gate.service.d/hang.conf", "[Unit]\nWants=hang.service\nAfter=hang.service\n"),
        ("hometwin-trial.timer.d/soon.conf", "[Timer]\nOnActiveSec=\nOnActiveSec=20\n"),
    ] {
        let file = units.join(file);
        fs::create_dir_all(file.parent().unwrap_or(&units))?;
        fs::write(file, text)?;
    }
    Ok(())
}

#[test]
fn an_update_proves_itself_or_goes_away_again() {
    const TEST: &str = "an update that proves itself or goes away again";
    if std::env::var_os("HOMETWIN_FAST").is_some() {
        return skip(TEST, "`cargo verify --fast`");
    }
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let us = Publisher::new(&keys.join("our-keys")).unwrap();
    let words = us.words("0.1.0");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let make = || Image::build_with(&hw_tests::program()?, &words);
    let Some(image) = Image::for_test(TEST, make).unwrap() else { return };
    let bad = |version: &str, spoil: fn(&Path) -> Result<()>| {
        let files = tempfile::tempdir().unwrap();
        spoil(files.path()).unwrap();
        let files = files.path().to_str().unwrap();
        us.bundle(version, &["--tries", "1", "--files", files]).unwrap()
    };
    let good = us.bundle("0.2.0", &[]).unwrap();
    let hangs = bad("0.2.5", hanging);
    let bad = bad("0.3.0", broken);

    // The first system: makes a twin, and is given the second one.
    let mut machine = Machine::new(&image).unwrap();
    machine.prepare_stick(&[("hometwin_0.2.0_x86_64.bundle", good.clone())]).unwrap();
    let console = machine.start(Firmware::Uefi, MEMORY_MIB).unwrap();
    let cookie = ann(&machine, &console).unwrap();
    machine.plug_in().unwrap();
    console.wait("Version 0.2.0 runs from the next start on.", SOON).unwrap();
    machine.wait_off(&console, SOON).unwrap();

    // The second proves itself. On the next stick is one that doesn't work, and some that nobody
    // should use: cut off, with two parts mixed up, and signed by somebody else.
    let length = bad.len();
    let mut mixed = bad.clone();
    mixed.copy_within(length - 5000..length - 4000, length - 3000);
    let mut stranger = bad[..1 << 20].to_vec();
    stranger[900] ^= 1;
    let stick = [
        ("a.bundle", bad[..length - 1].to_vec()),
        ("b.bundle", mixed),
        ("c.bundle", stranger),
        ("hometwin_0.1.0_x86_64.bundle", us.bundle("0.1.0", &[]).unwrap()),
        ("hometwin_0.3.0_x86_64.bundle", bad.clone()),
    ];
    machine.prepare_stick(&stick).unwrap();
    let console = machine.start(Firmware::Uefi, MEMORY_MIB).unwrap();
    console.wait("this system has proved itself", SOON).unwrap();
    assert_eq!(note(&machine, &cookie).unwrap(), "\"milk and bread\"");
    machine.plug_in().unwrap();
    console.wait("Version 0.3.0 runs from the next start on.", SOON).unwrap();
    machine.wait_off(&console, SOON).unwrap();
    let text = console.text().unwrap();
    for why in ["wrong_length", "damaged", "untrusted"] {
        assert!(text.contains(&format!("why=\"{why}\"")), "nothing was refused as {why}");
    }

    // The third is given one try, and the machine starts again by itself.
    let console = machine.start(Firmware::Uefi, MEMORY_MIB).unwrap();
    machine.wait_off(&console, SOON).unwrap();
    let about = machine.inspect().unwrap();
    assert!(about.contains("hometwin_0.2.0.efi"), "{about}");
    assert!(about.contains("hometwin_0.3.0+0-1.efi"), "{about}");

    // The second is back, with everything. It doesn't take the third again, but an older one.
    let stick = [("hometwin_0.2.5_x86_64.bundle", hangs), ("hometwin_0.3.0_x86_64.bundle", bad)];
    machine.prepare_stick(&stick).unwrap();
    let console = machine.start(Firmware::Uefi, MEMORY_MIB).unwrap();
    console.wait("One person has a twin here.", SOON).unwrap();
    assert_eq!(note(&machine, &cookie).unwrap(), "\"milk and bread\"");
    machine.plug_in().unwrap();
    console.wait("Version 0.2.5 runs from the next start on.", SOON).unwrap();
    println!("this start: {:.0} s of processor time", machine.cpu().as_secs_f64());
    machine.wait_off(&console, SOON).unwrap();

    // That one never comes so far that it could fail, and is noticed too.
    let console = machine.start(Firmware::Uefi, MEMORY_MIB).unwrap();
    machine.wait_off(&console, SOON).unwrap();
    let about = machine.inspect().unwrap();
    assert!(about.contains("hometwin_0.2.0.efi"), "{about}");
    assert!(about.contains("hometwin_0.2.5+0-1.efi"), "{about}");
}
