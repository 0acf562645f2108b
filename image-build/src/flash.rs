//! `flash`: writes an image to a disk, only what means something of it, and reads it back.
//!
//! Never writes to what is no disk unless it is told that a file is meant, and never to a disk that is
//! in use unless it is named twice.

use std::fs::{self, File};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use disks::{Disk, Disks, Step};

use crate::bmap::Map;
use crate::{Error, Result, say};

/// What is to be written, and where.
pub(crate) struct Flash {
    pub(crate) image: PathBuf,
    pub(crate) device: PathBuf,
    /// The device was named twice: whoever does that means it.
    pub(crate) twice: bool,
    /// A file is meant.
    pub(crate) file: bool,
}

impl Flash {
    pub(crate) fn new(image: &str, device: &str, twice: bool, file: bool) -> Self {
        Self { image: image.into(), device: device.into(), twice, file }
    }
}

/// Does it.
pub(crate) fn flash(wish: &Flash) -> Result<()> {
    let refused = |reason: String| Error::Flash { device: wish.device.clone(), reason };
    let mut image = Image::open(&wish.image)?;
    let target = if wish.file { file(wish, &image)? } else { device(wish, &image)? };
    let mut progress = Progress::new();
    let written = disks::write(
        &mut image.content,
        &image.map.extents(),
        &target,
        |part, hash| image.map.is_sound(part, hash),
        |step| progress.tell(step),
    );
    image.finish(written.is_ok())?;
    written.map_err(|error| refused(crate::chain(&error)))?;
    say(&format!("{} holds the image, every block as it should be", wish.device.display()));
    Ok(())
}

/// An image, packed or not, and the map beside it.
struct Image {
    content: Box<dyn Read>,
    map: Map,
    unpacks: Option<(Child, String)>,
}

impl Image {
    fn open(path: &Path) -> Result<Self> {
        let program = match path.extension().and_then(|end| end.to_str()) {
            Some("xz") => Some("xz"),
            Some("zst") => Some("zstd"),
            Some(_) | None => None,
        };
        let plain = if program.is_some() { path.with_extension("") } else { path.to_owned() };
        let map = Map::beside(&with(&plain, "bmap"))?;
        let file = File::open(path).map_err(Error::file(path))?;
        let Some(program) = program else {
            return Ok(Self { content: Box::new(file), map, unpacks: None });
        };
        let mut command = Command::new(program);
        command.args(["--decompress", "--stdout"]).stdin(file).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(Error::file(program))?;
        let content = child.stdout.take().ok_or_else(|| Error::image("nothing to read from"))?;
        Ok(Self { content: Box::new(content), map, unpacks: Some((child, program.to_owned())) })
    }

    /// What is behind the last part is not read: the program is ended there.
    fn finish(&mut self, read: bool) -> Result<()> {
        let Some((child, program)) = &mut self.unpacks else { return Ok(()) };
        let failed = child.try_wait().ok().flatten().is_some_and(|status| !status.success());
        let _ = child.kill();
        let _ = child.wait();
        if failed && !read {
            return Err(Error::image(format!("{program} can't unpack it")));
        }
        Ok(())
    }
}

fn file(wish: &Flash, image: &Image) -> Result<File> {
    let refused =
        |reason: &str| Error::Flash { device: wish.device.clone(), reason: reason.into() };
    if fs::metadata(&wish.device).is_ok_and(|about| !about.is_file()) {
        return Err(refused("it is no file"));
    }
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(&wish.device).map_err(Error::file(&wish.device))?;
    let there = file.metadata().map_err(Error::file(&wish.device))?.len();
    file.set_len(there.max(image.map.bytes)).map_err(Error::file(&wish.device))?;
    Ok(file)
}

fn device(wish: &Flash, image: &Image) -> Result<File> {
    let refused = |reason: String| Error::Flash { device: wish.device.clone(), reason };
    let path = fs::canonicalize(&wish.device).map_err(Error::file(&wish.device))?;
    let about = fs::metadata(&path).map_err(Error::file(&path))?;
    if !about.file_type().is_block_device() {
        return Err(refused("it is no disk; --file writes to a file".into()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let disk = Disks::of_machine().of_device(&name);
    let disk = disk.ok_or_else(|| refused("the kernel says nothing about it".into()))?;
    if disk.name != name {
        return Err(refused(format!(
            "it is a part of /dev/{}; an image is for a whole disk",
            disk.name
        )));
    }
    may(&disk, image.map.bytes, wish.twice).map_err(refused)?;
    say(&format!("{}: {}", path.display(), disk.title()));
    if !wish.twice {
        ask(&disk).map_err(refused)?;
    }
    let mut options = File::options();
    options.read(true).write(true);
    if !wish.twice {
        // The kernel's own word that nobody else uses it.
        options.custom_flags(rustix::fs::OFlags::EXCL.bits().cast_signed());
    }
    options.open(&path).map_err(Error::file(&path))
}

/// Whether this disk is one to write to.
fn may(disk: &Disk, bytes: u64, named_twice: bool) -> std::result::Result<(), String> {
    if disk.read_only {
        return Err("it can't be written: is there a switch on it?".to_owned());
    }
    if disk.sector != 512 {
        return Err(format!(
            "it has sectors of {} bytes, and an image is made for disks with 512: take another one",
            disk.sector
        ));
    }
    if disk.bytes < bytes {
        let (has, needs) = (disks::find::size(disk.bytes), disks::find::size(bytes));
        return Err(format!("it has {has}, and the image needs {needs}"));
    }
    if !disk.used.is_empty() && !named_twice {
        let used = disk.used.join(", ");
        return Err(format!(
            "{} is in use: {used}. Unmount it, or name it twice if you mean to lose what is there",
            disk.title()
        ));
    }
    Ok(())
}

/// Asks whoever sits there; a script names the disk twice instead.
fn ask(disk: &Disk) -> std::result::Result<(), String> {
    let twice = "name it twice to write without being asked";
    if !io::stdin().is_terminal() {
        return Err(format!("{} would be erased; {twice}", disk.title()));
    }
    say(&format!("all that is on it will be gone. Type {} to go on:", disk.name));
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    if read.is_ok() && line.trim() == disk.name {
        return Ok(());
    }
    Err("nothing was written".to_owned())
}

/// A line that is written over where there is a terminal, and a few lines where there is none.
struct Progress {
    terminal: bool,
    shown: Instant,
    begin: Instant,
}

impl Progress {
    fn new() -> Self {
        let now = Instant::now();
        Self { terminal: io::stderr().is_terminal(), shown: now, begin: now }
    }

    fn tell(&mut self, step: Step) {
        let (what, done, all) = match step {
            Step::Written(done, all) => ("written", done, all),
            Step::Verified(done, all) => ("verified", done, all),
        };
        let often =
            if self.terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        if done < all && self.shown.elapsed() < often {
            return;
        }
        self.shown = Instant::now();
        let percent = done * 100 / all.max(1);
        let seconds = self.begin.elapsed().as_secs();
        let (start, end) =
            if self.terminal { ("\r", if done == all { "\n" } else { "" }) } else { ("", "\n") };
        let (done, all) = (disks::find::size(done), disks::find::size(all));
        let line =
            format!("{start}image: {percent:>3} % {what}, {done} of {all}, {seconds} s   {end}");
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

/// The same name with one more ending.
pub(crate) fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use disks::Extents;

    /// An image of three parts, with holes that hold something else.
    fn image(folder: &Path) -> PathBuf {
        let path = folder.join("a.img");
        let bytes: Vec<u8> = (0..300_000).map(|at| (at / 7 % 256) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        let extents: Extents = [0..5000, 100_000..180_000, 299_000..300_000].into_iter().collect();
        let map = Map::of(&path, &extents).unwrap();
        fs::write(with(&path, "bmap"), map.to_text()).unwrap();
        path
    }

    fn wish(image: &Path, device: &Path) -> Flash {
        Flash { image: image.into(), device: device.into(), twice: false, file: true }
    }

    #[test]
    fn only_what_is_mapped_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (image, to) = (image(folder.path()), folder.path().join("disk"));
        fs::write(&to, vec![0xee; 400_000]).unwrap();
        flash(&wish(&image, &to)).unwrap();
        let (from, to) = (fs::read(&image).unwrap(), fs::read(&to).unwrap());
        assert_eq!(to.len(), 400_000);
        assert_eq!(to[..8192], from[..8192]);
        assert!(to[8192..98_304].iter().all(|byte| *byte == 0xee));
        assert_eq!(to[98_304..180_000], from[98_304..180_000]);
        assert_eq!(to[299_000..300_000], from[299_000..300_000]);
    }

    #[test]
    fn a_packed_image_is_unpacked_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path());
        if Command::new("xz").arg("--keep").arg(&image).status().is_err() {
            let _ = writeln!(io::stderr(), "SKIP a packed image: there is no xz here");
            return;
        }
        let to = folder.path().join("disk");
        flash(&wish(&with(&image, "xz"), &to)).unwrap();
        assert_eq!(fs::read(&to).unwrap()[..8192], fs::read(&image).unwrap()[..8192]);
        let packed = fs::read(with(&image, "xz")).unwrap();
        fs::write(with(&image, "xz"), &packed[..packed.len() / 2]).unwrap();
        assert!(flash(&wish(&with(&image, "xz"), &to)).is_err());
    }

    #[test]
    fn a_damaged_image_is_said_and_a_map_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let (image, to) = (image(folder.path()), folder.path().join("disk"));
        let mut bytes = fs::read(&image).unwrap();
        bytes[150_000] ^= 1;
        fs::write(&image, bytes).unwrap();
        let error = flash(&wish(&image, &to)).unwrap_err().to_string();
        assert!(error.contains("damaged between byte 98304"), "{error}");
        fs::remove_file(with(&image, "bmap")).unwrap();
        assert!(flash(&wish(&image, &to)).is_err());
    }

    #[test]
    fn what_is_no_disk_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (image, to) = (image(folder.path()), folder.path().join("disk"));
        fs::write(&to, "precious").unwrap();
        for device in [to.as_path(), Path::new("/dev/null"), folder.path()] {
            let wish = Flash { file: false, ..wish(&image, device) };
            let error = flash(&wish).unwrap_err().to_string();
            assert!(error.contains("it is no disk"), "{error}");
        }
        assert_eq!(fs::read(&to).unwrap(), b"precious");
        let folder = Flash { file: true, ..wish(&image, Path::new("/dev/null")) };
        assert!(flash(&folder).is_err());
    }

    /// A file that the kernel shows as a disk, for as long as this is there.
    struct Loop(String);

    impl Loop {
        fn of(file: &Path) -> std::result::Result<Self, String> {
            let said = Command::new("losetup").args(["--find", "--show"]).arg(file).output();
            let said = said.map_err(|error| format!("losetup: {error}"))?;
            let name = String::from_utf8_lossy(&said.stdout).trim().to_owned();
            let why = String::from_utf8_lossy(&said.stderr).trim().to_owned();
            if said.status.success() { Ok(Self(name)) } else { Err(why) }
        }
    }

    impl Drop for Loop {
        fn drop(&mut self) {
            let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
        }
    }

    #[test]
    fn a_disk_is_written_and_holds_the_image() {
        let folder = tempfile::tempdir().unwrap();
        let (image, back) = (image(folder.path()), folder.path().join("disk"));
        fs::write(&back, vec![0xee; 1 << 20]).unwrap();
        let disk = match Loop::of(&back) {
            Ok(disk) => disk,
            Err(reason) => {
                let _ = writeln!(io::stderr(), "SKIP an image on a loop device: {reason}");
                return;
            }
        };
        let once = Flash::new("", &disk.0, false, false);
        let wish = Flash { image: image.clone(), ..once };
        // Nobody sits there to be asked.
        let error = flash(&wish).unwrap_err().to_string();
        assert!(error.contains("name it twice"), "{error}");
        flash(&Flash { twice: true, ..wish }).unwrap();
        let mut found = vec![0; 8192];
        File::open(&disk.0).unwrap().read_exact(&mut found).unwrap();
        assert_eq!(found, fs::read(&image).unwrap()[..8192]);
        let large = Flash { image: large(folder.path()), ..Flash::new("", &disk.0, true, false) };
        assert!(flash(&large).unwrap_err().to_string().contains("the image needs"));
    }

    fn large(folder: &Path) -> PathBuf {
        let path = folder.join("large.img");
        File::create(&path).unwrap().set_len(2 << 20).unwrap();
        let map = Map::of(&path, &std::iter::once(0..4096).collect()).unwrap();
        fs::write(with(&path, "bmap"), map.to_text()).unwrap();
        path
    }

    #[test]
    fn a_disk_in_use_is_refused_unless_it_is_named_twice() {
        let disk = Disk {
            name: "sda".into(),
            model: "Disk".into(),
            bytes: 1000,
            sector: 512,
            removable: false,
            read_only: false,
            used: vec!["/".into()],
        };
        assert!(may(&disk, 10, false).unwrap_err().contains("is in use: /."));
        assert_eq!(may(&disk, 10, true), Ok(()));
        assert!(may(&disk, 1001, true).is_err());
        assert!(may(&Disk { read_only: true, ..disk.clone() }, 10, true).is_err());
        let large = may(&Disk { sector: 4096, ..disk.clone() }, 10, true).unwrap_err();
        assert!(large.contains("4096"), "{large}");
        assert_eq!(may(&Disk { used: Vec::new(), ..disk }, 10, false), Ok(()));
    }
}
