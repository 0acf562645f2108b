//! Our own programs, built for the image: without the paths of the machine that builds them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    let target = format!("{arch}-unknown-linux-gnu");
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
    let done = command.stderr(std::process::Stdio::inherit()).output();
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

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

fn home() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cargo = variable("CARGO_HOME").map(PathBuf::from);
    cargo.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cargo")))
}
