//! Promise: it works in a real browser, for a person with a phone, a keyboard or a screen reader.
//!
//! Runs the stories of `hw-tests/browser` in Chromium; says so when there is none.

use std::path::{Path, PathBuf};
use std::process::Command;

use hw_tests::{Result, long, program, skip};

fn story(name: &str) -> Result<()> {
    let browser = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    if std::env::var_os("HOMETWIN_FAST").is_some() && !long() {
        return Ok(skip(name, "no browsers with --fast"));
    }
    let Some(chromium) = chromium() else {
        return Ok(skip(
            name,
            "no Chromium: apt install chromium, or set CHROMIUM",
        ));
    };
    if !browser.join("node_modules/playwright-core").is_dir() {
        return Ok(skip(
            name,
            "browser packages are missing: cargo verify fetches them",
        ));
    }
    let screenshots = browser.join("../../target/screenshots");
    std::fs::create_dir_all(&screenshots)?;
    let told = Command::new("node")
        .arg(browser.join(format!("{name}.mjs")))
        .env("CHROMIUM", chromium)
        .env("HOMETWIN", program()?)
        .env("SCREENSHOTS", screenshots)
        .stdin(std::process::Stdio::null())
        .output();
    let told = match told {
        Ok(told) => told,
        Err(error) => return Ok(skip(name, &format!("node can't be started: {error}"))),
    };
    let (out, err) = (
        String::from_utf8_lossy(&told.stdout),
        String::from_utf8_lossy(&told.stderr),
    );
    assert!(told.status.success(), "{out}\n{err}");
    Ok(())
}

fn chromium() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM") {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |f| f.join(name)))
        .find(|p| p.is_file())
}

#[test]
fn two_people_talk_in_their_browsers() {
    story("story").unwrap();
}

#[test]
fn a_hostile_experience_reaches_nothing() {
    story("hostile").unwrap();
}
