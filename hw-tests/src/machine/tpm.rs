//! The TPM of an emulated machine: a chip of its own that keeps what it knows in a folder.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{Result, until};

/// A running one. The emulator ends it when it ends; this does if there is none.
pub(super) struct Tpm(Child);

impl Tpm {
    /// Starts the one with this number; `command` runs the program in the machine's folder.
    pub(super) fn start(mut command: Command, folder: &Path, number: u8) -> Result<Self> {
        std::fs::create_dir_all(folder.join(format!("tpm{number}")))?;
        let _ = std::fs::remove_file(folder.join("tpm"));
        command.args(["socket", "--tpm2", "--flags", "startup-clear", "--terminate"]);
        command.arg("--tpmstate").arg(format!("dir=/here/tpm{number}"));
        command.args(["--ctrl", "type=unixio,path=/here/tpm"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        until("the TPM", Duration::from_secs(600), || {
            Ok(folder.join("tpm").exists().then_some(()))
        })?;
        Ok(Self(child))
    }

    /// What the emulator needs to have it. The interface is `tis`: it is what most boards have, and
    /// an emulated `crb` is too slow for the kernel's patience.
    pub(super) fn attach(command: &mut Command) {
        command.args(["-chardev", "socket,id=tpm,path=/here/tpm"]);
        command.args(["-tpmdev", "emulator,id=tpm,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm"]);
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
