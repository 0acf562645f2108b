//! Keeps the libraries that some program of the tree is linked with, and those that programs open
//! by name and the recipe names. A library that is missing stops the build.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::FileHeader;

use super::prune;
use crate::{Error, Result};

/// Removes every other library.
pub(crate) fn keep(tree: &Path, opened: &[String]) -> Result<()> {
    let mut files = Vec::new();
    walk(tree, &mut files)?;
    let (libraries, programs): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|path| is_library(path));
    let by_name: BTreeMap<String, PathBuf> =
        libraries.iter().map(|path| (name(path), path.clone())).collect();
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = opened.to_vec();
    for program in &programs {
        open.extend(needed(program)?);
    }
    while let Some(library) = open.pop() {
        if !wanted.insert(library.clone()) {
            continue;
        }
        let path = by_name.get(&library);
        let path = path.ok_or_else(|| Error::image(format!("no package brings {library}")))?;
        open.extend(needed(path)?);
        // A link: the file behind it stays too.
        if let Ok(target) = fs::read_link(path) {
            wanted.insert(target.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    let unused = libraries.iter().filter(|path| !wanted.contains(&name(path)));
    unused.into_iter().try_for_each(|path| prune::remove_any(path))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_library(path: &Path) -> bool {
    let name = name(path);
    (name.ends_with(".so") || name.contains(".so."))
        && path.to_string_lossy().contains("-linux-gnu/")
}

/// The libraries that a file asks for; none if it's no program.
fn needed(path: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(path).map_err(Error::file(path))?;
    Ok(read(&bytes).unwrap_or_default())
}

fn read(bytes: &[u8]) -> object::read::Result<Vec<String>> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let table = sections.dynamic_table(endian, bytes)?;
    let mut needed = Vec::new();
    for entry in table.iter() {
        if entry.tag == DT_NEEDED {
            needed.push(String::from_utf8_lossy(table.string(entry)?).into_owned());
        }
    }
    Ok(needed)
}

/// Files that may be programs, and links to libraries.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let entry = entry.map_err(Error::file(folder))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(Error::file(folder))?);
        if kind.is_dir() {
            walk(&path, files)?;
        } else if kind.is_file() && starts_as_elf(&path) || kind.is_symlink() && is_library(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn starts_as_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && &magic == b"\x7fELF"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_program_needs_the_c_library() {
        let bytes = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(read(&bytes).unwrap().iter().any(|name| name.starts_with("libc.so")));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut headed = b"\x7fELF\x02\x01\x01\0".to_vec();
            headed.extend(bytes);
            let _ = read(&headed);
        }
    }
}
