//! Promise: it works in a real browser, for a person with a phone, a keyboard or a screen reader.
//!
//! Runs the stories of `hw-tests/browser` in Chromium, and the tests of the modules behind the pages in node; says so
//! when there is none of these.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use hw_tests::{Result, program, skip};

static TURN: Mutex<()> = Mutex::new(());

fn story(name: &str) -> Result<()> {
    let browser = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let chromium = match ready(&browser) {
        Ok(chromium) => chromium,
        Err(reason) => {
            skip(name, reason);
            return Ok(());
        }
    };
    let screenshots = browser.join("../../target/screenshots");
    std::fs::create_dir_all(&screenshots)?;
    // One after the other: two processors carry one browser story well, and three badly.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let told = Command::new("timeout")
        .args(["--kill-after=10", "2400", "node"])
        .arg(browser.join(format!("{name}.mjs")))
        .env("CHROMIUM", chromium)
        .env("HOMETWIN", program()?)
        .env("SCREENSHOTS", screenshots)
        .stdin(Stdio::null())
        .output()?;
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{out}\n{err}");
    Ok(())
}

/// The browser, or why there will be no story.
fn ready(browser: &Path) -> std::result::Result<PathBuf, &'static str> {
    if std::env::var_os("HOMETWIN_FAST").is_some() {
        return Err("no browsers with --fast");
    }
    if on_path(&["node"]).is_none() {
        return Err("no node: apt install nodejs");
    }
    if !browser.join("node_modules/playwright-core").is_dir() {
        return Err("browser packages are missing: cargo verify fetches them");
    }
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    named
        .or_else(|| on_path(&["chromium", "chromium-browser", "google-chrome"]))
        .ok_or("no Chromium: apt install chromium, or set CHROMIUM")
}

fn on_path(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let all = programs.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|program| program.is_file())
}

#[test]
fn the_modules_behind_the_pages_keep_their_promises() {
    if on_path(&["node"]).is_none() {
        skip("units", "no node: apt install nodejs");
        return;
    }
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/units");
    let told = Command::new("timeout")
        .args(["--kill-after=10", "300", "node", "--test"])
        .arg(units)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{out}\n{}", String::from_utf8_lossy(&told.stderr));
    assert!(!out.contains("# tests 0\n"), "no test was found");
}

#[test]
fn two_people_talk_in_their_browsers() {
    story("story").unwrap();
}

#[test]
fn files_are_kept_and_come_out_as_they_went_in() {
    story("files").unwrap();
}

#[test]
fn two_people_share_a_list() {
    story("todo").unwrap();
}

#[test]
fn three_people_talk_in_a_space() {
    story("group").unwrap();
}

#[test]
fn a_newcomer_finds_the_way_by_keyboard() {
    story("first").unwrap();
}

#[test]
fn people_come_in_with_a_passkey_and_send_devices_away() {
    story("passkeys").unwrap();
}

#[test]
fn a_conversation_needs_nothing_but_the_keyboard() {
    story("keyboard").unwrap();
}

#[test]
fn a_network_that_fails_loses_nothing() {
    story("cut").unwrap();
}

#[test]
fn somebody_whose_twin_is_not_well_is_told_and_helped() {
    story("health").unwrap();
}

#[test]
fn a_hostile_experience_reaches_nothing() {
    story("hostile").unwrap();
}
