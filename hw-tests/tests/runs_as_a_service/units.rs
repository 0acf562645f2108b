//! The units as systemd itself judges them: what it still finds open is listed, each with a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hw_tests::{Result, program, skip};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// systemd's version, where it is there.
fn systemd() -> Option<u32> {
    let said = Command::new("systemd-analyze").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    text.split_whitespace().nth(1)?.split('.').next()?.parse().ok()
}

/// Copies of the units that start the built program: systemd looks whether it is there.
fn staged() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for unit in fs::read_dir(root().join("image-build/recipe/units"))? {
        let unit = unit?;
        let text = fs::read_to_string(unit.path())?;
        let built = program()?.display().to_string();
        let text = ["/usr/bin/hometwin", "/usr/sbin/smartctl"]
            .iter()
            .fold(text, |text, installed| text.replace(installed, &built));
        fs::write(folder.path().join(unit.file_name()), text)?;
    }
    Ok(folder)
}

const SERVICES: [&str; 9] = [
    "hometwin-console.service",
    "hometwin-disk@.service",
    "hometwin-fetcher@.service",
    "hometwin-gate.service",
    "hometwin-node.service",
    "hometwin-slots@.service",
    "hometwin-steward@.service",
    "hometwin-stick@.service",
    "hometwin-update.service",
];
const OTHERS: [&str; 12] = [
    "hometwin-console.socket",
    "hometwin-disk@.timer",
    "hometwin-fetcher.socket",
    "hometwin-lan.socket",
    "hometwin-network.path",
    "hometwin-network.service",
    "hometwin-node.socket",
    "hometwin-slots.socket",
    "hometwin-steward.socket",
    "hometwin-trial.service",
    "hometwin-trial.timer",
    "hometwin-update.timer",
];

#[test]
fn systemd_understands_every_line() {
    let Some(version) = systemd() else {
        return skip("systemd's opinion of the units", "systemd-analyze is not here");
    };
    let units = staged().unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no"]);
    for unit in SERVICES.iter().chain(&OTHERS) {
        command.arg(units.path().join(unit));
    }
    let said = command.output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    // Debian 12 lacks one key; the executor makes up for it.
    let old = |line: &&str| version < 254 && line.contains("DelegateSubgroup");
    let ours = |line: &&str| line.contains("hometwin");
    let complaints: Vec<&str> = text.lines().filter(ours).filter(|line| !old(line)).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// What one file says stands in another: the rule starts a timer, that its service, which writes where
/// the node reads by default.
#[test]
fn the_parts_that_ask_disks_fit_together() {
    let file = |name: &str| fs::read_to_string(root().join("image-build/recipe/units").join(name));
    let says = |name: &str, text: &str| {
        let found = file(name).unwrap();
        assert!(found.contains(text), "{name} does not say {text}");
    };
    says("hometwin-disk.rules", "SYSTEMD_WANTS}+=\"hometwin-disk@%k.timer\"");
    file("hometwin-disk@.timer").unwrap();
    let folder = "/run/hometwin/disks";
    says("hometwin-disk@.service", &format!("StandardOutput=truncate:{folder}/%i.json"));
    says("hometwin.tmpfiles", &format!("d {folder} 0755 root root -"));
    let config = fs::read_to_string(root().join("appliance/executor/src/config.rs")).unwrap();
    assert!(config.contains(&format!("\"{folder}\"")), "the node reads elsewhere");
}

#[test]
fn what_systemd_still_finds_open_is_listed_with_its_reason() {
    if systemd().is_none() {
        return skip("systemd's opinion of the walls", "systemd-analyze is not here");
    }
    let units = staged().unwrap();
    let listed = listed().unwrap();
    let mut seen = BTreeMap::<String, BTreeSet<&str>>::new();
    for unit in SERVICES {
        let path = units.path().join(unit);
        let security = |more: &[&str]| {
            let mut command = Command::new("systemd-analyze");
            command.args(["security", "--offline=true", "--no-pager"]).args(more).arg(&path);
            command.output().unwrap()
        };
        // In tenths: 1.5 of 10, where 10 is nothing at all.
        assert!(security(&["--threshold=15"]).status.success(), "{unit} is more open than 1.5");
        let said = security(&["--json=short"]).stdout;
        let findings: Vec<Value> = serde_json::from_slice(&said).unwrap();
        assert!(findings.len() > 50, "{findings:?}");
        let open = findings.iter().filter(|one| one["set"] == false);
        for name in open.filter_map(|one| one["name"].as_str().or(one["json_field"].as_str())) {
            seen.entry(name.to_owned()).or_default().insert(short(unit));
        }
    }
    let all: BTreeSet<&str> = SERVICES.map(short).into();
    for name in seen.keys().chain(listed.keys()) {
        let open = seen.get(name).cloned().unwrap_or_default();
        let said = listed.get(name).map(String::as_str).unwrap_or_default();
        let said = if said == "all" { all.clone() } else { said.split(", ").collect() };
        assert_eq!(open, said, "{name}: where it is open, and what THREATS.md says");
    }
}

/// A unit as the table calls it.
fn short(unit: &str) -> &str {
    let name = unit.strip_prefix("hometwin-").unwrap_or(unit);
    name.split(['@', '.']).next().unwrap_or(name)
}

/// The first two columns of the table below its heading: what, and where.
fn listed() -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(root().join("appliance/THREATS.md"))?;
    let lines = text.lines().skip_while(|line| !line.starts_with("## What systemd")).skip(1);
    let rows =
        lines.take_while(|line| !line.starts_with('#')).filter(|line| line.starts_with("| `"));
    let columns = rows.filter_map(|row| {
        let (name, rest) = row.strip_prefix("| `")?.split_once("` | ")?;
        Some((name.replace("\\|", "|"), rest.split(" | ").next()?.to_owned()))
    });
    Ok(columns.collect())
}
