//! A stick as people buy it: FAT32, with some files; and how it is plugged into an emulated machine.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions, format_volume};

use crate::Result;

/// Makes the stick anew.
pub(crate) fn write(path: &Path, files: &[(&str, Vec<u8>)]) -> Result<()> {
    let _ = std::fs::remove_file(path);
    let file = File::options().read(true).write(true).create_new(true).open(path)?;
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    // FAT32 has a smallest size, and a table for every cluster.
    file.set_len(u64::try_from(bytes / 4096 * 4300)?.max(300 << 20).next_multiple_of(1 << 20))?;
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat32).bytes_per_cluster(4096);
    format_volume(&file, options)?;
    let system = FileSystem::new(&file, FsOptions::new())?;
    for (name, bytes) in files {
        system.root_dir().create_file(name)?.write_all(bytes)?;
    }
    system.unmount()?;
    Ok(())
}

/// Says things to an emulator's control socket, one after the other, and hears what comes of each.
pub(crate) fn ask(socket: &Path, things: &[String]) -> Result<Vec<String>> {
    let mut answers = Vec::new();
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut said = BufReader::new(stream.try_clone()?).lines();
    let hello = r#"{"execute":"qmp_capabilities"}"#.to_owned();
    for asked in std::iter::once(&hello).chain(things) {
        stream.write_all(asked.as_bytes())?;
        loop {
            let line = said.next().ok_or("the emulator is gone")??;
            if line.contains("\"return\"") {
                answers.push(line);
                break;
            }
            if line.contains("\"error\"") {
                return Err(format!("{asked}: {line}").into());
            }
        }
    }
    // The first was only a greeting.
    Ok(answers.split_off(1))
}
