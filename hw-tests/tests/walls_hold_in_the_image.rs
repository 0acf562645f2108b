//! Promise: what the walls need of a machine is there in the image, and holds: users and control
//! groups of each process's own, quotas that the kernel keeps, steward, and the units around them.
//!
//! The red team is the image's program here, and tries from inside what it tries elsewhere.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use hw_tests::{Console, Firmware, Image, Machine, Result, red_team, until};
use serde_json::{Value, json};

/// For all that the red team does, on a machine that does ten other things.
const LIMIT: Duration = Duration::from_secs(900);
/// What the controls take, which have no wall, and room for the rest.
const MEMORY_MIB: u32 = 1280;
/// A small room, so that filling it takes no time.
const DISK_MIB: u64 = 1;

/// The node's log on the console, the red team beside the node, and a small room for each twin.
fn files(folder: &Path) -> Result<()> {
    let settings = format!("[twin]\\ndisk_mib = {DISK_MIB}\\n");
    for (name, text) in [
        (
            "etc/systemd/system/hometwin-node.service.d/red-team.conf",
            "[Unit]\nWants=red-team.service\n[Service]\nStandardError=tty\n\
             TTYPath=/dev/console\nDeviceAllow=/dev/console rw\n"
                .to_owned(),
        ),
        // An empty unit is none: it would draw over what is said here.
        ("etc/systemd/system/hometwin-console.service", String::new()),
        (
            "etc/systemd/system/red-team.service",
            "[Unit]\nAfter=hometwin-node.service\n[Service]\nType=exec\nLimitNOFILE=65536\n\
             ExecStart=/usr/bin/hometwin image\nStandardOutput=tty\nStandardError=tty\n\
             TTYPath=/dev/console\n"
                .to_owned(),
        ),
        (
            "usr/lib/tmpfiles.d/red-team.conf",
            format!(
                "d /var/lib/hometwin 0700 hometwin hometwin -\n\
                 f /var/lib/hometwin/node.toml 0600 hometwin hometwin - {settings}\n"
            ),
        ),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// What the red team said about this.
fn said(console: &Console, about: &str) -> Vec<String> {
    let text = console.text().unwrap();
    let start = format!("red-team {about}: ");
    let lines = text.lines().filter_map(|line| line.split_once(&start));
    lines.map(|(_, rest)| rest.trim().to_owned()).collect()
}

fn number(console: &Console, about: &str) -> u64 {
    said(console, about)[0].parse().unwrap()
}

#[test]
fn the_walls_hold_in_the_image() {
    const TEST: &str = "the red team in the image";
    let folder = tempfile::tempdir().unwrap();
    files(folder.path()).unwrap();
    let make = || Image::build_of(&red_team()?, Some(folder.path()));
    let Some(image) = Image::for_test(TEST, make).unwrap() else { return };
    let mut machine = Machine::new(&image).unwrap();
    let console = machine.start(Firmware::Direct, MEMORY_MIB).unwrap();
    let end = until("the end of it", LIMIT, || {
        let text = console.text()?;
        let end = ["red-team done", "red-team failed", "red-team.service: Failed"];
        Ok(end.into_iter().find(|end| text.contains(end)))
    });
    assert_eq!(end.unwrap(), "red-team done", "{}", console.text().unwrap());
    println!("{:.0} s of processor time", machine.cpu().as_secs_f64());

    for program in ["twin", "gateway", "worker"] {
        let found: Value = serde_json::from_str(&said(&console, program)[0]).unwrap();
        assert_eq!(found["through"], json!([]), "{program}: no wall stops these");
        assert_eq!(found["missing"], json!([]), "{program}: these fail without the wall too");
        assert!(found["stopped"].as_u64() > Some(40), "{program}: {found}");
    }

    let findings = said(&console, "doctor");
    let findings: Vec<Value> =
        findings.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let how = |part: &str| findings.iter().find(|one| one["part"] == part).unwrap();
    for (part, expected) in [
        ("files", "landlock"),
        ("calls", "seccomp"),
        ("users", "own"),
        ("memory", "limit"),
        ("threads", "limit"),
        ("groups", "own"),
        ("workers", "limit"),
        ("room", "quota"),
        ("data", "private"),
        ("steward", "there"),
        ("service", "socket"),
        ("watchdog", "watched"),
    ] {
        assert_eq!((&how(part)["how"], &how(part)["holds"]), (&json!(expected), &json!(true)));
    }
    let processes: Vec<_> = findings.iter().filter(|one| one["part"] == "process").collect();
    assert!(processes.len() >= 4, "{processes:?}");
    assert!(processes.iter().all(|process| process["how"] == "shut"), "{processes:?}");

    // The kernel stops a twin that doesn't count its room, at twice of it and what a tidy-up needs.
    let (written, most) = (number(&console, "disk"), 2 * DISK_MIB + 64);
    assert!(written > 32 << 20 && written <= most << 20, "{written} bytes, allowed are {most} MiB");
    let threads = number(&console, "threads");
    assert!((5..=64).contains(&threads), "{threads} threads");
    assert_eq!(said(&console, "memory"), ["told"]);
    // Nothing of it harmed anybody's data, Bob's own included.
    for person in ["ann", "bob"] {
        let verified: Value = serde_json::from_str(&said(&console, person)[0]).unwrap();
        assert!(verified["entries"].as_u64() > Some(0), "{person}: {verified}");
    }
}
