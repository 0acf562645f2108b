//! The boot partition after any changes, as another program reads it.

use std::collections::BTreeMap;
use std::io::Read;

use proptest::prelude::*;

use super::disk::Disk;
use crate::slots::Version;
use crate::slots::blocks::{Blocks, Window};
use crate::slots::fat::{self, Fat};

const FOLDER: &[&str] = &["efi", "LINUX"];

fn open(disk: &Disk) -> Fat<Window<&Disk>> {
    let (start, length) = disk.place(1);
    Fat::open(Window::new(disk, start, length)).unwrap()
}

fn find(fat: &Fat<Window<&Disk>>, name: &str) -> Option<fat::Entry> {
    let mut all = fat.list(FOLDER).unwrap().into_iter();
    all.find(|entry| entry.name == name)
}

fn add(fat: &mut Fat<Window<&Disk>>, name: &str, bytes: &[u8]) {
    let space = fat.space(u32::try_from(bytes.len()).unwrap()).unwrap().unwrap();
    fat.write(&space, 0, bytes).unwrap();
    let mut back = vec![0; bytes.len()];
    fat.read_back(&space, 0, &mut back).unwrap();
    assert_eq!(back, bytes);
    fat.enter(FOLDER, name, &space).unwrap();
}

/// Every file of the folder, by the other reader.
fn files(disk: &Disk) -> BTreeMap<String, blake3::Hash> {
    let boot = disk.boot();
    let folder = boot.root_dir().open_dir("EFI/Linux").unwrap();
    let mut files = BTreeMap::new();
    for entry in folder.iter().map(Result::unwrap).filter(fatfs::DirEntry::is_file) {
        let mut bytes = Vec::new();
        entry.to_file().read_to_end(&mut bytes).unwrap();
        files.insert(entry.file_name(), blake3::hash(&bytes));
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changes_are_read_by_others(
        steps in prop::collection::vec((0..4_u8, 0..6_u8, 0..6000_usize), 1..40),
    ) {
        let disk = Disk::new(Version(1, 0, 0));
        let mut expected = files(&disk);
        let mut fat = open(&disk);
        let name = |n: u8| format!("hometwin_{n}.0.0+{n}{}.efi", "-".repeat(usize::from(n) * 5));
        for (step, n, length) in steps {
            let (name, other) = (name(n), name((n + 1) % 6));
            let there = find(&fat, &name);
            prop_assert_eq!(there.is_some(), expected.contains_key(&name));
            match (step, there) {
                (0 | 1, None) => {
                    let bytes = vec![n; length];
                    add(&mut fat, &name, &bytes);
                    expected.insert(name.clone(), blake3::hash(&bytes));
                }
                (2, Some(entry)) => {
                    fat.remove(&entry).unwrap();
                    expected.remove(&name);
                }
                (3, Some(entry)) if !expected.contains_key(&other) => {
                    fat.rename(FOLDER, &entry, &other).unwrap();
                    let bytes = expected.remove(&name).unwrap();
                    expected.insert(other, bytes);
                }
                _ => {}
            }
            prop_assert_eq!(&files(&disk), &expected);
        }
        // What a new look finds, and what the files need.
        let again = open(&disk);
        prop_assert_eq!(again.list(FOLDER).unwrap().len(), expected.len());
        prop_assert_eq!(again.free().unwrap(), fat.free().unwrap());
        for (name, hash) in &expected {
            let entry = find(&again, name).unwrap();
            let file = fat::File::new(open(&disk), &entry).unwrap();
            let mut read = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
            file.read_at(0, &mut read).unwrap();
            prop_assert_eq!(&blake3::hash(&read), hash);
            prop_assert!(file.read_at(1, &mut read).is_err() || read.is_empty());
        }
    }
}

#[test]
fn many_files_make_the_folder_grow_and_a_full_one_is_said() {
    let disk = Disk::new(Version(1, 0, 0));
    let mut fat = open(&disk);
    let free = fat.free().unwrap();
    for n in 0..50 {
        add(&mut fat, &format!("hometwin_1.0.{n}+3.efi"), &[7; 700]);
    }
    assert_eq!(files(&disk).len(), 51);
    for entry in fat.list(FOLDER).unwrap() {
        if entry.name != "hometwin_1.0.0.efi" {
            fat.remove(&entry).unwrap();
        }
    }
    assert_eq!(files(&disk).len(), 1);
    assert!(free - fat.free().unwrap() < 10_000, "only the folder is larger now");
    assert!(fat.space(u32::try_from(fat.free().unwrap()).unwrap() + 1).unwrap().is_none());
    assert!(fat.list(&["nowhere"]).is_err());
    let space = fat.space(1).unwrap().unwrap();
    for wrong in ["", "a/b", "ü", "x".repeat(61).as_str()] {
        assert!(fat.enter(FOLDER, wrong, &space).is_err(), "{wrong}");
    }
}
