//! The first program of the image: loads the modules that its disk needs, finds the two partitions
//! that the root hash names, has the kernel verify every block of them, and hands over to systemd.
//!
//! Never asks and never opens a shell: what can't be started is said and the machine starts again. A system
//! on trial is counted by the boot loader, so that the other slot gets its turn.

mod devices;
mod disk;
mod mapper;
mod switch;

use std::convert::Infallible;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use initrd::hash::{NoHash, RootHash};
use initrd::superblock::{NotOurs, Superblock};
use rustix::system::{RebootCommand, reboot};

fn main() {
    let failed = match start() {
        Ok(never) => match never {},
        Err(failed) => failed,
    };
    say(&format!("the system can't be started: {}", chain(&failed)));
    // Time to read it on a screen.
    std::thread::sleep(Duration::from_secs(5));
    let _ = reboot(RebootCommand::Restart);
}

fn start() -> Result<Infallible, Failure> {
    switch::mount_kernel_files()?;
    let line = fs::read_to_string("/proc/cmdline").map_err(Failure::file("/proc/cmdline"))?;
    let hash = RootHash::of_command_line(&line)?;
    let mut devices = devices::Devices::read()?;
    let slot = disk::find(&hash, &mut devices)?;
    let superblock = Superblock::read(&disk::first_block(&slot.tree)?)?;
    let device = mapper::verified(&slot, &superblock, &hash)?;
    switch::to(&device, slot.machine.as_deref())
}

/// Why the system can't be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{path} can't be used")]
    File { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Hash(#[from] NoHash),
    #[error("the kernel doesn't {0}")]
    Kernel(&'static str, #[source] rustix::io::Errno),
    #[error("no disk has the partitions of {0}")]
    NoSlot(RootHash),
    #[error(transparent)]
    Tree(#[from] NotOurs),
}

impl Failure {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |source| Self::File { path, source }
    }

    pub(crate) fn kernel(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |source| Self::Kernel(what, source)
    }
}

/// To the kernel's log, which is on every console.
pub(crate) fn say(text: &str) {
    if let Ok(mut log) = fs::File::options().write(true).open("/dev/kmsg") {
        // In one piece: each write is a line of its own.
        let _ = log.write_all(format!("<1>hometwin: {text}").as_bytes());
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
