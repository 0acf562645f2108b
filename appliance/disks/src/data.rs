//! The data partition: made at the first start, in what the system leaves of its own disk, and opened
//! and checked at each.
//!
//! Where there is a TPM it is encrypted, opened by this computer as long as it starts the same way, or
//! by the recovery key. Without one it isn't: a key beside its lock protects nothing. Never touches
//! another disk than the system's, and never makes anew what is there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::recovery::RecoveryKey;
use crate::write::Step;
use crate::{Disk, Disks, install};

/// Whoever stands before the machine.
pub trait Person {
    /// Whether somebody could answer: there is a keyboard.
    fn can_answer(&self) -> bool;
    /// The data are encrypted, and this opens them when the computer can't. Whether somebody says that
    /// it is kept elsewhere; comes back in any case, for nobody may be there.
    fn told_key(&mut self, key: &RecoveryKey) -> bool;
    /// There is no recovery key that somebody has, and none could be made now.
    fn told_no_key(&mut self, error: &Error);
    /// The data are not encrypted: there is no TPM.
    fn told_plain(&mut self);
    /// The computer can't open the data itself; `wrong` if the last key was not the right one.
    ///
    /// # Errors
    /// If nobody can be asked.
    fn ask_key(&mut self, wrong: bool) -> io::Result<RecoveryKey>;
    /// The data are open; from the next start on the computer opens them itself again, if `bound`.
    fn told_open(&mut self, bound: bool);
    /// The machine runs from a stick: shall the system be put on one of these, instead of being tried?
    fn choose(&mut self, own: &Disk, places: &[Disk]) -> Option<Disk>;
    /// How far the copying is.
    fn told_step(&mut self, step: Step);
    /// It is there, or why not; back when that was read.
    fn told_installed(&mut self, on: &Disk, done: std::result::Result<(), install::Error>);
    /// The file system was damaged and is repaired.
    fn told_repaired(&mut self);
}

/// Who can open the data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opens {
    /// Everybody: they are not encrypted.
    Anybody,
    /// This computer and, as far as anybody has said, nobody else: their recovery key is not known.
    ComputerAlone,
    /// This computer, and who has the recovery key.
    KeyToo,
}

/// Why the data can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the machine.
    #[error("{path}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The system's disk is not found.
    #[error("the system's own disk is not found")]
    NoDisk,
    /// It should be there now.
    #[error("no data partition came into being on {0}")]
    NoPartition(String),
    /// A program of the system failed.
    #[error("{0} failed: {1}")]
    Program(&'static str, String),
}

type Result<T> = std::result::Result<T, Error>;

/// Opens the data, makes them if they aren't there, and gives the device to mount a fixed name. Who
/// can open them is left for the node, which shows it.
///
/// # Errors
/// If they can't be used. Nothing that is there is lost.
pub fn open(disks: &Disks, person: &mut dyn Person) -> Result<()> {
    let disk = disks.below("/").ok_or(Error::NoDisk)?;
    if disk.removable {
        offer(disks, &disk, person)?;
    }
    let found = disks.part(&disk.name, LABEL);
    let is_new = found.is_none();
    let part = match found {
        Some(part) => part,
        None => make(disks, &disk.name)?,
    };
    let part = Path::new("/dev").join(part);
    let encrypted = is_encrypted(&part)?;
    let mut key_known = false;
    let device = if !encrypted {
        part.clone()
    } else if is_new {
        attach(&part, None)?;
        PathBuf::from(OPENED)
    } else {
        key_known = unlock(&part, person)?;
        PathBuf::from(OPENED)
    };
    if !encrypted && is_new {
        person.told_plain();
    }
    if check(&device)? {
        person.told_repaired();
    }
    let opens = match encrypted {
        true => second_way(&part, &device, is_new, key_known, person)?,
        false => Opens::Anybody,
    };
    leave(opens)?;
    let link = Path::new(DEVICE);
    let _ = fs::remove_file(link);
    std::os::unix::fs::symlink(&device, link).map_err(file(link))
}

/// Made with the TPM alone, the data get a second way in before anything is kept. As long as nobody
/// has said that they have its key, there is a new one whenever somebody could.
fn second_way(
    part: &Path,
    device: &Path,
    is_new: bool,
    typed: bool,
    person: &mut dyn Person,
) -> Result<Opens> {
    let inside = Inside::mount(device)?;
    if inside.has(KEY_KNOWN) {
        return Ok(Opens::KeyToo);
    }
    let known = typed
        || (is_new || person.can_answer())
            && match recovery_key(part) {
                Ok(key) => person.told_key(&key),
                Err(error) if is_new => return Err(error),
                Err(error) => {
                    person.told_no_key(&error);
                    false
                }
            };
    if !known {
        return Ok(Opens::ComputerAlone);
    }
    inside.put(KEY_KNOWN)?;
    Ok(Opens::KeyToo)
}

/// For the node, which has no right to find it out.
fn leave(opens: Opens) -> Result<()> {
    let path = Path::new(LEFT);
    let folder = path.parent().unwrap_or(Path::new("/"));
    let left = || {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        fs::write(path, opens.word())?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))
    };
    left().map_err(file(path))
}

impl Opens {
    /// As [`open`] leaves it in `/run/hometwin/disks/data.opens`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::ComputerAlone => "computer-alone",
            Self::KeyToo => "key-too",
        }
    }
}

/// Before anything is made on the stick: whether it is to be tried or installed.
fn offer(disks: &Disks, own: &Disk, person: &mut dyn Person) -> Result<()> {
    loop {
        let places = install::places(disks.all(), own);
        let chosen = if places.is_empty() { None } else { person.choose(own, &places) };
        let Some(disk) = chosen else { return Ok(()) };
        let done = install::install(own, &disk, |step| person.told_step(step));
        let whole = done.is_ok();
        person.told_installed(&disk, done);
        if whole {
            run("systemctl", Command::new("systemctl").args(["--force", "reboot"]))?;
            // Until it does.
            std::thread::sleep(Duration::from_secs(600));
        }
    }
}

/// Has it made in the room that is left. Its id is the machine's, which so outlives a start.
fn make(disks: &Disks, disk: &str) -> Result<String> {
    let machine = fs::read_to_string("/etc/machine-id").map_err(file("/etc/machine-id"))?;
    let has_tpm = has_tpm();
    let before = disks.parts(disk);
    let folder = Path::new(RUN).join("data.repart.d");
    fs::create_dir_all(&folder).map_err(file(&folder))?;
    let path = folder.join("data.conf");
    fs::write(&path, definition(machine.trim(), has_tpm)).map_err(file(&path))?;
    let mut command = Command::new("systemd-repart");
    command.args(["--dry-run=no", "--empty=refuse", "--discard=no", "--no-pager"]);
    command.arg(format!("--definitions={}", folder.display())).arg(Path::new("/dev").join(disk));
    if has_tpm {
        command.args(BINDING);
    }
    command.env("SYSTEMD_REPART_MKFS_OPTIONS_EXT4", FILE_SYSTEM);
    run("systemd-repart", &mut command)?;
    // The kernel has been told of it, but not of its label.
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let new = |part: &String| !before.contains(part) && Path::new("/dev").join(part).exists();
        if let Some(part) = disks.parts(disk).into_iter().find(new) {
            return Ok(part);
        }
        if Instant::now() > end {
            return Err(Error::NoPartition(disk.to_owned()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What is to be made, as systemd-repart reads it.
fn definition(machine: &str, encrypted: bool) -> String {
    let encrypt = if encrypted { "Encrypt=tpm2\n" } else { "" };
    format!(
        "[Partition]\nType=linux-generic\nLabel={LABEL}\nUUID={machine}\nFormat=ext4\n\
         SizeMinBytes=64M\n{encrypt}"
    )
}

/// By the TPM; or by the key of whoever stands there, after which the TPM knows this computer again.
/// Whether it was the key.
fn unlock(part: &Path, person: &mut dyn Person) -> Result<bool> {
    if has_tpm() && attach(part, None).is_ok() {
        return Ok(false);
    }
    let mut wrong = false;
    loop {
        let key = person.ask_key(wrong).map_err(file("/dev/console"))?;
        let file = KeyFile::write(&key)?;
        if attach(part, Some(file.path())).is_err() {
            wrong = true;
            continue;
        }
        let bound = has_tpm() && {
            let unlock = format!("--unlock-key-file={}", file.path().display());
            let mut command = Command::new("systemd-cryptenroll");
            command.args(["--wipe-slot=tpm2", &unlock]).args(BINDING).arg(part);
            run("systemd-cryptenroll", &mut command).is_ok()
        };
        person.told_open(bound);
        return Ok(true);
    }
}

fn attach(part: &Path, key: Option<&Path>) -> Result<()> {
    let mut command = Command::new("systemd-cryptsetup");
    command.args(["attach", NAME]).arg(part);
    // It speaks to the TPM itself; a plug-in that does would be one more library.
    command.env("SYSTEMD_CRYPTSETUP_USE_TOKEN_MODULE", "0");
    match key {
        Some(key) => command.arg(key).arg("luks,discard,tries=1,headless=true"),
        None => command.args(["-", "luks,discard,headless=true,tpm2-device=auto"]),
    };
    run("systemd-cryptsetup", &mut command).map(drop)
}

/// A new one, made by systemd: 256 random bits, so that guessing is hopeless without a slow hash. The
/// one of before goes when this one is there, so that there always is one.
fn recovery_key(part: &Path) -> Result<RecoveryKey> {
    let mut command = Command::new("systemd-cryptenroll");
    command.args(["--recovery-key", "--wipe-slot=recovery", "--unlock-tpm2-device=auto"]).arg(part);
    // Whatever it says besides goes nowhere: ours goes to the journal, and a key may be in none.
    let done = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let done = done.map_err(file("systemd-cryptenroll"))?;
    let key = RecoveryKey::read(&String::from_utf8_lossy(&done.stdout));
    let none = || Error::Program("systemd-cryptenroll", done.status.to_string());
    key.filter(|_| done.status.success()).ok_or_else(none)
}

/// Whether it had to be repaired. What can't be repaired without a decision is decided: a machine
/// without its data helps nobody, and every twin verifies its own.
fn check(device: &Path) -> Result<bool> {
    for how in ["-p", "-fy"] {
        let mut command = Command::new("fsck.ext4");
        command.arg(how).arg(device).stdin(Stdio::null()).stdout(Stdio::null());
        let status = command.status().map_err(file("fsck.ext4"))?;
        match status.code() {
            Some(0) => return Ok(how == "-fy"),
            Some(1) => return Ok(true),
            Some(_) | None if how == "-fy" => {
                return Err(Error::Program("fsck.ext4", status.to_string()));
            }
            Some(_) | None => {}
        }
    }
    Ok(false)
}

fn is_encrypted(part: &Path) -> Result<bool> {
    let mut magic = [0; 6];
    let read = File::open(part).and_then(|mut part| part.read_exact(&mut magic));
    read.map_err(file(part)).map(|()| &magic == b"LUKS\xba\xbe")
}

/// One of the second version, which firmware of the last ten years has.
fn has_tpm() -> bool {
    let version = fs::read_to_string("/sys/class/tpm/tpm0/tpm_version_major");
    version.is_ok_and(|version| version.trim() == "2")
}

/// A key in memory, for a program that reads it from a file; gone with this.
struct KeyFile(PathBuf);

impl KeyFile {
    fn write(key: &RecoveryKey) -> Result<Self> {
        let path = Path::new(RUN).join("key");
        let _ = fs::remove_file(&path);
        let written = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let written = written.and_then(|mut file| file.write_all(key.text().as_bytes()));
        written.map_err(file(&path))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The data's file system, for a moment; nobody else has it yet.
struct Inside(PathBuf);

impl Inside {
    fn mount(device: &Path) -> Result<Self> {
        let on = Path::new(RUN).join("inside");
        fs::create_dir_all(&on).map_err(file(&on))?;
        let mut command = Command::new("mount");
        command.args(["-t", "ext4", "-o", "noatime,nodev,noexec,nosuid"]).arg(device).arg(&on);
        run("mount", &mut command)?;
        Ok(Self(on))
    }

    fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// Leaves a mark that is there after a power cut.
    fn put(&self, name: &str) -> Result<()> {
        let path = self.0.join(name);
        let put = || {
            let folder = path.parent().unwrap_or(&self.0);
            fs::create_dir_all(folder)?;
            File::create(&path)?.sync_all()?;
            File::open(folder)?.sync_all()?;
            File::open(folder.parent().unwrap_or(folder))?.sync_all()
        };
        put().map_err(file(&path))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = run("umount", Command::new("umount").arg(&self.0));
    }
}

/// What a program wrote to its standard output. What it says of an error goes where ours goes.
fn run(name: &'static str, command: &mut Command) -> Result<String> {
    let done = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let done = done.map_err(file(name))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(Error::Program(name, done.status.to_string()))
}

fn file(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
    let path = path.as_ref().to_owned();
    |source| Error::File(path, source)
}

/// Where the device to mount is found.
const DEVICE: &str = "/run/hometwin-data/device";
const RUN: &str = "/run/hometwin-data";
/// Who can open the data, for the node.
const LEFT: &str = "/run/hometwin/disks/data.opens";
/// Among the data: somebody has said that they keep the recovery key.
const KEY_KNOWN: &str = "lib/hometwin-data/recovery-key-known";
const LABEL: &str = "hometwin-data";
const NAME: &str = "hometwin-data";
const OPENED: &str = "/dev/mapper/hometwin-data";
/// Register 7: whether and with whose keys the firmware verifies what it starts.
const BINDING: [&str; 3] = ["--tpm2-device=auto", "--tpm2-pcrs=7", "--tpm2-public-key="];
/// Quotas by project keep every twin within its room; `encrypt`, so that folders can have keys.
const FILE_SYSTEM: &str =
    "-O project,quota,encrypt -E quotatype=prjquota,lazy_itable_init=1,nodiscard";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_has_the_machines_id_and_is_encrypted_where_it_can_be() {
        let id = "0123456789abcdef0123456789abcdef";
        let plain = definition(id, false);
        assert!(plain.contains("\nUUID=0123456789abcdef0123456789abcdef\n"), "{plain}");
        assert!(!plain.contains("Encrypt"));
        assert!(definition(id, true).ends_with("\nEncrypt=tpm2\n"));
    }

    #[test]
    fn an_encrypted_partition_is_known_by_its_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("part");
        for (bytes, encrypted) in [(&b"LUKS\xba\xbe\0\x02"[..], true), (&[0; 8], false)] {
            fs::write(&part, bytes).unwrap();
            assert_eq!(is_encrypted(&part).unwrap(), encrypted);
        }
        fs::write(&part, "").unwrap();
        assert!(is_encrypted(&part).is_err());
    }
}
