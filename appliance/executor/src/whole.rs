//! A small file that is there as it was or as it is to be, whenever the power fails.

use std::io::{self, Write};
use std::path::Path;

/// Writes it beside, and then puts it in the place of the one before.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    std::fs::File::open(folder)?.sync_all()
}

/// The same, of something that is read again as JSON.
pub(crate) fn write_json<T: serde::Serialize + ?Sized>(file: &Path, value: &T) -> io::Result<()> {
    write(file, &serde_json::to_vec(value)?)
}
