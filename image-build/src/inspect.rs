//! What is in an image, and whether it is whole: every block of a slot against the root hash that
//! its kernel was made with. Needs no rights, mounts nothing and runs nothing.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use fatfs::{FileSystem, FsOptions};
use gpt::GptConfig;
use gpt::partition::Partition;
use initrd::hash::RootHash;
use initrd::superblock::{BLOCK, Superblock};
use object::read::pe::PeFile64;
use object::{Object, ObjectSection};

use crate::disk::{EMPTY, Part};
use crate::{Error, Result, verity};

/// Looks at a file; the parts of its kernel go to a folder, for whoever starts it without firmware.
pub(crate) fn file(image: &Path, out: Option<&Path>) -> Result<String> {
    let file = File::open(image).map_err(Error::file(image))?;
    let disk = GptConfig::new().writable(false).open(image).map_err(Error::image)?;
    let partitions: Vec<&Partition> = disk.partitions().values().collect();
    let mut text = String::from("partitions\n");
    for (number, part) in disk.partitions() {
        let mib = part.sectors_len().unwrap_or_default() / 2048;
        let _ = writeln!(text, "  {number}  {mib:>5} MiB  {}  {}", part.part_guid, part.name);
    }
    let boot = partitions.iter().find(|part| part.name == "boot");
    let boot = boot.ok_or_else(|| Error::image("it has no boot partition"))?;
    let boot = Part::of(&file, boot).map_err(Error::file(image))?;
    let kernels = kernels(boot).map_err(Error::file(image))?;
    if kernels.is_empty() {
        return Err(Error::image("its boot partition has no kernel"));
    }
    for (name, bytes) in kernels {
        let kernel =
            Kernel::read(&bytes).map_err(|error| Error::image(format!("{name}: {error}")))?;
        let _ = writeln!(text, "{name}\n  {:>5.1} MiB, Linux {}", mib(bytes.len()), kernel.release);
        let _ = writeln!(text, "  {}\n  command line: {}", kernel.system, kernel.command_line);
        if let Some(out) = out {
            for (name, bytes) in [
                ("linux", &kernel.linux),
                ("initrd", &kernel.initrd),
                ("command_line", &kernel.command_line.clone().into_bytes()),
            ] {
                let path = out.join(name);
                std::fs::write(&path, bytes).map_err(Error::file(&path))?;
            }
        }
        let hash = RootHash::of_command_line(&kernel.command_line).map_err(Error::image)?;
        let find = |id: [u8; 16]| partitions.iter().find(|part| part.part_guid.as_bytes() == &id);
        let (Some(data), Some(tree)) = (find(hash.data_id()), find(hash.tree_id())) else {
            return Err(Error::image(format!("no slot belongs to {name}")));
        };
        let part = |partition| Part::of(&file, partition).map_err(Error::file(image));
        let blocks = check(part(data)?, part(tree)?, &hash)?;
        let size = blocks.saturating_mul(BLOCK as u64);
        let size = mib(usize::try_from(size).unwrap_or(usize::MAX));
        let _ = writeln!(text, "  {size:>5.1} MiB of system, every block as its root hash says");
    }
    let free = partitions.iter().filter(|part| part.name == EMPTY).count() / 2;
    let _ = write!(text, "{free} slot free for an update");
    Ok(text)
}

/// Compares a system with its hash tree and both with the root hash; says how many blocks it has.
fn check(data: Part, mut tree: Part, hash: &RootHash) -> Result<u64> {
    let mut first = vec![0; BLOCK];
    tree.read_exact(&mut first).map_err(Error::image)?;
    let superblock = Superblock::read(&first).map_err(Error::image)?;
    let length = superblock.blocks.saturating_mul(BLOCK as u64);
    let (root, levels) = verity::root(data.take(length), &superblock.salt).map_err(Error::image)?;
    if root != *hash {
        return Err(Error::image(format!(
            "the system's blocks make {root}, its kernel says {hash}"
        )));
    }
    let mut stored = vec![0; levels.len()];
    tree.read_exact(&mut stored).map_err(Error::image)?;
    if stored != levels {
        return Err(Error::image("the hash tree is damaged"));
    }
    Ok(superblock.blocks)
}

/// The files that the boot loader offers to start.
fn kernels(boot: Part) -> io::Result<Vec<(String, Vec<u8>)>> {
    let boot = FileSystem::new(boot, FsOptions::new())?;
    let folder = boot.root_dir().open_dir(KERNELS)?;
    let mut kernels = Vec::new();
    for entry in folder.iter() {
        let entry = entry?;
        if entry.is_file() && entry.len() < LARGEST {
            let mut bytes = Vec::new();
            let mut file = entry.to_file();
            file.rewind()?;
            file.read_to_end(&mut bytes)?;
            kernels.push((format!("{KERNELS}/{}", entry.file_name()), bytes));
        }
    }
    Ok(kernels)
}

/// What a kernel says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Kernel {
    /// How it is started.
    pub command_line: String,
    /// What it unpacks into memory and starts first.
    pub initrd: Vec<u8>,
    /// The kernel alone.
    pub linux: Vec<u8>,
    /// Its version.
    pub release: String,
    /// The name of the system that it belongs to.
    pub system: String,
}

impl Kernel {
    /// Reads a unified kernel image: a program for firmware with a section for each part.
    ///
    /// # Errors
    /// If it's no such program.
    pub fn read(bytes: &[u8]) -> std::result::Result<Self, object::read::Error> {
        let file = PeFile64::parse(bytes)?;
        let part = |name: &str| -> std::result::Result<Vec<u8>, object::read::Error> {
            let section = file.section_by_name(name);
            Ok(section.map_or(Ok(&[][..]), |section| section.data())?.to_vec())
        };
        let text = |name: &str| -> std::result::Result<String, object::read::Error> {
            let text = String::from_utf8_lossy(&part(name)?).into_owned();
            Ok(text.trim_end_matches(['\0', '\n']).to_owned())
        };
        let about = text(".osrel")?;
        let named = about.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        Ok(Self {
            command_line: text(".cmdline")?,
            initrd: part(".initrd")?,
            linux: part(".linux")?,
            release: text(".uname")?,
            system: named.unwrap_or_default().trim_matches('"').to_owned(),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

const KERNELS: &str = "EFI/Linux";
const LARGEST: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = Kernel::read(&bytes);
            // Far enough into the format to be taken for a program.
            let mut headed = vec![0; 0x40];
            headed[..2].copy_from_slice(b"MZ");
            headed[0x3c] = 0x40;
            headed.extend(b"PE\0\0\x64\x86\x02\0");
            headed.extend(bytes);
            let _ = Kernel::read(&headed);
        }
    }
}
