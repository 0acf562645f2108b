//! Mounts: the kernel's own file systems at the start, and the system's at the end.

use std::convert::Infallible;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::mount::{MountFlags, mount, mount_move};

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
pub(crate) fn to(device: &Path) -> Result<Infallible, Failure> {
    fs::create_dir_all(ROOT).map_err(Failure::file(ROOT))?;
    mount(device, ROOT, "erofs", MountFlags::RDONLY, None)
        .map_err(Failure::kernel("mount the system"))?;
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

const ROOT: &str = "/system";
const SYSTEMD: &str = "/usr/lib/systemd/systemd";
const KERNEL: [(&str, &str); 3] = [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")];
