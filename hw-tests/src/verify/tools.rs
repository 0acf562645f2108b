//! What some tests need: a Chromium, node and the packages of `hw-tests/browser`, promtool, mmdebstrap.
//!
//! Installs only from Debian and only as root; never fails: a test that lacks something says so
//! itself and is counted as skipped.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Brings what is missing, as far as it's allowed to.
pub(crate) fn prepare(browser: &Path) {
    if let Err(error) = promtool() {
        println!("metrics will not be checked by promtool: {error}");
    }
    if !on_path("mmdebstrap") && !install(&["mmdebstrap"]) {
        println!("the image will not be built; it needs: apt install mmdebstrap");
    }
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(programs, _)| !programs.iter().any(|program| on_path(program)))
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() && !install(&missing) {
        println!(
            "the browser stories will be skipped; they need: apt install {}",
            missing.join(" ")
        );
        return;
    }
    match packages(browser) {
        Ok(folder) => println!("browser packages: {}", folder.display()),
        Err(error) => println!("the browser stories will be skipped: {error}"),
    }
}

/// Any one of these programs, and the Debian package that brings it.
const NEEDED: &[(&[&str], &str)] = &[
    (&["chromium", "chromium-browser", "google-chrome"], "chromium"),
    (&["node"], "nodejs"),
    (&["npm"], "npm"),
];

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn install(packages: &[&str]) -> bool {
    if !rustix::process::geteuid().is_root() || !on_path("apt-get") {
        return false;
    }
    println!("installing {}", packages.join(", "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    apt(&["update"]) && apt(&install)
}

/// Prometheus' own checker of metrics. Only that program is taken out of the Debian package: installed,
/// the package would start a server.
fn promtool() -> io::Result<()> {
    let folder = cache()?.join("promtool");
    if on_path("promtool") || folder.join("promtool").is_file() {
        return Ok(());
    }
    let unpacked = folder.join("unpacked");
    fs::create_dir_all(&unpacked)?;
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&folder).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let fetched = || run("apt-get", &["download", "prometheus"]);
    let there = fetched() || (run("apt-get", &["update"]) && fetched());
    if !there {
        return Err(io::Error::other("apt-get can't download prometheus"));
    }
    if !run("sh", &["-c", "dpkg-deb -x prometheus_*.deb unpacked && rm prometheus_*.deb"]) {
        return Err(io::Error::other("the package prometheus can't be unpacked"));
    }
    fs::rename(unpacked.join("usr/bin/promtool"), folder.join("promtool"))?;
    fs::remove_dir_all(unpacked)
}

/// The packages that the lock file names, fetched once per lock file and linked into the folder.
fn packages(browser: &Path) -> io::Result<PathBuf> {
    let lock = fs::read(browser.join(LOCK))?;
    let mut hasher = DefaultHasher::new();
    lock.hash(&mut hasher);
    let folder = cache()?.join(format!("browser-{:016x}", hasher.finish()));
    let installed = folder.join("node_modules");
    if !folder.join(COMPLETE).is_file() {
        fs::create_dir_all(&folder)?;
        for file in [LOCK, "package.json"] {
            fs::copy(browser.join(file), folder.join(file))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        if !npm.current_dir(&folder).stdin(Stdio::null()).status()?.success() {
            return Err(io::Error::other("npm could not fetch the browser packages"));
        }
        fs::write(folder.join(COMPLETE), "")?;
    }
    let link = browser.join("node_modules");
    if fs::canonicalize(&link).ok() != fs::canonicalize(&installed).ok() {
        if fs::symlink_metadata(&link).is_ok_and(|found| found.is_symlink()) {
            fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(&installed, &link)?;
    }
    Ok(installed)
}

fn cache() -> io::Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")));
    folder.map(|folder| folder.join("hometwin")).ok_or_else(|| io::Error::other("HOME is not set"))
}

const LOCK: &str = "package-lock.json";
const COMPLETE: &str = ".complete";
