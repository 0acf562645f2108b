//! What the firmware starts: one signed-or-not file with the kernel, its command line and the first
//! program with the modules that a disk may need.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::str::FromStr;

use cpio::newc::{Builder, trailer};
use initrd::hash::RootHash;

use crate::debian::Kernel;
use crate::recipe::Recipe;
use crate::tools::Tools;
use crate::{Error, Result, build};

/// What it is made of.
pub(crate) struct Parts<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) system: &'a Path,
    pub(crate) slot: &'a Path,
    /// The first program.
    pub(crate) first: &'a Path,
    /// How much it is packed, for `zstd`.
    pub(crate) pack: &'a str,
    pub(crate) kernel: &'a Kernel,
    pub(crate) tools: &'a Tools,
    pub(crate) log: &'a Path,
}

/// Makes the file, and puts the boot loader beside it.
pub(crate) fn make(parts: &Parts<'_>, out: &Path) -> Result<()> {
    let archive = out.join("initrd.cpio");
    pack(parts.first, &parts.system.join("modules"), &archive).map_err(Error::file(&archive))?;
    let tool = |words: &[&str]| parts.tools.run(out, parts.log, words);
    tool(&["zstd", "--quiet", "--rm", parts.pack, "initrd.cpio"])?;
    for (from, to) in [
        (parts.kernel.image.as_path(), "linux"),
        (&parts.system.join("tree/usr/lib/os-release"), "os-release"),
        (&parts.tools.path("usr/lib/systemd/boot/efi/systemd-bootx64.efi"), LOADER),
    ] {
        fs::copy(from, out.join(to)).map_err(Error::file(from))?;
    }
    let path = parts.slot.join(build::ROOT_HASH);
    let hash = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let hash = RootHash::from_str(&hash).map_err(Error::image)?;
    let line = command_line(&parts.recipe.kernel.command_line, &hash);
    tool(&[
        "ukify",
        "build",
        "--linux=linux",
        "--initrd=initrd.cpio.zst",
        "--os-release=@os-release",
        "--efi-arch=x64",
        &format!("--cmdline={line}"),
        &format!("--uname={}", parts.kernel.version),
        &format!("--output={KERNEL}"),
    ])?;
    for name in ["linux", "initrd.cpio.zst", "os-release"] {
        let path = out.join(name);
        fs::remove_file(&path).map_err(Error::file(&path))?;
    }
    Ok(())
}

fn command_line(words: &[String], hash: &RootHash) -> String {
    format!("{} {}", hash.word(), words.join(" "))
}

/// Everything in it has the same time and owner, and a fixed place.
fn pack(first: &Path, modules: &Path, archive: &Path) -> io::Result<()> {
    let mut files = vec![("init".to_owned(), 0o100_755, fs::read(first)?)];
    let folder = |name: &str| (name.to_owned(), 0o040_755, Vec::new());
    files.extend(["dev", "proc", "sys", "modules"].map(folder));
    let mut names: Vec<_> = fs::read_dir(modules)?.flatten().map(|entry| entry.path()).collect();
    names.sort();
    for path in names {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((format!("modules/{name}"), 0o100_644, fs::read(&path)?));
    }
    let mut out = BufWriter::new(File::create(archive)?);
    for (number, (name, mode, bytes)) in (1..).zip(files) {
        let size = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut writer = Builder::new(&name).ino(number).mode(mode).write(&mut out, size);
        writer.write_all(&bytes)?;
        writer.finish()?;
    }
    trailer(&mut out)?;
    out.flush()
}

pub(crate) const KERNEL: &str = "hometwin.efi";
pub(crate) const LOADER: &str = "loader.efi";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("modules")).unwrap();
        for (name, text) in [("modules/b.ko", "b"), ("modules/a.ko", "a"), ("first", "program")] {
            fs::write(path(name), text).unwrap();
        }
        for archive in ["1", "2"] {
            pack(&path("first"), &path("modules"), &path(archive)).unwrap();
        }
        let bytes = fs::read(path("1")).unwrap();
        assert_eq!(bytes, fs::read(path("2")).unwrap());
        let names = {
            let mut names = Vec::new();
            let mut rest = &bytes[..];
            loop {
                let reader = cpio::newc::Reader::new(rest).unwrap();
                if reader.entry().is_trailer() {
                    break names;
                }
                names.push(reader.entry().name().to_owned());
                rest = reader.finish().unwrap();
            }
        };
        assert_eq!(
            names,
            ["init", "dev", "proc", "sys", "modules", "modules/a.ko", "modules/b.ko"]
        );
    }
}
