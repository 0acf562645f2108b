//! A stick with several files, good and bad.

use std::io::{Cursor, Write};
use std::os::unix::fs::FileExt;

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use update::{About, Part, SecretKey, Statement, Version, make};

use super::*;

fn trust() -> Vec<u8> {
    let key = SecretKey::from_bytes(&[1; 32]);
    let keys = vec![key.public()];
    Statement { number: 1, root: keys.clone(), update: keys }.sign(&[&key])
}

fn bundle(version: Version, key: u8) -> Vec<u8> {
    let about = About {
        flavour: "headless".to_owned(),
        arch: "x86_64".to_owned(),
        version,
        from: Version::FIRST,
        expires: u64::MAX,
        tries: 3,
        root_hash: [0; 32],
    };
    let key = SecretKey::from_bytes(&[key; 32]);
    let keys = vec![key.public()];
    let statement = Statement { number: 1, root: keys.clone(), update: keys }.sign(&[&key]);
    let mut parts = [vec![7; 5000], vec![8; 100], vec![9; 900]].map(Cursor::new);
    let mut out = Vec::new();
    make(&about, &mut parts, &[statement], &key, &mut out).unwrap();
    out
}

fn versions(found: &mut [Source<'_>], trust: &Trust) -> Vec<Version> {
    found.iter_mut().map(|one| one.open(trust).unwrap().contents.manifest.version).collect()
}

fn stick(files: &[(&str, Vec<u8>)]) -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(40 << 20).unwrap();
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat32).bytes_per_cluster(512);
    format_volume(&file, options).unwrap();
    let system = FileSystem::new(&file, FsOptions::new()).unwrap();
    for (name, bytes) in files {
        system.root_dir().create_file(name).unwrap().write_all(bytes).unwrap();
    }
    system.unmount().unwrap();
    file
}

#[test]
fn the_newest_with_a_good_signature_comes_first() {
    let sticks = [
        tempfile::tempfile().unwrap(),
        stick(&[
            ("old.bundle", bundle(Version(1, 0, 0), 1)),
            ("hometwin_1.2.0_x86_64.bundle", bundle(Version(1, 2, 0), 1)),
            ("another's.bundle", bundle(Version(9, 0, 0), 2)),
            ("none.bundle", b"hometwin".to_vec()),
            ("notes.txt", bundle(Version(8, 0, 0), 1)),
        ]),
        stick(&[("b.bundle", bundle(Version(1, 1, 0), 1))]),
    ];
    let trust = Trust::read(&trust()).unwrap();
    let newer = |manifest: &Manifest| manifest.version > Version(1, 0, 0);
    let mut found = on_sticks(&sticks, &trust, newer);
    assert_eq!(versions(&mut found, &trust), [Version(1, 2, 0), Version(1, 1, 0)]);
    let mut bytes = Vec::new();
    let mut newest = found[0].open(&trust).unwrap();
    let contents = newest.contents.clone();
    let take = |_, piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    contents.read(Part::Kernel, &mut newest, take).unwrap();
    assert_eq!(bytes, vec![9; 900]);
    assert!(on_sticks(&sticks, &trust, |_| false).is_empty());
    assert!(on_sticks(&[], &trust, newer).is_empty());
}

#[test]
fn a_file_that_leads_nowhere_hides_no_other() {
    let broken = stick(&[("a.bundle", vec![1; 2000]), ("b.bundle", bundle(Version(1, 1, 0), 1))]);
    let head = |at: u64, length: usize| {
        let mut bytes = [0; 8];
        broken.read_exact_at(&mut bytes[..length], at).unwrap();
        u64::from_le_bytes(bytes)
    };
    let start = (head(14, 2) + head(16, 1) * head(36, 4)) * 512;
    let mut root = [0; 512];
    broken.read_exact_at(&mut root, start).unwrap();
    let is_it = |record: &[u8]| record[11] != 0x0f && record[28..] == 2000_u32.to_le_bytes();
    let at = start + 32 * root.chunks_exact(32).position(is_it).unwrap() as u64;
    // It begins where no cluster is.
    broken.write_all_at(&[0xff, 0x0f], at + 20).unwrap();
    let trust = Trust::read(&trust()).unwrap();
    let mut found = on_sticks(std::slice::from_ref(&broken), &trust, |_| true);
    assert_eq!(versions(&mut found, &trust), [Version(1, 1, 0)]);
}

#[test]
fn so_many_files_of_a_stick_are_looked_at() {
    let names: Vec<String> = (0..MOST).map(|number| format!("{number}.bundle")).collect();
    let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), vec![7; 10])).collect();
    files.push(("z.bundle", bundle(Version(1, 1, 0), 1)));
    let sticks = [stick(&files), stick(&[("b.bundle", bundle(Version(1, 0, 1), 1))])];
    let trust = Trust::read(&trust()).unwrap();
    let mut found = on_sticks(&sticks, &trust, |_| true);
    assert_eq!(versions(&mut found, &trust), [Version(1, 0, 1)], "another stick is another matter");
}
