//! Our own programs, built for the image: without the paths of the machine that builds them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Result, say};

/// How a program finds the C library.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Linked {
    /// It is in the image.
    Dynamic,
    /// There is nothing beside the program.
    Static,
}

/// Builds a package's program and says where it is.
pub(crate) fn build(package: &str, linked: Linked, arch: &str) -> Result<PathBuf> {
    say(&format!("building {package}"));
    let target = target(arch);
    let mut flags = format!("--remap-path-prefix={}=/hometwin", root().display());
    if let Some(cargo) = home() {
        flags.push_str(&format!(" --remap-path-prefix={}=/cargo", cargo.display()));
    }
    if linked == Linked::Static {
        flags.push_str(" -C target-feature=+crt-static");
    }
    let program = program();
    let mut command = Command::new(&program);
    command.args([
        "build",
        "--quiet",
        "--profile",
        "dist",
        "--package",
        package,
        "--target",
        &target,
    ]);
    command.args(["--message-format", "json-render-diagnostics"]);
    command.current_dir(root()).env("RUSTFLAGS", flags).env_remove("CARGO_ENCODED_RUSTFLAGS");
    let done = command.stderr(Stdio::inherit()).output();
    let done = done.map_err(Error::file(&program))?;
    if !done.status.success() {
        // Its errors were said already.
        return Err(Error::Compile { package: package.to_owned() });
    }
    let said = String::from_utf8_lossy(&done.stdout);
    let messages = said.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
    let files = messages.filter_map(|m| Some(PathBuf::from(m.get("executable")?.as_str()?)));
    let mut ours = files.filter(|file| file.file_name().is_some_and(|name| name == package));
    ours.next().ok_or_else(|| Error::image(format!("cargo made no program {package}")))
}

/// The one that built this, or the machine's.
pub(crate) fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A crate of others.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// What the programs in the image are linked from, and not what tests them.
pub(crate) fn linked(arch: &str) -> Result<Vec<Crate>> {
    let target = target(arch);
    let words = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--target", &target];
    let ours = ["--package", "hometwin", "--package", "initrd", "--format", "{p}"];
    Ok(crates(&String::from_utf8_lossy(&ask(&[&words[..], &ours].concat())?)))
}

/// All that cargo knows of the crates for a kind of machine, as JSON.
pub(crate) fn metadata(arch: &str) -> Result<Vec<u8>> {
    ask(&["metadata", "--locked", "--format-version", "1", "--filter-platform", &target(arch)])
}

fn ask(words: &[&str]) -> Result<Vec<u8>> {
    let program = program();
    let done = Command::new(&program).args(words).current_dir(root()).stdin(Stdio::null()).output();
    let done = done.map_err(Error::file(&program))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    Err(Error::image(String::from_utf8_lossy(&done.stderr).trim()))
}

/// From lines such as `serde v1.0.2`; what is ours has its folder behind it.
fn crates(said: &str) -> Vec<Crate> {
    let known = said.lines().filter(|line| !line.contains('/')).filter_map(|line| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some(Crate { name: name.to_owned(), version: version.to_owned() })
    });
    known.collect::<BTreeSet<_>>().into_iter().collect()
}

fn target(arch: &str) -> String {
    format!("{arch}-unknown-linux-gnu")
}

/// Which crates everything is made of.
pub(crate) fn lock_file() -> PathBuf {
    root().join("Cargo.lock")
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

fn home() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cargo = variable("CARGO_HOME").map(PathBuf::from);
    cargo.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_named_once_and_none_of_ours() {
        let said = "serde v1.0.2\nserde v1.0.2 (*)\nhometwin v0.1.0 (/somewhere/hometwin)\n";
        let serde = Crate { name: "serde".to_owned(), version: "1.0.2".to_owned() };
        assert_eq!(crates(said), [serde]);
    }

    #[test]
    fn cargo_says_what_our_programs_are_linked_from() {
        let said = linked("x86_64").unwrap();
        let has = |name: &str| said.iter().any(|one| one.name == name);
        assert!(has("rustls") && has("gpt") && !has("proptest") && !has("hometwin"));
    }
}
