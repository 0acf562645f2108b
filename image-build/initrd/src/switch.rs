//! Mounts: the kernel's own file systems at the start, and the system's at the end.

use std::convert::Infallible;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::mount::{MountFlags, mount, mount_bind, mount_move};

use crate::Failure;

/// What a program finds before anything else is there.
pub(crate) fn mount_kernel_files() -> Result<(), Failure> {
    for (kind, target) in KERNEL {
        fs::create_dir_all(target).map_err(Failure::file(target))?;
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
        mount(kind, target, kind, flags, None).map_err(Failure::kernel("mount its own files"))?;
    }
    Ok(())
}

/// Goes over to the verified system; comes back only if that fails.
pub(crate) fn to(device: &Path, machine: Option<&str>) -> Result<Infallible, Failure> {
    fs::create_dir_all(ROOT).map_err(Failure::file(ROOT))?;
    mount(device, ROOT, "erofs", MountFlags::RDONLY, None)
        .map_err(Failure::kernel("mount the system"))?;
    if let Some(id) = machine {
        name(id)?;
    }
    // The rest of this little world stays in memory for ever, below the system, unless removed now.
    let _ = fs::remove_dir_all("/modules");
    let _ = fs::remove_file("/init");
    for (_, target) in KERNEL {
        let inside = format!("{ROOT}{target}");
        mount_move(target, &inside).map_err(Failure::kernel("move its own files"))?;
    }
    rustix::process::chdir(ROOT).map_err(Failure::kernel("enter the system"))?;
    mount_move(".", "/").map_err(Failure::kernel("put the system in its place"))?;
    rustix::process::chroot(".").map_err(Failure::kernel("enter the system"))?;
    Err(Failure::file(SYSTEMD)(Command::new(SYSTEMD).exec()))
}

/// Gives the machine the id that it had at the last start. It can't be in the system, which is the same
/// everywhere, and the data are not open yet.
fn name(id: &str) -> Result<(), Failure> {
    let run = format!("{ROOT}/run");
    // As systemd would mount it.
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::STRICTATIME;
    mount("tmpfs", &run, "tmpfs", flags, c"mode=0755,size=20%,nr_inodes=800k")
        .map_err(Failure::kernel("mount its own files"))?;
    let file = format!("{run}/machine-id");
    fs::write(&file, format!("{id}\n")).map_err(Failure::file(&file))?;
    let place = format!("{ROOT}/etc/machine-id");
    mount_bind(file, place).map_err(Failure::kernel("name the machine"))
}

const ROOT: &str = "/system";
const SYSTEMD: &str = "/usr/lib/systemd/systemd";
const KERNEL: [(&str, &str); 3] = [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")];
