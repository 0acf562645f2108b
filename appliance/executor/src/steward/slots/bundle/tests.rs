//! A stick with several files, good and bad.

use std::io::{Cursor, Write};

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
    let mut found = on_sticks(&sticks, &trust, newer).unwrap();
    let versions: Vec<_> = found.iter().map(|one| one.contents.manifest.version).collect();
    assert_eq!(versions, [Version(1, 2, 0), Version(1, 1, 0)]);
    let mut bytes = Vec::new();
    let contents = found[0].contents.clone();
    let take = |_, piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    contents.read(Part::Kernel, &mut found[0], take).unwrap();
    assert_eq!(bytes, vec![9; 900]);
    let none = on_sticks(&sticks, &trust, |_| false).err().unwrap();
    assert_eq!(none.name(), "none_found");
    assert_eq!(on_sticks(&[], &trust, newer).err().unwrap().name(), "none_found");
}
