//! Makes the image for a computer: Debian's packages, the recipe and our own programs in, a disk out.
//!
//! Drives Debian's tools inside a tree of their own, so that nothing depends on what the building
//! machine has. Writes to no device but the one that `flash` names. Signs updates, with keys that it
//! makes and never shows.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it tells a developer what it does")]

mod arguments;
pub mod bmap;
mod build;
mod bundle;
mod cache;
mod cargo;
mod debian;
mod disk;
mod flash;
pub mod inspect;
mod keys;
mod licences;
mod lock;
mod mirror;
mod recipe;
mod sbom;
mod sign;
mod start;
mod system;
mod tools;
mod verity;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arguments::{Arguments, Command};

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::read(lexopt::Parser::from_env()) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n\n{}", arguments::HELP);
            return ExitCode::from(2);
        }
    };
    let done = match arguments.command {
        Command::Build(wish) => build::build(&wish).map(|image| println!("{}", image.display())),
        Command::Flash(wish) => flash::flash(&wish),
        Command::Bundle(wish, signing) => {
            bundle::bundle(&wish, &signing).map(|bundle| println!("{}", bundle.display()))
        }
        Command::Help => {
            println!("{}", arguments::HELP);
            Ok(())
        }
        Command::Inspect { image, out } => {
            inspect::file(&image, out.as_deref()).map(|about| println!("{about}"))
        }
        Command::KeysNew(folder) => keys::new(&folder),
        Command::KeysRotate(folder) => keys::rotate(&folder),
        Command::Lock(wish) => build::lock(&wish).map(|file| println!("{}", file.display())),
        Command::Tool { work, words } => return tools::forward(&work, &words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", chain(&error));
            // 3: not on this machine, or not by this user.
            let elsewhere =
                matches!(error, Error::Missing { .. } | Error::NoMirror | Error::NotRoot);
            ExitCode::from(if elsewhere { 3 } else { 1 })
        }
    }
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{package} can't be compiled")]
    Compile { package: String },
    /// A file of ours or of the tree.
    #[error("{path}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A disk that isn't written, or not as it should be.
    #[error("{device}: {reason}", device = device.display())]
    Flash { device: PathBuf, reason: String },
    #[error("the image is not whole: {0}")]
    Image(String),
    #[error("what the mirror has is not what {file} says:\n{differences}\n`image-build lock` takes what there is now, `build --unlocked` does so once", file = file.display())]
    Lock { file: PathBuf, differences: String },
    #[error("{file} can't be used", file = file.display())]
    Map { file: PathBuf, source: bmap::NoMap },
    #[error("these programs are missing: {programs}\n  apt install {packages}")]
    Missing { programs: String, packages: String },
    #[error("no source of Debian's packages is configured for apt here; name one: --mirror URL")]
    NoMirror,
    #[error(
        "only root can build an image: a tree of packages has files of many owners, and their \
         tools run inside it (chroot, mount). Nothing outside the cache folder is written"
    )]
    NotRoot,
    #[error("{program} failed ({status}); what it said is in {log}", log = log.display())]
    Program { program: String, status: std::process::ExitStatus, log: PathBuf },
    #[error("{file}: {reason}", file = file.display())]
    Recipe { file: PathBuf, reason: String },
}

impl Error {
    pub(crate) fn file(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::File { path, source }
    }

    pub(crate) fn image(reason: impl std::fmt::Display) -> Self {
        Self::Image(reason.to_string())
    }
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// One line of progress.
pub(crate) fn say(text: &str) {
    eprintln!("image: {text}");
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
